//! Which traces leave: as the sampler says, and of a stranger's wish nothing. Log lines have their
//! ids in any case.

use crate::support::{Bangui, Builder, Client, OtlpReceiver, hex};

const SPAN_ID: &str = "b7ad6b7169203331";

fn sampled_by(receiver: &OtlpReceiver, sampler: &str) -> Builder {
    let builder = Bangui::builder().env("OTEL_TRACES_SAMPLER", sampler);
    builder.env("BANGUI_LOG_LEVEL", "debug").export_to(receiver, "grpc")
}

/// Asks with the trace context of a caller, and gives the trace under which it was answered.
fn ask(client: &Client, path: &str, trace_id: &str, flags: &str) -> String {
    let context = format!("00-{trace_id}-{SPAN_ID}-{flags}");
    client.with("traceparent", &context).get(path).correlation_id().to_owned()
}

/// Ends the service, so that nothing is still under way. Each of the requests must have a line
/// with its ids, on stdout and in OTLP.
fn finish(bangui: Bangui, receiver: &OtlpReceiver, ids: &[&str]) {
    let lines = bangui.stop().lines;
    let records = receiver.lines();
    for id in ids {
        for lines in [&lines, &records] {
            let mut own = lines.iter().filter(|line| line["event"] == "http_request_completed");
            let line = own.find(|line| line["trace_id"] == *id);
            let line = line.unwrap_or_else(|| panic!("no line of {id}: {lines:#?}"));
            assert!(line["correlation_id"] == *id && line["span_id"].is_string(), "{line}");
        }
    }
}

/// Names and traces of all spans.
fn names(receiver: &OtlpReceiver) -> Vec<(String, String)> {
    receiver.spans().into_iter().map(|span| (hex(&span.trace_id), span.name)).collect()
}

fn exported(receiver: &OtlpReceiver, trace_id: &str) -> usize {
    names(receiver).iter().filter(|(own, _)| own == trace_id).count()
}

#[test]
fn without_traces_lines_still_have_their_ids() {
    let receiver = OtlpReceiver::start();
    let bangui = sampled_by(&receiver, "always_off").start();
    let caller = "1af7651916cd43dd8448eb211c80319c";
    let continued = ask(&bangui.admin(), "/api/audit", caller, "01");
    assert_eq!(continued, caller);
    let answer = bangui.stranger().get("/api/audit").expect_problem(401);
    assert!(answer.header("traceresponse").ends_with("-00"), "{:?}", answer.headers);
    finish(bangui, &receiver, &[&continued, answer.correlation_id()]);
    assert_eq!(names(&receiver), []);
}

#[test]
fn a_caller_we_know_decides_and_a_stranger_does_not() {
    let receiver = OtlpReceiver::start();
    let bangui =
        sampled_by(&receiver, "parentbased_traceidratio").env("OTEL_TRACES_SAMPLER_ARG", 0).start();
    let [wished, sampled, unsampled] = ["1", "2", "3"].map(|it| it.repeat(32));
    let (admin, stranger) = (bangui.admin(), bangui.stranger());
    let own = ask(&stranger, "/api/audit", &wished, "01");
    assert_ne!(own, wished);
    assert_eq!(ask(&admin, "/api/audit", &sampled, "01"), sampled);
    assert_eq!(ask(&admin, "/api/audit", &unsampled, "00"), unsampled);
    finish(bangui, &receiver, &[&own, &sampled, &unsampled]);
    assert!(exported(&receiver, &sampled) > 1, "the request and its statement");
    // Nothing else: neither the unsampled request nor the stranger's, nor what the service does by
    // itself.
    let names = names(&receiver);
    assert_eq!(names.len(), exported(&receiver, &sampled), "{names:?}");
}

#[test]
fn what_machines_ask_all_the_time_is_no_trace_whatever_is_set() {
    let receiver = OtlpReceiver::start();
    let bangui = sampled_by(&receiver, "always_on").start();
    let stranger = bangui.stranger();
    let wished = "1".repeat(32);
    let quiet = [
        stranger.get("/health").expect(200).correlation_id().to_owned(),
        ask(&stranger, "/health", &wished, "01"),
        stranger.get("/metrics").expect_problem(503).correlation_id().to_owned(),
    ];
    // This sampler asks no parent at all.
    let unsampled = "3".repeat(32);
    assert_eq!(ask(&bangui.admin(), "/api/audit", &unsampled, "00"), unsampled);
    let loud = ask(&stranger, "/api/audit", &wished, "00");
    // Only the one of them that failed has a line.
    finish(bangui, &receiver, &[&quiet[2], &unsampled, &loud]);
    for id in quiet.iter().chain([&wished]) {
        assert_eq!(exported(&receiver, id), 0, "{id} in {:?}", names(&receiver));
    }
    assert!(exported(&receiver, &unsampled) > 1 && exported(&receiver, &loud) > 0);
}
