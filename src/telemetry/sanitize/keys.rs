//! Which keys name a secret. One decision for text, fields and JSON.
//!
//! A key is folded to lower-case letters and digits (`X-Api-Key`, `xApiKey` and `x_api_key` are
//! the same) and is secret if it contains a stem, unless what follows the stem says that only
//! something *about* the secret is told (`token_hash`, `password_length`).

use super::rules::{Rule, UNITS};
use super::{fold, scan};

/// Longer keys are judged by their end, where the noun is.
const MAX_KEY_BYTES: usize = 256;

/// The stems of all rules: they make a key secret wherever they stand in it.
static STEMS: [(&str, Rule); count_stems()] = {
    let mut all = [("", Rule::Field); count_stems()];
    let (mut unit, mut filled) = (0, 0);
    while unit < UNITS.len() {
        let mut index = 0;
        while index < UNITS[unit].stems.len() {
            all[filled] = (UNITS[unit].stems[index], UNITS[unit].rule);
            filled += 1;
            index += 1;
        }
        unit += 1;
    }
    all
};

const fn count_stems() -> usize {
    let (mut unit, mut count) = (0, 0);
    while unit < UNITS.len() {
        count += UNITS[unit].stems.len();
        unit += 1;
    }
    count
}

/// Endings after a stem that tell about a secret without telling it.
const SAFE_ENDINGS: [&str; 81] = [
    "age",
    "alg",
    "algorithm",
    "ariat",
    "ary",
    "at",
    "attempts",
    "audience",
    "bucket",
    "budget",
    "bytes",
    "class",
    "count",
    "days",
    "dir",
    "disabled",
    "domain",
    "enabled",
    "endpoint",
    "error",
    "errors",
    "expiration",
    "expired",
    "expires",
    "expiry",
    "failed",
    "failure",
    "failures",
    "field",
    "file",
    "format",
    "hash",
    "hours",
    "id",
    "ids",
    "index",
    "issuer",
    "ization",
    "ize",
    "ized",
    "izer",
    "izing",
    "kind",
    "len",
    "length",
    "less",
    "limit",
    "manager",
    "max",
    "method",
    "min",
    "minutes",
    "ms",
    "name",
    "names",
    "path",
    "policy",
    "position",
    "provider",
    "rate",
    "required",
    "rotation",
    "samesite",
    "scope",
    "scopes",
    "seconds",
    "secs",
    "secure",
    "size",
    "source",
    "state",
    "status",
    "ttl",
    "type",
    "uri",
    "url",
    "usage",
    "used",
    "valid",
    "validity",
    "version",
];

/// What stands before `tokens` when they are credentials and not pieces of a text.
const TOKEN_OWNERS: [&str; 6] = ["access", "refresh", "auth", "api", "bearer", "session"];

/// A key that names a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// What it counts as.
    pub(super) rule: Rule,
    /// It is a secret only where it is clearly assigned (`pass=X`, not `pass: 3 of 4`).
    pub(super) weak: bool,
}

/// Judges the name of a parameter of a URL by the names that are secret only there.
pub(super) fn classify_parameter(name: &str) -> Option<Rule> {
    let is_name = |known: &&str| known.eq_ignore_ascii_case(name);
    UNITS.iter().find(|unit| unit.parameters.iter().any(is_name)).map(|unit| unit.rule)
}

/// Judges a key; `None` if it names no secret.
pub(super) fn classify(key: &str) -> Option<Class> {
    let seen = fold::seen_key(key);
    if !scan::has_key_mark(seen.as_bytes()) {
        return None;
    }
    let folded = Folded::new(&seen);
    if let Some((end, rule)) = folded.last_stem() {
        return (!folded.is_safe(end, rule)).then_some(Class { rule, weak: false });
    }
    let last = trim_digits(&folded.text[folded.last_word..]);
    let unit = UNITS.iter().find(|unit| unit.weak_words.contains(&last))?;
    Some(Class { rule: unit.rule, weak: true })
}

/// A key without case and separators.
struct Folded {
    text: String,
    last_word: usize,
}

impl Folded {
    fn new(key: &str) -> Self {
        let bytes = key.as_bytes();
        let bytes = &bytes[bytes.len().saturating_sub(MAX_KEY_BYTES)..];
        let mut text = String::with_capacity(bytes.len());
        let mut last_word = 0;
        let mut previous = b' ';
        for &byte in bytes {
            let camel = byte.is_ascii_uppercase() && !previous.is_ascii_uppercase();
            if byte.is_ascii_alphanumeric() {
                if camel || !previous.is_ascii_alphanumeric() {
                    last_word = text.len();
                }
                text.push(char::from(byte.to_ascii_lowercase()));
            }
            previous = byte;
        }
        Self { text, last_word }
    }

    /// The stem that ends furthest right: where it ends, and its rule.
    fn last_stem(&self) -> Option<(usize, Rule)> {
        let bytes = self.text.as_bytes();
        let stem_at = |start: usize| {
            let rest = &bytes[start..];
            let (stem, rule) = STEMS.iter().find(|(stem, _)| rest.starts_with(stem.as_bytes()))?;
            Some((start + stem.len(), *rule))
        };
        (0..bytes.len()).filter_map(stem_at).max_by_key(|(end, _)| *end)
    }

    /// Tells whether the key, with a stem that ends at `stem_end`, only tells about a secret.
    fn is_safe(&self, stem_end: usize, rule: Rule) -> bool {
        let tail = trim_digits(&self.text[stem_end..]);
        if tail == "s" && rule == Rule::Token {
            let head = &self.text[..stem_end - "token".len()];
            return !TOKEN_OWNERS.iter().any(|owner| head.ends_with(owner));
        }
        let last =
            if self.last_word >= stem_end { trim_digits(&self.text[self.last_word..]) } else { "" };
        // The hash of a password is worth an attack; that of a random token is not.
        let hash_is_secret = rule == Rule::Password;
        [tail, last].iter().any(|ending| {
            let known = SAFE_ENDINGS.contains(ending);
            known && !(hash_is_secret && *ending == "hash")
        })
    }
}

fn trim_digits(word: &str) -> &str {
    word.trim_end_matches(|letter: char| letter.is_ascii_digit())
}
