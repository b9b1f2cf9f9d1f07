//! `GET /api/traces/{trace_id}`: a trace out of Jaeger, in the few fields that a waterfall needs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::fetch;
use crate::telemetry::sanitize::sanitize_field;

const JAEGER_TIMEOUT: Duration = Duration::from_secs(5);
/// A trace of a request is a few spans; this is room for a very large job.
const JAEGER_MAX_BYTES: usize = 8 * 1024 * 1024;
/// More spans than this are no picture; the first ones are shown.
const SPANS_MAX: usize = 1000;

#[derive(Serialize)]
struct Trace {
    trace_id: String,
    jaeger_url: Option<String>,
    spans: Vec<Span>,
}

#[derive(Serialize, Debug, PartialEq)]
struct Span {
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    service: String,
    kind: String,
    start_unix_us: u64,
    duration_us: u64,
    error: bool,
    attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct JaegerAnswer {
    #[serde(default)]
    data: Option<Vec<JaegerTrace>>,
}

#[derive(Deserialize)]
struct JaegerTrace {
    spans: Vec<JaegerSpan>,
    processes: HashMap<String, JaegerProcess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan {
    #[serde(rename = "spanID")]
    span_id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<JaegerReference>,
    start_time: u64,
    duration: u64,
    #[serde(default)]
    tags: Vec<JaegerTag>,
    #[serde(rename = "processID")]
    process_id: String,
}

#[derive(Deserialize)]
struct JaegerReference {
    #[serde(rename = "refType")]
    kind: String,
    #[serde(rename = "spanID")]
    span_id: String,
}

#[derive(Deserialize)]
struct JaegerTag {
    key: String,
    value: serde_json::Value,
}

#[derive(Deserialize)]
struct JaegerProcess {
    #[serde(rename = "serviceName")]
    service_name: String,
}

pub(in crate::http) async fn trace(call: Call) -> Result<Response<Body>, Problem> {
    let trace_id = call.parameter("trace_id")?.to_ascii_lowercase();
    if trace_id.len() != 32 || !trace_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Problem::field("trace_id", "must be 32 hexadecimal digits"));
    }
    let site = &call.services.site;
    let Some(query_url) = &site.jaeger_query_url else {
        return Err(Problem::unavailable("no Jaeger is configured (BANGUI_JAEGER_QUERY_URL)"));
    };
    let url = format!("{query_url}/api/traces/{trace_id}");
    let answer = fetch::get(&url, JAEGER_TIMEOUT, JAEGER_MAX_BYTES)
        .await
        .map_err(|error| Problem::unavailable(format!("Jaeger: {error}")))?;
    let not_yet = || Problem::not_found("Jaeger does not know this trace (yet)");
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(not_yet()),
        other => return Err(Problem::unavailable(format!("Jaeger answered {other}"))),
    }
    let parsed: JaegerAnswer = serde_json::from_slice(&answer.body)
        .map_err(|_| Problem::unavailable("Jaeger's answer is not understood"))?;
    let spans = spans(parsed);
    if spans.is_empty() {
        return Err(not_yet());
    }
    let ui = site.jaeger_ui_url.as_ref();
    let jaeger_url = ui.map(|ui| format!("{ui}/trace/{trace_id}"));
    body::json(StatusCode::OK, &Trace { trace_id, jaeger_url, spans })
}

fn spans(answer: JaegerAnswer) -> Vec<Span> {
    let mut spans: Vec<Span> = answer
        .data
        .unwrap_or_default()
        .into_iter()
        .flat_map(|trace| {
            let processes = trace.processes;
            trace.spans.into_iter().map(move |span| convert(span, &processes)).collect::<Vec<_>>()
        })
        .collect();
    spans.sort_by_key(|span| span.start_unix_us);
    spans.truncate(SPANS_MAX);
    spans
}

fn convert(span: JaegerSpan, processes: &HashMap<String, JaegerProcess>) -> Span {
    let parent = span.references.into_iter().find(|it| it.kind == "CHILD_OF");
    let service = processes.get(&span.process_id).map(|process| process.service_name.clone());
    let mut attributes: BTreeMap<_, _> =
        span.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let kind = attributes.remove("span.kind").and_then(|kind| kind.as_str().map(str::to_owned));
    let is_error = attributes.remove("error").is_some_and(|error| error == true);
    // The spans of others in the same trace were not cleaned by us.
    for (key, value) in &mut attributes {
        if let Some(text) = value.as_str() {
            *value = sanitize_field(key, text).into_owned().into();
        }
    }
    Span {
        span_id: span.span_id,
        parent_span_id: parent.map(|parent| parent.span_id),
        name: body::clean(span.operation_name),
        service: service.unwrap_or_default(),
        kind: kind.unwrap_or_else(|| "internal".into()),
        start_unix_us: span.start_time,
        duration_us: span.duration,
        error: is_error,
        attributes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jaegers_answer_becomes_spans_in_order() {
        let answer = r#"{"data":[{"traceID":"t","spans":[
            {"traceID":"t","spanID":"b","operationName":"INSERT audit","references":
              [{"refType":"CHILD_OF","traceID":"t","spanID":"a"}],"startTime":20,"duration":3,
              "tags":[{"key":"span.kind","type":"string","value":"client"},
                      {"key":"error","type":"bool","value":true}],
              "logs":[],"processID":"p1"},
            {"traceID":"t","spanID":"a","operationName":"POST /api/bans","startTime":10,
              "duration":30,"tags":[{"key":"http.response.status_code","value":201},
                      {"key":"note","value":"token=hunter2"}],
              "processID":"p1"}],
            "processes":{"p1":{"serviceName":"bangui","tags":[]}}}]}"#;
        let found = spans(serde_json::from_str(answer).unwrap());
        assert_eq!(found[0].name, "POST /api/bans");
        assert_eq!(found[0].attributes["http.response.status_code"], 201);
        assert_eq!(found[0].attributes["note"], "token=***");
        assert_eq!(found[1].parent_span_id.as_deref(), Some("a"));
        assert_eq!((found[1].kind.as_str(), found[1].error), ("client", true));
    }
}
