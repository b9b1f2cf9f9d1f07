//! What holds for every text.

use proptest::prelude::*;
use serde_json::Value;

use super::super::sanitize_for_logging;

/// Pieces that the parsers look at, so that random texts reach all of their branches.
const PIECES: [&str; 72] = [
    "password",
    "token",
    "secret",
    "api_key",
    "key",
    "pass",
    "Authorization",
    "Cookie",
    "Bearer ",
    "Basic ",
    "session",
    "pwd",
    "=",
    ":",
    ": ",
    " = ",
    "==",
    "=>",
    "%3D",
    "%26",
    "&",
    ",",
    ", ",
    ";",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\\n",
    "\\",
    "\\\\",
    "\"",
    "\\\"",
    "\\\\\\\"",
    "'",
    "''",
    "`",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "/",
    "://",
    "x://u:p@h",
    "@",
    "?",
    "#",
    "-",
    "--",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "AKIA",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGci",
    ".",
    "abc",
    "A1",
    "***",
    "*",
    "user=",
    "\"n\":1",
    "ä",
    "😀",
    "null",
    "YES",
    "Some(\"",
    "b'",
];

fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24);
    pieces.prop_map(|pieces| pieces.concat())
}

fn json_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        hostile_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(hostile_text(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A value with the characters that passwords have, and nothing that could be text around it.
fn secret() -> impl Strategy<Value = String> {
    "[a-z]{2}[A-Za-z0-9!$%^*_+~.-]{6,20}[a-z]{3}"
}

proptest! {
    // Failures are not written beside the sources: what one finds becomes an example in rules.rs.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn once_is_enough(text in hostile_text()) {
        let once = sanitize_for_logging(&text);
        prop_assert_eq!(sanitize_for_logging(&once), once.as_ref());
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        let once = sanitize_for_logging(&text);
        prop_assert_eq!(sanitize_for_logging(&once), once.as_ref());
    }

    #[test]
    fn json_stays_json(document in json_document(), pretty in any::<bool>()) {
        let text = if pretty { format!("{document:#}") } else { document.to_string() };
        let result = sanitize_for_logging(&text);
        let parsed = serde_json::from_str::<Value>(&result);
        prop_assert!(parsed.is_ok(), "{} became {}", text, result);
    }

    #[test]
    fn json_within_json_stays_json(document in json_document()) {
        let text = Value::from(document.to_string()).to_string();
        let result = sanitize_for_logging(&text);
        prop_assert!(serde_json::from_str::<String>(&result).is_ok(), "{} became {}", text, result);
    }

    #[test]
    fn benign_text_is_borrowed(text in "[b-df-hl-nq-r0-9 =:,;.\"'{}()/_äß-]{0,200}") {
        prop_assert!(matches!(sanitize_for_logging(&text), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn a_planted_secret_never_survives(
        secret in secret(),
        before in "([a-z]{1,8} ){0,3}",
        after in "( [a-z]{1,8}){0,3}",
        form in 0..16_usize,
    ) {
        let planted = match form {
            0 => format!("password={secret}"),
            1 => format!("API_KEY: {secret}"),
            2 => format!("api-key={secret}"),
            3 => format!("token='{secret}'"),
            4 => format!("Authorization: Bearer {secret}"),
            5 => format!("secret=\"{secret} and \\\" {secret}\""),
            6 => format!("-----BEGIN EC PRIVATE KEY-----\n{secret}\n-----END EC PRIVATE KEY-----"),
            7 => format!("-----BEGIN PRIVATE KEY-----\\n{secret}"),
            8 => format!("{{\"db_password\": \"{secret}\", \"n\": 1}}"),
            9 => format!("{{\\\"token\\\":\\\"{secret}\\\"}}"),
            10 => format!("/a?x=1&access_token={secret}&user=bob"),
            11 => format!("postgres://bob:{secret}@db/a"),
            12 => format!("Cookie: a={secret}; b=c"),
            13 => format!("Proxy-Authorization: Digest a=\"{secret}\", b=\"{secret}\""),
            14 => format!("client_secret: Some(\"{secret}\")"),
            _ => format!("<password>{secret}</password>"),
        };
        let text = format!("{before}{planted}{after}");
        let result = sanitize_for_logging(&text);
        prop_assert!(!result.contains(&secret), "{} became {}", text, result);
        prop_assert!(result.starts_with(&before));
    }

    #[test]
    fn an_aws_key_never_survives(tail in "[A-Z0-9]{16}", before in "[a-z =:\"]{0,9}") {
        let result = sanitize_for_logging(&format!("{before}AKIA{tail}")).into_owned();
        prop_assert!(!result.contains(&tail));
    }
}
