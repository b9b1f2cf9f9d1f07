//! The check of whether telemetry arrives, with a real collector.

use crate::support::{Bangui, Collector};

const FAILED: &str = "telemetry_self_check_failed";
const COMPLETED: &str = "telemetry_self_check_completed";

#[test]
fn what_arrives_passes_and_a_collector_that_is_gone_is_told_until_it_is_back() {
    let mut collector = Collector::start();
    let url = |port: &str, path: &str| format!("http://127.0.0.1:{}/{path}", collector.port(port));
    let bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_METRICS_UPSTREAM_URL", url("EXPOSITION_PORT", "metrics"))
        .env("BANGUI_COLLECTOR_METRICS_URL", url("TELEMETRY_PORT", "metrics"))
        .env("BANGUI_TELEMETRY_SELF_CHECK_SECONDS", 3)
        .env("BANGUI_LOG_LEVEL", "debug")
        .export_often()
        .start();
    // By the fourth its own metrics must have been seen at the exposition.
    crate::support::eventually(std::time::Duration::from_secs(40), "four checks", || {
        let failed = bangui.events(FAILED);
        assert!(failed.is_empty(), "{failed:#?}");
        let count = bangui.events(COMPLETED).len();
        crate::support::expect(count >= 4, count.to_string())
    });
    collector.stop();
    let gone = bangui.wait_for(FAILED, |line| {
        let reasons = line["reasons"].as_str().unwrap();
        let has = |word: &str| reasons.split(", ").any(|it| it == word);
        has("exports_failed") && has("collector_unreachable") && has("exposition_unreachable")
    });
    assert_eq!(gone["level"], "warning");
    assert!(gone["exports_failed"].as_u64().unwrap() > 0 && gone["buffered"].is_u64(), "{gone}");
    collector.run();
    bangui.wait_for(COMPLETED, |line| line["level"] == "info");
}

#[test]
fn without_export_there_is_nothing_to_check() {
    let bangui = Bangui::builder().env("BANGUI_TELEMETRY_SELF_CHECK_SECONDS", 1).start();
    let line = bangui.wait_for_event("telemetry_self_check_skipped");
    assert_eq!((&line["level"], &line["reason"]), (&"info".into(), &"nothing is exported".into()));
}
