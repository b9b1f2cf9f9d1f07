//! The record that is sent so that silence means something.

use std::io::Read as _;
use std::time::Duration;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{Bangui, OtlpReceiver, Process, expect, throughout};

const EVENT: &str = "telemetry_canary";

#[test]
fn a_canary_is_sent_at_the_start_whatever_the_level_is() {
    let folder = tempdir().unwrap();
    let receiver = OtlpReceiver::start();
    let mut command = Bangui::builder()
        .export_to(&receiver, "grpc")
        .env("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")
        .env("BANGUI_LOG_LEVEL", "critical")
        .command(folder.path());
    let mut process = Process::spawn("bangui", &mut command);
    let record = receiver.wait_for_line("a canary", |line| line["event"] == EVENT);
    assert_eq!(record["level"], "info");
    assert_eq!(record["logger_name"], "app.scheduler.canary");
    assert!(record.get("trace_id").is_none(), "no sampler leaves it out: {record}");
    let mut stdout = process.child().stdout.take().unwrap();
    process.end("TERM");
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    // It is the only line that is shown, and the same as what has left.
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["event"], &line["uid"]), (&record["event"], &record["uid"]));
}

#[test]
fn without_external_logging_there_is_none() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    throughout(Duration::from_secs(1), "no canary", || {
        let canaries = bangui.events(EVENT);
        expect(canaries.is_empty(), format!("{canaries:?}"))
    });
}
