//! Metrics to the vendors that BANGUI_METRICS_PROVIDER names, without their logs: what they are
//! sent, and what a key that they refuse does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::delivery::metric;
use crate::support::{
    API_TOKEN, Bangui, Client, Collector, Fail2ban, SOON, Sink, SinkOptions, eventually, expect,
    patient,
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const WRONG_KEY: &str = "a-key-that-nobody-knows-any-more";
/// Requests that are counted at the vendor's.
const REQUESTS: usize = 12;

fn collector(provider: &str, key: &str, sink: &Sink) -> Collector {
    let name = provider.to_uppercase();
    Collector::start_with(&[
        ("BANGUI_METRICS_PROVIDER", provider),
        (&format!("BANGUI_{name}_API_KEY"), key),
        (&format!("BANGUI_{name}_ENDPOINT"), &sink.endpoint()),
        ("BANGUI_NEWRELIC_ACCOUNT_ID", "1234567"),
    ])
}

fn start(collector: &Collector) -> (Fail2ban, Bangui) {
    let fail2ban = Fail2ban::start();
    let metrics = format!("http://127.0.0.1:{}/metrics", collector.port("TELEMETRY_PORT"));
    let bangui = Bangui::builder()
        .fail2ban(&fail2ban)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_COLLECTOR_METRICS_URL", metrics)
        .env("BANGUI_API_TOKEN", API_TOKEN)
        .export_often()
        .start();
    bangui.wait_for_fail2ban(&bangui.admin());
    (fail2ban, bangui)
}

/// A ban of fail2ban's, one of an operator's and its end, two sign-ins, and some requests, a few
/// with each export.
fn use_it(bangui: &Bangui, fail2ban: &Fail2ban) {
    let admin = bangui.admin();
    let wrong = json!({ "username": "somebody", "password": "a wrong password" });
    bangui.stranger().post("/api/auth/login", &wrong).expect(401);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.95", "reason": "for tests" });
    admin.post("/api/bans", &ban).expect(201);
    admin.delete("/api/bans/sshd/203.0.113.95").expect(204);
    fail2ban.attack("203.0.113.96");
    bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.96");
    for _ in 0..REQUESTS {
        bangui.stranger().get("/api/history").expect(401);
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
}

fn records(all: Vec<Value>) -> Vec<Value> {
    all.into_iter().map(|mut it| it["record"].take()).collect()
}

/// How many requests for one route the points of all exports tell of, if they are differences.
fn counted(metrics: &[Value]) -> u64 {
    let own = metrics.iter().filter(|it| it["name"] == "http.server.request.duration");
    let points = own.flat_map(|it| it["points"].as_array().unwrap());
    let points = points.filter(|it| it["attributes"]["http.route"] == "/api/history");
    points.map(|it| it["count"].as_u64().unwrap()).sum()
}

#[test]
fn new_relic_gets_differences_that_add_up() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let collector = collector("newrelic", KEY, &sink);
    let (fail2ban, bangui) = start(&collector);
    use_it(&bangui, &fail2ban);
    let metrics = eventually(SOON, "all requests", || {
        let metrics = records(sink.received().metrics);
        let count = counted(&metrics);
        expect(count == REQUESTS as u64, count.to_string()).map(|()| metrics)
    });
    for metric in &metrics {
        assert_eq!(metric["resource"]["newrelic.account.id"], "1234567", "{metric}");
        // What may shrink stays as it is.
        let is_counted = metric["is_monotonic"] == true || metric["type"] == "histogram";
        let temporality = if is_counted { "delta" } else { "cumulative" };
        let is_right = metric["temporality"].is_null() || metric["temporality"] == temporality;
        assert!(is_right, "{metric}");
    }
    let names: BTreeSet<_> = metrics.iter().filter_map(|it| it["name"].as_str()).collect();
    for name in ["bangui.bans.executed", "bangui.jail.banned", "http.server.active_requests"] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
}

#[test]
fn new_relic_gets_what_happened_as_custom_events_that_tell_of_nobody() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let collector = collector("newrelic", KEY, &sink);
    let (fail2ban, bangui) = start(&collector);
    use_it(&bangui, &fail2ban);
    let id = bangui.events("ban_executed")[0]["correlation_id"].clone();
    let events = eventually(SOON, "the events", || {
        let events = records(sink.received().logs);
        let of = |name: &str| events.iter().filter(|it| it["attributes"]["event"] == name).count();
        let names = ["ban_executed", "unban_executed", "ban_observed", "user_login_attempt"];
        let counts = names.map(of);
        let is_all = counts[..3] == [1, 1, 1] && counts[3] >= 3;
        expect(is_all, format!("{counts:?}")).map(|()| events)
    });
    for event in &events {
        let own = &event["attributes"];
        // Nothing else of the log: nobody has asked for that.
        let is_sign_in = own["event"] == "user_login_attempt";
        let kind = if is_sign_in { "BanguiSignIn" } else { "BanguiBan" };
        assert_eq!(own["newrelic.event.type"], kind, "{event}");
        assert_eq!(event["resource"]["newrelic.account.id"], "1234567", "{event}");
        let text = event.to_string();
        for person in ["203.0.113.", "127.0.0.1", "somebody", "admin", "for tests"] {
            assert!(!text.contains(person), "{person} in {text}");
        }
    }
    let executed = events.iter().find(|it| it["attributes"]["event"] == "ban_executed").unwrap();
    let attributes = &executed["attributes"];
    assert_eq!((&attributes["jail"], &attributes["correlation_id"]), (&json!("sshd"), &id));
    let failed = events.iter().filter(|it| it["attributes"]["success"] == false);
    assert_eq!(failed.count(), 1, "{events:#?}");
}

