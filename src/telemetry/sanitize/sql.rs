//! Values that databases repeat in their errors, and those of statements with a list of columns.

use memchr::memmem;

use super::flat::{Found, Replacement};
use super::keys;
use super::pair::Key;
use super::rules::{Parser, Rule};
use super::scan::{Hit, Hits};
use super::value::{backslashes_at, is_masked, is_space, line_end, quote_at, quoted_end};

/// How far the end of a value is looked for, and its start.
const MAX_VALUE_BYTES: usize = 1024;

/// The name of a user of a database, with its host, is no longer.
const MAX_USER_BYTES: usize = 256;

/// What PostgreSQL writes behind the values of a key.
const AFTER_VALUES: [&[u8]; 3] = [b" already ", b" is ", b" conflicts "];

/// Words near which a statement is wrong that are no values.
const KEYWORDS: [&str; 16] = [
    "and", "by", "delete", "from", "group", "insert", "into", "limit", "on", "or", "order",
    "select", "set", "update", "values", "where",
];

/// Finds values of columns and remembers where it has looked.
#[derive(Default)]
pub(super) struct Columns {
    searched: usize,
    /// Before this, no bracket ends the values of a key.
    unended: usize,
}

impl Columns {
    /// The values that belong to a list of columns with this one in it.
    pub(super) fn find(&mut self, text: &str, key: &Key, floor: usize) -> Option<Found> {
        let bytes = text.as_bytes();
        if let Some(found) = duplicate_entry(text, key, floor) {
            return Some(found);
        }
        if key.end < self.searched {
            return None;
        }
        let part = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || is_space(*byte)
                || matches!(byte, b'_' | b',' | b'"' | b'`' | b'.' | b'$' | b'\\')
        };
        let closed = key.end + bytes[key.end..].iter().take_while(|byte| part(byte)).count();
        self.searched = closed;
        let rest = bytes.get(closed + 1..).filter(|_| bytes[closed] == b')')?;
        let found = if rest.starts_with(b"=(") {
            let start = closed + 3;
            (start, self.key_values_end(bytes, start))
        } else {
            let values = closed + 1 + spaces(rest);
            let open = values + "values".len();
            if !bytes.get(values..open)?.eq_ignore_ascii_case(b"values") {
                return None;
            }
            let open = open + spaces(&bytes[open..]);
            bytes.get(open).filter(|byte| **byte == b'(')?;
            (open + 1, tuples_end(bytes, open))
        };
        judge(text, found)
    }
    /// Where the values of a key end: before the bracket that PostgreSQL writes on behind.
    fn key_values_end(&mut self, bytes: &[u8], start: usize) -> usize {
        let limit = line_end(&bytes[..bytes.len().min(start + MAX_VALUE_BYTES)], start);
        let from = start.max(self.unended).min(limit);
        let mut brackets = memchr::memchr_iter(b')', &bytes[from..limit]).map(|at| from + at);
        let goes_on =
            |at: &usize| AFTER_VALUES.iter().any(|words| bytes[at + 1..].starts_with(words));
        if let Some(end) = brackets.find(goes_on) {
            return end;
        }
        self.unended = limit;
        let first = memchr::memchr2(b')', b'\n', &bytes[start..]);
        first.map_or(bytes.len(), |len| start + len)
    }
}

