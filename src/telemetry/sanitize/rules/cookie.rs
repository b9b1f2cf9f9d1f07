//! Cookies.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Cookie,
    name: "cookie",
    summary: "What a Cookie or Set-Cookie header holds.",
    stems: &["cookie"],
    marks: &[("cookie", Parser::Key)],
    redacted: &[
        ("Cookie: a=b; c=d\r\nHost: x", "Cookie: ***\r\nHost: x"),
        ("Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: ***"),
        ("curl -H \"Cookie: a=b; c=d\" x", "curl -H \"Cookie: ***\" x"),
    ],
    kept: &["cookies are disabled", "cookie_name=a"],
    ..NOTHING
};
