//! What the collector takes in beside BanGUI, and what it leaves out when it is told to.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::otlp::collector_to;
use crate::support::{Client, Collector, OtlpReceiver, SOON, eventually, expect, patient};

/// What an attacker can have fail2ban log, and the part that nobody may see.
const PLANTED: [(&str, &str); 5] = [
    ("password=hunter2-5550", "hunter2-5550"),
    ("api_key: no, api_key=ka-5551", "ka-5551"),
    ("Authorization: Bearer be-5552", "be-5552"),
    ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    ("-----BEGIN PRIVATE KEY-----\nMIIBVgIBADAN\n-----END PRIVATE KEY-----", "MIIBVgIBADAN"),
];

/// All bytes of all files below a folder. A file that its writer puts in another's place while it
/// is looked at is looked for again.
pub(crate) fn bytes_below(folder: &Path) -> Vec<u8> {
    eventually(SOON, "files that stay while they are read", || {
        read_below(folder).map_err(|error| error.to_string())
    })
}

fn read_below(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        all.extend(if path.is_dir() { read_below(&path)? } else { fs::read(path)? });
    }
    Ok(all)
}

pub(crate) fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn fail2bans_own_log_takes_the_same_way_without_its_secrets() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fail2ban.log");
    let mut log = File::create(&path).unwrap();
    writeln!(log, "2026-11-24 09:00:00,000 fail2ban.server [7]: INFO history").unwrap();
    let path = path.to_str().unwrap();
    let collector =
        collector_to(&receiver, &[("BANGUI_FAIL2BAN_LOG", path), ("TZ", "Europe/Berlin")]);

    let at = "2026-11-25 10:00:00,123 fail2ban";
    writeln!(log, "{at}.actions        [42]: NOTICE  [sshd] Ban 203.0.113.9").unwrap();
    writeln!(log, "{at}.actions        [42]: WARNING [sshd] 203.0.113.9 already banned").unwrap();
    for (text, _) in PLANTED {
        writeln!(log, "{at}.filter         [42]: ERROR   Unable to run: {text}").unwrap();
    }
    writeln!(log, "{at}.server         [42]: INFO    the end").unwrap();
    // A line is known to be whole once the next one begins, or after half a second.
    let ban = receiver.wait_for_line("the ban", |line| line["ip"] == "203.0.113.9");
    let uid = ban["uid"].as_str().unwrap().to_owned();
    assert_eq!(uid.len(), 32, "{uid}");
    let expected = json!({
        "timestamp": 1_795_597_200_123_000_i64, // 09:00:00.123 UTC
        "level": "info",
        "logger_name": "fail2ban.actions",
        "event": "fail2ban_log",
        "message": "[sshd] Ban 203.0.113.9",
        "jail": "sshd",
        "ip": "203.0.113.9",
        "pid": 42,
        "uid": uid,
    });
    assert_eq!(ban, expected);
    let count = 4 + PLANTED.len();
    eventually(SOON, "all lines", || {
        let lines = receiver.lines();
        expect(lines.len() == count, format!("{lines:#?}"))
    });
    let levels: Vec<_> = receiver.lines().iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels.iter().filter(|level| *level == "error").count(), PLANTED.len());
    assert_eq!(levels.iter().filter(|level| *level == "warning").count(), 1);

    let kept = bytes_below(&collector.state());
    assert!(contains(&kept, "Unable to run"), "the file and the queue hold the records");
    for (_, secret) in PLANTED {
        assert!(receiver.payload_with(secret).is_none(), "{secret} has left");
        assert!(!contains(&kept, secret), "{secret} is on disk");
    }
}

/// One page of the collector's own port.
pub(crate) fn page(collector: &Collector, port: &str) -> String {
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port(port)));
    client.get("/metrics").body
}

#[test]
fn the_machines_metrics_stand_beside_the_services() {
    let _turn = patient();
    let collector = Collector::start_with(&[("BANGUI_HOST_METRICS_ENABLED", "true")]);
    eventually(SOON, "the machine's metrics", || {
        let page = page(&collector, "EXPOSITION_PORT");
        let names = ["system_cpu_time_seconds_total", "system_memory_usage_bytes"];
        expect(names.iter().all(|name| page.contains(name)), page)
    });
}

/// Sends OTLP/JSON to the collector.
pub(crate) fn send(collector: &Collector, path: &str, body: &Value) {
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    client.post(path, body).expect(200);
}

pub(crate) fn record(event: &str, number: u32, level: &str, trace: u32) -> Value {
    json!({
        "timeUnixNano": "1795600800000000000", "severityNumber": number, "severityText": level,
        "traceId": format!("{trace:032x}"), "spanId": "00000000000000aa",
        "body": { "stringValue": event },
        "attributes": [{ "key": "uid", "value": { "stringValue": format!("{event}-{trace}") } }],
    })
}

#[test]
fn sampling_keeps_warnings_and_facts_and_counts_the_rest() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[("BANGUI_LOGS_KEPT_PERCENT", "0")]);
    let records = [
        record("http_request_completed", 9, "info", 1),
        record("http_request_completed", 9, "info", 2),
        record("ban_executed", 9, "info", 3),
        record("fail2ban_connection_lost", 17, "error", 4),
    ];
    let scope = json!({ "scope": { "name": "app.http" }, "logRecords": records });
    send(&collector, "/v1/logs", &json!({ "resourceLogs": [{ "scopeLogs": [scope] }] }));
    receiver.wait_for_line("the error", |line| line["level"] == "error");
    let events: Vec<_> = receiver.lines().iter().map(|line| line["event"].clone()).collect();
    assert_eq!(events, ["ban_executed", "fail2ban_connection_lost"]);
    let keys = receiver.lines()[0].as_object().unwrap().len();
    assert_eq!(keys, 7, "the mark of priority does not leave: {:?}", receiver.lines()[0]);
    let counted = page(&collector, "TELEMETRY_PORT");
    let dropped = counted.lines().find(|line| {
        line.starts_with("otelcol_processor_probabilistic_sampler_count_logs_sampled")
            && line.contains("sampled=\"false\"")
    });
    assert!(dropped.is_some_and(|line| line.ends_with(" 2")), "{counted}");
}

fn span(trace: u32, name: &str, route: &str, method: &str, status: u32) -> Value {
    let text = |value: &str| json!({ "stringValue": value });
    json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{trace:016x}"), "name": name,
        "kind": 2, "startTimeUnixNano": "1795600800000000000",
        "endTimeUnixNano": "1795600800001000000", "status": { "code": status },
        "attributes": [
            { "key": "http.route", "value": text(route) },
            { "key": "http.request.method", "value": text(method) },
        ],
    })
}

#[test]
fn traces_with_errors_bans_and_sign_ins_are_always_kept() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[("BANGUI_TRACES_KEPT_PERCENT", "0")]);
    let spans = [
        span(1, "dull", "/api/jails", "GET", 0),
        span(2, "dull", "/api/bans", "GET", 0),
        span(3, "ban", "/api/bans", "POST", 0),
        span(4, "sign-in", "/api/auth/login", "POST", 0),
        span(5, "error", "/api/jails", "GET", 2),
    ];
    let scope = json!({ "scope": { "name": "bangui" }, "spans": spans });
    send(&collector, "/v1/traces", &json!({ "resourceSpans": [{ "scopeSpans": [scope] }] }));
    // They are decided 10 s after they began.
    eventually(Duration::from_secs(40), "three traces", || {
        let spans = receiver.spans();
        let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        expect(names == ["ban", "error", "sign-in"], format!("{names:?}"))
    });
}
