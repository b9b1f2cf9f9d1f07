//! What leaves by OTLP: all three signals, the same record as on stdout, and nothing for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Value, json};

use crate::support::{
    Bangui, Client, Fail2ban, OtlpReceiver, SOON, assert_same, eventually, expect, free_port,
    heavy, is_stdout_only, line_of_otlp, throughout, wait_for_silence,
};

/// Requests that make lines of every kind.
fn some_traffic(bangui: &Bangui) -> Client {
    let stranger = bangui.stranger();
    stranger.get("/health").expect(200);
    stranger.get("/nothing").expect_problem(404);
    let wrong = json!({ "username": "admin", "password": "wrong password" });
    stranger.post("/api/auth/login", &wrong).expect_problem(401);
    let admin = bangui.admin();
    admin.get("/api/audit").expect(200);
    let ban =
        json!({ "jail": "sshd", "ip": "203.0.113.60", "reason": "ünï \"quoted\"\n\u{1b}[31m" });
    admin.post("/api/bans", &ban).expect_problem(503);
    admin
}

fn all_signals_arrive_and_records_are_the_lines(protocol: &str, paths: [&str; 3]) {
    let receiver = OtlpReceiver::start();
    // Debug, so that there are lines of every severity that a healthy service has.
    let builder = Bangui::builder().env("BANGUI_LOG_LEVEL", "debug").export_to(&receiver, protocol);
    let bangui = builder.start();
    let admin = some_traffic(&bangui);
    let last = admin.get("/api/audit").expect(200).correlation_id().to_owned();
    let status = admin.get("/api/dashboard/status").expect(200).json();
    assert_eq!(status["telemetry"]["export"], protocol);
    // The stop flushes what is in the queues: nothing is waited for here.
    let ended = bangui.stop();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(receiver.paths(), paths);
    receiver.wait_for_span(&last, "GET /api/audit");
    let metrics = receiver.metrics();
    for name in [
        "http.server.request.duration",
        "http.server.active_requests",
        "db.client.operation.duration",
        "bangui.fail2ban.connection.errors",
        "bangui.fail2ban.command.duration",
    ] {
        assert!(metrics.iter().any(|metric| metric.name == name), "no metric {name}");
    }
    // What stays on stdout is counted apart, so a gap at the destination is a loss.
    let mut numbers: Vec<_> =
        receiver.lines().iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let mut records: BTreeMap<String, Value> = BTreeMap::new();
    for (scope, record) in receiver.logs() {
        let line = line_of_otlp(&scope, &record);
        let uid = line["uid"].as_str().unwrap().to_owned();
        assert!(records.insert(uid, line).is_none(), "a record came twice");
    }
    for line in ended.lines.iter().filter(|line| !is_stdout_only(line)) {
        let record = records.remove(line["uid"].as_str().unwrap());
        assert_same(line, &record.unwrap_or_else(|| panic!("the record did not arrive: {line}")));
    }
    assert!(records.is_empty(), "records without a line: {records:#?}");
    let levels = ["debug", "info", "warning", "error"];
    for level in levels {
        assert!(ended.lines.iter().any(|line| line["level"] == level), "no line at {level}");
    }
}

#[test]
fn everything_arrives_over_grpc() {
    let service = |name: &str, signal: &str| {
        format!("/opentelemetry.proto.collector.{signal}.v1.{name}Service/Export")
    };
    let paths = [service("Logs", "logs"), service("Metrics", "metrics"), service("Trace", "trace")];
    let [logs, metrics, traces] = &paths;
    all_signals_arrive_and_records_are_the_lines("grpc", [logs, metrics, traces]);
}

#[test]
fn everything_arrives_over_http() {
    let paths = ["/v1/logs", "/v1/metrics", "/v1/traces"];
    all_signals_arrive_and_records_are_the_lines("http/protobuf", paths);
}

#[test]
fn a_spans_numbers_are_numbers() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let id = bangui.stranger().get("/api/audit").correlation_id().to_owned();
    let span = receiver.wait_for_span(&id, "GET /api/audit");
    // The semantic conventions say: an integer.
    let key = "http.response.status_code";
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = attribute.and_then(|it| it.value.as_ref()).and_then(|it| it.value.as_ref());
    assert_eq!(value, Some(&Any::IntValue(401)), "{key} of a span");
}

fn idle(level: &str, receiver: &OtlpReceiver) -> (Fail2ban, Bangui) {
    let fail2ban = Fail2ban::start();
    let bangui = Bangui::builder()
        .fail2ban(&fail2ban)
        .env("BANGUI_LOG_LEVEL", level)
        .env("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", "false")
        .export_to(receiver, "grpc")
        .start();
    bangui.wait_for_fail2ban(&bangui.admin());
    let id = bangui.stranger().get("/api/audit").correlation_id().to_owned();
    receiver.wait_for_span(&id, "GET /api/audit");
    (fail2ban, bangui)
}

#[test]
fn an_idle_service_falls_silent_but_for_its_metrics() {
    let receiver = OtlpReceiver::start();
    let running = idle("info", &receiver);
    wait_for_silence("spans and logs", || receiver.spans().len() + receiver.logs().len());
    let before = receiver.metrics().len();
    eventually(SOON, "the next metrics", || expect(receiver.metrics().len() > before, "none"));
    drop(running);
}

