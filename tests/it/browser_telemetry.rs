//! What the page tells of its calls, its users' actions and its Web Vitals: OTLP/JSON in, the
//! service's own instruments and the page's own spans out.

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric;
use serde_json::{Value, json};

use crate::support::{
    API_TOKEN, Answer, Bangui, Client, OtlpReceiver, SOON, eventually, expect, hex,
};

const TRACES: &str = "/v1/traces";
const METRICS: &str = "/v1/metrics";
const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const ACTION_ID: &str = "00f067aa0ba902b7";
const CALL_ID: &str = "b7ad6b7169203331";

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// A span of the last tenth of a second that claims to be more than it is.
fn span(id: &str, parent: &str, attributes: &[Value]) -> Value {
    let now = now_nanos();
    let mut attributes = attributes.to_vec();
    attributes.extend([text("service.name", "bangui"), text("user.id", "posing")]);
    json!({
        "traceId": TRACE_ID, "spanId": id, "parentSpanId": parent, "name": "posing", "kind": 2,
        "startTimeUnixNano": (now - 100_000_000).to_string(),
        "endTimeUnixNano": now.to_string(),
        "attributes": attributes,
        "status": { "code": 2, "message": "posing" },
    })
}

fn call(endpoint: &str, status: u16) -> Vec<Value> {
    let status = json!({ "intValue": status.to_string() });
    vec![
        text("http.request.method", "GET"),
        text("url.template", endpoint),
        json!({ "key": "http.response.status_code", "value": status }),
    ]
}

fn spans_request(spans: &[Value]) -> Value {
    let resource = json!({ "attributes": [text("service.name", "posing")] });
    let scope = json!({ "scope": { "name": "posing" }, "spans": spans });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [scope] }] })
}

fn metric(name: &str, unit: &str, value: f64, attributes: &[Value]) -> Value {
    let point = json!({ "timeUnixNano": "1", "asDouble": value, "attributes": attributes });
    json!({ "name": name, "unit": unit, "gauge": { "dataPoints": [point] } })
}

fn vital(name: &str, unit: &str, value: f64) -> Value {
    let navigation = text("browser.web_vital.navigation_type", "navigate");
    let attributes = [text("browser.web_vital.name", name), navigation, text("who", "posing")];
    metric("browser.web_vital", unit, value, &attributes)
}

fn api_call(endpoint: &str, status: u16, seconds: f64) -> Value {
    metric("bangui.frontend.api.duration", "s", seconds, &call(endpoint, status))
}

fn metrics_request(metrics: &[Value]) -> Value {
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] })
}

fn rejected(answer: &Answer, what: &str) -> Value {
    answer.json()["partialSuccess"][what].clone()
}

