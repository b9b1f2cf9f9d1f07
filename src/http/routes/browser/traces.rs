//! `POST /v1/traces`: what users did on the page, and the calls that this made, as spans.
//!
//! A span's name is made here, out of the action or of the call; its ids and times are checked, and
//! the user is the one whose session it is.

use std::time::SystemTime;

use http::Response;
use serde::Deserialize;

use super::super::super::body::Body;
use super::super::super::call::Call;
use super::super::super::problem::Problem;
use super::{
    ApiCall, Attribute, Integer, PartialSuccess, Rate, admit, is_name, rate, rejected, reply,
};
use crate::telemetry::page::{self, Deed, Ids, PageSpan, Times};

/// Spans taken of one request; a page sends a few.
const SPANS_MAX: usize = 100;
/// The name of an action is one identifier of the page's source.
const ACTION_MAX_BYTES: usize = 60;
static RATE: Rate = rate();

/// OTLP/JSON, as much of it as is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    start_time_unix_nano: Option<Integer>,
    end_time_unix_nano: Option<Integer>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

/// `POST /v1/traces`
pub(in crate::http) async fn traces(call: Call) -> Result<Response<Body>, Problem> {
    let services = call.services.clone();
    let (caller, request): (_, Request) = admit(call, &RATE).await?;
    let scopes = request.resource_spans.into_iter().flat_map(|it| it.scope_spans);
    let spans: Vec<Span> = scopes.flat_map(|it| it.spans).collect();
    let (sent, now) = (spans.len(), SystemTime::now());
    let mut taken = 0;
    for span in spans.iter().take(SPANS_MAX).filter_map(|span| read(span, now)) {
        taken += 1;
        // The request of a quiet endpoint is not exported, so neither is the page's side of it.
        let is_quiet = matches!(span.deed, Deed::Call { endpoint, .. }
            if services.site.quiet_endpoints.contains(endpoint));
        if !is_quiet {
            page::tell(&span, &caller.username);
        }
    }
    let rejected = rejected(sent - taken);
    reply(PartialSuccess {
        error_message: rejected.as_ref().map(|_| "not a span of a page, or not of this hour"),
        rejected_spans: rejected,
        ..PartialSuccess::default()
    })
}

fn read(span: &Span, now: SystemTime) -> Option<PageSpan> {
    let parent = Some(span.parent_span_id.as_str()).filter(|id| !id.is_empty());
    let ids = Ids::parse(&span.trace_id, &span.span_id, parent)?;
    let nanos = |time: &Option<Integer>| time.as_ref()?.get();
    let (start, end) = (nanos(&span.start_time_unix_nano)?, nanos(&span.end_time_unix_nano)?);
    let times = Times::from_nanos(start, end, now)?;
    let deed = match action(&span.attributes) {
        Some(action) => Deed::Action(action.to_owned()),
        None => {
            let ApiCall { method, endpoint, answer } = ApiCall::read(&span.attributes)?;
            Deed::Call { method, endpoint, answer }
        }
    };
    Some(PageSpan { ids, times, deed })
}

fn action(attributes: &[Attribute]) -> Option<&str> {
    let own = attributes.iter().find(|it| it.key == "bangui.page.action")?;
    let action = own.value.as_ref()?.string_value.as_deref()?;
    (is_name(action) && action.len() <= ACTION_MAX_BYTES).then_some(action)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_json(change: impl FnOnce(&mut Value)) -> Option<PageSpan> {
        let now = SystemTime::now();
        let nanos = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let mut span = json!({
            "traceId": "0af7651916cd43dd8448eb211c80319c",
            "spanId": "b7ad6b7169203331",
            "name": "posing",
            "kind": 2,
            "startTimeUnixNano": (nanos - 1_000_000).to_string(),
            "endTimeUnixNano": nanos.to_string(),
            "attributes": [
                { "key": "bangui.page.action", "value": { "stringValue": "unban" } },
                { "key": "service.name", "value": { "stringValue": "bangui" } },
            ],
        });
        change(&mut span);
        read(&serde_json::from_value(span).unwrap(), now)
    }

    #[test]
    fn a_span_needs_ids_times_and_a_deed() {
        let span = read_json(|_| ()).unwrap();
        assert_eq!(span.deed, Deed::Action("unban".into()));
        assert!(read_json(|span| span["parentSpanId"] = "00f067aa0ba902b7".into()).is_some());
        for (key, value) in [
            ("traceId", json!("")),
            ("traceId", json!("0AF7651916CD43DD8448EB211C80319C")),
            ("spanId", json!("0000000000000000")),
            ("parentSpanId", json!("b7ad6b7169203331")),
            ("parentSpanId", json!("x")),
            ("startTimeUnixNano", json!("0")),
            ("startTimeUnixNano", json!(true)),
            ("endTimeUnixNano", Value::Null),
            ("attributes", json!([])),
        ] {
            let changed = read_json(|span| span[key] = value.clone());
            assert_eq!(changed, None, "{key}: {value}");
        }
    }

    #[test]
    fn an_action_is_an_identifier() {
        for text in ["Unban 203.0.113.9", "", "a b", "<b>", &"x".repeat(61)] {
            let changed = read_json(|span| {
                span["attributes"][0]["value"]["stringValue"] = text.into();
            });
            assert_eq!(changed, None, "{text}");
        }
    }
}
