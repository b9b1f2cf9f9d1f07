//! What the vendors would get, decoded as they decode it: the same keys and values as the line on
//! stdout, and what their own queries find.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::otlp::bangui_to;
use crate::support::{
    Collector, SOON, Sink, SinkOptions, assert_same, eventually, expect, is_stdout_only, patient,
    throughout,
};

/// A key with everything that YAML, the shell and the collector's expansion could stumble over.
const HOSTILE_KEY: &str = "k$1${env:HOME}'\"#: {}[]%\\z";
/// A key that every vendor here is given.
pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What sends to Datadog, New Relic, Splunk and CloudWatch at these endpoints, in this order.
pub(crate) fn settings_of(endpoints: [&str; 4]) -> Vec<(&'static str, String)> {
    let [datadog, newrelic, splunk, cloudwatch] = endpoints.map(str::to_owned);
    vec![
        ("BANGUI_DATADOG_API_KEY", KEY.into()),
        ("BANGUI_DATADOG_ENDPOINT", datadog),
        ("BANGUI_NEWRELIC_API_KEY", KEY.into()),
        ("BANGUI_NEWRELIC_ENDPOINT", newrelic),
        ("BANGUI_SPLUNK_TOKEN", KEY.into()),
        ("BANGUI_SPLUNK_HEC_URL", format!("{splunk}/services/collector")),
        ("BANGUI_CLOUDWATCH_LOG_GROUP", "/bangui/test".into()),
        ("BANGUI_CLOUDWATCH_LOG_STREAM", "here".into()),
        ("BANGUI_CLOUDWATCH_ENDPOINT", cloudwatch),
        ("AWS_REGION", "eu-central-1".into()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
        ("AWS_SECRET_ACCESS_KEY", KEY.into()),
    ]
}
/// What keys begin with that Datadog has beside those of the line.
const DATADOGS_OWN: [&str; 8] =
    ["@timestamp", "dd.", "ddtags", "host.", "otel.", "process.", "service.", "telemetry."];
/// A reason that would end a record, a string or a line where somebody is careless.
const REASON: &str = "line\nbreak \u{0} \"quoted\" ünï \u{1b}[31m";

/// One service that has said something, and what its lines were.
fn lines_of(collector: &Collector) -> Vec<Value> {
    let bangui = bangui_to(collector);
    let ban = json!({ "jail": "sshd", "ip": "192.0.2.1", "reason": REASON });
    bangui.admin().post("/api/bans", &ban).expect_problem(503);
    bangui.stranger().with("authorization", "Bearer nobodys-token-at-all").get("/api/bans");
    // Over more than one export of metrics: Datadog takes differences.
    throughout(Duration::from_millis(1200), "some load", || {
        bangui.stranger().get("/nothing").expect_problem(404);
        Ok(())
    });
    let lines = bangui.stop().lines;
    lines.into_iter().filter(|line| !is_stdout_only(line)).collect()
}

/// Waits until each line has arrived, and compares it with what it has become.
fn assert_arrived(lines: &[Value], sink: &Sink, line_of: impl Fn(&Value) -> Value) -> Vec<Value> {
    assert!(lines.len() > 5, "{lines:#?}");
    eventually(SOON, "all lines", || {
        let uids = sink.counts().uids;
        let missing = lines.iter().filter(|line| !uids.contains_key(line["uid"].as_str().unwrap()));
        expect(missing.count() == 0, format!("{} of {}", uids.len(), lines.len()))
    });
    let all = sink.received().logs.into_iter().map(|mut it| it["record"].take());
    // New Relic's custom events come beside the records.
    let is_log = |it: &Value| it["attributes"]["newrelic.event.type"].is_null();
    let records: Vec<Value> = all.filter(is_log).collect();
    assert_eq!(records.len(), lines.len(), "each once, and nothing else");
    let by_uid: BTreeMap<String, Value> = records
        .iter()
        .map(line_of)
        .map(|line| (line["uid"].as_str().unwrap_or_default().to_owned(), line))
        .collect();
    for line in lines {
        assert_same(line, &by_uid[line["uid"].as_str().unwrap()]);
    }
    records
}

/// The instant in microseconds, as the comparison wants it.
fn with_instant(mut line: Value) -> Value {
    let at: jiff::Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    line["timestamp"] = json!(at.as_microsecond());
    line
}

fn collector_for(provider: &str, settings: &[(&str, &str)]) -> Collector {
    let enabled = [
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", provider),
    ];
    Collector::start_with(&[&enabled, settings].concat())
}

#[test]
fn datadog_gets_logs_traces_statistics_and_metrics_and_its_query_finds_the_error() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let collector = collector_for(
        "datadog",
        &[
            ("BANGUI_DATADOG_API_KEY", KEY),
            ("BANGUI_DATADOG_ENDPOINT", &sink.endpoint()),
            ("BANGUI_METRICS_PROVIDER", "datadog"),
        ],
    );
    let lines = lines_of(&collector);
    // Its own additions stand beside the keys of the line.
    let records = assert_arrived(&lines, &sink, |record| {
        let mut line = record["attributes"].clone();
        let own = line.as_object_mut().unwrap();
        // The one name that it shares with a line of ours: there it is the entry's own field.
        if own["event"] == "scheduler_lock_acquired" {
            own.insert("hostname".into(), record["hostname"].clone());
        }
        own.remove("status");
        own.retain(|key, _| !DATADOGS_OWN.iter().any(|own| key.starts_with(own)));
        with_instant(line)
    });
    // service:bangui status:error component:auth
    let is_found = |record: &&Value| {
        let tags = record["ddtags"].as_str().unwrap().split(',');
        record["service"] == "bangui"
            && record["status"] == "error"
            && tags.into_iter().any(|tag| tag == "component:auth")
    };
    let found: Vec<_> = records.iter().filter(is_found).collect();
    assert_eq!(found.len(), 1, "{records:#?}");
    assert_eq!(found[0]["attributes"]["event"], "auth_token_validation_failed");

    // Statistics of ten seconds leave when these are over, and wait for a batch after that.
    eventually(SOON * 3, "traces, statistics and metrics", || {
        let received = sink.received();
        let has_durations =
            format!("{:?}", received.metrics).contains("http.server.request.duration");
        let counts = [received.spans.len(), received.stats.len(), received.metrics.len()];
        let is_there = has_durations && counts.iter().all(|count| *count > 0);
        expect(is_there, format!("{counts:?}, durations among them: {has_durations}"))
    });
}

