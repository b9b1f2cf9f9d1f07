//! What the honeypot cowrie tells of a sign-in.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::LoginAttempt,
    name: "login_attempt",
    summary: "The password in cowrie's `login attempt [user/password]`.",
    marks: &[("login attempt [", Parser::LoginAttempt)],
    redacted: &[
        ("login attempt [root/x1] succeeded", "login attempt [root/***] succeeded"),
        ("login attempt [b'root'/b'a]b'] failed", "login attempt [b'root'/***] failed"),
        (
            r#"{"message":"login attempt [root/x1] failed","password":"x1"}"#,
            r#"{"message":"login attempt [root/***] failed","password":"***"}"#,
        ),
    ],
    kept: &["login attempt [1 of 3]", "login attempt [root/***] failed"],
    ..NOTHING
};
