//! `key=value`, `key: value`, `"key": "value"`, `--key value`, `<key>value</key>` and headers.

use super::flat::{Found, Replacement};
use super::keys::{self, Class};
use super::rules::Rule;
use super::scan::Hit;
use super::sql::{self, Columns};
use super::value::{
    backslashes_at, backslashes_before, bare_end, container_end, goes_on_bare, is_masked, is_plain,
    is_quote, is_space, line_end, quote_at, quoted_end, starts_pair,
};
use super::{block, command, list, markup};

/// Types that wrap a value where Rust prints one; they stay.
const WRAPPERS: [&[u8]; 5] = [b"Some(", b"Ok(", b"Secret(", b"SecretString(", b"String("];

/// Authorization schemes that are followed by one word; behind any other the line goes.
const ONE_WORD_SCHEMES: [&str; 8] =
    ["bearer", "basic", "token", "apikey", "api-key", "negotiate", "ntlm", "jwt"];

/// What is told of a secret behind its name and a colon, and is none itself.
const VERDICTS: [(&[&str], &[&str]); 4] = [
    (&["password"], &["incorrect", "required", "invalid", "missing", "expired"]),
    (&["token"], &["invalid", "expired", "missing", "expected"]),
    (&["authorization"], &["denied", "failed", "required", "missing"]),
    (&["credentials"], &["invalid", "missing"]),
];

/// A word behind such a verdict is no longer.
const MAX_VERDICT_BYTES: usize = 32;

/// What the names of errors about a secret start with.
const ERRORS: [&str; 10] = [
    "Bad",
    "Duplicate",
    "Expected",
    "Expired",
    "Invalid",
    "Missing",
    "Parse",
    "Unexpected",
    "Unknown",
    "Wrong",
];

/// No mask in brackets is longer.
const MAX_MASK_BYTES: usize = 64;

/// The name of a type around a secret is no longer.
const MAX_TYPE_BYTES: usize = 32;

/// No form has more fields of one name.
const MAX_INDEX_DIGITS: usize = 4;

/// A weak key with fewer digits is a count (`pass=12`).
const MIN_WEAK_DIGITS: usize = 6;

/// A signature is no shorter; what is shorter may be a verdict (`signature=bad`).
const MIN_PARAMETER_BYTES: usize = 6;

/// Finds pairs and remembers the last key, as one key can have many hits (`token_token_token`).
#[derive(Default)]
pub(super) struct Pairs {
    key_end: usize,
    columns: Columns,
}

impl Pairs {
    /// The pair whose key contains the hit, if that key names a secret.
    pub(super) fn find(&mut self, text: &str, hit: &Hit, floor: usize) -> Option<Found> {
        if hit.start < self.key_end {
            return None;
        }
        let bytes = text.as_bytes();
        let key = key_around(bytes, hit, floor.max(self.key_end));
        self.key_end = key.end;
        let name = &text[key.start..key.end];
        // Looked at first, as it is cheap: most words that look like a key have no value.
        let Some(place) = place_of_value(bytes, &key) else {
            return self.find_elsewhere(text, &key, floor);
        };
        let Some(class) = keys::classify(name) else {
            return parameter(text, &key, &place);
        };
        if !place.assigned && key.quote.is_none() && is_prose(text, &key, class, &place) {
            return None;
        }
        read_value(text, &key, class, &place)
    }

    /// The value where it does not stand beside its name.
    fn find_elsewhere(&mut self, text: &str, key: &Key, floor: usize) -> Option<Found> {
        let bytes = text.as_bytes();
        let name = &text[key.start..key.end];
        if name == "sshpass" {
            return command::find_sshpass(text, key.end);
        }
        if let Some(found) = list::find_in_command(text, key) {
            return keys::classify(name).is_some().then_some(found);
        }
        if let Some(found) = sql::password_literal(text, key) {
            return Some(found);
        }
        if let Some(found) = list::netrc_password(text, key) {
            return Some(found);
        }
        if matches!(bytes.get(key.end), Some(b'(' | b'&')) {
            let class = keys::classify(name).filter(|class| !class.weak)?;
            let entities = markup::between_entities(text, key, class);
            return entities.or_else(|| newtype(text, key, class));
        }
        if let Some(found) = list::value_below(text, key) {
            return keys::classify(name).is_some().then_some(found);
        }
        if key.quote.is_none() && !matches!(bytes.get(key.end), Some(b')' | b',')) {
            return None;
        }
        let class = keys::classify(name).filter(|class| !class.weak)?;
        list::find(text, key, class).or_else(|| self.columns.find(text, key, floor))
    }

