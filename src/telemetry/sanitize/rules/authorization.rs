//! The header that proves who asks.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Authorization,
    name: "authorization",
    summary: "What an Authorization header says, scheme and all, and `Bearer X` standing alone.",
    stems: &["authorization"],
    marks: &[("authoriz", Parser::Key), ("bearer ", Parser::Bearer)],
    redacted: &[
        ("Authorization: Bearer X", "Authorization: ***"),
        ("Authorization: Basic dXNlcjpwYXNz== done", "Authorization: *** done"),
        ("Authorization: ApiKey abc= done", "Authorization: *** done"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c, Signature=d",
            "Authorization: ***",
        ),
        ("Authorization: Digest username=\"u\", response=\"x\"\nA: b", "Authorization: ***\nA: b"),
        ("Proxy-Authorization: Basic abc", "Proxy-Authorization: ***"),
        ("sent Bearer abcdef123456 to x", "sent Bearer *** to x"),
    ],
    kept: &[
        "Bearer authentication required",
        "authorization failed",
        "authorization: denied by policy",
        "authorization: required",
        "author=x authority=y",
        "Authorization: *** for bob",
    ],
    ..NOTHING
};
