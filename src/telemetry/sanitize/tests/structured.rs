//! Fields, keys, JSON documents and the counters.

use serde_json::{Value, json};

use super::super::scan;
use super::super::{
    RULE_COUNT, hits, is_secret_key, sanitize_field, sanitize_for_logging, sanitize_json,
    sanitize_url_path,
};
use super::{assert_all, assert_unchanged};

#[test]
fn secret_keys() {
    for key in [
        "password",
        "PASSWORD",
        "db_password",
        "userPassword",
        "passwd",
        "pwd",
        "passphrase",
        "password_confirm",
        "api_key",
        "x-api-key",
        "APIKey",
        "apikey",
        "access_token",
        "token",
        "access_tokens",
        "csrf_token",
        "client_secret",
        "clientSecret",
        "aws_secret_access_key",
        "private_key",
        "privateKey",
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "set-cookie",
        "session_id",
        "sessionid",
        "smtp_pass",
        "credentials",
        "password_hash",
        "jwt",
        "psk",
        "otp",
        "session",
        "http.request.header.authorization",
        "token_2",
    ] {
        assert!(is_secret_key(key), "{key}");
    }
}

#[test]
fn keys_that_only_look_secret() {
    for key in [
        "",
        "a",
        "event",
        "token_hash",
        "tokenHash",
        "max_tokens",
        "tokens",
        "author",
        "authority",
        "authenticated",
        "primary_key",
        "public_key",
        "key",
        "keyboard",
        "bypass",
        "compass",
        "passed",
        "password_length",
        "passwordPolicy",
        "token_type",
        "tokenizer",
        "secretary",
        "token_expires_at",
        "session_count",
        "endpoint",
        "user_id",
        "task",
        "cookie_name",
        "option",
        "ssh_key_type",
        "monkey",
        "client_ip",
        "correlation_id",
    ] {
        assert!(!is_secret_key(key), "{key}");
    }
}

#[test]
fn fields_by_key_and_by_text() {
    assert_eq!(sanitize_field("db_password", "a b"), "***");
    assert_eq!(sanitize_field("token_hash", "abc"), "abc");
    assert_eq!(sanitize_field("stderr", "bad token=abc x"), "bad token=*** x");
}

#[test]
fn json_text_stays_json() {
    assert_all(&[
        (r#"{"password": "a b \" c", "user": "bob"}"#, r#"{"password": "***", "user": "bob"}"#),
        (r#"{"a":"token:","b":"c"}"#, r#"{"a":"token:","b":"c"}"#),
        (r#"{"a":"token=x\\","b":"c"}"#, r#"{"a":"token=***","b":"c"}"#),
        (r#"{"a":"password=\"a b\" c"}"#, r#"{"a":"password=\"***\" c"}"#),
        (r#"{"password":1.5e3,"n":[1]}"#, r#"{"password":"***","n":[1]}"#),
        (r#"{"credentials":{"a":["}"]},"n":1}"#, r#"{"credentials":"***","n":1}"#),
        (r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"***"}"#),
        (
            r#"["password=x", "Authorization: Foo b c"]"#,
            r#"["password=***", "Authorization: ***"]"#,
        ),
        (r#"{"m":"{\"token\":\"x y\"}"}"#, r#"{"m":"{\"token\":\"***\"}"}"#),
        (
            r#"{"k":"-----BEGIN PRIVATE KEY-----","\\\"password":null}"#,
            r#"{"k":"*** PRIVATE KEY ***","\\\"password":null}"#,
        ),
        (r#"{"token=abc":"x"}"#, r#"{"token=***":"***"}"#),
    ]);
    assert_unchanged(&[r#"{"max_tokens": 5, "author": "x", "token": ""}"#]);
}

#[test]
fn json_values_by_key() {
    let mut value = json!({
        "user": "bob", "password": "x", "token": 12, "secret": null, "has_password": true,
        "nested": [{"api_key": ["a", "b"], "note": "token=abc"}], "max_tokens": 5,
        "token=abc": 1,
    });
    sanitize_json(&mut value);
    let expected = json!({
        "user": "bob", "password": "***", "token": "***", "secret": null, "has_password": true,
        "nested": [{"api_key": "***", "note": "token=***"}], "max_tokens": 5,
        "token=***": "***",
    });
    assert_eq!(value, expected);
}

#[test]
fn json_nesting_is_bounded() {
    let mut value = json!("token=abc");
    for _ in 0..1_000 {
        value = Value::Array(vec![value]);
    }
    sanitize_json(&mut value);
    let text = value.to_string();
    assert!(text.contains("***") && !text.contains("abc"), "{text}");
}

#[test]
fn counters_count_what_was_scrubbed() {
    let before = hits();
    let _ = sanitize_for_logging("password=a AKIAIOSFODNN7EXAMPLE x://a:b@c");
    let after = hits();
    for name in ["password", "aws_access_key", "url_userinfo"] {
        let index = before.iter().position(|(rule, _)| *rule == name);
        assert!(index.is_some_and(|index| after[index].1 > before[index].1), "{name}");
    }
    assert_eq!(after.len(), RULE_COUNT);
}

#[test]
fn prefilter_finds_across_chunks() {
    for lead in 480..560 {
        let text = format!("{}ToKeN=abc", "x ".repeat(lead / 2) + &" ".repeat(lead % 2));
        let found = scan::Hits::new(&text).next().map(|hit| hit.start);
        assert_eq!(found, Some(lead));
        let lowered = text.to_ascii_lowercase();
        assert_eq!(scan::find_plainly(lowered.as_bytes(), 0).map(|(at, _)| at), found);
    }
}

#[test]
fn encoded_secrets_in_paths() {
    for path in [
        "/password%3Dhunter2",
        "/Authorization%3A%20Bearer%20hunter2",
        "/-----BEGIN%20PRIVATE%20KEY-----%0Ahunter2%0A-----END%20PRIVATE%20KEY-----",
        "/token=hunter2",
    ] {
        assert_eq!(sanitize_url_path(path), "REDACTED", "{path}");
    }
    for path in ["/api/bans/sshd/2001%3Adb8::1", "/assets/index-a1b2.js", "/%ff%"] {
        assert_eq!(sanitize_url_path(path), path);
    }
}
