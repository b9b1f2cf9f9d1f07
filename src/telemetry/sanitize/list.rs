//! Secrets that stand behind their name and not beside it: in lists of arguments, in objects of a
//! name and a value, and in the commands that fail2ban takes word by word.

use super::command::Program;
use super::flat::{Found, Replacement};
use super::keys::{self, Class};
use super::pair::Key;
use super::rules::Rule;
use super::value::{bare_end, container_end, is_masked, is_plain, is_space, quote_at, quoted_end};
use super::{MASK, block, markup, sanitize_for_logging};

/// What the field of a name is called, in lower case.
const NAME_FIELDS: [&str; 7] = ["key", "name", "field", "option", "param", "parameter", "header"];

/// What the field beside it is called.
const VALUE_FIELDS: [&str; 4] = ["value", "val", "v", "data"];

/// What stands behind `password` in a list of the names of fields, and is no password.
const FIELD_WORDS: [&str; 10] =
    ["email", "host", "id", "login", "name", "port", "role", "timeout", "user", "username"];

/// A word of a command is no longer.
const MAX_WORD_BYTES: usize = 64;

pub(super) fn is_name_field(key: &str) -> bool {
    NAME_FIELDS.iter().any(|name| name.eq_ignore_ascii_case(key))
}

pub(super) fn is_value_field(key: &str) -> bool {
    VALUE_FIELDS.iter().any(|name| name.eq_ignore_ascii_case(key))
}

/// Tells whether a text is nothing but the name of a secret.
pub(super) fn names_secret(text: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    text.chars().all(part) && keys::classify(text).is_some_and(|class| !class.weak)
}

/// Reads a list of arguments item by item.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    before: Before,
    /// The last program that was named and takes a password as an argument.
    program: Option<Program>,
    /// The item before was an option of it that a password follows.
    is_value: bool,
}

/// What the item before was.
#[derive(Debug, Default)]
enum Before {
    #[default]
    Other,
    /// `--password`
    Option,
    /// `password`
    Name,
}

impl Arguments {
    /// Where in the next item a secret starts that goes on to its end.
    pub(super) fn secret(&mut self, item: &str, is_last: bool) -> Option<usize> {
        let is_named = match self.before {
            Before::Other => false,
            Before::Option => !item.starts_with('-'),
            Before::Name => is_last && !FIELD_WORDS.contains(&item),
        };
        self.before = match item.starts_with('-') {
            _ if is_named || !names_secret(item) => Before::Other,
            true => Before::Option,
            false => Before::Name,
        };
        let taken = self.taken(item);
        let start = if is_named { 0 } else { taken? };
        (start < item.len() && !is_masked(&item[start..])).then_some(start)
    }

    /// The same for the passwords that known programs take.
    fn taken(&mut self, item: &str) -> Option<usize> {
        let Some(program) = self.program.filter(|_| Program::named(item).is_none()) else {
            self.program = Program::named(item).or(self.program);
            self.is_value = false;
            return None;
        };
        let is_value = std::mem::take(&mut self.is_value);
        let start = if is_value { Some(0) } else { program.glued_value(item.as_bytes()) };
        let Some(start) = start.filter(|_| !is_value || !item.starts_with('-')) else {
            self.is_value = program.takes_value(item.as_bytes());
            return None;
        };
        // What follows the password of sshpass is another command.
        if program == Program::Sshpass {
            self.program = None;
        }
        Some(start + program.password_in(&item[start..])?)
    }

    /// Something else than a text stands between.
    pub(super) fn skip(&mut self) {
        self.before = Before::Other;
        self.is_value = false;
    }
}

/// An item whose secret starts at `start`, without it.
pub(super) fn masked_from(item: &str, start: usize) -> String {
    sanitize_for_logging(&format!("{}{MASK}", &item[..start])).into_owned()
}

/// What stands behind a quoted name of a secret and a comma.
pub(super) fn find(text: &str, key: &Key, class: Class) -> Option<Found> {
    let bytes = text.as_bytes();
    let (_, backslashes) = key.quote.filter(|quote| key.opening == Some(*quote))?;
    let comma = skip_space(bytes, key.end + backslashes + 1);
    if class.weak {
        return None;
    }
    if bytes.get(comma) != Some(&b',') {
        let beside = attribute_value(text, key, comma);
        return beside.or_else(|| markup::named_text(text, key, key.end + backslashes + 1));
    }
    let mut next = skip_space(bytes, comma + 1);
    // Python writes `b'x'`, and the other kind of quote around a text with one of these in it.
    if matches!(bytes.get(next), Some(b'b' | b'u')) {
        next += 1;
    }
    let (quote, backslashes) = quote_at(bytes, next)?;
    let start = next + backslashes + 1;
    let end = quoted_end(bytes, start, quote, backslashes);
    let word = &text[start..end];
    let after = skip_space(bytes, (end + backslashes + 1).min(bytes.len()));
    let is_option = bytes[key.start] == b'-';
    match bytes.get(after) {
        Some(b':') => named_value(text, key, word, after + 1),
        Some(b']' | b')') | None if !is_option && !FIELD_WORDS.contains(&word) => {
            found(text, start, end, Replacement::Mask, Rule::Argument)
        }
        Some(b']' | b')' | b',') | None if is_option && !word.starts_with('-') => {
            found(text, start, end, Replacement::Mask, Rule::Argument)
        }
        _ => None,
    }
}

