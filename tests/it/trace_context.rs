//! Trace context from outside: continued for known callers, linked to for strangers, else ignored.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::support::{Bangui, Client, OtlpReceiver, hex};

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE_ID}-{SPAN_ID}-01")
}

/// Asks with a `traceparent` and returns the correlation id and the server's span.
fn ask(receiver: &OtlpReceiver, client: &Client) -> (String, Span) {
    let answer = client.with("traceparent", &traceparent()).get("/api/audit");
    let id = answer.correlation_id().to_owned();
    let span = receiver.wait_for_span(&id, "GET /api/audit");
    (id, span)
}

#[test]
fn a_signed_in_caller_is_continued_and_a_stranger_is_linked_to() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let (id, span) = ask(&receiver, &bangui.admin());
    assert_eq!((id.as_str(), hex(&span.parent_span_id).as_str()), (TRACE_ID, SPAN_ID));

    for client in [bangui.stranger(), bangui.stranger().with("cookie", "bangui_session=forged")] {
        let (id, span) = ask(&receiver, &client);
        assert_ne!(id, TRACE_ID);
        assert!(span.parent_span_id.is_empty(), "{span:?}");
        let links: Vec<_> = span.links.iter().map(|link| hex(&link.trace_id)).collect();
        assert_eq!(links, [TRACE_ID]);
    }
}

#[test]
fn a_trusted_proxy_is_continued() {
    let receiver = OtlpReceiver::start();
    let builder = Bangui::builder().env("BANGUI_TRUSTED_PROXIES", "127.0.0.1");
    let bangui = builder.export_to(&receiver, "grpc").start();
    let (id, _) = ask(&receiver, &bangui.stranger());
    assert_eq!(id, TRACE_ID);
}

#[test]
fn a_malformed_context_starts_a_new_trace_and_is_echoed_nowhere() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    for header in [
        "junk-4b1d",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-junk-4b1d",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let client = admin.with("traceparent", header).with("baggage", "user=junk-4b1d");
        let answer = client.get("/api/audit").expect(200);
        assert_ne!(answer.correlation_id(), TRACE_ID);
        assert!(!format!("{answer:?}").contains("junk-4b1d"), "{answer:?}");
        let span = receiver.wait_for_span(answer.correlation_id(), "GET /api/audit");
        assert!(span.links.is_empty() && span.parent_span_id.is_empty(), "{span:?}");
    }
    // Two contexts contradict each other.
    let twice = admin.with("traceparent", &traceparent()).with("traceparent", &traceparent());
    assert_ne!(twice.get("/api/audit").correlation_id(), TRACE_ID);
    let lines = bangui.stop().lines;
    assert!(!format!("{lines:?}").contains("junk-4b1d"), "{lines:?}");
    assert_eq!(receiver.payload_with("junk-4b1d"), None);
}