/// The counts of a histogram's newest points, each with the texts of its attributes.
fn counts(receiver: &OtlpReceiver, name: &str) -> Vec<(Vec<String>, u64)> {
    let Some(newest) = receiver.metrics().into_iter().rfind(|it| it.name == name) else {
        return Vec::new();
    };
    let Some(metric::Data::Histogram(histogram)) = newest.data else { panic!("{name}") };
    let words = |attributes: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>| {
        let values = attributes.into_iter().filter_map(|it| it.value?.value);
        let mut words: Vec<_> = values
            .map(|value| match value {
                Any::StringValue(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        words.sort();
        words
    };
    let points = histogram.data_points.into_iter();
    points.map(|point| (words(point.attributes), point.count)).collect()
}

#[test]
fn a_pages_spans_are_the_roots_of_its_requests_and_cannot_pose() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    let context = format!("00-{TRACE_ID}-{CALL_ID}-01");
    let page = admin.with("sec-fetch-site", "same-origin").with("traceparent", &context);
    assert_eq!(page.get("/api/audit").expect(200).correlation_id(), TRACE_ID);
    let action = span(ACTION_ID, "", &[text("bangui.page.action", "audit_open")]);
    let sent = [action, span(CALL_ID, ACTION_ID, &call("/api/audit", 200))];
    let answer = admin.post(TRACES, &spans_request(&sent)).expect(200);
    assert_eq!(answer.json(), json!({ "partialSuccess": {} }));
    let root = receiver.wait_for_span(TRACE_ID, "page audit_open");
    let request = eventually(SOON, "the request below the page's call", || {
        let own = receiver.spans().into_iter().find(|it| hex(&it.parent_span_id) == CALL_ID);
        own.ok_or_else(|| format!("{:?}", receiver.spans()))
    });
    assert_eq!(
        (request.name.as_str(), hex(&request.trace_id).as_str()),
        ("GET /api/audit", TRACE_ID)
    );
    assert_eq!((hex(&root.span_id).as_str(), root.parent_span_id.len()), (ACTION_ID, 0));
    assert!(receiver.payload_with("posing").is_none());
    for export in receiver.exports::<ExportTraceServiceRequest>("race") {
        for it in export.resource_spans {
            let resource = format!("{:?}", it.resource);
            for scope in it.scope_spans {
                let is_of_page = scope.scope.is_some_and(|scope| scope.name == "app.page");
                assert_eq!(resource.contains("\"bangui-page\""), is_of_page, "{resource}");
                let own = scope
                    .spans
                    .iter()
                    .filter(|it| [ACTION_ID, CALL_ID].contains(&&*hex(&it.span_id)));
                assert!(own.clone().all(|_| is_of_page));
                assert!(
                    own.into_iter()
                        .all(|span| format!("{:?}", span.attributes).contains("\"admin\""))
                );
            }
        }
    }
}

#[test]
fn what_is_no_span_of_a_page_is_rejected_and_counted() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    let good = span(CALL_ID, "", &call("/api/audit", 200));
    let mut old = good.clone();
    old["startTimeUnixNano"] = json!((now_nanos() - 7_200_000_000_000).to_string());
    old["endTimeUnixNano"] = old["startTimeUnixNano"].clone();
    let mut zero = good.clone();
    zero["traceId"] = "0".repeat(32).into();
    let elsewhere = span(CALL_ID, "", &call("/api/bans/sshd/203.0.113.9", 200));
    let unnamed = span(CALL_ID, "", &[]);
    let sent = [old, zero, elsewhere, unnamed, good.clone()];
    let answer = admin.post(TRACES, &spans_request(&sent)).expect(200);
    assert_eq!(rejected(&answer, "rejectedSpans"), "4");
    let many = spans_request(&vec![json!({}); 103]);
    assert_eq!(rejected(&admin.post(TRACES, &many).expect(200), "rejectedSpans"), "103");
    receiver.wait_for_span(TRACE_ID, "GET /api/audit");
    let own: Vec<_> =
        receiver.spans().into_iter().filter(|it| hex(&it.trace_id) == TRACE_ID).collect();
    assert_eq!(own.len(), 1, "{own:?}");
}

#[test]
fn a_trace_that_the_sampler_drops_is_dropped_on_the_page_too() {
    let receiver = OtlpReceiver::start();
    let builder = Bangui::builder().env("OTEL_TRACES_SAMPLER", "always_off");
    let bangui = builder.export_to(&receiver, "grpc").start();
    let sent = spans_request(&[span(CALL_ID, "", &call("/api/audit", 200))]);
    bangui.admin().post(TRACES, &sent).expect(200);
    // What is waiting is sent at the end.
    bangui.stop();
    assert_eq!(receiver.spans().len(), 0, "{:?}", receiver.spans());
}

#[test]
fn a_quiet_endpoint_is_quiet_for_pages_too() {
    let receiver = OtlpReceiver::start();
    let builder = Bangui::builder().env("BANGUI_QUIET_ENDPOINTS", "/api/audit,/v1/traces");
    let bangui = builder.export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    let context = format!("00-{TRACE_ID}-{CALL_ID}-01");
    let page = admin.with("sec-fetch-site", "same-origin").with("traceparent", &context);
    assert_ne!(page.get("/api/audit").expect(200).correlation_id(), TRACE_ID);
    page.get("/api/history").expect(200);
    let sent = [
        span(CALL_ID, "", &call("/api/audit", 200)),
        span(ACTION_ID, "", &call("/api/history", 200)),
    ];
    admin.post(TRACES, &spans_request(&sent)).expect(200);
    bangui.stop();
    let names: Vec<_> = receiver.spans().into_iter().map(|span| span.name).collect();
    let of = |name: &str| names.iter().filter(|own| *own == name).count();
    assert_eq!((of("GET /api/audit"), of("GET /api/history")), (0, 2), "{names:?}");
}

#[test]
fn measurements_of_pages_fall_into_the_services_instruments() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    let names = ["FCP", "FID", "INP", "LCP", "TTFB"];
    let mut sent: Vec<_> = names.iter().map(|name| vital(name, "ms", 90.0)).collect();
    sent.push(vital("LCP", "ms", 9000.0));
    sent.push(vital("CLS", "1", 0.2));
    sent.push(api_call("/api/bans/{id}/{id}", 200, 0.1));
    sent.push(api_call("/api/audit", 404, 0.1));
    sent.push(api_call("/api/audit", 403, 0.1));
    sent.push(metric("bangui.log.lost", "{record}", 1.0, &[]));
    sent.push(vital("LCP", "ms", -1.0));
    let answer = admin.post(METRICS, &metrics_request(&sent)).expect(200);
    // DELETE is the only method of that route.
    assert_eq!(rejected(&answer, "rejectedDataPoints"), "3");
    let line = bangui.wait_for("browser_web_vital_reported", |line| line["web_vital"] == "CLS");
    for (key, value) in [
        ("level", json!("info")),
        ("value", json!(0.2)),
        ("rating", json!("needs-improvement")),
        ("navigation_type", json!("navigate")),
        ("user_id", json!("admin")),
    ] {
        assert_eq!(line[key], value, "{key}: {line}");
    }
    assert_eq!(bangui.events("browser_web_vital_reported").len(), 7);
    eventually(SOON, "the measurements", || {
        let mut vitals = counts(&receiver, "bangui.web_vitals.duration");
        vitals.sort();
        let vitals: Vec<_> =
            vitals.into_iter().map(|(words, count)| (words.join(" "), count)).collect();
        let expected = ["FCP good", "FID good", "INP good", "LCP good", "LCP poor", "TTFB good"];
        let is_right = vitals == expected.map(|words| (words.to_owned(), 1));
        expect(is_right, format!("{vitals:?}"))
    });
    let shifts = counts(&receiver, "bangui.web_vitals.cls");
    assert_eq!(shifts, [(vec!["needs-improvement".to_owned()], 1)]);
    let calls = counts(&receiver, "bangui.frontend.api.duration");
    let words = ["/api/audit", "4xx", "GET"].map(str::to_owned).to_vec();
    assert_eq!(calls, [(words, 2)]);
    assert!(receiver.payload_with("posing").is_none());
}

