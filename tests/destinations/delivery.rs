//! What the two kinds of delivery do with a destination that does not take what it is sent.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::inputs::{page, record, send};
use super::otlp::collector_to;
use crate::support::{Client, Collector, OtlpReceiver, SOON, eventually, expect, patient};

/// The value of a metric of the collector itself, of the first series with these labels.
pub(crate) fn metric(collector: &Collector, name: &str, label: &str) -> Option<f64> {
    let page = page(collector, "TELEMETRY_PORT");
    let mut lines = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.next()?.rsplit(' ').next()?.parse().ok()
}

fn logs(records: &[Value]) -> Value {
    let scope = json!({ "scope": { "name": "app.http" }, "logRecords": records });
    json!({ "resourceLogs": [{ "scopeLogs": [scope] }] })
}

#[test]
fn bounded_delivery_tries_six_times_and_counts_what_it_drops() {
    /// After 1, 2, 4, 8 and 16 s, and each attempt takes some time itself.
    const ATTEMPTS: Duration = Duration::from_secs(50);
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let bounded = ("BANGUI_EXTERNAL_LOGGING_DELIVERY", "bounded");
    let collector = collector_to(&receiver, &[bounded]);
    receiver.set_failing(true);
    send(&collector, "/v1/logs", &logs(&[record("lost", 9, "info", 1)]));
    let dropped = || {
        let name = "otelcol_exporter_send_failed_log_records_total";
        metric(&collector, name, "exporter=\"otlp/to_otlp\"")
    };
    eventually(ATTEMPTS, "the end of the attempts", || {
        expect(dropped() == Some(1.0), format!("{:?} dropped", dropped()))
    });
    assert_eq!(receiver.refusals(), 6, "one attempt and five more");
    receiver.set_failing(false);
    send(&collector, "/v1/logs", &logs(&[record("delivered", 9, "info", 2)]));
    receiver.wait_for_line("the next record", |line| line["event"] == "delivered");
    assert_eq!(receiver.lines().len(), 1, "what is given up does not come later");
}

/// Lists dead letters as an operator does.
pub(crate) fn dead_letters(collector: &Collector, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bangui"));
    command.env_clear().env("BANGUI_COLLECTOR_DIR", collector.state());
    command.arg("dead-letters").args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

#[test]
fn what_is_refused_for_good_is_held_then_a_dead_letter_and_can_be_replayed() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    receiver.set_status(400);
    // A second in place of four hours.
    let collector = collector_to(&receiver, &[("COLLECTOR_GIVE_UP_AFTER", "2s")]);
    send(&collector, "/v1/logs", &logs(&[record("refused", 9, "info", 1)]));
    let folder = collector.state().join("dead-letters/otlp");
    eventually(SOON, "a dead letter", || {
        expect(files_below(&folder) == 1, format!("{} refusals", receiver.refusals()))
    });
    assert!(receiver.refusals() > 1, "it was tried again before");
    let list: Value = serde_json::from_str(&dead_letters(&collector, &["list", "--json"])).unwrap();
    let text = list.to_string();
    assert!(text.contains("\"otlp\"") && text.contains("400"), "{text}");
    let name = "bangui_collector_dead_letters";
    assert_eq!(metric(&collector, name, "destination=\"otlp\""), Some(1.0));

    // It stands in nobody's way.
    receiver.set_status(200);
    send(&collector, "/v1/logs", &logs(&[record("taken", 9, "info", 2)]));
    receiver.wait_for_line("the next record", |line| line["event"] == "taken");

    dead_letters(&collector, &["replay", "otlp"]);
    let line = receiver.wait_for_line("the dead letter", |line| line["event"] == "refused");
    assert_eq!(line["uid"], "refused-1");
    assert_eq!(line["logger_name"], "app.http");
    eventually(SOON, "an empty folder", || {
        expect(files_below(&folder) == 0, format!("{} files", files_below(&folder)))
    });
    assert_eq!(receiver.lines().len(), 2);
}

#[test]
fn a_backlog_waits_on_disk_and_is_counted_while_others_go_on() {
    let _turn = patient();
    let (away, present) = (OtlpReceiver::start(), OtlpReceiver::start());
    away.set_failing(true);
    let settings = [
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "otlp,newrelic"),
        ("BANGUI_NEWRELIC_ENDPOINT", &away.endpoint()),
        ("BANGUI_NEWRELIC_API_KEY", "0123456789"),
    ];
    let mut collector = collector_to(&present, &settings);
    for trace in 0..50 {
        send(&collector, "/v1/logs", &logs(&[record("kept", 9, "info", trace)]));
    }
    eventually(SOON, "all of them at the one that is there", || {
        let count = present.lines().len();
        expect(count == 50, format!("{count}"))
    });
    eventually(SOON, "the backlog of the other", || {
        let queue = metric(&collector, "otelcol_exporter_queue_size", "otlp/to_newrelic");
        expect(queue == Some(50.0), format!("{queue:?}"))
    });
    collector.kill();
    collector.run();
    away.set_failing(false);
    eventually(SOON, "all of them at the other", || {
        let count = away.logs().len();
        expect(count == 50, format!("{count}"))
    });
    let delay = metric(
        &collector,
        "bangui_collector_delivery_delay_seconds_count",
        "destination=\"newrelic\"",
    );
    assert!(delay >= Some(1.0), "how late they were is measured: {delay:?}");
    let health = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    health.post("/v1/logs", &logs(&[])).expect(200);
}
