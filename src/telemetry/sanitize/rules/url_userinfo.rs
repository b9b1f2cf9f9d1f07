//! Passwords in URLs.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::UrlUserinfo,
    name: "url_userinfo",
    summary: "The password before the host of a URL.",
    marks: &[("://", Parser::Userinfo), (":\\/\\/", Parser::Userinfo)],
    redacted: &[
        ("postgres://bob:x1@db:5432/a", "postgres://bob:***@db:5432/a"),
        ("redis://:x1@db", "redis://:***@db"),
        ("http://bob:a@b:c!d@host/p", "http://bob:***@host/p"),
        (r"http:\/\/bob:x1@host\/a", r"http:\/\/bob:***@host\/a"),
        ("postgres://bob:a/b@host/p", "postgres://bob:***@host/p"),
    ],
    kept: &[
        r"http:\/\/host:80\/a@b",
        "http://host:8080/path@x",
        "ssh://git@github.com/a/b",
        "http://[::1]:8000/",
        "see https://example.org/a?b=c#d",
    ],
    ..NOTHING
};
