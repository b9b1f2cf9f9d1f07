//! Which keys name a secret. One decision for text, fields and JSON.
//!
//! A key is folded to lower-case letters and digits (`X-Api-Key`, `xApiKey` and `x_api_key` are
//! the same) and is secret if it contains a stem, unless what follows the stem says that only
//! something *about* the secret is told (`token_hash`, `password_length`).

use super::rule::Rule;

/// Longer keys are judged by their end, where the noun is.
const MAX_KEY_BYTES: usize = 256;

/// Stems that make a key secret wherever they stand in it.
const STEMS: [(&str, Rule); 24] = [
    ("password", Rule::Password),
    ("passwd", Rule::Password),
    ("passwort", Rule::Password),
    ("passphrase", Rule::Password),
    ("passcode", Rule::Password),
    ("pwd", Rule::Password),
    ("token", Rule::Token),
    ("secret", Rule::Secret),
    ("apikey", Rule::ApiKey),
    ("accesskey", Rule::ApiKey),
    ("privatekey", Rule::ApiKey),
    ("signingkey", Rule::ApiKey),
    ("encryptionkey", Rule::ApiKey),
    ("authkey", Rule::ApiKey),
    ("accountkey", Rule::ApiKey),
    ("sharedkey", Rule::ApiKey),
    ("masterkey", Rule::ApiKey),
    ("sessionkey", Rule::ApiKey),
    ("credential", Rule::Credential),
    ("sessionid", Rule::Credential),
    ("sessid", Rule::Credential),
    ("amzsignature", Rule::Credential),
    ("authorization", Rule::Authorization),
    ("cookie", Rule::Cookie),
];

/// Words that are secret only as the last word of a key, and only when clearly assigned.
const WEAK_WORDS: [(&str, Rule); 5] = [
    ("pass", Rule::Password),
    ("jwt", Rule::Token),
    ("otp", Rule::Token),
    ("psk", Rule::ApiKey),
    ("session", Rule::Credential),
];

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

/// Judges a key; `None` if it names no secret.
pub(super) fn classify(key: &str) -> Option<Class> {
    if !could_name_a_secret(key.as_bytes()) {
        return None;
    }
    let folded = Folded::new(key);
    let strong = folded.last_stem();
    if let Some((end, rule)) = strong {
        return (!folded.is_safe(end, rule)).then_some(Class { rule, weak: false });
    }
    let last = trim_digits(&folded.text[folded.last_word..]);
    let weak = WEAK_WORDS.iter().find(|(word, _)| *word == last)?;
    Some(Class { rule: weak.1, weak: true })
}

/// A quick look for how every stem starts (or, for the keys, ends): most keys have none of it.
fn could_name_a_secret(key: &[u8]) -> bool {
    const PARTS: [[u8; 3]; 13] = [
        *b"pas", *b"pwd", *b"tok", *b"sec", *b"key", *b"cre", *b"ses", *b"amz", *b"aut", *b"coo",
        *b"jwt", *b"otp", *b"psk",
    ];
    key.windows(3).any(|window| {
        let lowered = [window[0], window[1], window[2]].map(|byte| byte.to_ascii_lowercase());
        PARTS.contains(&lowered)
    })
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
