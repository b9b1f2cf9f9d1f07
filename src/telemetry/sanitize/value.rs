//! How far a value goes: bare, quoted (in JSON within JSON too), or in brackets.
//!
//! A bare value ends where its surroundings go on. Passwords contain commas, brackets and quotes,
//! so these end a value only where something follows that looks like text around it.

use memchr::memchr2;

use super::MASK;

/// What other tools write in place of a secret, in lower case.
const MASKS: [&str; 6] =
    ["redacted", "filtered", "hidden", "masked", "sensitive", "*** private key ***"];

/// Values that are no secret whatever the key is, in lower case; the last two stand for a value in
/// a statement.
const PLAIN_VALUES: [&str; 10] =
    ["yes", "no", "true", "false", "null", "none", "nil", "undefined", "?", "%s"];

/// Tells whether a value is masked already.
pub(super) fn is_masked(value: &str) -> bool {
    let value = value.trim_start_matches(['[', '<', '(']).trim_end_matches([']', '>', ')']);
    if value.len() >= MASK.len() && value.bytes().all(|byte| byte == b'*') {
        return true;
    }
    MASKS.iter().any(|mask| value.eq_ignore_ascii_case(mask))
}

/// Tells whether a value cannot be a secret (`using password: YES`).
pub(super) fn is_plain(value: &str) -> bool {
    let digits = value.strip_prefix('$').unwrap_or_default();
    let is_numbered = matches!(digits.len(), 1 | 2) && digits.bytes().all(|it| it.is_ascii_digit());
    is_numbered || PLAIN_VALUES.iter().any(|plain| value.eq_ignore_ascii_case(plain))
}

pub(super) fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// A quote at `at` behind any number of backslashes: the quote and that number.
pub(super) fn quote_at(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let run = backslashes_at(bytes, at);
    let quote = *bytes.get(at + run)?;
    is_quote(quote).then_some((quote, run))
}

pub(super) fn backslashes_at(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b'\\').count()
}

pub(super) fn backslashes_before(bytes: &[u8], at: usize, floor: usize) -> usize {
    bytes[floor..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

/// Where the content of a quoted value ends; with the text if the quote is never closed, as a
/// text cut off must not show what was to be hidden.
///
/// `backslashes` is how many stand before the opening quote: none in plain text, one in a string
/// of JSON, three in JSON within that.
pub(super) fn quoted_end(bytes: &[u8], start: usize, quote: u8, backslashes: usize) -> usize {
    let mut at = start;
    while let Some(found) = memchr2(quote, b'\\', &bytes[at..]) {
        let run_start = at + found;
        let run = backslashes_at(bytes, run_start);
        let position = run_start + run;
        if bytes.get(position) != Some(&quote) {
            at = position;
            continue;
        }
        if let Some(delimiter) = closing_backslashes(backslashes, run) {
            let doubled = quote == b'\'' && bytes.get(position + 1) == Some(&quote) && run == 0;
            if !doubled {
                return position - delimiter;
            }
            at = position + 2;
            continue;
        }
        at = position + 1;
    }
    bytes.len()
}

/// Whether a quote behind `run` backslashes closes a string whose own quotes have `own` of them,
/// or one that surrounds it: how many of the backslashes belong to the closing quote.
fn closing_backslashes(mut own: usize, mut run: usize) -> Option<usize> {
    let mut delimiter = 0;
    while own > 0 {
        if run.is_multiple_of(2) {
            return Some(delimiter);
        }
        run = (run - 1) / 2;
        own = (own - 1) / 2;
        delimiter = delimiter * 2 + 1;
    }
    run.is_multiple_of(2).then_some(delimiter)
}

/// Where a value without quotes ends.
pub(super) fn bare_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(next) = bare_step(bytes, at) {
        at = next;
    }
    at
}

/// Whether a value without quotes goes on at `at`. Its end may be far away, and is not looked for.
pub(super) fn goes_on_bare(bytes: &[u8], at: usize) -> bool {
    bare_step(bytes, at).is_some()
}

/// What follows the next part of a value without quotes; `None` if the value ends before it.
fn bare_step(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        byte if is_space(byte) => None,
        b'\\' => after_backslashes(bytes, at),
        byte @ (b',' | b';' | b'&') if separates(bytes, at + 1, byte) => None,
        b'%' if separates_encoded(bytes, at) => None,
        b')' | b']' | b'}' | b'>' | b'<' | b'"' | b'\'' | b'`' => {
            let run = at + closers_len(&bytes[at..]);
            (!closes_surroundings(bytes, run)).then_some(run)
        }
        _ => Some(at + 1),
    }
}

