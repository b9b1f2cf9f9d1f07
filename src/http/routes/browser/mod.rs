//! The page's own telemetry, as OTLP/JSON: `POST /v1/logs`, `/v1/metrics`, `/v1/traces`.
//!
//! A page is not the service: its resource and its scopes are not taken over, and of its
//! attributes only those that are named here. Who is signed in may tell, so often and so much;
//! what does not fit is counted in the answer, as OTLP has it.

mod logs;
mod metrics;
mod traces;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::super::rate::RateLimit;
use super::super::table::ROUTES;
use crate::auth::Caller;
use crate::telemetry::metrics::BrowserAnswer;

pub(in crate::http) use logs::logs;
pub(in crate::http) use metrics::metrics;
pub(in crate::http) use traces::traces;

/// Requests of one session for each signal in [`RATE_WINDOW`]; a page that is used sends one in
/// five seconds, and several may be open.
const REQUESTS_MAX: u32 = 60;
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// Longer names are no names.
const NAME_MAX_BYTES: usize = 100;

/// How often each session may tell of one signal.
type Rate = LazyLock<RateLimit>;

/// The limit of a signal.
const fn rate() -> Rate {
    LazyLock::new(|| RateLimit::new(REQUESTS_MAX, RATE_WINDOW))
}

/// An attribute; receivers must ignore what they do not know.
#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: Option<AnyValue>,
}

/// Texts and whole numbers are read; a value of another type is there, but empty.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
    int_value: Option<Integer>,
}

/// OTLP/JSON writes 64-bit integers as texts, and receivers must take numbers, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(u64),
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Integer {
    fn get(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Other(_) => None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    partial_success: PartialSuccess,
}

/// Empty when everything was taken. The counts are texts, because that is how OTLP/JSON writes
/// 64-bit integers.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_records: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_data_points: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_spans: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'static str>,
}

/// Lets a signed-in page in, as often as it may, and reads what it sends.
async fn admit<T: DeserializeOwned>(call: Call, rate: &RateLimit) -> Result<(Caller, T), Problem> {
    let caller = call.caller.ok_or_else(Problem::unauthorized)?;
    let session = caller.session.as_ref().ok_or_else(Problem::unauthorized)?;
    rate.take(session, Instant::now()).map_err(Problem::too_many_requests)?;
    let sent = body::read_json(call.request).await?;
    Ok((caller, sent))
}

fn reply(partial_success: PartialSuccess) -> Result<Response<Body>, Problem> {
    body::json(StatusCode::OK, &Reply { partial_success })
}

/// A count of what was rejected, if anything was.
fn rejected(count: usize) -> Option<String> {
    (count > 0).then(|| count.to_string())
}

/// A call of the API, as the conventions for HTTP clients tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ApiCall {
    method: &'static str,
    endpoint: &'static str,
    answer: BrowserAnswer,
}

impl ApiCall {
    /// Nothing of a call that the API does not have, or that did not end in a way that can be.
    fn read(attributes: &[Attribute]) -> Option<Self> {
        let value = |key| attributes.iter().find(|it| it.key == key)?.value.as_ref();
        let text = |key| value(key)?.string_value.as_deref();
        let (method, endpoint) = (text("http.request.method")?, text("url.template")?);
        let is_it = |method_of: &str, endpoint_of| method_of == method && endpoint_of == endpoint;
        let route = ROUTES.iter().find(|it| is_it(it.method.as_str(), it.endpoint))?;
        let status = value("http.response.status_code").and_then(|it| it.int_value.as_ref());
        let answer = match (status, text("error.type")) {
            (Some(status), _) => {
                let status = u16::try_from(status.get()?).ok()?;
                (200..600).contains(&status).then_some(BrowserAnswer::Status(status))?
            }
            (None, Some("timeout")) => BrowserAnswer::TimedOut,
            (None, Some(_)) => BrowserAnswer::Failed,
            (None, None) => return None,
        };
        Some(Self { method: route.method.as_str(), endpoint: route.endpoint, answer })
    }
}

/// snake_case parts with dots between them, as events are named.
fn is_name(text: &str) -> bool {
    let is_symbol = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= NAME_MAX_BYTES
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_symbol))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(attributes: Value) -> Option<ApiCall> {
        ApiCall::read(&serde_json::from_value::<Vec<Attribute>>(attributes).unwrap())
    }

    fn call(method: &str, endpoint: &str, end: Value) -> Value {
        json!([
            { "key": "http.request.method", "value": { "stringValue": method } },
            { "key": "url.template", "value": { "stringValue": endpoint } },
            end,
        ])
    }

    fn status(value: Value) -> Value {
        json!({ "key": "http.response.status_code", "value": { "intValue": value } })
    }

    #[test]
    fn only_calls_of_the_table_are_taken() {
        let taken = read(call("DELETE", "/api/bans/{id}/{id}", status(json!("204"))));
        let expected = ApiCall {
            method: "DELETE",
            endpoint: "/api/bans/{id}/{id}",
            answer: BrowserAnswer::Status(204),
        };
        assert_eq!(taken, Some(expected));
        assert_eq!(
            read(call("GET", "/api/bans", status(json!(200)))).unwrap().endpoint,
            "/api/bans"
        );
        for (method, endpoint) in [
            ("DELETE", "/api/bans/sshd/203.0.113.9"),
            ("PATCH", "/api/bans"),
            ("get", "/api/bans"),
            ("GET", "https://elsewhere.example/"),
        ] {
            assert_eq!(read(call(method, endpoint, status(json!(200)))), None, "{endpoint}");
        }
    }

    #[test]
    fn a_call_ends_with_a_status_or_a_reason() {
        let reason = |text| json!({ "key": "error.type", "value": { "stringValue": text } });
        let end = |end| read(call("GET", "/api/bans", end)).map(|call| call.answer);
        assert_eq!(end(reason("timeout")), Some(BrowserAnswer::TimedOut));
        assert_eq!(end(reason("password=hunter2")), Some(BrowserAnswer::Failed));
        assert_eq!(end(json!({ "key": "other" })), None);
        for number in [json!(0), json!("99"), json!(600), json!("x"), json!(-1), json!(1.5)] {
            assert_eq!(end(status(number.clone())), None, "{number}");
        }
    }
}
