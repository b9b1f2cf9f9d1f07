//! The way that every destination shares: BanGUI, the collector, its queue, and a receiver of OTLP.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::delivery::metric;
use crate::support::{
    Bangui, Collector, OtlpReceiver, SOON, assert_same, eventually, expect, is_stdout_only,
    patient, throughout,
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
    let _turn = patient();
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

/// The names are those of the alerts on silence and delay (deploy/prometheus/rules/collector.yml).
#[test]
fn a_canary_shows_how_late_a_destination_acknowledges() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[]);
    let _bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")
        .start();
    receiver.wait_for_line("a canary", |line| line["event"] == "telemetry_canary");
    let value = |name: &str| {
        metric(&collector, &format!("{name}{{destination=\"otlp\""), "signal=\"logs\"")
    };
    eventually(SOON, "a delay", || {
        let count = value("bangui_collector_delivery_delay_seconds_count");
        expect(count >= Some(1.0), format!("{count:?}"))
    });
    let quick = metric(&collector, "bangui_collector_delivery_delay_seconds_bucket", "le=\"60\"");
    assert!(quick >= Some(1.0), "{quick:?} within a minute");
    assert_eq!(value("bangui_collector_held_batches"), Some(0.0));
}

#[test]
fn nothing_leaves_unless_it_is_enabled() {
    let _turn = patient();
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

/// What BanGUI wrote to stdout over several lives, against what a destination received.
#[test]
fn the_ledger_is_even_over_kills_outages_and_restarts() {
    const LIVES: usize = 3;
    /// Long enough for some batches before and after.
    const MOMENT: Duration = Duration::from_millis(1500);
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let mut collector = collector_to(&receiver, &[]);
    let (mut lines, mut seconds) = (Vec::new(), 0.0);
    for life in 0..LIVES {
        let bangui = bangui_to(&collector);
        let admin = bangui.admin();
        let started = Instant::now();
        let load = |what: &str| {
            throughout(MOMENT, what, || {
                admin.get("/api/audit").expect(200);
                bangui.stranger().get(&format!("/nothing/{life}")).expect_problem(404);
                Ok(())
            });
        };
        load("before");
        receiver.set_failing(true);
        load("the destination refuses");
        collector.kill();
        load("no collector");
        collector.run();
        load("the collector is back, the destination not yet");
        receiver.set_failing(false);
        load("after");
        seconds += started.elapsed().as_secs_f64();
        lines.extend(bangui.stop().lines.into_iter().filter(|line| !is_stdout_only(line)));
    }
    let copies = || -> HashMap<String, usize> {
        let mut copies = HashMap::new();
        for record in receiver.lines() {
            *copies.entry(record["uid"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        copies
    };
    let missing = |copies: &HashMap<String, usize>| {
        lines.iter().filter(|line| !copies.contains_key(line["uid"].as_str().unwrap())).count()
    };
    eventually(Duration::from_secs(60), "all lines", || {
        let missing = missing(&copies());
        expect(missing == 0, format!("{missing} of {} are missing", lines.len()))
    });
    // A copy could still be under way.
    thread::sleep(MOMENT);
    let copies = copies();
    let duplicated: usize = copies.values().map(|count| count - 1).sum();
    println!(
        "ledger: {} lines in {seconds:.0} s and {LIVES} lives, missing {}, duplicated {duplicated}",
        lines.len(),
        missing(&copies),
    );
    assert_eq!(copies.len(), lines.len(), "something arrived that is no line");
    let by_uid: HashMap<_, _> =
        receiver.lines().into_iter().map(|it| (it["uid"].to_string(), it)).collect();
    for line in &lines {
        assert_same(line, &by_uid[&line["uid"].to_string()]);
    }
}
