//! `bangui config --send-test` against the real collector and a destination behind it.

use std::time::Duration;

use tempfile::tempdir;

use super::otlp::collector_to;
use crate::support::{Bangui, Collector, OtlpReceiver, patient};

/// What the command says, and its exit code.
fn send_test(collector: &Collector, providers: &str) -> (Option<i32>, String) {
    let folder = tempdir().unwrap();
    let metrics = format!("http://127.0.0.1:{}/metrics", collector.port("TELEMETRY_PORT"));
    let mut command = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_COLLECTOR_METRICS_URL", metrics)
        .env("BANGUI_COLLECTOR_DIR", collector.state().display())
        .env("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")
        .env("BANGUI_EXTERNAL_LOGGING_PROVIDER", providers)
        .env("BANGUI_OTLP_ENDPOINT", "http://127.0.0.1:1")
        .env("BANGUI_NEWRELIC_API_KEY", "0123456789")
        .command(folder.path());
    let output = command.args(["config", "--send-test"]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{stdout}{:?}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), stdout)
}

fn uid(stdout: &str) -> &str {
    stdout.lines().next().and_then(|line| line.strip_prefix("uid: ")).unwrap()
}

#[test]
fn a_test_record_arrives_and_its_way_is_told() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[]);
    let (code, stdout) = send_test(&collector, "otlp");
    assert_eq!(code, Some(0), "{stdout}");
    let uid = uid(&stdout);
    let record = receiver.wait_for_line("the record", |line| line["uid"] == uid);
    assert_eq!((&record["event"], &record["level"]), (&"telemetry_test".into(), &"info".into()));
    assert_eq!(record["logger_name"], "app.main");
    let file = collector.state().join("logs.jsonl");
    for told in [
        "collector: acknowledged in ",
        // The queue forgets a record a moment after it has been counted as sent.
        "otlp: took 1 record; waiting in its queue: ",
        &format!("  otlp: a log record whose attribute uid is {uid}"),
        &format!("  collector: grep {uid} {}", file.display()),
    ] {
        assert!(stdout.lines().any(|line| line.starts_with(told)), "{told} in {stdout}");
    }
    assert!(std::fs::read_to_string(file).unwrap().contains(uid), "the file has it");
    // A second one counts from where the first has ended, and one provider is a mistake.
    let (code, stdout) = send_test(&collector, "otlp,newrelic");
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("otlp: took 1 record"), "{stdout}");
    assert!(stdout.contains("newrelic: the collector does not know it"), "{stdout}");
}

#[test]
fn a_destination_that_fails_is_named_with_what_waits() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[]);
    receiver.set_failing(true);
    let started = std::time::Instant::now();
    let (code, stdout) = send_test(&collector, "otlp");
    assert_eq!(code, Some(1), "{stdout}");
    assert!(started.elapsed() < Duration::from_secs(45), "{:?}", started.elapsed());
    assert!(stdout.contains("collector: acknowledged in "), "{stdout}");
    let told =
        "otlp: attempts fail (503), none succeeded within 30 s; waiting in its queue: 1 of 1000000";
    assert!(stdout.lines().any(|line| line == told), "{stdout}");
    receiver.set_failing(false);
    let uid = uid(&stdout);
    receiver.wait_for_line("the record, later", |line| line["uid"] == uid);
}
