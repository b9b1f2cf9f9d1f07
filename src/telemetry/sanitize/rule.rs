//! The rules by name, with a counter each: what was scrubbed can be seen, never what it was.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many rules there are.
pub const RULE_COUNT: usize = 12;

/// What kind of secret a redaction took out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// `password=X`, `passwd`, `pwd`, `passphrase`.
    Password,
    /// `api_key=X` and other named keys.
    ApiKey,
    /// `token=X`.
    Token,
    /// `secret=X`.
    Secret,
    /// `credentials=X`, `session_id=X`, signatures.
    Credential,
    /// `Authorization: …`, and `Bearer X` standing alone.
    Authorization,
    /// `Cookie: …`, `Set-Cookie: …`.
    Cookie,
    /// A private key in PEM.
    PrivateKey,
    /// `AKIA…`.
    AwsAccessKey,
    /// A JSON web token standing alone.
    Jwt,
    /// `scheme://user:X@host`.
    UrlUserinfo,
    /// A structured field whose key names a secret.
    Field,
}

impl Rule {
    /// The rules in the order of their counters.
    const NAMES: [&'static str; RULE_COUNT] = [
        "password",
        "api_key",
        "token",
        "secret",
        "credential",
        "authorization",
        "cookie",
        "private_key",
        "aws_access_key",
        "jwt",
        "url_userinfo",
        "field",
    ];

    /// Counts one redaction by this rule.
    pub(super) fn count(self) {
        COUNTERS[self as usize].fetch_add(1, Ordering::Relaxed);
    }
}

static COUNTERS: [AtomicU64; RULE_COUNT] = [const { AtomicU64::new(0) }; RULE_COUNT];

/// The redactions of each rule since the process started.
pub fn hits() -> [(&'static str, u64); RULE_COUNT] {
    std::array::from_fn(|index| (Rule::NAMES[index], COUNTERS[index].load(Ordering::Relaxed)))
}
