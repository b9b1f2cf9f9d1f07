//! Hashes of passwords, by their shape.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::CryptHash,
    name: "crypt_hash",
    summary: "A hash of a password as crypt writes it (Argon2), standing alone, all but \
              its prefix.",
    marks: &[("$argon2", Parser::Crypt)],
    redacted: &[
        (
            "got $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$0123456789abcdefABCDEF+/0123456789 x",
            "got $argon2id$*** x",
        ),
        (
            r#"{"h":"$argon2i$v=19$m=1,t=2,p=1$c2FsdA$0123456789abcdefABCDEF+/01"}"#,
            r#"{"h":"$argon2i$***"}"#,
        ),
    ],
    kept: &["$argon2id$ is a prefix", "$argon2id$***", "a$argon2id$b", "$argon2id$v=19$m=1"],
    ..NOTHING
};
