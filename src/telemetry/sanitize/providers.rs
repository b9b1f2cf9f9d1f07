//! Tokens that tell by a prefix who gave them out.

use super::flat::{Found, Replacement};
use super::rules::Rule;
use super::scan::Hit;

/// How the tokens of one provider look.
struct Shape {
    prefix: &'static str,
    /// How many characters follow the prefix at least.
    min_bytes: usize,
    /// A token without a digit may be a name (`npm_config_registry`).
    has_digit: bool,
}

const fn shape(prefix: &'static str, min_bytes: usize, has_digit: bool) -> Shape {
    Shape { prefix, min_bytes, has_digit }
}

/// In the case in which they are given out.
const SHAPES: [Shape; 25] = [
    shape("ghp_", 30, false),
    shape("gho_", 30, false),
    shape("ghu_", 30, false),
    shape("ghs_", 30, false),
    shape("ghr_", 30, false),
    shape("github_pat_", 22, false),
    shape("xoxa-", 10, true),
    shape("xoxb-", 10, true),
    shape("xoxe-", 10, true),
    shape("xoxp-", 10, true),
    shape("xoxr-", 10, true),
    shape("xoxs-", 10, true),
    shape("glpat-", 20, false),
    shape("sk_live_", 16, false),
    shape("rk_live_", 16, false),
    shape("AIza", 35, false),
    shape("npm_", 36, true),
    shape("AGE-SECRET-KEY-1", 30, false),
    shape("sk-proj-", 20, true),
    shape("sk-ant-", 20, true),
    shape("sk_test_", 16, false),
    shape("hvs.", 20, true),
    shape("ya29.", 20, true),
    shape("pypi-", 32, true),
    shape("glrt-", 20, true),
];

/// `SG.` and two parts: so many characters each at least.
const MIN_SENDGRID_BYTES: [usize; 2] = [16, 30];

/// The shortest of them has twice as many.
const MIN_WEBHOOK_BYTES: usize = 20;

/// A token with all but its prefix to be masked.
pub(super) fn find(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    if hit.start > 0 && is_part(bytes[hit.start - 1]) {
        return None;
    }
    let rest = &bytes[hit.start..];
    let (prefix, len) = if rest.starts_with(b"SG.") {
        (3, sendgrid_len(&rest[3..])?)
    } else {
        let shape = SHAPES.iter().find(|shape| rest.starts_with(shape.prefix.as_bytes()))?;
        let token = &rest[shape.prefix.len()..];
        let len = run(token);
        let has_digit = !shape.has_digit || token[..len].iter().any(u8::is_ascii_digit);
        (len >= shape.min_bytes && has_digit).then_some((shape.prefix.len(), len))?
    };
    let start = hit.start + prefix;
    let rule = Rule::ProviderToken;
    Some(Found { start, end: start + len, with: Replacement::Mask, rule })
}

/// What stands behind the fixed part of a URL that is a key by itself: whoever has it may post.
pub(super) fn find_webhook(text: &str, hit: &Hit) -> Option<Found> {
    let bytes = text.as_bytes();
    let start = hit.start + hit.len;
    // The method of Telegram's interface follows behind a slash.
    let slash_ends = bytes[start - 1] != b'/';
    let part = |byte: &u8| is_part(*byte) || *byte == b':' || (*byte == b'/' && !slash_ends);
    let len = bytes[start..].iter().take_while(|byte| part(byte)).count();
    let has_digit = bytes[start..start + len].iter().any(u8::is_ascii_digit);
    let found =
        Found { start, end: start + len, with: Replacement::Mask, rule: Rule::ProviderToken };
    (has_digit && len >= MIN_WEBHOOK_BYTES).then_some(found)
}

fn sendgrid_len(token: &[u8]) -> Option<usize> {
    let first = run(token);
    let second = run(token.get(first + 1..)?);
    let long_enough = first >= MIN_SENDGRID_BYTES[0] && second >= MIN_SENDGRID_BYTES[1];
    (token[first] == b'.' && long_enough).then_some(first + 1 + second)
}

fn run(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_part(**byte)).count()
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