#[test]
fn datadog_gets_counts_gauges_and_distributions() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let collector = collector("datadog", KEY, &sink);
    let (fail2ban, bangui) = start(&collector);
    use_it(&bangui, &fail2ban);
    let wanted = [
        ("http.server.request.duration", "distribution", "http.route:/api/history"),
        ("bangui.bans.executed", "count", "bangui.result:success"),
        ("bangui.jail.banned", "gauge", "bangui.fail2ban.jail:sshd"),
    ];
    eventually(SOON, "one of each kind", || {
        let metrics = records(sink.received().metrics);
        let is_there = |(name, kind, tag): &(&str, &str, &str)| {
            metrics.iter().any(|it| {
                let tags = it["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
                it["metric"] == *name && it["type"] == *kind && tags.iter().any(|it| it == tag)
            })
        };
        let missing: Vec<_> = wanted.iter().filter(|it| !is_there(it)).collect();
        let own = metrics.iter().filter(|it| it["metric"].to_string().contains("bans.ex"));
        expect(missing.is_empty(), format!("{missing:?} {:?}", own.collect::<Vec<_>>()))
    });
    assert!(sink.received().logs.is_empty(), "logs were not asked for");
}

/// What an operator's bans that succeeded add up to.
fn bans_executed(provider: &str, sink: &Sink) -> f64 {
    let metrics = records(sink.received().metrics);
    let own =
        |name: &'static str| metrics.iter().filter(move |it| it[name] == "bangui.bans.executed");
    let sum = |points: Vec<Value>, key: &str| -> f64 {
        points.iter().map(|it| it[key].as_f64().unwrap()).sum()
    };
    let points = |it: &Value| it["points"].as_array().unwrap().clone();
    if provider == "datadog" {
        let is_success = |it: &&Value| it["tags"].to_string().contains("bangui.result:success");
        sum(own("metric").filter(is_success).flat_map(points).collect(), "value")
    } else {
        let is_success = |it: &Value| it["attributes"]["bangui.result"] == "success";
        sum(own("name").flat_map(points).filter(is_success).collect(), "value")
    }
}

/// While the vendor is away and the collector is killed, what was counted waits on disk.
fn an_outage_costs_no_count(provider: &str) {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let mut collector = collector(provider, KEY, &sink);
    let (fail2ban, bangui) = start(&collector);
    eventually(SOON, "the first metrics", || expect(!sink.received().metrics.is_empty(), "none"));
    sink.set_mode(&json!({ "mode": "status", "status": 503 }));
    use_it(&bangui, &fail2ban);
    bangui.stop();
    collector.kill();
    collector.run();
    assert_eq!(bans_executed(provider, &sink), 0.0, "it arrived in spite of the outage");
    sink.set_ok();
    eventually(SOON, "the ban", || {
        let sum = bans_executed(provider, &sink);
        expect(sum == 1.0, sum.to_string())
    });
}

#[test]
fn an_outage_of_new_relic_costs_no_count() {
    an_outage_costs_no_count("newrelic");
}

#[test]
fn an_outage_of_datadog_costs_no_count() {
    an_outage_costs_no_count("datadog");
}

/// What both vendors have in common when they refuse the key.
fn a_refused_key_is_seen(provider: &str, exporter: &str) {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let collector = collector(provider, WRONG_KEY, &sink);
    let (fail2ban, bangui) = start(&collector);
    use_it(&bangui, &fail2ban);
    eventually(SOON, "a metric of the collector that tells it", || {
        let failed = metric(&collector, "otelcol_exporter_send_failed_metric_points", exporter);
        expect(failed.is_some_and(|count| count > 0.0), format!("{failed:?}"))
    });
    let said = collector.said();
    let is_told = |line: &str| {
        let is_of = line.contains(&format!("\"otelcol.component.id\":\"{exporter}\""));
        is_of && line.contains("\"level\":\"error\"") && line.contains("403")
    };
    assert!(said.lines().any(is_told), "its log does not say so: {said}");
    assert!(!said.contains(WRONG_KEY), "its log has the key: {said}");
    eventually(SOON, "a warning of the service", || {
        let told = bangui.events("external_destination_failing");
        let is_it =
            |it: &serde_json::Value| it["provider"] == provider && it["signal"] == "metrics";
        expect(told.iter().any(is_it), format!("{told:?}"))
    });
    // Prometheus goes on getting everything, and no export of the service fails.
    let exposition = Client::new(format!("http://127.0.0.1:{}", collector.port("EXPOSITION_PORT")));
    let text = exposition.get("/metrics").expect(200).body;
    assert!(text.contains("bangui_bans_executed_total"), "{text}");
    assert!(bangui.events("telemetry_export_failed").is_empty());
    let received = sink.received();
    assert!(received.metrics.is_empty() && received.logs.is_empty(), "a wrong key was taken");
}

#[test]
fn a_key_that_new_relic_refuses_is_seen_and_costs_only_its_own_metrics() {
    a_refused_key_is_seen("newrelic", "otlphttp/newrelic_metrics");
}

#[test]
fn a_key_that_datadog_refuses_is_seen_and_costs_only_its_own_metrics() {
    a_refused_key_is_seen("datadog", "datadog/metrics");
}
