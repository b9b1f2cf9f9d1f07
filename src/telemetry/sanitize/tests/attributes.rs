//! URLs, headers, arguments and the lines of a private key.

use super::super::{
    LineSanitizer, sanitize_arguments, sanitize_field, sanitize_header, sanitize_json_text,
    sanitize_url,
};

#[test]
fn urls_keep_what_is_no_secret() {
    for (url, expected) in [
        ("https://bob:x@h:8443/p?a=b", "https://REDACTED:REDACTED@h:8443/p?a=b"),
        ("https://bob@h/p", "https://REDACTED@h/p"),
        ("postgres://bob:a/b@h/p", "postgres://REDACTED:REDACTED@h/p"),
        ("/c?sv=1&sig=a%2Fb&x=2#t", "/c?sv=1&sig=REDACTED&x=2#t"),
        ("/c?AWSAccessKeyId=AKIA1&Signature=b", "/c?AWSAccessKeyId=REDACTED&Signature=REDACTED"),
        ("/c?X-Amz-Credential=a&X-Amz-Date=1", "/c?X-Amz-Credential=REDACTED&X-Amz-Date=1"),
        ("/c?%70assword=x", "/c?%70assword=REDACTED"),
        ("/c?q=AKIAIOSFODNN7EXAMPLE", "/c?q=REDACTED"),
        ("/c?next=%2Fa%3Ftoken%3Dx&b=1", "/c?next=REDACTED&b=1"),
        ("/cb#access_token=x&state=1", "/cb#access_token=REDACTED&state=1"),
        ("https://h/password=x/a?b=c", "https://h/REDACTED?b=c"),
    ] {
        assert_eq!(sanitize_url(url), expected);
        assert_eq!(sanitize_url(expected), expected);
    }
    for url in [
        "",
        "/",
        "https://h:8443/api/bans/sshd/2001%3Adb8::1?page=2&per_page=50",
        "/api/jails?sort=name&q=key",
        "http://[::1]:8000/a@b",
        "mailto:bob@h",
        "?a=b&token=",
    ] {
        assert_eq!(sanitize_url(url), url);
    }
}

#[test]
fn headers_by_their_names() {
    for name in [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "X-Auth-Token",
        "X-Amz-Security-Token",
        "X-CSRF-Token",
        "ApiKey",
    ] {
        assert_eq!(sanitize_header(name, "a b"), "***", "{name}");
    }
    for name in ["Accept", "User-Agent", "Sec-WebSocket-Key", "WWW-Authenticate", "ETag"] {
        assert_eq!(sanitize_header(name, "a b"), "a b", "{name}");
    }
    assert_eq!(sanitize_header("Referer", "https://h/?token=x"), "https://h/?token=REDACTED");
    assert_eq!(sanitize_header("User-Agent", "a token=x b"), "a token=*** b");
}

#[test]
fn arguments_behind_their_names() {
    for (arguments, expected) in [
        (
            &["mysql", "--password", "x", "-h", "db"][..],
            &["mysql", "--password", "***", "-h", "db"][..],
        ),
        (&["smtp", "password", "x"], &["smtp", "password", "***"]),
        (&["a", "--api-key=x"], &["a", "--api-key=***"]),
        (&["--password", "--user", "bob"], &["--password", "--user", "bob"]),
        (&["password", "file", "x"], &["password", "file", "x"]),
        (&["curl", "-H", "Cookie: a=b"], &["curl", "-H", "Cookie: ***"]),
        (&["/bin/curl", "-u", "bob:x", "h"], &["/bin/curl", "-u", "bob:***", "h"]),
        (&["mysql", "-px", "db"], &["mysql", "-p***", "db"]),
        (&["redis-cli", "-a", "x"], &["redis-cli", "-a", "***"]),
        (&["sshpass", "-p", "x", "ssh", "-p", "22"], &["sshpass", "-p", "***", "ssh", "-p", "22"]),
        (&["set", "sshd", "banip", "192.0.2.1"], &["set", "sshd", "banip", "192.0.2.1"]),
    ] {
        assert_eq!(sanitize_arguments(arguments), expected);
    }
    assert!(sanitize_arguments(&[""; 0]).is_empty());
}

#[test]
fn fields_of_urls_follow_the_conventions() {
    assert_eq!(sanitize_field("url.full", "https://h/?token=x"), "https://h/?token=REDACTED");
    assert_eq!(sanitize_field("url.query", "a=b&token=x"), "a=b&token=REDACTED");
    assert_eq!(sanitize_field("note", "https://h/?token=x"), "https://h/?token=***");
}

#[test]
fn json_text_must_be_json() {
    assert_eq!(
        sanitize_json_text("{\"b\":1.0,\"token\":2}").unwrap(),
        "{\"b\":1.0,\"token\":\"***\"}"
    );
    for text in ["", "{", "token=x", "1 2"] {
        assert!(sanitize_json_text(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_line_of_a_key_ends_it() {
    let body = "MIIEowIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ+/";
    let mut lines = LineSanitizer::default();
    let texts = ["-----BEGIN PRIVATE KEY-----", body, "", body, "no line of it: 1", body];
    let clean: Vec<_> = texts.iter().filter_map(|line| lines.line(line)).collect();
    assert_eq!(clean, ["*** PRIVATE KEY ***", "no line of it: 1", body]);
    assert!(lines.line("-----BEGIN PUBLIC KEY-----").is_some() && lines.line(body).is_some());
    assert!(lines.line("-----BEGIN PRIVATE KEY-----").is_some());
    let shown = (0..5_000).filter(|_| lines.line("abc").is_some()).count();
    assert!(shown > 3_000, "a key that never ends is bounded");
}

#[test]
fn a_block_of_yaml_goes_line_by_line() {
    let mut lines = LineSanitizer::default();
    let texts = ["a:", "  password: |", "    x1", "", "    y z", "  user: |", "    bob", "> b"];
    let clean: Vec<_> = texts.iter().filter_map(|line| lines.line(line)).collect();
    let expected = ["a:", "  password: |", "    ***", "", "    ***", "  user: |", "    bob", "> b"];
    assert_eq!(clean, expected);
}

#[test]
fn odd_ends_of_lines_in_forms_are_survived() {
    for text in ["name=\"token\"\\n", "name=\"token\"\nContent-"] {
        let far = "\\".repeat(600);
        for text in [format!("{text}{far}n"), text.replace('n', &format!("{far}n"))] {
            let once = super::super::sanitize_for_logging(&text).into_owned();
            assert_eq!(super::super::sanitize_for_logging(&once), once);
        }
    }
    let text = format!("name=\"token\"{}nx", "\\".repeat(600));
    let _ = super::super::sanitize_for_logging(&text);
}

#[test]
fn a_variable_of_kubernetes_goes_line_by_line() {
    let mut lines = LineSanitizer::default();
    let texts =
        ["env:", "- name: DB_PASSWORD", "  value: x y", "- name: A", "  value: b", "value: c"];
    let clean: Vec<_> = texts.iter().filter_map(|line| lines.line(line)).collect();
    let expected =
        ["env:", "- name: DB_PASSWORD", "  value: ***", "- name: A", "  value: b", "value: c"];
    assert_eq!(clean, expected);
}
