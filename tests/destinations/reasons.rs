//! Why a destination does not take anything, in one word: what each exporter makes of an answer or
//! of none, read where the page and the alerts read it.

use std::time::Duration;

use serde_json::json;

use super::delivery::metric;
use super::inputs::{record, send};
use super::vendors::settings_of;
use crate::support::{Collector, Sink, SinkOptions, eventually, expect, patient};

/// An attempt that began before takes up to 15 s.
const PATIENCE: Duration = Duration::from_secs(60);
const PROVIDERS: [&str; 7] =
    ["datadog", "splunk", "newrelic", "cloudwatch", "otlp", "elasticsearch", "papertrail"];

fn collector_to_all(sink: &Sink) -> Collector {
    let endpoint = sink.endpoint();
    let (_, port) = sink.address().split_once(':').unwrap();
    let (providers, vendors) = (PROVIDERS.join(","), settings_of([&endpoint; 4]));
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", providers.as_str()),
        ("BANGUI_OTLP_ENDPOINT", endpoint.as_str()),
        ("BANGUI_ELASTICSEARCH_HOSTS", endpoint.as_str()),
        ("BANGUI_PAPERTRAIL_HOST", "127.0.0.1"),
        ("BANGUI_PAPERTRAIL_PORT", port),
    ];
    settings.extend(vendors.iter().map(|(name, value)| (*name, value.as_str())));
    Collector::start_with(&settings)
}

/// Waits until each of these destinations has refused something for this reason.
fn wait_for(collector: &Collector, providers: &[&str], error_type: &str) {
    let refusals = |provider: &str| {
        let name = format!("bangui_collector_held_total{{destination=\"{provider}\"");
        metric(collector, &name, &format!("error_type=\"{error_type}\""))
    };
    eventually(PATIENCE, error_type, || {
        let missing: Vec<_> = providers.iter().filter(|it| refusals(it).is_none()).collect();
        let page = super::inputs::page(collector, "TELEMETRY_PORT");
        let told = page.lines().filter(|line| line.starts_with("bangui_collector_held_total"));
        expect(missing.is_empty(), format!("{missing:?}: {:#?}", told.collect::<Vec<_>>()))
    });
}

#[test]
fn every_destination_says_in_a_word_why_it_takes_nothing() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default());
    let collector = collector_to_all(&sink);
    // What waits is tried again and again, so one record is enough for all reasons.
    sink.set_mode(&json!({ "mode": "refuse" }));
    let scope =
        json!({ "scope": { "name": "app.http" }, "logRecords": [record("a", 9, "info", 1)] });
    send(&collector, "/v1/logs", &json!({ "resourceLogs": [{ "scopeLogs": [scope] }] }));
    let (at_once, by_http) = (&PROVIDERS[..5], &PROVIDERS[..6]);
    wait_for(&collector, at_once, "connection_refused");
    wait_for(&collector, &["papertrail"], "connection_refused");
    // Its client tries again by itself, until its time is over.
    wait_for(&collector, &["elasticsearch"], "timeout");
    for status in [401_u16, 503] {
        sink.set_mode(&json!({ "mode": "status", "status": status }));
        wait_for(&collector, by_http, &status.to_string());
    }
    sink.set_mode(&json!({ "mode": "hang" }));
    wait_for(&collector, at_once, "timeout");
    // There it speaks no TLS.
    wait_for(&collector, &["papertrail"], "tls");
    // The status of an answer that is broken off counts for the others.
    sink.set_mode(&json!({ "mode": "reset" }));
    wait_for(&collector, &["newrelic", "otlp", "cloudwatch"], "connection_lost");
}
