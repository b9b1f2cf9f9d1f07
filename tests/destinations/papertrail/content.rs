//! What a record says, whatever a text in it tries.

use std::fs;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{collector_to, distinct, line_of, search, send, wait_for_records};
use crate::otlp::bangui_to;
use crate::support::{
    Certificates, Client, Rsyslog, Security, SyslogRecord, assert_same, is_stdout_only, patient,
};

/// The names of the severities, as rsyslog writes them.
const SEVERITIES: [(&str, &str); 5] = [
    ("debug", "debug"),
    ("info", "info"),
    ("warning", "warning"),
    ("error", "err"),
    ("critical", "crit"),
];

/// What would begin a record of its own, if it could get out of its text.
const FORGED: [&str; 6] = [
    "\n<134>1 2026-11-25T10:00:00Z evil forged 1 forged - forged",
    "\r\n<134>1 2026-11-25T10:00:00Z evil forged 1 forged - forged\r\n",
    "\u{0}<134>1 2026-11-25T10:00:00Z evil forged 1 forged - forged\u{0}",
    "\n60 <134>1 2026-11-25T10:00:00Z evil forged 1 forged - forged01\n",
    "\u{85}\u{2028}\u{2029}\u{7f}\u{1b}[2J<134>1 - evil forged 1 forged - forged",
    "] [forged a=\"b\"] \" \\ ' %msg% $!all <0>",
];

/// Compares a record with the line on stdout that it stands for.
#[track_caller]
fn assert_stands_for(line: &Value, record: &SyslogRecord) {
    let mut sent = line_of(record);
    let at: Timestamp = sent["timestamp"].as_str().unwrap().parse().unwrap();
    sent["timestamp"] = json!(at.as_microsecond());
    assert_same(line, &sent);
    let in_header: Timestamp = record.timestamp.parse().unwrap();
    assert_eq!(in_header, at);
    let severity = SEVERITIES.iter().find(|(level, _)| line["level"] == *level).unwrap().1;
    assert_eq!(record.severity, severity, "{line}");
    let event = line["event"].as_str().unwrap();
    assert_eq!(record.msgid, event[..event.len().min(32)]);
}

#[test]
fn every_line_is_one_record_with_its_parts_apart() {
    let _turn = patient();
    let certificates = Certificates::make();
    let rsyslog = Rsyslog::start(Security::tls(&certificates, "server"));
    let ca = certificates.certificate("ca");
    let ca = ("BANGUI_PAPERTRAIL_CA_FILE", ca.to_str().unwrap());
    let collector = collector_to(rsyslog.port(), &[ca]);
    let mut bangui = bangui_to(&collector);
    let id = bangui.process().id().to_string();
    for text in FORGED {
        let ban = json!({ "jail": "sshd", "ip": "192.0.2.1", "reason": text });
        bangui.admin().post("/api/bans", &ban);
    }
    let refused = bangui.stranger().with("authorization", "Bearer nobodys-token-at-all");
    refused.get("/api/bans").expect_problem(401);
    let lines = bangui.stop().lines;
    let lines: Vec<_> = lines.iter().filter(|line| !is_stdout_only(line)).collect();

    let records = wait_for_records(lines.len(), || rsyslog.records());
    for line in &lines {
        let record = records.iter().find(|it| line_of(it)["uid"] == line["uid"]);
        assert_stands_for(line, record.unwrap_or_else(|| panic!("no record of {line}")));
    }
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(distinct(&records, |it| &it.app_name), ["bangui"].into());
    assert_eq!(distinct(&records, |it| &it.facility), ["local0"].into());
    assert_eq!(distinct(&records, |it| &it.hostname), [host.trim()].into());
    assert_eq!(distinct(&records, |it| &it.procid), [id.as_str()].into());
    assert_eq!(distinct(&records, |it| &it.structured_data), ["-"].into());

    // What an owner types into Papertrail's search.
    for event in ["bangui_starting_up", "auth_token_validation_failed"] {
        let found = search(&records, "bangui", event);
        assert_eq!(found.len(), 1, "{event}: {found:?}");
        assert_eq!(line_of(found[0])["event"], event);
    }
}