    /// What a database quotes of a statement that it does not understand.
    pub(super) fn quoted_near_error(&self, text: &str) -> Option<Found> {
        // Without any key there is no column that names a secret.
        if self.key_end == 0 { None } else { sql::quoted_near_error(text) }
    }
}

/// Tells whether what stands behind a colon, without any quotes around its key, is only told of it.
fn is_prose(text: &str, key: &Key, class: Class, place: &Place) -> bool {
    let bytes = text.as_bytes();
    let name = &text[key.start..key.end];
    if class.weak {
        return quote_at(bytes, place.start).is_none() && !is_compound(name, class.rule);
    }
    // A parser says so of what it reads, whatever that is.
    let is_syntax = class.rule == Rule::Token && bytes[..key.start].ends_with(b"nexpected ");
    is_syntax || is_verdict(name, &text[place.start..])
}

/// `smtp_pass`, `smtp-pass` and `smtpPass` name a field; `gnome-session` is a program.
fn is_compound(name: &str, rule: Rule) -> bool {
    let name = name.trim_start_matches(['-', '_', '.']);
    let is_camel = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
    let is_joined = rule != Rule::Credential && name.contains(['-', '.']);
    is_joined || name.contains('_') || name.as_bytes().windows(2).any(is_camel)
}

/// `password: incorrect`: a word that no secret is, at the end of the text or of a part of it, or
/// before a further word.
fn is_verdict(name: &str, value: &str) -> bool {
    let known = |(names, _): &&(&[&str], &[&str])| {
        names.iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let Some((_, verdicts)) = VERDICTS.iter().find(known) else { return false };
    let Some(rest) = verdicts.iter().find_map(|verdict| value.strip_prefix(verdict)) else {
        return false;
    };
    let rest = rest.trim_start_matches(['.', ',', ';', ')', '!']);
    let Some(next) = rest.strip_prefix(' ') else { return rest.is_empty() };
    let len = next.bytes().take_while(u8::is_ascii_lowercase).take(MAX_VERDICT_BYTES).count();
    // The next pair is no further word: the value could be one too.
    let is_word = matches!(next.as_bytes().get(len), None | Some(b' ' | b'.' | b',' | b';' | b')'));
    len > 0 && is_word
}

/// `Password("x")`: a type around a value, as Rust prints it. A call is in lower case, and an error
/// tells what is wrong.
fn newtype(text: &str, key: &Key, class: Class) -> Option<Found> {
    let bytes = text.as_bytes();
    let name = &text[key.start..key.end];
    if !is_type(name) || ERRORS.iter().any(|error| name.starts_with(error)) {
        return None;
    }
    let (quote, backslashes) = quote_at(bytes, key.end + 1).filter(|(quote, _)| *quote == b'"')?;
    let start = key.end + 1 + backslashes + 1;
    let end = quoted_end(bytes, start, quote, backslashes);
    judge(text, start, end, Replacement::Mask, class)
}

/// Whether a name is written as that of a type: `ApiKey`, and not `api_key` or `API_KEY`.
fn is_type(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// `?sig=X` and, in a header, `, Signature=X`.
fn parameter(text: &str, key: &Key, place: &Place) -> Option<Found> {
    let bytes = text.as_bytes();
    let rule = keys::classify_parameter(&text[key.start..key.end])?;
    let before = &bytes[..key.start];
    let is_parameter = before.ends_with(b"&")
        || before.ends_with(b"?")
        || before.ends_with(b", ")
        || before.ends_with(b"%26")
        || before.ends_with(b"%3F");
    // Asked before the end is looked for: what is no parameter is not consumed, so looking far
    // ahead at each of many would take the square of the text's length.
    if !place.assigned || !is_parameter {
        return None;
    }
    let end = bare_end(bytes, place.start);
    let with =
        if is_masked(&text[place.start..end]) { Replacement::Kept } else { Replacement::Mask };
    let is_long = end - place.start >= MIN_PARAMETER_BYTES || matches!(with, Replacement::Kept);
    is_long.then_some(Found { start: place.start, end, with, rule })
}

/// A key in a text.
pub(super) struct Key {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The quote behind the key and how many backslashes stand before it.
    pub(super) quote: Option<(u8, usize)>,
    /// The same for a quote right before the key.
    pub(super) opening: Option<(u8, usize)>,
}

fn key_around(bytes: &[u8], hit: &Hit, floor: usize) -> Key {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let left = bytes[floor..hit.start].iter().rev().take_while(|byte| part(byte)).count();
    let mut start = hit.start - left;
    // The letter of an escaped end of line is no part of the key behind it.
    let escaped = start > floor && bytes[start - 1] == b'\\';
    if escaped && left > 0 && matches!(bytes[start], b'n' | b'r' | b't') {
        start += 1;
    }
    if left == 0 && start >= floor + 4 && bytes[start - 4..start].eq_ignore_ascii_case(b"api ") {
        start -= 4;
    }
    let end = hit.start + bytes[hit.start..].iter().take_while(|byte| part(byte)).count();
    let opening = (start > floor && is_quote(bytes[start - 1]))
        .then(|| (bytes[start - 1], backslashes_before(bytes, start - 1, floor)));
    Key { start, end, quote: quote_at(bytes, end), opening }
}

/// Where a value stands.
struct Place {
    start: usize,
    /// The pair is joined by `=` and not by a colon or a space.
    assigned: bool,
    /// The value is the text of an element of XML.
    element: bool,
}

/// What joins key and value, and where the value starts.
fn place_of_value(bytes: &[u8], key: &Key) -> Option<Place> {
    if let Some(start) = markup::element(bytes, key) {
        return Some(Place { start, assigned: true, element: true });
    }
    let at = key.end + key.quote.map_or(0, |(_, backslashes)| backslashes + 1);
    let at = skip_brackets(bytes, at);
    let blank = skip_blanks(bytes, at);
    let option = bytes[key.start..].starts_with(b"--") && key.quote.is_none();
    let (after, assigned) = match bytes.get(blank)? {
        b'=' => (blank + run_of_equals(&bytes[blank..]), true),
        b':' => match bytes.get(blank + 1) {
            Some(b':') => return None,
            Some(b'/') if bytes.get(blank + 2) == Some(&b'/') => return None,
            Some(b'=') => (blank + 2, true),
            _ => (blank + 1, false),
        },
        b'%' if bytes[blank..].len() > 3
            && bytes[blank..blank + 3].eq_ignore_ascii_case(b"%3d") =>
        {
            (blank + 3, true)
        }
        b'-' => return None,
        _ if option && blank > at => (blank, true),
        _ => return None,
    };
    let start = skip_blanks(bytes, after);
    // What stands behind a gap may be the next pair, and this value empty.
    if assigned && start > after && starts_pair(bytes, start, b"&") {
        return None;
    }
    Some(Place { start, assigned, element: false })
}

/// Steps out of `user[password]`, and over the brackets of `password[]=x` and `password[0]=x`.
/// Before a colon these would be the number of a process.
fn skip_brackets(bytes: &[u8], at: usize) -> usize {
    let bracket = |at: usize, plain: u8, encoded: &[u8]| {
        let rest = bytes.get(at..).unwrap_or_default();
        let is_encoded = rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(encoded);
        if rest.first() == Some(&plain) { Some(at + 1) } else { is_encoded.then_some(at + 3) }
    };
    let at = bracket(at, b']', b"%5d").unwrap_or(at);
    let Some(index) = bracket(at, b'[', b"%5b") else { return at };
    let digits = bytes[index..].iter().take(MAX_INDEX_DIGITS).take_while(|it| it.is_ascii_digit());
    let Some(end) = bracket(index + digits.count(), b']', b"%5d") else { return at };
    let rest = &bytes[end..];
    let is_assigned =
        rest.starts_with(b"=") || (rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"%3d"));
    if is_assigned { end } else { at }
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// `=`, `==` and `=>`.
fn run_of_equals(bytes: &[u8]) -> usize {
    let run = bytes.iter().take_while(|byte| **byte == b'=').count();
    run + usize::from(bytes.get(run) == Some(&b'>'))
}

fn read_value(text: &str, key: &Key, class: Class, place: &Place) -> Option<Found> {
    let bytes = text.as_bytes();
    let rule = class.rule;
    if place.element {
        let (start, end) = markup::text_at(bytes, place.start)?;
        return judge(text, start, end, Replacement::Mask, class);
    }
    let inner = inside_wrapper(bytes, place.start);
    if let Some((quote, backslashes)) = quote_at(bytes, inner) {
        let start = inner + backslashes + 1;
        let end = quoted_end(bytes, start, quote, backslashes);
        if end > start {
            return judge(text, start, end, Replacement::Mask, class);
        }
        // Two quotes are an empty value, or the doubled quote of CSV before a full one.
        let doubled = quote == b'"' && quote_at(bytes, start) == Some((quote, backslashes));
        let start = start + backslashes + 1;
        if !doubled || !goes_on_bare(bytes, start) {
            return None;
        }
        let end = quoted_end(bytes, start, quote, backslashes);
        return judge(text, start, end, Replacement::Mask, class);
    }
    if key.quote.is_none() {
        match rule {
            Rule::Authorization => return authorization(text, key, place.start),
            Rule::Cookie if !place.assigned => {
                let end = header_end(bytes, place.start, key.opening);
                return judge(text, place.start, end, Replacement::Mask, class);
            }
            _ => {}
        }
    }
    if bytes[..key.start].ends_with(b"(given ") {
        let end = given_end(bytes, place.start);
        return judge(text, place.start, end, Replacement::Mask, class);
    }
    if let Some((start, end)) = block::lines(bytes, key.start, place.start) {
        return judge(text, start, end, Replacement::Mask, class);
    }
    if is_no_secret(text, key, class, place.start) {
        return None;
    }
    let in_brackets = matches!(bytes.get(place.start)?, b'[' | b'{');
    let bare = match in_brackets {
        // The container may end long before: to look further would be done for each of many.
        true => bare_end(&bytes[..bytes.len().min(place.start + MAX_MASK_BYTES)], place.start),
        false => bare_end(bytes, place.start),
    };
    let is_whole = !in_brackets || bare < place.start + MAX_MASK_BYTES;
    if is_whole && text.get(place.start..bare).is_some_and(is_masked) {
        return judge(text, place.start, bare, Replacement::Kept, class);
    }
    let end =
        if in_brackets { container_end(bytes, place.start, key.quote.is_none()) } else { bare };
    let with = match key.quote {
        Some((quote, backslashes)) => Replacement::Quoted(quote, backslashes),
        None => Replacement::Mask,
    };
    judge(text, place.start, end, with, class)
}

/// What the start of a bare value tells, before its end is looked for: the directory that a shell
/// is in, and the ids that mail servers give their connections (`session=<LgDINsQCkttV>`).
fn is_no_secret(text: &str, key: &Key, class: Class, start: usize) -> bool {
    let name = &text[key.start..key.end];
    match text.as_bytes().get(start) {
        Some(b'/') => matches!(name, "PWD" | "OLDPWD"),
        Some(b'<') => class.weak,
        // A place in a file of sources: `src/token.rs:3:5`.
        Some(b'0'..=b'9') => name.ends_with(".rs") || name.ends_with(".py"),
        _ => false,
    }
}

/// Leaves out what is empty or no secret, and keeps what is masked already.
fn judge(text: &str, start: usize, end: usize, with: Replacement, class: Class) -> Option<Found> {
    let value = &text[start..end];
    let rule = class.rule;
    if is_masked(value) {
        return Some(Found { start, end, with: Replacement::Kept, rule });
    }
    let count = class.weak
        && value.len() < MIN_WEAK_DIGITS
        && value.bytes().all(|byte| byte.is_ascii_digit());
    let connection = class.weak && value.starts_with('<');
    let sign = matches!(value, "|" | ">" | "|-" | ">-" | "|+" | ">+");
    let harmless = value.is_empty() || count || connection || sign || is_plain(value);
    (!harmless).then_some(Found { start, end, with, rule })
}

/// Where a password ends that dovecot writes in brackets, with whatever is in it.
fn given_end(bytes: &[u8], start: usize) -> usize {
    let line = line_end(bytes, start);
    let ends = |at: &usize| match bytes.get(at + 1) {
        None => true,
        Some(&byte) => is_space(byte) || is_quote(byte) || matches!(byte, b',' | b';' | b'\\'),
    };
    let mut brackets = memchr::memchr_iter(b')', &bytes[start..line]).map(|at| start + at);
    brackets.find(ends).unwrap_or(line)
}

/// Steps into `Some(` before a quote and over the letter of `b'…'`.
fn inside_wrapper(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(len) = wrapper_len(&bytes[at..]) {
        at += len;
    }
    if let Some(b'b' | b'u' | b'r') = bytes.get(at)
        && quote_at(bytes, at + 1).is_some()
    {
        at += 1;
    }
    if quote_at(bytes, at).is_some() { at } else { start }
}

/// The length of `Some(`, or of a type that itself names a secret: `ApiKey(`.
fn wrapper_len(bytes: &[u8]) -> Option<usize> {
    if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| bytes.starts_with(wrapper)) {
        return Some(wrapper.len());
    }
    let len = bytes.iter().take(MAX_TYPE_BYTES).take_while(|it| it.is_ascii_alphanumeric()).count();
    let name = str::from_utf8(&bytes[..len]).ok().filter(|name| is_type(name))?;
    let is_wrapper = bytes.get(len) == Some(&b'(') && keys::classify(name).is_some();
    is_wrapper.then_some(len + 1)
}

/// `Bearer X`, `Basic X`: scheme and credentials; behind an unknown scheme the rest of the line.
fn authorization(text: &str, key: &Key, start: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let first_end = bare_end(bytes, start);
    let scheme = text[start..first_end].to_ascii_lowercase();
    let second = skip_blanks(bytes, first_end);
    let alone = second == first_end || second >= bytes.len() || is_space(bytes[second]);
    let end = if alone || is_masked(&scheme) {
        first_end
    } else if ONE_WORD_SCHEMES.contains(&scheme.as_str()) {
        bare_end(bytes, second)
    } else {
        header_end(bytes, start, key.opening).max(first_end)
    };
    let class = Class { rule: Rule::Authorization, weak: false };
    judge(text, start, end, Replacement::Mask, class)
}

/// Where a header ends: with its line, or with the quotes that the whole header stands in.
fn header_end(bytes: &[u8], start: usize, opening: Option<(u8, usize)>) -> usize {
    let quoted = opening.map(|(quote, backslashes)| quoted_end(bytes, start, quote, backslashes));
    let limit = line_end(&bytes[..quoted.unwrap_or(bytes.len())], start);
    let mut at = start;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..limit]) {
        let run_start = at + found;
        at = (run_start + backslashes_at(bytes, run_start)).min(limit);
        if matches!(bytes.get(at), Some(b'n' | b'r')) {
            return run_start;
        }
    }
    limit
}

/// Writes the mask in quotes.
pub(super) fn push_quoted(output: &mut String, quote: u8, backslashes: usize) {
    for (index, part) in ["", super::MASK, ""].into_iter().enumerate() {
        output.push_str(part);
        if index < 2 {
            output.extend(std::iter::repeat_n('\\', backslashes));
            output.push(char::from(quote));
        }
    }
}