/// Steps over a run of backslashes and what it escapes; `None` if the value ends before it.
fn after_backslashes(bytes: &[u8], at: usize) -> Option<usize> {
    let run = backslashes_at(bytes, at);
    let next = at + run;
    match bytes.get(next) {
        None => Some(next),
        Some(&byte) if is_quote(byte) => {
            let closed = next + closers_len(&bytes[next..]);
            (!closes_surroundings(bytes, closed)).then_some(closed)
        }
        Some(b'n' | b'r' | b't') if ends_line(bytes, next + 1) => None,
        Some(_) if run % 2 == 1 => Some(next + 1),
        Some(_) => Some(next),
    }
}

/// Whether an escaped end of line is one: a further pair, a space or nothing follows it.
fn ends_line(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None | Some(b'\\') => true,
        Some(&byte) => is_space(byte) || is_quote(byte) || starts_pair(bytes, at, b";"),
    }
}

fn closers_len(bytes: &[u8]) -> usize {
    let closer = |byte: &u8| is_quote(*byte) || matches!(byte, b')' | b']' | b'}' | b'>' | b'<');
    bytes.iter().take_while(|byte| closer(byte)).count()
}

/// Whether closing brackets and quotes up to `at` belong to the surroundings of a value.
fn closes_surroundings(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None | Some(b',' | b';' | b':' | b'&' | b'\\') => true,
        Some(b'.') => bytes.get(at + 1).is_none_or(|byte| is_space(*byte)),
        Some(&byte) => is_space(byte),
    }
}

/// Whether a comma, semicolon or ampersand before `at` separates the value from what follows.
fn separates(bytes: &[u8], at: usize, separator: u8) -> bool {
    match bytes.get(at) {
        None => true,
        Some(&byte) if is_space(byte) => true,
        Some(&byte) if separator != b'&' && (is_quote(byte) || byte == b'\\') => true,
        Some(_) => starts_pair(bytes, at, &[separator]),
    }
}

/// Whether `%26` at `at` separates encoded pairs.
fn separates_encoded(bytes: &[u8], at: usize) -> bool {
    bytes[at..].starts_with(b"%26") && starts_pair(bytes, at + 3, b"&")
}

/// Whether a name and `=` stand at `at`, or a name and `:` where `separator` is no ampersand.
pub(super) fn starts_pair(bytes: &[u8], at: usize, separator: &[u8]) -> bool {
    if !bytes.get(at).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') {
        return false;
    }
    let part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
    };
    let end = at + bytes[at..].iter().take_while(|byte| part(byte)).count();
    match bytes.get(end) {
        Some(b'=') => true,
        Some(b':') => separator != b"&",
        Some(b'%') => bytes[end..].len() >= 3 && bytes[end..end + 3].eq_ignore_ascii_case(b"%3d"),
        _ => false,
    }
}

/// Where a list or an object ends, behind its last bracket; with the text if it does not, or with
/// its line if it has to be on one.
pub(super) fn container_end(bytes: &[u8], start: usize, one_line: bool) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'\n' | b'\r' if one_line => return at,
            b'"' => {
                let run = backslashes_before(bytes, at, start);
                let end = quoted_end(bytes, at + 1, b'"', run);
                let line = line_end(&bytes[..end], at);
                if one_line && line < end {
                    return line;
                }
                at = end + backslashes_at(bytes, end);
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where the line ends that `start` is on.
pub(super) fn line_end(bytes: &[u8], start: usize) -> usize {
    memchr2(b'\n', b'\r', &bytes[start..]).map_or(bytes.len(), |len| start + len)
}
