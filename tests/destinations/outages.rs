//! Every kind of fault at every destination of HTTP, under load: what the collector acknowledged
//! arrives. Elasticsearch and syslog have tests of their own, against real servers.

use serde_json::Value;

use super::delivery::metric;
use super::inputs::page;
use super::ledger::{self, Destination, Fault, Figures, MAX_BATCH_RECORDS};
use super::otlp::bangui_to;
use super::vendors::{KEY, settings_of};
use crate::support::{Collector, SOON, Sink, SinkOptions, eventually, expect, free_port, patient};

fn destination<'a>(name: &'a str, sink: &'a Sink) -> Destination<'a> {
    Destination {
        name,
        set_mode: Box::new(|mode: &Value| sink.set_mode(mode)),
        copies: Box::new(|| sink.counts().uids),
    }
}

/// All vendors of HTTP, a collector that sends to all of them, and what happens to these.
fn at_every_vendor(happen: impl FnOnce(&mut Collector, &[Destination<'_>]) -> Vec<Figures>) {
    let _turn = patient();
    let keyed = SinkOptions::default().key(KEY);
    let [datadog, newrelic, splunk] = [(); 3].map(|()| Sink::start(&keyed));
    let cloudwatch = Sink::start(&SinkOptions::default().aws("AKIDEXAMPLE", KEY));
    let otlp = Sink::start(&SinkOptions::default());
    let endpoints = [&datadog, &newrelic, &splunk, &cloudwatch].map(Sink::endpoint);
    let (vendors, otlp_endpoint) =
        (settings_of(endpoints.each_ref().map(String::as_str)), otlp.endpoint());
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog,newrelic,splunk,cloudwatch,otlp"),
        ("BANGUI_DATADOG_FLUSH_INTERVAL_SECONDS", "1"),
        ("BANGUI_OTLP_ENDPOINT", otlp_endpoint.as_str()),
    ];
    settings.extend(vendors.iter().map(|(name, value)| (*name, value.as_str())));
    let mut collector = Collector::start_with(&settings);
    let destinations = [
        destination("datadog", &datadog),
        destination("newrelic", &newrelic),
        destination("splunk", &splunk),
        destination("cloudwatch", &cloudwatch),
        destination("otlp", &otlp),
    ];
    let all = happen(&mut collector, &destinations);
    if all.iter().any(|figures| figures.lost > 0) {
        println!("{}\n{}", page(&collector, "TELEMETRY_PORT"), collector.said());
    }
    for figures in &all {
        let is_datadog = figures.destination == "datadog";
        figures.assert_even(MAX_BATCH_RECORDS * if is_datadog { 2 } else { 1 });
    }
}

#[test]
fn what_is_acknowledged_arrives_whatever_the_destinations_answer() {
    at_every_vendor(|collector, destinations| {
        ledger::run(collector, destinations, &ledger::refusals())
    });
}

/// Apart from the answers, for both take minutes.
#[test]
fn what_is_acknowledged_arrives_whatever_breaks() {
    at_every_vendor(|collector, destinations| {
        ledger::run(collector, destinations, &ledger::stream_faults())
    });
}

/// Ends and starts the collector so often while somebody is always at its door.
fn restart(times: usize) {
    let faults: Vec<_> =
        [Fault::Stop(None), Fault::Kill(None)].into_iter().cycle().take(times).collect();
    at_every_vendor(|collector, destinations| {
        ledger::run_under(&ledger::EAGER, collector, destinations, &faults)
    });
}

#[test]
fn what_a_starting_collector_acknowledges_arrives() {
    restart(6);
}

/// Takes minutes, and so is left to `make chaos`.
#[test]
fn forty_starts_in_a_row_lose_nothing() {
    restart(40);
}

/// With everything that can go to Datadog on its way there.
#[test]
fn the_collector_ends_in_time_while_datadog_is_away() {
    let _turn = patient();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let mut collector = Collector::start_with(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog"),
        ("BANGUI_METRICS_PROVIDER", "datadog"),
        ("BANGUI_DATADOG_API_KEY", KEY),
        ("BANGUI_DATADOG_ENDPOINT", &nobody),
    ]);
    let bangui = bangui_to(&collector);
    eventually(SOON, "what is tried in vain", || {
        // An access line, a trace and metrics each time.
        bangui.stranger().get("/nothing").expect_problem(404);
        let failed = |signal: &str, exporter: &str| {
            metric(&collector, &format!("otelcol_exporter_send_failed_{signal}"), exporter)
        };
        // Spans count as sent once the exporter has them; it then tells Datadog that it runs.
        let counts = [
            failed("log_records", "datadog_logs"),
            failed("metric_points", "datadog/metrics"),
            metric(&collector, "otelcol_exporter_sent_spans", "datadog/traces"),
        ];
        expect(counts.iter().all(|count| count.is_some_and(|it| it > 0.0)), format!("{counts:?}"))
    });
    collector.stop();
}