/// `<add key="password" value="x"/>`: an attribute of XML at `at`.
fn attribute_value(text: &str, key: &Key, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (_, backslashes) = key.opening?;
    let is_attribute = bytes[..key.start - backslashes - 1].ends_with(b"=");
    let rest = text[at..].strip_prefix("value=").filter(|_| is_attribute)?;
    let (quote, backslashes) = quote_at(rest.as_bytes(), 0)?;
    let start = text.len() - rest.len() + backslashes + 1;
    let end = quoted_end(bytes, start, quote, backslashes);
    found(text, start, end, Replacement::Mask, Rule::NamedPair)
}

/// `'name': 'password', 'value': 'x'`: what `after` the colon stands.
fn named_value(text: &str, key: &Key, word: &str, after: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (quote, backslashes) = key.quote?;
    let before = key.start.checked_sub(backslashes + 1)?;
    let colon = bytes[..before].iter().rev().find(|byte| !is_space(**byte));
    if !is_value_field(word) || colon != Some(&b':') {
        return None;
    }
    let start = skip_space(bytes, after);
    if let Some((quote, backslashes)) = quote_at(bytes, start) {
        let start = start + backslashes + 1;
        let end = quoted_end(bytes, start, quote, backslashes);
        return found(text, start, end, Replacement::Mask, Rule::NamedPair);
    }
    let end = match bytes.get(start)? {
        b'[' | b'{' => container_end(bytes, start, false),
        _ => bare_end(bytes, start),
    };
    if is_plain(&text[start..end]) {
        return None;
    }
    found(text, start, end, Replacement::Quoted(quote, backslashes), Rule::NamedPair)
}

/// `set sshd action smtp password x`: the word behind the name.
pub(super) fn find_in_command(text: &str, key: &Key) -> Option<Found> {
    let bytes = text.as_bytes();
    let (name, _) = word_before(bytes, key.start)?;
    let (action, second) = word_before(bytes, name)?;
    if second != b"action" {
        return None;
    }
    let (jail, _) = word_before(bytes, action)?;
    let (_, first) = word_before(bytes, jail)?;
    let start = skip_blanks(bytes, key.end);
    if first != b"set" || start == key.end {
        return None;
    }
    found(text, start, bare_end(bytes, start), Replacement::Mask, Rule::Argument)
}

/// `- name: DB_PASSWORD` and below it `value: x`, as Kubernetes has the environment of a container.
pub(super) fn value_below(text: &str, key: &Key) -> Option<Found> {
    let bytes = text.as_bytes();
    let quoted = |quote: Option<(u8, usize)>| quote.map_or(0, |(_, backslashes)| backslashes + 1);
    let line = block::newline_at(bytes, key.end + quoted(key.quote))?;
    let name = key.start - quoted(key.opening);
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let blanks = bytes[..name].iter().rev().take_while(blank).count();
    let before = text[..name - blanks].strip_suffix(':')?;
    let len = before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
    if !is_name_field(&before[before.len() - len..]) {
        return None;
    }
    let field = skip_blanks(bytes, line);
    let len = bytes[field..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !is_value_field(&text[field..field + len]) || bytes.get(field + len) != Some(&b':') {
        return None;
    }
    let start = skip_blanks(bytes, field + len + 1);
    if let Some((start, end)) = block::lines(bytes, field, start) {
        return found(text, start, end, Replacement::Mask, Rule::NamedPair);
    }
    if let Some((quote, backslashes)) = quote_at(bytes, start) {
        let start = start + backslashes + 1;
        let end = quoted_end(bytes, start, quote, backslashes);
        return found(text, start, end, Replacement::Mask, Rule::NamedPair);
    }
    let end = block::end_of_line(bytes, start, bytes[line - 1] == b'n');
    found(text, start, end, Replacement::Mask, Rule::NamedPair)
}

/// `machine h login bob password x`, in one line or in three, as `.netrc` has it.
pub(super) fn netrc_password(text: &str, key: &Key) -> Option<Found> {
    let bytes = text.as_bytes();
    let start = skip_blanks(bytes, key.end);
    if start == key.end || key.quote.is_some() || &text[key.start..key.end] != "password" {
        return None;
    }
    // Without the host it could be prose: `login with password failed`.
    let mut at = key.start;
    for expected in [None, Some("login"), None, Some("machine")] {
        let floor = at.saturating_sub(MAX_WORD_BYTES);
        let spaces = bytes[floor..at].iter().rev().take_while(|byte| is_space(**byte)).count();
        let end = at - spaces;
        let word = bytes[floor..end].iter().rev().take_while(|byte| !is_space(**byte)).count();
        at = end - word;
        let is_expected = expected.is_none_or(|it| bytes[at..end] == *it.as_bytes());
        if spaces == 0 || word == 0 || !is_expected {
            return None;
        }
    }
    found(text, start, bare_end(bytes, start), Replacement::Mask, Rule::Argument)
}

/// The word that ends, with blanks behind it, at `at`: where it starts, and itself.
fn word_before(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let floor = at.saturating_sub(MAX_WORD_BYTES);
    let blanks = bytes[floor..at].iter().rev().take_while(blank).count();
    let end = at - blanks;
    let len = bytes[floor..end].iter().rev().take_while(|byte| !is_space(**byte)).count();
    (blanks > 0 && len > 0).then(|| (end - len, &bytes[end - len..end]))
}

pub(super) fn found(
    text: &str,
    start: usize,
    end: usize,
    with: Replacement,
    rule: Rule,
) -> Option<Found> {
    let value = text.get(start..end)?;
    let with = if is_masked(value) { Replacement::Kept } else { with };
    (!value.is_empty()).then_some(Found { start, end, with, rule })
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_space(**byte)).count()
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}
