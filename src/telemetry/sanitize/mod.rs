//! The sanitizer: takes secrets out of text and fields before they reach any output.
//!
//! ```text
//! text -> prefilter (scan) -> nothing found: borrowed as it is
//!                          -> private keys (pem), as their lines may be spread, then
//!                             a JSON document: by key, and string by string (json)
//!                             other text: hit by hit (flat: pair, shapes)
//! ```
//!
//! The prefilter is one vectorised pass over the text. What it hits is read by hand-written
//! parsers that know where a key ends and how far its value goes, so that the text around a
//! secret stays readable and JSON stays JSON. Every parser either consumes what it read or looks
//! a bounded distance ahead: the whole is linear in the length of the text.
//!
//! Redact before truncating: half of a secret is no longer recognised.

mod flat;
mod json;
mod keys;
mod pair;
mod pem;
mod rule;
mod scan;
mod shapes;
#[cfg(test)]
mod tests;
mod value;

use std::borrow::Cow;

pub use json::sanitize_json;
pub use rule::{RULE_COUNT, hits};

use rule::Rule;

/// What stands in place of a secret.
const MASK: &str = "***";

/// A redaction can bring two halves of a new match together (a slash that hid the `@` of an
/// address is gone). A second pass settles all that is known; the limit keeps hostile text linear.
const MAX_PASSES: usize = 4;

/// Replaces every secret in a text with `***`; a text without any is returned as it is.
///
/// The result is stable (sanitizing it once more changes nothing), and a text that is a JSON
/// document stays one.
pub fn sanitize_for_logging(text: &str) -> Cow<'_, str> {
    if !scan::any(text) {
        return Cow::Borrowed(text);
    }
    let mut current: Option<String> = None;
    for _ in 0..MAX_PASSES {
        match pass(current.as_deref().unwrap_or(text)) {
            Some(changed) => current = Some(changed),
            None => break,
        }
    }
    current.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Tells whether there can be a secret in a text, or in any part of it.
pub fn may_hold_secret(text: &str) -> bool {
    scan::any(text)
}

/// The path of a URL, or `REDACTED` (as the conventions for URL attributes want) when there is a
/// secret in it as it stands or percent-decoded. No part of such a path is worth a risk.
pub fn sanitize_url_path(path: &str) -> &str {
    const REDACTED: &str = "REDACTED";
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let is_benign = |text: &str| matches!(sanitize_for_logging(text), Cow::Borrowed(_));
    if is_benign(path) && is_benign(&decoded) { path } else { REDACTED }
}

/// The value of a structured field: masked whole if its key names a secret, else as text.
pub fn sanitize_field<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if !is_secret_key(key) {
        return sanitize_for_logging(value);
    }
    if value != MASK {
        Rule::Field.count();
    }
    Cow::Borrowed(MASK)
}

/// Tells whether a key names a secret: `db_password` does, `token_hash` and `author` do not.
pub fn is_secret_key(key: &str) -> bool {
    keys::classify(key).is_some()
}

/// One pass over a text; `None` when nothing was changed.
fn pass(text: &str) -> Option<String> {
    // Private keys go first: their lines may be spread over the strings of a list.
    let without_keys = pem::redact(text);
    let rest = without_keys.as_deref().unwrap_or(text);
    let changed = match json::redact_document(rest) {
        Some(changed) => changed,
        None => flat::redact(rest),
    };
    changed.or(without_keys)
}
