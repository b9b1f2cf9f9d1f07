//! Quiet endpoints: what machines ask all the time is told only when it fails.

use serde_json::Value;

use crate::support::{Answer, Bangui, OtlpReceiver, SOON, eventually, expect};

/// The access lines of an answer, once the line of a later request shows that they must be there.
fn lines_of(bangui: &Bangui, answer: &Answer) -> Vec<Value> {
    let later = bangui.stranger().get("/api/audit").expect(401);
    let has_id = |line: &Value, answer: &Answer| line["correlation_id"] == answer.correlation_id();
    bangui.wait_for("http_request_completed", |line| has_id(line, &later));
    let mut lines = bangui.events("http_request_completed");
    lines.retain(|line| has_id(line, answer));
    lines
}

#[test]
fn quiet_requests_are_counted_but_not_told() {
    let receiver = OtlpReceiver::start();
    let builder = Bangui::builder().env("BANGUI_LOG_LEVEL", "debug");
    let bangui = builder.export_to(&receiver, "grpc").start();
    let health = bangui.stranger().get("/health").expect(200);
    assert_eq!(health.correlation_id().len(), 32);
    assert_eq!(lines_of(&bangui, &health), [Value::Null; 0]);
    // There is no collector, so this one fails, and is told.
    let metrics = bangui.stranger().get("/metrics").expect_problem(503);
    let lines = lines_of(&bangui, &metrics);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["level"], &lines[0]["endpoint"]), (&"info".into(), &"/metrics".into()));
    let other = bangui.stranger().get("/api/auth/session").expect(200);
    assert_eq!(lines_of(&bangui, &other).len(), 1);
    // Spans leave in the order in which they end: a later one shows that no other comes.
    receiver.wait_for_span(other.correlation_id(), "GET /api/auth/session");
    let spans = receiver.spans();
    assert!(!spans.iter().any(|span| span.name == "GET /health"), "{spans:?}");
    eventually(SOON, "the metrics of a quiet endpoint", || {
        let counted = receiver.payload_with("/health").is_some();
        expect(counted, "no payload names it".to_owned())
    });
}

#[test]
fn the_list_of_quiet_endpoints_can_be_replaced() {
    let name = "BANGUI_QUIET_ENDPOINTS";
    let bangui = Bangui::builder().env(name, "/api/auth/session,/api/audit").start();
    let session = bangui.stranger().get("/api/auth/session").expect(200);
    let health = bangui.stranger().get("/health").expect(200);
    assert_eq!((lines_of(&bangui, &session).len(), lines_of(&bangui, &health).len()), (0, 1));
    let folder = tempfile::tempdir().unwrap();
    let run = |value: &str, arguments: &[&str]| {
        Bangui::builder().env(name, value).run(folder.path(), arguments, "")
    };
    let shown = run("none", &["config"]);
    assert!(shown.stdout.contains(&format!("{name}=none")), "{shown:?}");
    let refused = run("/healthz", &["config"]);
    assert_eq!((refused.code, refused.stderr.len()), (Some(78), 1), "{refused:?}");
    assert!(refused.stderr[0].starts_with(&format!("{name}: ")), "{refused:?}");
}