/// Where the last of the tuples ends whose first one opens at `open`.
fn tuples_end(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = open;
    while let Some(&byte) = bytes.get(at) {
        if let Some((quote, backslashes)) = quote_at(bytes, at) {
            at = quoted_end(bytes, at + backslashes + 1, quote, backslashes) + backslashes + 1;
            continue;
        }
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                let comma = at + 1 + spaces(&bytes[at + 1..]);
                let next = (comma + 1).min(bytes.len());
                let next = next + spaces(&bytes[next..]);
                if depth == 0 && (bytes.get(comma), bytes.get(next)) != (Some(&b','), Some(&b'(')) {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn judge(text: &str, (start, end): (usize, usize)) -> Option<Found> {
    let value = &text[start..end];
    let placeholder = |byte: u8| matches!(byte, b'?' | b'$' | b',' | b' ' | b'0'..=b'9');
    let rule = Rule::Sql;
    if is_masked(value) {
        return Some(Found { start, end, with: Replacement::Kept, rule });
    }
    let is_template = value.contains(['?', '$']) && value.bytes().all(placeholder);
    let is_value = !value.is_empty() && !is_template;
    is_value.then_some(Found { start, end, with: Replacement::Mask, rule })
}

/// `IDENTIFIED BY 'x'`.
pub(super) fn find_identified_by(text: &str, hit: &Hit) -> Option<Found> {
    quoted_literal(text, hit.start + hit.len)
}

/// `WITH PASSWORD 'x'`, `PASSWORD('x')` and `SET PASSWORD FOR bob = 'x'`. Only what is written as
/// a statement, because the same words stand in prose.
pub(super) fn password_literal(text: &str, key: &Key) -> Option<Found> {
    let bytes = text.as_bytes();
    let name = &text[key.start..key.end];
    if key.opening.is_some() || !name.eq_ignore_ascii_case("password") {
        return None;
    }
    let before = &bytes[key.start.saturating_sub("encrypted ".len())..key.start];
    let before = before.to_ascii_lowercase();
    let is_statement = name == "PASSWORD" || before.ends_with(b"with ") || before == b"encrypted ";
    if !is_statement {
        return None;
    }
    let after = key.end + spaces(&bytes[key.end..]);
    if bytes.get(after) == Some(&b'(') {
        return quoted_literal(text, after + 1);
    }
    if bytes[after..].starts_with(b"FOR ") {
        let limit = line_end(&bytes[..bytes.len().min(after + MAX_USER_BYTES)], after);
        let equals = after + memmem::find(&bytes[after..limit], b" = ")?;
        return quoted_literal(text, equals + " = ".len());
    }
    if after > key.end { quoted_literal(text, after) } else { None }
}

/// The content of the quotes that open at `at`.
fn quoted_literal(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (quote, backslashes) = quote_at(bytes, at)?;
    let start = at + backslashes + 1;
    judge(text, (start, quoted_end(bytes, start, quote, backslashes)))
}

/// `Duplicate entry 'x' for key 'users.token'`: MySQL tells the value before the name.
fn duplicate_entry(text: &str, key: &Key, floor: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (_, backslashes) = key.opening?;
    let before = &bytes[floor.min(key.start)..key.start - backslashes - 1];
    let before = &before[before.len().saturating_sub(MAX_VALUE_BYTES)..];
    let value = before.strip_suffix(b"' for key ")?;
    let entry = b"Duplicate entry '";
    let start = memmem::rfind(value, entry)? + entry.len();
    let first = key.start - backslashes - 1 - before.len();
    judge(text, (first + start, first + value.len()))
}

/// The text near which a statement with the name of a secret in it is wrong.
pub(super) fn quoted_near_error(text: &str) -> Option<Found> {
    let bytes = text.as_bytes();
    let near = memmem::find(bytes, b"near ")? + "near ".len();
    let (quote, backslashes) = quote_at(bytes, near)?;
    memmem::find(bytes, b"syntax")?;
    let start = near + backslashes + 1;
    let end = quoted_end(bytes, start, quote, backslashes);
    let value = &text[start..end];
    let is_known = !value.bytes().any(|byte| byte.is_ascii_alphanumeric())
        || is_masked(value)
        || KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
        || keys::classify(value).is_some();
    if is_known || !names_secret(text) {
        return None;
    }
    Some(Found { start, end, with: Replacement::Mask, rule: Rule::Sql })
}

/// Tells whether any word of a text names a secret.
fn names_secret(text: &str) -> bool {
    let mut judged = 0;
    Hits::new(text).filter(|hit| hit.parser == Parser::Key).any(|hit| {
        if hit.start < judged {
            return false;
        }
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let bytes = text.as_bytes();
        let before = bytes[judged..hit.start].iter().rev().take_while(|byte| part(byte)).count();
        let end = hit.start + bytes[hit.start..].iter().take_while(|byte| part(byte)).count();
        judged = end;
        keys::classify(&text[hit.start - before..end]).is_some_and(|class| !class.weak)
    })
}

fn spaces(bytes: &[u8]) -> usize {
    // A newline may be escaped where the statement stands in a string.
    let mut at = 0;
    loop {
        let run = backslashes_at(bytes, at);
        match bytes.get(at + run) {
            Some(byte) if run == 0 && is_space(*byte) => at += 1,
            Some(b'n' | b't' | b'r') if run > 0 => at += run + 1,
            _ => return at,
        }
    }
}
