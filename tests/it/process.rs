//! The process: its commands, its exit codes, its start and its end.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Bangui, PASSWORD, free_port};

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: i32 = 78;
/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: i32 = 64;

#[test]
fn wrong_settings_are_told_one_line_each() {
    let folder = tempdir().unwrap();
    let wrong = [
        ("BANGUI_ADMIN_PASSWORD", "hunt2"),
        ("BANGUI_API_TOKEN_SCOPE", "everything"),
        ("BANGUI_DATABASE_URL", "postgres://u:hunt2@h"),
        ("BANGUI_JAEGER_QUERY_URL", "ftp://h"),
        ("BANGUI_LISTEN", "nowhere"),
        ("BANGUI_LOG_LEVEL", "loud"),
        ("BANGUI_SCHEDULER_LEASE_SECONDS", "0"),
        ("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", "perhaps"),
        ("BANGUI_TLS_CERT_FILE", "cert.pem"),
        ("BANGUI_TLS_KEY_FILE", "key.pem"),
        ("BANGUI_TRUSTED_PROXIES", "10.0.0.300"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:hunt2@h:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
    ];
    let builder = wrong.iter().fold(Bangui::builder(), |it, (name, value)| it.env(name, value));
    for arguments in [&["serve"][..], &[], &["config"]] {
        let output = builder.run(folder.path(), arguments, "");
        assert_eq!(output.code, Some(EXIT_CONFIG), "{output:?}");
        let mut names: Vec<_> = output
            .stderr
            .iter()
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}")).0)
            .collect();
        names.sort_unstable();
        assert_eq!(names, wrong.map(|(name, _)| name), "one line each, in {arguments:?}");
        assert!(!format!("{output:?}").contains("hunt2"), "{output:?}");
        if arguments == ["config"] {
            assert!(output.stdout.is_empty(), "{output:?}");
            continue;
        }
        let [line] = &output.stdout[..] else { panic!("one line on stdout: {output:?}") };
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&line["event"], &line["level"]),
            (&json!("startup_failed"), &json!("critical"))
        );
        assert!(names.iter().all(|name| line["error"].as_str().unwrap().contains(name)), "{line}");
    }
}

#[test]
fn config_shows_the_settings_and_masks_secrets() {
    let folder = tempdir().unwrap();
    let token = "0123456789abcdef-token";
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", token).env("BANGUI_LOG_LEVEL", "debug");
    let output = builder.run(folder.path(), &["config"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    for line in [
        "BANGUI_ADMIN_PASSWORD=***",
        "BANGUI_API_TOKEN=***",
        "BANGUI_SCHEDULER_LEASE_SECONDS=30",
        "BANGUI_LOG_LEVEL=debug",
    ] {
        assert!(output.stdout.iter().any(|own| own == line), "{line} in {output:?}");
    }
    let text = format!("{output:?}");
    assert!(!text.contains(PASSWORD) && !text.contains(token), "{text}");
}

#[test]
fn a_port_in_use_is_told_and_ends_the_start() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        Bangui::builder().env("BANGUI_LISTEN", &address).run(folder.path(), &["serve"], "");
    assert_eq!(output.code, Some(1), "{output:?}");
    let lines: Vec<Value> =
        output.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = lines.iter().find(|line| line["event"] == "startup_failed").unwrap();
    assert_eq!(failed["level"], "critical");
    assert!(failed["error"].as_str().unwrap().contains(&address), "{failed}");
}

#[test]
fn a_data_folder_that_is_none_ends_the_start() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let builder = Bangui::builder().env("BANGUI_DATA_DIR", file.display());
    let output = builder.run(folder.path(), &["serve"], "");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.iter().any(|line| line.contains("\"startup_failed\"")), "{output:?}");
}

#[test]
fn a_password_in_a_wrong_variable_is_not_shown() {
    let folder = tempdir().unwrap();
    let url = "postgres://bangui:hunter2@db/bangui";
    let names = ["BANGUI_TRUSTED_PROXIES", "BANGUI_QUIET_ENDPOINTS", "BANGUI_LISTEN"];
    let builder = names.iter().fold(Bangui::builder(), |builder, name| builder.env(name, url));
    for command in ["serve", "config", "healthcheck"] {
        let output = builder.clone().run(folder.path(), &[command], "");
        assert_eq!(output.code, Some(78), "{output:?}");
        assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
    }
    let shown = builder.run(folder.path(), &["config"], "").stderr;
    assert!(shown.iter().any(|line| line.contains("postgres://bangui:***@db")), "{shown:?}");
}

