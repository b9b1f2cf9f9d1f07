//! The sanitizer: takes secrets out of text and fields before they reach any output.
//!
//! ```text
//! text -> prefilter (scan) -> nothing found: borrowed as it is
//!                          -> private keys (pem), as their lines may be spread, then
//!                             a JSON document: by key, and string by string (json)
//!                             other text: hit by hit (flat: pair, list, sql, shapes, …), once
//!                             as it is and once as it is seen (fold)
//! ```
//!
//! The prefilter is one vectorised pass over the text. What it hits is read by hand-written
//! parsers that know where a key ends and how far its value goes, so that the text around a
//! secret stays readable and JSON stays JSON. Every parser either consumes what it read or looks
//! a bounded distance ahead: the whole is linear in the length of the text.
//!
//! What is looked for is told by the rules, one file each.
//!
//! Redact before truncating: half of a secret is no longer recognised.

mod block;
mod command;
mod flat;
mod fold;
mod json;
mod keys;
mod lines;
mod list;
mod login;
mod markup;
mod pair;
mod pem;
mod providers;
mod rules;
mod scan;
mod shapes;
mod sql;
#[cfg(test)]
mod tests;
mod url;
mod value;

use std::borrow::Cow;

pub use json::{sanitize_json, sanitize_json_text};
pub use lines::LineSanitizer;
pub use rules::{RULE_COUNT, hits};
pub use url::{sanitize_header, sanitize_url, sanitize_url_path};

use list::Arguments;
use rules::Rule;

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
        match pass(current.as_deref().unwrap_or(text), 0) {
            Some(changed) => current = Some(changed),
            None => break,
        }
    }
    current.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Tells whether a text could hold a secret. Cheap, and on the safe side: if it is false for a
/// text, sanitizing the text or any part of it changes nothing, and no word of it, taken as a
/// key, names a secret. So one look at all keys and values of a record, written one after the
/// other, can spare a look at each.
pub fn may_hold_secret(text: &str) -> bool {
    scan::any(text)
}

/// Arguments of a command: each one as text, and what follows the name of a secret masked.
pub fn sanitize_arguments(arguments: &[impl AsRef<str>]) -> Vec<String> {
    let mut state = Arguments::default();
    let last = arguments.len().saturating_sub(1);
    let clean = |(index, argument): (usize, &_)| {
        let argument: &str = AsRef::as_ref(argument);
        if let Some(start) = state.secret(argument, index == last) {
            Rule::Argument.count();
            return list::masked_from(argument, start);
        }
        sanitize_for_logging(argument).into_owned()
    };
    arguments.iter().enumerate().map(clean).collect()
}

/// The value of a structured field: masked whole if its key names a secret, else as text.
pub fn sanitize_field<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if !is_secret_key(key) {
        let is_url = url::is_url_field(key);
        return if is_url { url::sanitize_url_field(value) } else { sanitize_for_logging(value) };
    }
    if value != MASK {
        Rule::Field.count();
    }
    Cow::Borrowed(MASK)
}

/// What stands in place of a field that is no text, if its key names a secret.
pub fn mask_of_number(key: &str) -> Option<&'static str> {
    is_secret_key(key).then(|| {
        Rule::Field.count();
        MASK
    })
}

/// Tells whether a key names a secret: `db_password` does, `token_hash` and `author` do not.
pub fn is_secret_key(key: &str) -> bool {
    keys::classify(key).is_some()
}

/// Strings of JSON can hold JSON; each level at least doubles what is escaped, so that what is
/// deeper is no longer read as JSON.
const MAX_NESTING: usize = 8;

/// One pass over a text that stands in so many strings; `None` when nothing was changed.
fn pass(text: &str, nesting: usize) -> Option<String> {
    // Private keys go first: their lines may be spread over the strings of a list.
    let without_keys = pem::redact(text);
    let rest = without_keys.as_deref().unwrap_or(text);
    let document = if nesting < MAX_NESTING { json::redact_document(rest, nesting) } else { None };
    let changed = match document {
        Some(changed) => changed,
        None => flat::redact(rest),
    };
    changed.or(without_keys)
}
