//! What a mail client sends to sign in.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::MailAuth,
    name: "mail_auth",
    summary: "The credentials behind AUTH PLAIN or AUTH LOGIN of SMTP and IMAP.",
    marks: &[
        ("auth plain ", Parser::MailAuth),
        ("auth login ", Parser::MailAuth),
        ("authenticate plain ", Parser::MailAuth),
        ("authenticate login ", Parser::MailAuth),
        ("xoauth2 ", Parser::MailAuth),
        ("oauthbearer ", Parser::MailAuth),
    ],
    redacted: &[
        ("client sent AUTH PLAIN AGJvYgBodW50ZXIy from x", "client sent AUTH PLAIN *** from x"),
        ("AUTH XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIB", "AUTH XOAUTH2 ***"),
        ("AUTH LOGIN aHVudGVyMg==", "AUTH LOGIN ***"),
        ("a1 AUTHENTICATE PLAIN AGJvYgBodW50ZXIy", "a1 AUTHENTICATE PLAIN ***"),
    ],
    kept: &[
        "250-AUTH XOAUTH2 OAUTHBEARER PLAIN",
        "250-AUTH PLAIN LOGIN CRAM-MD5",
        "AUTH LOGIN NTLM",
        "AUTH PLAIN failed",
    ],
    ..NOTHING
};
