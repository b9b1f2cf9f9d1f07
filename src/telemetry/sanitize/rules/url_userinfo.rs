//! Passwords in URLs.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::UrlUserinfo,
    name: "url_userinfo",
    summary: "The password before the host of a URL, and a token in place of the user.",
    marks: &[("://", Parser::Userinfo), (":\\/\\/", Parser::Userinfo)],
    redacted: &[
        ("postgres://bob:x1@db:5432/a", "postgres://bob:***@db:5432/a"),
        ("redis://:x1@db", "redis://:***@db"),
        ("http://bob:a@b:c!d@host/p", "http://bob:***@host/p"),
        (r"http:\/\/bob:x1@host\/a", r"http:\/\/bob:***@host\/a"),
        ("postgres://bob:a/b@host/p", "postgres://bob:***@host/p"),
        ("https://0123456789abcdef0123456789abcdef@o1.ingest.io/5", "https://***@o1.ingest.io/5"),
        ("dsn=https://abcdefghijklmnopqrs7@host:9000/1", "dsn=https://***@host:9000/1"),
        ("https://6f1ed002-ab59-4a21-b7bd-1f0a6a1b2c3d@host", "https://***@host"),
    ],
    kept: &[
        r"http:\/\/host:80\/a@b",
        "http://host:8080/path@x",
        "ssh://git@github.com/a/b",
        "https://bob@host/1 https://***@host",
        "ssh://deploy-user-production-01@host",
        "http://[::1]:8000/",
        "see https://example.org/a?b=c#d",
    ],
    ..NOTHING
};
