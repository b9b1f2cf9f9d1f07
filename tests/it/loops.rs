//! Telemetry must not feed itself: what an export makes the libraries say is not exported, or an
//! idle service would talk for ever, the more the worse its collector is.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::support::{
    Bangui, OtlpReceiver, SOON, eventually, expect, free_port, throughout, wait_for_silence,
};

/// Many exports of each signal.
const WHILE: Duration = Duration::from_millis(1500);
/// How often a flapping collector changes its mind: every export or two.
const FLAP: Duration = Duration::from_millis(350);
/// An idle service says next to nothing.
const IDLE_RECORDS_MAX: usize = 10;
/// How much the number of lines of a while may vary on a busy machine.
const LINES_SLACK: usize = 200;
/// What is part of an export; none of it may be told by a record.
const CARRIERS: [&str; 12] = [
    "app.telemetry.export",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "opentelemetry",
    "reqwest",
    "rustls",
    "tonic",
    "tower",
    "want",
    "tokio",
];

/// How many lines the service says in a while.
fn lines_in_a_while(bangui: &Bangui, mut each_look: impl FnMut()) -> usize {
    let before = bangui.log().len();
    throughout(WHILE, "lines", || {
        each_look();
        Ok(())
    });
    bangui.log().len() - before
}

/// Two whiles of idleness: in the second there is not more to say than in the first.
fn assert_no_growth(bangui: &Bangui, how: &str, mut each_look: impl FnMut()) {
    let counts = [(); 2].map(|()| lines_in_a_while(bangui, &mut each_look));
    println!("{how}: {counts:?} lines in {WHILE:?} each");
    assert!(counts[1] <= 2 * counts[0] + LINES_SLACK, "{how}: {counts:?} lines");
}

fn nothing_feeds_itself(protocol: &str) {
    let port = free_port();
    let bangui = Bangui::builder()
        .env("BANGUI_LOG_LEVEL", "trace")
        .env("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", "false")
        .env("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", 20_000)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .export_often()
        .start();
    bangui.admin().get("/api/audit").expect(200);
    bangui.wait_for_event("external_log_batch_failed");
    let idle_since = Timestamp::now();
    assert_no_growth(&bangui, "without a collector", || {});

    let receiver = OtlpReceiver::start_on(port);
    let count = || receiver.logs().len();
    eventually(SOON, "what waited for the collector", || expect(count() > 0, "nothing"));
    wait_for_silence("records", count);
    assert_no_growth(&bangui, "with a collector", || {});

    let started = Instant::now();
    assert_no_growth(&bangui, "with a flapping collector", || {
        let turn = started.elapsed().as_millis() / FLAP.as_millis();
        receiver.set_failing(turn % 2 == 1);
    });
    receiver.set_failing(false);
    wait_for_silence("records", count);

    let scopes = receiver.logs().into_iter().map(|(scope, record)| (scope, record.time_unix_nano));
    let idle = u64::try_from(idle_since.as_nanosecond()).unwrap();
    let mut records = Vec::new();
    for (scope, at) in scopes {
        let library = scope.split("::").next().unwrap_or_default();
        assert!(!CARRIERS.contains(&library), "a record about an export, by {scope}");
        if at > idle {
            records.push(scope);
        }
    }
    println!("{} records of an idle service: {records:?}", records.len());
    assert!(records.len() <= IDLE_RECORDS_MAX, "{records:?}");
}

#[test]
fn nothing_feeds_itself_over_grpc() {
    nothing_feeds_itself("grpc");
}

#[test]
fn nothing_feeds_itself_over_http() {
    nothing_feeds_itself("http/protobuf");
}
