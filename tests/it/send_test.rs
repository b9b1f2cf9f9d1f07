//! `bangui config --send-test` where there is no collector, or one that tells nothing of itself.

use std::net::TcpListener;
use std::process::Output;

use tempfile::tempdir;

use crate::support::{Bangui, Builder, OtlpReceiver, free_port};

/// `EX_UNAVAILABLE` of sysexits.h.
const EXIT_UNAVAILABLE: i32 = 69;

fn send_test(builder: Builder) -> (Option<i32>, String, String) {
    let folder = tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}/metrics", free_port());
    let builder = builder.env("BANGUI_COLLECTOR_METRICS_URL", nobody);
    let mut command = builder.command(folder.path());
    let Output { status, stdout, stderr } =
        command.args(["config", "--send-test"]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_record_is_acknowledged_by_either_protocol_at_any_level() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = OtlpReceiver::start();
        let builder = Bangui::builder().env("BANGUI_LOG_LEVEL", "critical");
        // A delay that a person would notice.
        let builder =
            builder.export_to(&receiver, protocol).env("OTEL_BLRP_SCHEDULE_DELAY", 60_000);
        let (code, stdout, stderr) = send_test(builder);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        let uid = stdout.lines().next().unwrap().trim_start_matches("uid: ");
        let lines = receiver.lines();
        let events: Vec<_> = lines.iter().map(|line| (&line["event"], &line["uid"])).collect();
        assert_eq!(events, [(&"telemetry_test".into(), &uid.into())]);
        assert!(receiver.spans().is_empty(), "the command has no trace");
        let unknown = "destinations: unknown, because http://127.0.0.1:";
        assert!(stdout.contains(unknown) && stdout.contains("nobody answers there"), "{stdout}");
    }
}

#[test]
fn a_collector_that_is_away_refuses_or_is_silent_is_told_with_its_reason() {
    let away = format!("http://127.0.0.1:{}", free_port());
    let receiver = OtlpReceiver::start();
    receiver.set_failing(true);
    // Connections are accepted by the system, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let endpoints = [away, receiver.endpoint(), silent];
    let runs = endpoints.map(|endpoint| {
        std::thread::spawn(move || {
            let builder = Bangui::builder().env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
            let (code, stdout, stderr) = send_test(builder);
            assert_eq!(code, Some(EXIT_UNAVAILABLE), "{stdout}{stderr}");
            assert!(!stdout.contains("find it"), "{stdout}");
            assert!(stderr.starts_with("collector: not acknowledged within 10 s"), "{stderr}");
            assert!(stderr.trim_end().ends_with(&format!("({endpoint})")), "{stderr}");
            stderr
        })
    });
    let told = runs.map(|run| run.join().unwrap());
    assert!(told[0].contains("s: ") && told[1].contains("s: "), "with a reason: {told:?}");
    assert!(receiver.refusals() > 1, "it is tried again");
}

#[test]
fn a_service_that_sends_nothing_says_so() {
    let (code, stdout, stderr) = send_test(Bangui::builder());
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("the service sends no logs: "), "{stderr}");
}
