//! Hostile texts cost no more per byte than ordinary ones.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::super::sanitize_for_logging;

/// Long enough for a quadratic step to take seconds, short enough to try many texts.
const LARGE_BYTES: usize = 128 << 10;
const HUGE_BYTES: usize = 1 << 20;

/// More than ten times of what a linear pass takes, without optimisation, on a busy machine.
const LARGE_LIMIT: Duration = Duration::from_secs(2);
const HUGE_LIMIT: Duration = Duration::from_secs(5);

/// Text that each parser has to read on from, again and again.
const UNITS: [&str; 139] = [
    "token=token=",
    "token",
    "token=",
    "token={",
    "token={ ",
    "token=[]",
    "token={}",
    "token=\"\"",
    "token=\"\"\"",
    "token:[\"",
    "token=\"",
    "token='",
    "token=\\\"",
    "token=\\",
    "token=)",
    "token=,",
    "token=,a",
    "token=%26a",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\"",
    "-----BEGIN PRIVATE KEY-----\",\"",
    "-----END ",
    "-----BEGIN PRIVATE KEY-----\"-----END ",
    "://",
    "x://a:",
    "x://a:b/",
    "x://a:b@",
    "x://a@",
    "\"",
    "'",
    "\\",
    "\\\"",
    "eyJ",
    "eyJa.",
    "eyJaaaaa.",
    "_eyJ",
    "AKIA",
    "AKIAA",
    "Bearer ",
    "bearer a",
    "Authorization: ",
    "Authorization: a b",
    "'Authorization: a b ",
    "Cookie:",
    "Cookie: \\",
    "Cookie: \"",
    "<token>",
    "\"token\":[",
    "\"token\":{\"",
    "\"token\":\"",
    "--token ",
    "--token -",
    "token=[a] ",
    "token={} ",
    "'Authorization: a b\n",
    "\"Cookie: a\n",
    "\"token\":[] ",
    "key",
    "api key",
    "pass.",
    "Some(",
    "token=Some(",
    "token=,\"",
    "token=\t",
    "\"token\" ",
    "\"token\",",
    "\"token\",\"",
    "['token','",
    "'token',''",
    "\"--token\", \"a\", ",
    "\"name\":\"token\",\"value\":",
    "\"name\":\"token\",\"value\":{",
    "(token)=(",
    "token, ",
    "(token) values (",
    "token) values ('",
    "near \"syntax ",
    "near \"token\" syntax ",
    "' for key 'token",
    "set a action b token ",
    "(given password: ",
    "(given password: a)b",
    "token: |\n ",
    "token: |\n",
    "token: >\\n  a\\n",
    "login attempt [a/",
    "login attempt [",
    "AUTH PLAIN ",
    "AUTH PLAIN a",
    "ghp_",
    "ghp_a",
    "xoxb-",
    "SG.a.",
    "&sig=",
    "&signature=a",
    "=sig",
    "session=</",
    "PWD=/",
    ":signature",
    "\u{1b}[",
    "\u{1b}[0m",
    "\u{1b}[31mtoken\u{1b}[0m=",
    "\u{200b}",
    "to\u{200b}ken=a ",
    "ｔｏｋｅｎ：a ",
    "{\"key\":\"token\",\"value\":[",
    "\\u0074oken",
    "<token a",
    "<token a=",
    "<token a=\"b\">",
    "<token a=b> ",
    "<a:token",
    "<token><![CDATA[",
    "<token> ",
    "<token>\n",
    "name=\"token\"",
    "name=\"token\">",
    "name=\"token\"\n",
    "name=\"token\"\nContent-",
    "name=\"token\"\r\n\r\n",
    "token%5D",
    "token[",
    "token[0",
    "token[]=",
    "token&quot;",
    "token&quot;:&quot;",
    "Token(\"",
    "token=Token(",
    "name: token\n",
    "name: token\nvalue:",
    "name: token\nvalue: |\n ",
    "x://aaaaaaaaaaaaaaaaaaaa1@",
    "redis-cli -a ",
    "mysql -p ",
    "docker login ",
    "login a password ",
    "$argon2id$",
    "$argon2=",
];

/// The time for which the processor worked on this thread, whatever else the machine does.
fn worked() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(microseconds.try_into().unwrap())
}

/// Sanitizes a text made of one unit and asserts that it took no more work than `limit`.
fn assert_fast(unit: &str, text: &str, limit: Duration) {
    let before = worked();
    let _ = sanitize_for_logging(text);
    let work = worked() - before;
    assert!(work < limit, "{unit:?} took {work:?}");
}

#[test]
fn a_hostile_mebibyte_finishes() {
    for unit in ["token=token=", "-----BEGIN ", "://", "\"", "eyJ", "token", "x"] {
        assert_fast(unit, &unit.repeat(HUGE_BYTES / unit.len()), HUGE_LIMIT);
    }
}

/// Deep and wide documents are read once, whatever is masked in them.
#[test]
fn hostile_documents_finish() {
    // Each string of a document has a price of its own, so fewer bytes take as long.
    let bytes = LARGE_BYTES / 4;
    let wide = |item: &str| format!("[{}]", vec![item; bytes / item.len()].join(","));
    let deep = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    for text in [
        wide("\"token\""),
        wide("\"--token\",\"x\""),
        wide("{\"name\":\"token\",\"value\":[\"token\"]}"),
        wide("\"\\u0074oken=x\""),
        deep("[\"token\",", &wide("\"token=x\""), "]", 100),
        deep("{\"token\":", &wide("\"token=x\""), "}", 100),
        deep("{\"name\":\"token\",\"value\":", &wide("1"), "}", 100),
    ] {
        let unit: String = text.chars().take(60).collect();
        assert_fast(&unit, &text, LARGE_LIMIT);
    }
    let mut nested = "token=x".to_owned();
    while nested.len() < LARGE_BYTES {
        nested = serde_json::Value::from(nested).to_string();
    }
    assert_fast("a string in a string", &nested, LARGE_LIMIT);
}

#[test]
fn many_hostile_texts_finish() {
    let try_unit = |unit: &str| {
        let text = unit.repeat(LARGE_BYTES / unit.len());
        assert_fast(unit, &text, LARGE_LIMIT);
        assert_fast(unit, &format!("token={text}"), LARGE_LIMIT);
        assert_fast(unit, &serde_json::Value::from(text).to_string(), LARGE_LIMIT);
    };
    // It is the last of the long ones, so that a second core would have nothing to do.
    let (some, others) = UNITS.split_at(UNITS.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| some.iter().for_each(|unit| try_unit(unit)));
        others.iter().for_each(|unit| try_unit(unit));
    });
}