#[test]
fn healthcheck_tells_whether_the_service_serves() {
    let bangui = Bangui::builder().start();
    let folder = tempdir().unwrap();
    let builder = Bangui::builder().env("BANGUI_LISTEN", format!("0.0.0.0:{}", bangui.port()));
    let output = builder.run(folder.path(), &["healthcheck"], "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let builder = Bangui::builder().env("BANGUI_LISTEN", format!("127.0.0.1:{}", free_port()));
    let output = builder.run(folder.path(), &["healthcheck"], "");
    assert_eq!((output.code, output.stderr.len()), (Some(1), 1), "{output:?}");
}

#[test]
fn sanitize_redacts_line_by_line() {
    let folder = tempdir().unwrap();
    let run = |arguments: &[&str], input: &str| {
        let output = Bangui::builder().run(folder.path(), arguments, input);
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout
    };
    let text = "plain text\npassword=hunter2 user=x\nAuthorization: Bearer abc.def\n";
    let expected = ["plain text", "password=*** user=x", "Authorization: ***"];
    assert_eq!(run(&["sanitize"], text), expected);
    let text = "{\"password\":\"hunter2\",\"n\":[1,{\"api_key\":\"k\"}]}\n\"token=abc\"\n";
    let values = run(&["sanitize", "--json"], text);
    let values: Vec<Value> = values.iter().map(|it| serde_json::from_str(it).unwrap()).collect();
    let expected =
        [json!({ "password": "***", "n": [1, { "api_key": "***" }] }), json!("token=***")];
    assert_eq!(values, expected);
    let output = Bangui::builder().run(folder.path(), &["sanitize", "--json"], "{\n");
    assert_eq!(output.code, Some(1), "no JSON is an error: {output:?}");
}

#[test]
fn sanitize_takes_a_private_key_over_many_lines_as_one() {
    let folder = tempdir().unwrap();
    let body = "MIIEowIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ+/";
    let text = format!(
        "before\nkey=-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}\n  \
         {body}\r\nabc=\n-----END RSA PRIVATE KEY-----\nafter 1\n\
         -----BEGIN PRIVATE KEY-----\n{body}\nNov 23 host: a line of its own\n{body}\n\
         app[1]: -----BEGIN EC PRIVATE KEY-----\napp[1]: {body}\n\
         app[1]: -----END EC PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n{body}"
    );
    let output = Bangui::builder().run(folder.path(), &["sanitize"], &text);
    assert_eq!(output.code, Some(0), "{output:?}");
    let expected = [
        "before",
        "key=*** PRIVATE KEY ***",
        "after 1",
        "*** PRIVATE KEY ***",
        "Nov 23 host: a line of its own",
        body,
        "app[1]: *** PRIVATE KEY ***",
        "app[1]: ***",
        "app[1]:",
        "-----BEGIN CERTIFICATE-----",
        body,
    ];
    assert_eq!(output.stdout, expected);
}

#[test]
fn sanitize_keeps_json_as_it_is_written() {
    let folder = tempdir().unwrap();
    let run = |input: &str| Bangui::builder().run(folder.path(), &["sanitize", "--json"], input);
    let text = "{\"z\": 1.50, \"a\":12345678901234567890123, \"token\":7,\"m\":\"pwd=x y\"}\n\
        \n[1E5, \"--password\", \"x\"]\n\"Authorization: Bearer abc\"\n";
    let output = run(text);
    assert_eq!(output.code, Some(0), "{output:?}");
    let expected = [
        r#"{"z": 1.50, "a":12345678901234567890123, "token":"***","m":"pwd=*** y"}"#,
        "",
        r#"[1E5, "--password", "***"]"#,
        r#""Authorization: ***""#,
    ];
    assert_eq!(output.stdout, expected);
    let output = run("{\"a\":1}\n{\"a\":\n");
    assert_eq!((output.code, output.stdout.len()), (Some(1), 1), "{output:?}");
    let reason = "line 2 is not one JSON value: EOF while parsing a value at column 5";
    assert_eq!(output.stderr, [reason]);
}

#[test]
fn a_stop_lets_a_running_request_finish() {
    let mut bangui = Bangui::builder().start();
    let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
    let (first, rest) = body.split_at(10);
    let mut stream = TcpStream::connect(("127.0.0.1", bangui.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The interim answer proves that the handler has the request and waits for the body.
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(first.as_bytes()).unwrap();
    bangui.process().signal("TERM");
    bangui.wait_for_event("bangui_shutting_down");
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let ended = bangui.stop();
    assert_eq!(ended.status.code(), Some(0));
    let last: Vec<_> = ended.lines.iter().rev().take(1).map(|line| &line["event"]).collect();
    assert_eq!(last, ["bangui_stopped"]);
    assert!(ended.stderr.is_empty(), "{:?}", ended.stderr);
}

#[test]
fn words_that_are_no_command_are_told_so() {
    let folder = tempdir().unwrap();
    let output = Bangui::builder().run(folder.path(), &["dance"], "");
    assert_eq!(output.code, Some(EXIT_USAGE), "{output:?}");
    assert_eq!(output.stderr, ["bangui: there is no command \"dance\"; `bangui help` lists them"]);
    assert!(output.stdout.is_empty(), "{output:?}");
    let output = Bangui::builder().run(folder.path(), &["version"], "");
    assert_eq!(output.stdout, [concat!("bangui ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn the_start_is_told_and_an_unknown_variable_is_a_warning() {
    let bangui = Bangui::builder().env("BANGUI_PORT", "tcp://10.0.0.1:8000").start();
    bangui.assert_every_line_is_json();
    let warning = bangui.wait_for_event("config_unknown_variable");
    assert_eq!(
        (&warning["variable"], &warning["level"]),
        (&json!("BANGUI_PORT"), &json!("warning"))
    );
    let starting = bangui.wait_for_event("bangui_starting_up");
    assert_eq!(starting["version"], env!("CARGO_PKG_VERSION"));
    assert!(starting["pid"].is_u64() && starting["database_path"].is_string(), "{starting}");
    let log = bangui.stop().lines;
    let numbers: Vec<_> = log.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    let expected: Vec<_> = (1..=u64::try_from(log.len()).unwrap()).collect();
    assert_eq!(numbers, expected, "no line is lost or out of order");
}
