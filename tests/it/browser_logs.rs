//! What the page tells of its own errors: OTLP/JSON in, ordinary events out.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Bangui, Client};

const PATH: &str = "/v1/logs";
/// All records were taken.
const EMPTY: &str = "{\"partialSuccess\":{}}";

fn request(records: &[Value]) -> Value {
    let resource = json!({ "attributes": [attribute("service.name", "posing")] });
    let scope = json!({ "scope": { "name": "posing" }, "logRecords": records });
    json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [scope] }] })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn exception(message: &str) -> Value {
    json!({
        "timeUnixNano": "1", "severityNumber": 21, "eventName": "page.exception",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "attributes": [
            attribute("exception.type", "TypeError"),
            attribute("exception.message", message),
            attribute("exception.stacktrace", "TypeError\n    at f (/assets/index.js:1:2)"),
            attribute("url.path", "/?token=hunter2"),
            attribute("user_id", "posing"),
        ],
    })
}

fn rejected(answer: &Answer) -> Value {
    answer.json()["partialSuccess"]["rejectedLogRecords"].clone()
}

#[test]
fn a_pages_error_becomes_one_event_of_the_service() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    let records = [exception("password=hunter2 is undefined")];
    let answer = admin.post(PATH, &request(&records)).expect(200);
    assert_eq!(answer.json(), json!({ "partialSuccess": {} }));
    let line = bangui.wait_for_event("browser_event_reported");
    for (key, value) in [
        ("level", "warning"),
        ("browser_event", "page.exception"),
        ("message", "password=*** is undefined"),
        ("exception_type", "TypeError"),
        ("exception_stacktrace", "TypeError\n    at f (/assets/index.js:1:2)"),
        ("url_path", "/"),
        ("user_id", "admin"),
        ("endpoint", PATH),
        ("correlation_id", answer.correlation_id()),
    ] {
        assert_eq!(line[key], value, "{key}: {line}");
    }
    assert!(!bangui.stop().lines.iter().any(|line| line.to_string().contains("posing")));
}

#[test]
fn only_signed_in_pages_of_this_site_may_tell() {
    let token = "0123456789abcdef0123";
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", token);
    let bangui = builder.env("BANGUI_API_TOKEN_SCOPE", "write").start();
    let body = request(&[exception("x")]);
    bangui.stranger().post(PATH, &body).expect_problem(401);
    let bearer = bangui.stranger().with("authorization", &format!("Bearer {token}"));
    bearer.post(PATH, &body).expect_problem(403);
    let admin = bangui.admin();
    admin.with("sec-fetch-site", "cross-site").post(PATH, &body).expect_problem(403);
    admin.get(PATH).expect_problem(405);
    let send = |media_type: &str, body: &str| {
        admin.send(Method::POST, PATH, Some((media_type, body.to_owned())))
    };
    send("application/x-protobuf", "").expect_problem(415);
    send("text/plain", &body.to_string()).expect_problem(415);
    send("application/json", "[]x").expect_problem(400);
    send("application/json", &format!("\"{}\"", "x".repeat(64 * 1024))).expect_problem(413);
    assert_eq!(bangui.events("browser_event_reported").len(), 0);
}

#[test]
fn what_does_not_fit_is_rejected_and_counted() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    let small = json!({ "body": { "stringValue": "page_loaded" }, "severityNumber": 9 });
    let records = vec![small; 103];
    let answer = admin.post(PATH, &request(&records)).expect(200);
    assert_eq!(rejected(&answer), "3");
    let answer = admin.post(PATH, &request(&[json!({}), exception("x")])).expect(200);
    assert_eq!(rejected(&answer), "1");
    assert_eq!(admin.post(PATH, &json!({ "future": 1 })).expect(200).body, EMPTY);
    bangui.wait_for("browser_event_reported", |line| line["message"] == "x");
    let lines = bangui.events("browser_event_reported");
    assert_eq!(lines.len(), 101);
    let told = (&lines[0]["browser_event"], &lines[0]["level"]);
    assert_eq!(told, (&json!("page_loaded"), &json!("info")));
}

#[test]
fn a_session_that_tells_too_much_has_to_wait() {
    let bangui = Bangui::builder().start();
    let tell = |client: &Client| client.post(PATH, &json!({}));
    let (admin, other) = (bangui.admin(), bangui.admin());
    for _ in 0..60 {
        tell(&admin).expect(200);
    }
    let refused = tell(&admin).expect_problem(429);
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    tell(&other).expect(200);
}
