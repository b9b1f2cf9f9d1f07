//! What requests are measured by, in the terms of the conventions for HTTP servers.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};

use super::attributes::Attributes;
use super::definition::Definition;

/// Routes, methods and statuses make some hundreds at most.
const SERIES_MAX: usize = 1000;

const REQUEST_DURATION: Definition = Definition::duration(
    "http.server.request.duration",
    "Duration of HTTP server requests.",
)
.with(
    &["http.request.method", "url.scheme", "http.route", "http.response.status_code", "error.type"],
    SERIES_MAX,
);
const ACTIVE_REQUESTS: Definition = Definition::up_down(
    "http.server.active_requests",
    "{request}",
    "Number of active HTTP server requests.",
)
.with(&["http.request.method", "url.scheme", "http.route"], SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] = &[&REQUEST_DURATION, &ACTIVE_REQUESTS];

struct Instruments {
    request_duration: Histogram<f64>,
    active_requests: UpDownCounter<i64>,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    let _ = INSTRUMENTS.set(Instruments {
        request_duration: REQUEST_DURATION.build_duration(meter),
        active_requests: ACTIVE_REQUESTS.build_up_down(meter),
    });
}

/// Attributes of one HTTP request that are known before it is handled.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest {
    /// The method, or `_OTHER`.
    pub method: &'static str,
    /// The template of the route; nothing when no route matches.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
}

impl HttpRequest {
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.push(KeyValue::new("http.request.method", self.method));
        attributes.push(KeyValue::new("url.scheme", self.scheme));
        attributes.extend(self.route.map(|route| KeyValue::new("http.route", route)));
        attributes
    }
}

/// A request was begun (+1) or is over (−1).
pub fn http_active_requests(request: &HttpRequest, change: i64) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.active_requests.add(change, &request.attributes());
    }
}

/// A request was answered, or given up by its client (then there is no status).
pub fn http_request(
    request: &HttpRequest,
    status_code: u16,
    seconds: f64,
    error: Option<&'static str>,
) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = request.attributes();
    attributes.push(KeyValue::new("http.response.status_code", i64::from(status_code)));
    attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
    instruments.request_duration.record(seconds, &attributes);
}