#[test]
fn new_relic_gets_otlp_with_its_key() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let endpoint = sink.endpoint();
    let collector = collector_for(
        "newrelic",
        &[
            ("BANGUI_NEWRELIC_API_KEY", KEY),
            ("BANGUI_NEWRELIC_ENDPOINT", &endpoint),
            ("BANGUI_METRICS_PROVIDER", "newrelic"),
        ],
    );
    let lines = lines_of(&collector);
    assert_arrived(&lines, &sink, |record| with_instant(record["attributes"].clone()));
    eventually(SOON, "traces and metrics", || {
        let received = sink.received();
        expect(!received.spans.is_empty() && !received.metrics.is_empty(), "not yet")
    });
}

#[test]
fn splunk_gets_events_with_a_token_that_breaks_nothing() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(HOSTILE_KEY));
    let url = format!("{}/services/collector", sink.endpoint());
    let collector = collector_for(
        "splunk",
        &[("BANGUI_SPLUNK_TOKEN", HOSTILE_KEY), ("BANGUI_SPLUNK_HEC_URL", &url)],
    );
    let lines = lines_of(&collector);
    let records = assert_arrived(&lines, &sink, |record| with_instant(record["event"].clone()));
    assert!(records.iter().all(|record| record["source"] == "bangui"), "{records:#?}");
}

#[test]
fn cloudwatch_gets_json_lines_that_are_signed() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().aws("AKIDEXAMPLE", KEY));
    let collector = collector_for(
        "cloudwatch",
        &[
            ("BANGUI_CLOUDWATCH_LOG_GROUP", "/bangui/test"),
            ("BANGUI_CLOUDWATCH_LOG_STREAM", "here"),
            ("BANGUI_CLOUDWATCH_ENDPOINT", &sink.endpoint()),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", KEY),
        ],
    );
    let lines = lines_of(&collector);
    let records = assert_arrived(&lines, &sink, |record| {
        with_instant(serde_json::from_str(record["message"].as_str().unwrap()).unwrap())
    });
    assert!(records.iter().all(|it| it["log_group"] == "/bangui/test"), "{records:#?}");
}

#[test]
fn a_key_in_a_file_is_read_again_without_a_restart() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "an-old-key-that-was-revoked\n").unwrap();
    let mut collector = collector_for(
        "newrelic",
        &[
            ("BANGUI_NEWRELIC_API_KEY_FILE", path.to_str().unwrap()),
            ("BANGUI_NEWRELIC_ENDPOINT", &sink.endpoint()),
        ],
    );
    let lines = lines_of(&collector);
    eventually(SOON, "a refusal", || {
        let refused = sink.counts().requests.to_string();
        expect(refused.contains("\"403\""), refused)
    });
    std::fs::write(&path, format!("{KEY}\n")).unwrap();
    collector.reload();
    assert_arrived(&lines, &sink, |record| with_instant(record["attributes"].clone()));
}
