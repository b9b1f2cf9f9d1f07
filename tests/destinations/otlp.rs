//! The way that every destination shares: BanGUI, the collector, its queue, and a receiver of OTLP.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bangui, Collector, OtlpReceiver, SOON, assert_same, eventually, expect, heavy, is_stdout_only,
    throughout,
};

/// Settings that send everything to a receiver.
fn to(receiver: &OtlpReceiver) -> [(&'static str, String); 3] {
    [
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true".into()),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "otlp".into()),
        ("BANGUI_OTLP_ENDPOINT", receiver.endpoint()),
    ]
}

/// A collector that sends everything to a receiver, with more settings beside.
pub(crate) fn collector_to(receiver: &OtlpReceiver, more: &[(&str, &str)]) -> Collector {
    let own = to(receiver);
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<_> = own.chain(more.iter().copied()).collect();
    Collector::start_with(&settings)
}

/// A service that exports to the collector.
pub(crate) fn bangui_to(collector: &Collector) -> Bangui {
    let endpoint = collector.endpoint();
    Bangui::builder().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).export_often().start()
}

/// Compares every line of an ended service with what has arrived.
pub(crate) fn assert_all_arrived(lines: &[Value], arrived: &dyn Fn() -> Vec<Value>) {
    let lines: Vec<_> = lines.iter().filter(|line| !is_stdout_only(line)).collect();
    assert!(lines.len() > 5, "{lines:#?}");
    for line in lines {
        let record = eventually(SOON, &format!("{line}"), || {
            let arrived = arrived();
            let found = arrived.iter().find(|record| record["uid"] == line["uid"]).cloned();
            found.ok_or_else(|| format!("{} other records", arrived.len()))
        });
        assert_same(line, &record);
    }
}

#[test]
fn every_line_arrives_as_it_stood_on_stdout() {
    let _turn = heavy();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[]);
    let bangui = bangui_to(&collector);
    let reason = "line\nbreak \u{0} \"quoted\" ünï 127.0.0.1 <14>1 2026-01-01T00:00:00Z a b c d";
    let ban = json!({ "jail": "sshd", "ip": "192.0.2.1", "reason": reason });
    bangui.admin().post("/api/bans", &ban).expect_problem(503);
    bangui.stranger().with("authorization", "Bearer nobodys-token-at-all").get("/api/bans");
    let lines = bangui.stop().lines;
    assert_all_arrived(&lines, &|| receiver.lines());
    eventually(SOON, "traces, which go there, too", || {
        expect(!receiver.spans().is_empty(), "no span")
    });
}

#[test]
fn nothing_leaves_unless_it_is_enabled() {
    let _turn = heavy();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[("BANGUI_EXTERNAL_LOGGING_ENABLED", "false")]);
    let bangui = bangui_to(&collector);
    bangui.stranger().get("/health").expect(200);
    let lines = bangui.stop().lines;
    // It has arrived at the collector, and so could have left it.
    eventually(SOON, "the collector's file", || {
        expect(!collector.batches().is_empty(), format!("none of {} lines", lines.len()))
    });
    throughout(Duration::from_secs(3), "nothing may arrive", || {
        expect(receiver.payloads().is_empty(), "something did")
    });
}
