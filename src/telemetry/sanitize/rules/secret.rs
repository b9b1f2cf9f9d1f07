//! What is called a secret.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Secret,
    name: "secret",
    summary: "The value behind a key that says it is a secret.",
    stems: &["secret"],
    marks: &[("secret", Parser::Key)],
    redacted: &[
        ("secret=X", "secret=***"),
        ("client_secret=x1;ttl=3", "client_secret=***;ttl=3"),
        ("client_secret: Some(\"a b\")", "client_secret: Some(\"***\")"),
        ("secrets: [a b, c] x", "secrets: *** x"),
        ("secret\u{1b}[0m\u{1b}[2m=\u{1b}[0mx1", "secret\u{1b}[0m\u{1b}[2m=\u{1b}[0m***"),
        ("SecretString(\"x y\")", "SecretString(\"***\")"),
    ],
    kept: &["secretary=bob secret_name=a", "secret://vault/x", "the secret garden"],
    ..NOTHING
};
