//! Sign-ins as mail servers and honeypots tell them.

use super::flat::{Found, Replacement};
use super::rules::Rule;
use super::scan::Hit;
use super::value::{is_masked, is_quote, is_space};

/// Base64 this long is no name of a mechanism.
const MIN_CREDENTIALS_BYTES: usize = 20;

/// Names and passwords that a honeypot tells of are no longer.
const MAX_ATTEMPT_BYTES: usize = 1024;

/// `AUTH PLAIN AGJvYgBodW50ZXIy`; the list of mechanisms that a server offers stays.
pub(super) fn find_mail_auth(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let start = hit.start + hit.len;
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let len = bytes[start..].iter().take_while(|byte| part(byte)).count();
    let word = &bytes[start..start + len];
    let looks_random = word.len() >= MIN_CREDENTIALS_BYTES
        || word.contains(&b'=')
        || (word.iter().any(u8::is_ascii_lowercase)
            && word.iter().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    let is_encoded = len >= 4 && len.is_multiple_of(4) && looks_random;
    let rule = Rule::MailAuth;
    is_encoded.then_some(Found { start, end: start + len, with: Replacement::Mask, rule })
}

/// `login attempt [root/hunter2] succeeded`: what stands behind the first slash.
pub(super) fn find_attempt(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let name = hit.start + hit.len;
    let limit = bytes.len().min(name + MAX_ATTEMPT_BYTES);
    let line = bytes[name..limit].iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
    let content = &bytes[name..name + line];
    let start = memchr::memchr(b'/', content)? + 1;
    let closes = |at: usize| {
        let after = &content[at + 1..];
        after.is_empty()
            || after.starts_with(b" succeeded")
            || after.starts_with(b" failed")
            || is_quote(after[0])
            || after[0] == b'\\'
    };
    let mut brackets = memchr::memchr_iter(b']', &content[start..]).map(|at| start + at);
    let end = brackets.find(|at| closes(*at)).or_else(|| {
        let bracket = memchr::memchr(b']', &content[start..]).map(|at| start + at);
        bracket.filter(|at| content.get(at + 1).is_some_and(|byte| is_space(*byte)))
    });
    // A text cut off must not show what was to be hidden.
    let end = end.unwrap_or(content.len());
    let (start, end) = (name + start, floor_boundary(text, name + end));
    let with = if is_masked(&text[start..end]) { Replacement::Kept } else { Replacement::Mask };
    (end > start).then_some(Found { start, end, with, rule: Rule::LoginAttempt })
}

/// The limit may fall into a character.
fn floor_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}
