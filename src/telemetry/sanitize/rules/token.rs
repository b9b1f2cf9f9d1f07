//! Tokens by the name of their key.

use super::{NOTHING, Parser, Rule, Unit};

pub(super) const UNIT: Unit = Unit {
    rule: Rule::Token,
    name: "token",
    summary: "The value behind a key that names a token.",
    stems: &["token"],
    weak_words: &["jwt", "otp"],
    marks: &[("token", Parser::Key), ("jwt", Parser::Key), ("otp", Parser::Key)],
    redacted: &[
        ("token=X", "token=***"),
        ("access_token := x1", "access_token := ***"),
        ("token=b'a b', x=1", "token=b'***', x=1"),
        (r#"got {\"token\": \"a b\", \"n\": 1} x"#, r#"got {\"token\": \"***\", \"n\": 1} x"#),
        ("/a?x=1&access_token=abc&user=bob", "/a?x=1&access_token=***&user=bob"),
        ("to\u{212a}en=abc", "to\u{212a}en=***"),
        ("to\u{ad}ken\u{1b}[0m = abc", "to\u{ad}ken\u{1b}[0m = ***"),
    ],
    kept: &[
        "token: invalid or expired",
        "parse_token(input) Token(abc) UnexpectedToken(\"}\")",
        "token_hash=0123456789abcdef",
        "max_tokens=5 tokens=7 prompt_tokens: 9",
        "token_type=bearer tokenizer=bpe",
        "std::token::parse",
        "thread 'main' panicked at src/token.rs:3:5: called `x`",
        "unexpected token: '}' at line 3",
        "token bucket is full: 5 tokens",
    ],
    ..NOTHING
};
