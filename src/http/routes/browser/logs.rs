//! `POST /v1/logs`: what the page has to tell of its own errors, as OTLP/JSON.
//!
//! A page is not the service: its resource, its clock and its trace ids are not taken over, and of
//! its attributes only those that are named here. What remains becomes an ordinary event, so it
//! passes the same sanitizer and has the same limits as every other one.

use http::Response;
use serde::Deserialize;

use super::super::super::body::Body;
use super::super::super::call::Call;
use super::super::super::problem::Problem;
use super::{AnyValue, Attribute, NAME_MAX_BYTES, PartialSuccess, Rate};
use super::{admit, is_name, rate, rejected, reply};
use crate::telemetry::sanitize::sanitize_url_path;

/// Records taken of one request; a page sends a few.
const RECORDS_MAX: usize = 100;
static RATE: Rate = rate();
/// Why some records were not taken.
const TOO_MANY_OR_EMPTY: &str = "a request holds at most 100 records, each with some text";
/// What a record is called that has no name.
const UNNAMED: &str = "log";

/// OTLP's severity numbers from which on a record is this severe.
const SEVERITY_WARN: i64 = 13;
const SEVERITY_INFO: i64 = 9;

/// OTLP/JSON, as much of it as is read; receivers must ignore what they do not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    #[serde(default)]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    #[serde(default)]
    log_records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    severity_number: i64,
    event_name: Option<String>,
    body: Option<AnyValue>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

/// What is kept of a record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    severity: i64,
    name: Option<String>,
    message: Option<String>,
    exception_type: Option<String>,
    stacktrace: Option<String>,
    url_path: Option<String>,
}

/// `POST /v1/logs`
pub(in crate::http) async fn logs(call: Call) -> Result<Response<Body>, Problem> {
    let (_, request): (_, Request) = admit(call, &RATE).await?;
    let scopes = request.resource_logs.into_iter().flat_map(|it| it.scope_logs);
    let records: Vec<Record> = scopes.flat_map(|it| it.log_records).collect();
    let sent = records.len();
    let reports = records.into_iter().take(RECORDS_MAX).filter_map(report);
    let taken = reports.inspect(tell).count();
    let rejected = rejected(sent - taken);
    reply(PartialSuccess {
        error_message: rejected.as_ref().map(|_| TOO_MANY_OR_EMPTY),
        rejected_log_records: rejected,
        ..PartialSuccess::default()
    })
}

/// What is kept of a record; nothing of one that tells nothing.
fn report(record: Record) -> Option<Report> {
    let mut report = Report { severity: record.severity_number, ..Report::default() };
    let mut text = record.body.and_then(|body| body.string_value);
    report.name = record.event_name.filter(|name| is_name(name));
    if report.name.is_none() {
        report.name = text.take_if(|text| is_name(text));
    }
    for Attribute { key, value } in record.attributes {
        let Some(value) = value.and_then(|value| value.string_value) else { continue };
        match key.as_str() {
            "exception.type" => report.exception_type = Some(value).filter(|it| is_type(it)),
            "exception.message" => report.message = Some(value),
            "exception.stacktrace" => report.stacktrace = Some(value),
            "url.path" => report.url_path = path(&value),
            _ => {}
        }
    }
    report.message = report.message.or(text).filter(|message| !message.trim().is_empty());
    let is_empty = report.name.is_none()
        && report.message.is_none()
        && report.exception_type.is_none()
        && report.stacktrace.is_none();
    (!is_empty).then_some(report)
}

/// Writes a report as an event. A page's error is no error of the service, so it is a warning at
/// most.
fn tell(report: &Report) {
    let browser_event = report.name.as_deref().unwrap_or(UNNAMED);
    let message = report.message.as_deref();
    let exception_type = report.exception_type.as_deref();
    let exception_stacktrace = report.stacktrace.as_deref();
    let url_path = report.url_path.as_deref();
    macro_rules! reported {
        ($level:ident) => {
            tracing::$level!(
                name: "browser_event_reported",
                browser_event,
                message,
                exception_type,
                exception_stacktrace,
                url_path,
            )
        };
    }
    match report.severity {
        SEVERITY_WARN.. => reported!(warn),
        // Zero is a severity that was not given.
        0 | SEVERITY_INFO.. => reported!(info),
        _ => reported!(debug),
    }
}

/// A class of JavaScript, such as `TypeError`.
fn is_type(text: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || b"_.$".contains(&byte);
    (1..=NAME_MAX_BYTES).contains(&text.len()) && text.bytes().all(is_symbol)
}

/// The path alone: a query is where secrets stand.
fn path(text: &str) -> Option<String> {
    let path = text.split(['?', '#']).next().filter(|path| path.starts_with('/'))?;
    Some(sanitize_url_path(path).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(record: Value) -> Option<Report> {
        report(serde_json::from_value(record).unwrap())
    }

    fn attribute(key: &str, value: &str) -> Value {
        json!({ "key": key, "value": { "stringValue": value } })
    }

    #[test]
    fn a_record_is_reduced_to_what_is_known() {
        let report = read(json!({
            "timeUnixNano": "1", "severityNumber": 17, "severityText": "ERROR",
            "eventName": "page.exception", "traceId": "0af7651916cd43dd8448eb211c80319c",
            "body": { "stringValue": "fallback" },
            "attributes": [
                attribute("exception.type", "TypeError"),
                attribute("exception.message", "x is undefined"),
                attribute("exception.stacktrace", "at a.js:1"),
                attribute("url.path", "/bans?token=hunter2#here"),
                attribute("service.name", "bangui"),
                attribute("level", "critical"),
                { "key": "exception.type", "value": { "intValue": "5" } },
                { "key": "flag", "value": { "boolValue": true } },
                { "key": "empty" }
            ]
        }));
        let text = |text: &str| Some(text.to_owned());
        let expected = Report {
            severity: 17,
            name: text("page.exception"),
            message: text("x is undefined"),
            exception_type: text("TypeError"),
            stacktrace: text("at a.js:1"),
            url_path: text("/bans"),
        };
        assert_eq!(report, Some(expected));
    }

    #[test]
    fn names_have_few_characters_and_other_bodies_are_messages() {
        let named = read(json!({ "body": { "stringValue": "page_loaded" } })).unwrap();
        assert_eq!((named.name.as_deref(), named.message), (Some("page_loaded"), None));
        for text in ["Page loaded", "a..b", ".a", "9a", "a-b", "a\nb", &"x".repeat(200)] {
            let record = json!({ "eventName": text, "body": { "stringValue": text } });
            let report = read(record).unwrap();
            assert_eq!((report.name, report.message.as_deref()), (None, Some(text)));
        }
        let odd = json!({ "eventName": "a", "attributes": [attribute("exception.type", "a b")] });
        assert_eq!(read(odd).unwrap().exception_type, None);
        let elsewhere =
            json!({ "eventName": "a", "attributes": [attribute("url.path", "https://x.y/z")] });
        assert_eq!(read(elsewhere).unwrap().url_path, None);
    }

    #[test]
    fn a_record_without_any_text_is_refused() {
        for record in [
            json!({}),
            json!({ "severityNumber": 17, "body": { "stringValue": " " } }),
            json!({ "eventName": "Not A Name", "body": { "intValue": "5" } }),
            json!({ "attributes": [attribute("url.path", "/")] }),
        ] {
            assert_eq!(read(record.clone()), None, "{record}");
        }
    }
}