#[test]
fn only_signed_in_pages_of_this_site_may_tell() {
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
    let bangui = builder.env("BANGUI_API_TOKEN_SCOPE", "write").start();
    let admin = bangui.admin();
    for (path, body) in [
        (TRACES, spans_request(&[span(CALL_ID, "", &call("/api/audit", 200))])),
        (METRICS, metrics_request(&[vital("LCP", "ms", 1.0)])),
    ] {
        bangui.stranger().post(path, &body).expect_problem(401);
        let bearer = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
        bearer.post(path, &body).expect_problem(403);
        admin.with("sec-fetch-site", "cross-site").post(path, &body).expect_problem(403);
        admin.get(path).expect_problem(405);
        let send = |media_type: &str, body: &str| {
            admin.send(Method::POST, path, Some((media_type, body.to_owned())))
        };
        send("application/x-protobuf", "").expect_problem(415);
        send("text/plain", &body.to_string()).expect_problem(415);
        send("application/json", "[]x").expect_problem(400);
        send("application/json", &format!("\"{}\"", "x".repeat(64 * 1024))).expect_problem(413);
    }
    assert_eq!(bangui.events("browser_web_vital_reported").len(), 0);
}

#[test]
fn each_signal_of_a_session_has_its_own_limit() {
    let bangui = Bangui::builder().start();
    let tell = |client: &Client, path| client.post(path, &json!({}));
    let (admin, other) = (bangui.admin(), bangui.admin());
    for _ in 0..60 {
        tell(&admin, TRACES).expect(200);
    }
    let refused = tell(&admin, TRACES).expect_problem(429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    tell(&admin, METRICS).expect(200);
    tell(&other, TRACES).expect(200);
}
