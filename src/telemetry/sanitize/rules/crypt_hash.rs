//! Hashes of passwords, by their shape.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::CryptHash,
    name: "crypt_hash",
    summary: "A hash of a password as crypt writes it (SHA-512, Argon2), standing alone, all but \
              its prefix.",
    marks: &[("$6$", Parser::Crypt), ("$argon2", Parser::Crypt)],
    redacted: &[
        (
            "root:$6$saltsalt$0123456789abcdefABCDEF./0123456789:19000:0:99999:7:::",
            "root:$6$***:19000:0:99999:7:::",
        ),
        ("hash $6$rounds=5000$salt$0123456789abcdefABCDEF./0123456789, x", "hash $6$***, x"),
        (
            "got $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$0123456789abcdefABCDEF+/0123456789 x",
            "got $argon2id$*** x",
        ),
        (
            r#"{"h":"$argon2i$v=19$m=1,t=2,p=1$c2FsdA$0123456789abcdefABCDEF+/01"}"#,
            r#"{"h":"$argon2i$***"}"#,
        ),
    ],
    kept: &["$6$ and $argon2id$ are prefixes", "$6$***", "cost $6$5 a$6$b", "$argon2id$v=19$m=1"],
    ..NOTHING
};