#[test]
fn exports_are_not_told_of_even_at_trace_level() {
    let receiver = OtlpReceiver::start();
    let running = idle("trace", &receiver);
    wait_for_silence("spans", || receiver.spans().len());
    for (scope, record) in receiver.logs() {
        let is_export = ["tonic", "h2", "opentelemetry"].iter().any(|it| scope.starts_with(it));
        assert!(!is_export, "a record about an export: {scope} {record:?}");
    }
    drop(running);
}

/// What is told, once each, when the collector is away.
const FAILURES: [&str; 2] = ["external_log_batch_failed", "telemetry_export_failed"];

#[test]
fn without_a_collector_there_is_one_warning_and_no_slowdown() {
    let _turn = heavy();
    let port = free_port();
    let bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .export_often()
        .start();
    let admin = bangui.admin();
    FAILURES.iter().for_each(|name| _ = bangui.wait_for_event(name));
    let mut times: Vec<Duration> = Vec::new();
    // Many intervals of all three signals.
    throughout(Duration::from_secs(4), "one warning", || {
        let started = Instant::now();
        admin.get("/api/audit").expect(200);
        times.push(started.elapsed());
        let counts = FAILURES.map(|name| bangui.events(name).len());
        expect(counts == [1, 1], format!("{FAILURES:?}: {counts:?} lines"))
    });
    times.sort();
    let median = times[times.len() / 2];
    assert!(median < Duration::from_millis(50), "a request takes {median:?}");
    let degraded = admin.get("/health").expect(200).json()["degraded"].clone();
    assert!(degraded.as_array().unwrap().contains(&json!("telemetry_export")), "{degraded}");
    let metrics = admin.get("/metrics").expect_problem(503).json();
    assert!(metrics["detail"].as_str().unwrap().contains("collector"), "{metrics}");

    let receiver = OtlpReceiver::start_on(port);
    bangui.wait_for_event("telemetry_export_recovered");
    eventually(SOON, "metrics", || expect(!receiver.metrics().is_empty(), "none"));
    let ended = bangui.stop();
    let warnings = ended.lines.iter().filter(|line| line["level"] == "warning");
    let mut named: Vec<_> = warnings.map(|line| &line["event"]).collect();
    named.sort_by_key(|name| name.to_string());
    assert_eq!(named, FAILURES, "nobody else complains about the export");
}

#[test]
fn a_collector_that_refuses_is_one_warning_and_a_recovery() {
    let receiver = OtlpReceiver::start();
    receiver.set_failing(true);
    let bangui = Bangui::builder().export_to(&receiver, "http/protobuf").start();
    bangui.wait_for_event("telemetry_export_failed");
    receiver.set_failing(false);
    // Each signal recovers with its next export, which needs something to export.
    bangui.stranger().get("/api/audit").expect_problem(401);
    bangui.wait_for_event("telemetry_export_recovered");
    let ended = bangui.stop();
    let failures = ended.lines.iter().filter(|line| line["event"] == "telemetry_export_failed");
    assert_eq!(failures.count(), 1);
}

#[test]
fn libraries_that_may_speak_speak_in_our_records() {
    let receiver = OtlpReceiver::start();
    let run = |suppress: bool| {
        let builder = Bangui::builder()
            .env("BANGUI_LOG_LEVEL", "trace")
            .env("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", suppress)
            .export_to(&receiver, "grpc");
        let bangui = builder.start();
        bangui.admin().get("/api/audit").expect(200);
        bangui.stop().lines
    };
    let is_of = |line: &Value, library: &str| {
        let logger = line["logger_name"].as_str().unwrap();
        logger == library || logger.starts_with(&format!("{library}::"))
    };
    let lines = run(false);
    for library in ["sqlx", "h2", "tonic", "hyper_util", "opentelemetry_sdk"] {
        let line = lines.iter().find(|line| is_of(line, library));
        let line = line.unwrap_or_else(|| panic!("no line of {library}"));
        assert_eq!(line["event"], "library_log");
        assert!(line["uid"].is_string() && line["seq"].is_u64() && line["level"].is_string());
    }
    let quiet = run(true);
    let ours = quiet.iter().all(|line| line["event"] != "library_log");
    assert!(ours, "a library below warning, although it is held there");
}

#[test]
fn without_the_sdk_there_are_still_correlation_ids() {
    let receiver = OtlpReceiver::start();
    let builder = Bangui::builder().export_to(&receiver, "grpc").env("OTEL_SDK_DISABLED", "true");
    let bangui = builder.start();
    let answer = bangui.stranger().get("/api/audit").expect_problem(401);
    let id = answer.correlation_id();
    let line = bangui.wait_for("http_request_completed", |line| line["correlation_id"] == id);
    assert_eq!(line["trace_id"], id);
    let status = bangui.admin().get("/api/dashboard/status").expect(200).json();
    assert_eq!(status["telemetry"]["export"], "off");
    bangui.stop();
    assert_eq!(receiver.paths(), [""; 0], "something left");
}