#[test]
fn no_text_forges_a_second_record() {
    let _turn = patient();
    let rsyslog = Rsyslog::start(Security::Clear);
    let settings =
        [("BANGUI_PAPERTRAIL_TLS", "false"), ("BANGUI_PAPERTRAIL_PROGRAM_NAME", "web-1/ban[gui]")];
    let collector = collector_to(rsyslog.port(), &settings);
    // As a value, a key, the event and the host; and by the names that the exporter looks for.
    let all = FORGED.join(" ");
    let attributes = FORGED.map(|text| json!({ "uid": text, text: "a key", "message": text }));
    let mut sent: Vec<_> =
        FORGED.iter().zip(&attributes).map(|(text, it)| (*text, it.clone())).collect();
    let names = ["appname", "hostname", "proc_id", "msg_id", "priority", "version"];
    let named = names.iter().map(|name| ((*name).to_owned(), json!(all)));
    let named: Map<_, _> = named.chain([("structured_data".into(), json!(all))]).collect();
    sent.push(("named", Value::Object(named)));
    send(&collector, &all, &sent);

    let records = wait_for_records(sent.len(), || rsyslog.records());
    for ((event, attributes), record) in sent.iter().zip(&records) {
        let line = line_of(record);
        assert_eq!(line["event"], *event);
        for (key, value) in attributes.as_object().unwrap() {
            assert_eq!(line[key], *value, "{key:?}");
        }
        assert_eq!((record.severity.as_str(), record.facility.as_str()), ("warning", "local0"));
        assert!(!record.hostname.is_empty() && record.hostname.len() <= 255, "{record:?}");
        assert!(record.msgid.len() <= 32, "{record:?}");
    }
    assert_eq!(distinct(&records, |it| &it.app_name), ["web-1/ban[gui]"].into());
    assert_eq!(distinct(&records, |it| &it.procid), ["-"].into());
    assert_eq!(distinct(&records, |it| &it.structured_data), ["-"].into());
}

#[test]
fn what_a_record_lacks_is_left_out_of_its_header() {
    let _turn = patient();
    let rsyslog = Rsyslog::start(Security::Clear);
    let collector = collector_to(rsyslog.port(), &[("BANGUI_PAPERTRAIL_TLS", "false")]);
    // Anybody may send to the collector: without a host, a time, a level, an event, or with other
    // types than ours.
    let bodies = [json!(null), json!({ "stringValue": "" }), json!({ "intValue": "7" })];
    let records = bodies.map(|body| json!({ "body": body }));
    let pid = json!({ "key": "process.pid", "value": { "stringValue": "1 2" } });
    let resource = json!({ "attributes": [pid] });
    let logs = json!({ "resource": resource, "scopeLogs": [{ "logRecords": records }] });
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    client.post("/v1/logs", &json!({ "resourceLogs": [logs] })).expect(200);
    for record in wait_for_records(3, || rsyslog.records()) {
        let header = [&record.hostname, &record.procid, &record.msgid, &record.severity];
        assert_eq!(header, ["-", "-", "-", "debug"], "{record:?}");
        assert!(line_of(&record).is_object());
    }
}

#[test]
fn what_is_too_long_is_one_record_cut() {
    /// rsyslog's own limit is 8,192 for all of a record.
    const MAX: usize = 8000;
    let _turn = patient();
    let rsyslog = Rsyslog::start(Security::Clear);
    let collector = collector_to(rsyslog.port(), &[("BANGUI_PAPERTRAIL_TLS", "false")]);
    let fields = |count: usize, text: &str| -> Value {
        let fields = (0..count).map(|number| (format!("field_{number:03}"), json!(text)));
        Value::Object(fields.chain([("uid".into(), json!("kept"))]).collect())
    };
    let sent = [
        ("short", fields(1, "short")),
        ("long", fields(1, &"x".repeat(20_000))),
        ("wide", fields(1, &"é\n€".repeat(20_000))),
        ("escaped", fields(1, &"\u{1}".repeat(100_000))),
        ("several", fields(20, &"y ".repeat(4_000))),
        ("many", fields(120, &"z".repeat(300))),
    ];
    send(&collector, &"host.".repeat(100), &sent);
    let records = wait_for_records(sent.len(), || rsyslog.records());
    for ((event, _), record) in sent.iter().zip(&records) {
        assert_eq!(record.msgid, *event);
        // A few bytes of a header stand around what is counted here.
        let header = [&record.hostname, &record.app_name, &record.procid, &record.msgid];
        let size = record.msg.len() + header.map(String::len).iter().sum::<usize>() + 50;
        assert!(size <= MAX, "{event} has {size} bytes");
        if *event == "many" {
            assert!(record.msg.len() > 7000, "{}", record.msg.len());
        } else {
            assert_eq!(line_of(record)["uid"], "kept");
            assert_eq!(line_of(record)["event"], *event);
        }
    }
    let long = line_of(&records[1])["field_000"].as_str().unwrap().to_owned();
    assert!(long.len() >= 2000 && long.chars().all(|it| it == 'x'), "{long}");
}
