//! The rules, one file each: what a rule takes out, by which keys and marks it is found, and
//! examples of what goes and what stays. The parsers' tables and `docs/SANITIZER.md` are made of
//! these; the tests run every example. Each rule has a counter: what was scrubbed can be seen,
//! never what it was.

mod api_key;
mod argument;
mod authorization;
mod aws_access_key;
mod cookie;
mod credential;
mod crypt_hash;
mod field;
mod jwt;
mod login_attempt;
mod mail_auth;
mod named_pair;
mod password;
mod private_key;
mod provider_token;
mod secret;
mod signed_url;
mod sql;
mod token;
mod url_userinfo;

use std::sync::atomic::{AtomicU64, Ordering};

/// How many rules there are.
pub const RULE_COUNT: usize = UNITS.len();

/// What kind of secret a redaction took out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Password,
    ApiKey,
    Token,
    Secret,
    Credential,
    Authorization,
    Cookie,
    PrivateKey,
    AwsAccessKey,
    Jwt,
    ProviderToken,
    UrlUserinfo,
    SignedUrl,
    MailAuth,
    LoginAttempt,
    Argument,
    NamedPair,
    Sql,
    CryptHash,
    Field,
}

/// Which parser reads on from a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parser {
    /// Part of a key that could name a secret.
    Key,
    /// What stands before a host.
    Userinfo,
    /// The header of a key in PEM; read before all else, as its lines may be spread.
    Pem,
    /// An identifier of a key of AWS.
    Aws,
    /// A web token.
    Jwt,
    /// `Bearer X` outside of a header.
    Bearer,
    /// A token with the prefix of who gave it out.
    Provider,
    /// The path of a URL that is a key by itself.
    Webhook,
    /// A program that takes a password as an argument.
    Command,
    /// A password in a statement.
    Statement,
    /// A hash of a password.
    Crypt,
    /// What a mail client sends to sign in.
    MailAuth,
    /// What a honeypot tells of a sign-in.
    LoginAttempt,
    /// An escape in JSON, behind which a key may be hidden; read where JSON is.
    Escape,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// Which one.
    pub(super) rule: Rule,
    /// Its name in counters and in the documentation.
    pub(super) name: &'static str,
    /// What it takes out, in one sentence.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the documentation's test"))]
    pub(super) summary: &'static str,
    /// Make a key secret wherever they stand in it; lower-case letters and digits.
    pub(super) stems: &'static [&'static str],
    /// Secret only as the last word of a key, and only when clearly assigned.
    pub(super) weak_words: &'static [&'static str],
    /// Secret only as the whole name of a parameter of a URL; without separators.
    pub(super) parameters: &'static [&'static str],
    /// What the prefilter looks for, in lower case and of at least three bytes.
    pub(super) marks: &'static [(&'static str, Parser)],
    /// What goes: before and after.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by tests"))]
    pub(super) redacted: &'static [(&'static str, &'static str)],
    /// What stays.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by tests"))]
    pub(super) kept: &'static [&'static str],
}

/// What a rule without keys and marks leaves out.
const NOTHING: Unit = Unit {
    rule: Rule::Field,
    name: "",
    summary: "",
    stems: &[],
    weak_words: &[],
    parameters: &[],
    marks: &[],
    redacted: &[],
    kept: &[],
};

/// All rules, in the order of [`Rule`].
pub(super) const UNITS: [Unit; 20] = [
    password::UNIT,
    api_key::UNIT,
    token::UNIT,
    secret::UNIT,
    credential::UNIT,
    authorization::UNIT,
    cookie::UNIT,
    private_key::UNIT,
    aws_access_key::UNIT,
    jwt::UNIT,
    provider_token::UNIT,
    url_userinfo::UNIT,
    signed_url::UNIT,
    mail_auth::UNIT,
    login_attempt::UNIT,
    argument::UNIT,
    named_pair::UNIT,
    sql::UNIT,
    crypt_hash::UNIT,
    field::UNIT,
];

impl Rule {
    /// Counts one redaction by this rule.
    pub(super) fn count(self) {
        COUNTERS[self as usize].fetch_add(1, Ordering::Relaxed);
    }
}

static COUNTERS: [AtomicU64; RULE_COUNT] = [const { AtomicU64::new(0) }; RULE_COUNT];

/// The redactions of each rule since the process started.
pub fn hits() -> [(&'static str, u64); RULE_COUNT] {
    std::array::from_fn(|index| (UNITS[index].name, COUNTERS[index].load(Ordering::Relaxed)))
}
