//! What requests are measured by, in the terms of the conventions for HTTP servers.

use std::cell::{OnceCell, RefCell};
use std::ptr;
use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, BoundUpDownCounter, Histogram, Meter, UpDownCounter};

use super::attributes::Attributes;
use super::definition::Definition;
use super::series::{self, Key, Series};

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
/// What the two sizes have in common with the duration.
const OF_ANSWERED: &[&str] = REQUEST_DURATION.attributes;
const REQUEST_BODY_SIZE: Definition = Definition::size(
    "http.server.request.body.size",
    "Size of HTTP server request bodies, as far as they were read.",
)
.with(OF_ANSWERED, SERIES_MAX);
const RESPONSE_BODY_SIZE: Definition = Definition::size(
    "http.server.response.body.size",
    "Size of HTTP server response bodies, as far as they were sent.",
)
.with(OF_ANSWERED, SERIES_MAX);
const ACTIVE_REQUESTS: Definition = Definition::up_down(
    "http.server.active_requests",
    "{request}",
    "Number of active HTTP server requests.",
)
.with(&["http.request.method", "url.scheme", "http.route"], SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] =
    &[&REQUEST_DURATION, &REQUEST_BODY_SIZE, &RESPONSE_BODY_SIZE, &ACTIVE_REQUESTS];

struct Instruments {
    request_duration: Histogram<f64>,
    request_body_size: Histogram<u64>,
    response_body_size: Histogram<u64>,
    active_requests: UpDownCounter<i64>,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    let _ = INSTRUMENTS.set(Instruments {
        request_duration: REQUEST_DURATION.build_histogram(meter),
        request_body_size: REQUEST_BODY_SIZE.build_size(meter),
        response_body_size: RESPONSE_BODY_SIZE.build_size(meter),
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

    fn key(&self, status_code: u16) -> Key {
        ([self.method, self.route.unwrap_or_default(), self.scheme].map(ptr::from_ref), status_code)
    }

    fn attributes_with(&self, status_code: u16) -> Attributes {
        let mut attributes = self.attributes();
        attributes.push(KeyValue::new("http.response.status_code", i64::from(status_code)));
        let error = http_error_type(status_code);
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        attributes
    }
}

/// The series of requests that were answered alike; each exists from its first record on.
#[derive(Default)]
struct Answered {
    duration: OnceCell<BoundHistogram<f64>>,
    request_body_size: OnceCell<BoundHistogram<u64>>,
    response_body_size: OnceCell<BoundHistogram<u64>>,
}

thread_local! {
    static ACTIVE: Series<BoundUpDownCounter<i64>> = RefCell::default();
    static ANSWERED: Series<Answered> = RefCell::default();
}

/// A request was begun (+1) or is over (−1).
pub fn http_active_requests(request: &HttpRequest, change: i64) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let bind = || instruments.active_requests.bind(&request.attributes());
    series::with(&ACTIVE, request.key(0), bind, |active| active.add(change));
}

/// A request was answered, or given up by its client, which has a status of its own.
pub fn http_request(request: &HttpRequest, status_code: u16, seconds: f64) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let attributes = || request.attributes_with(status_code);
    series::with(&ANSWERED, request.key(status_code), Answered::default, |own| {
        let bind = || instruments.request_duration.bind(&attributes());
        own.duration.get_or_init(bind).record(seconds);
    });
}

/// The bodies of a request are over: so much was received, unless it had none, and so much sent.
pub fn http_bodies(request: &HttpRequest, status_code: u16, received: Option<u64>, sent: u64) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let attributes = || request.attributes_with(status_code);
    series::with(&ANSWERED, request.key(status_code), Answered::default, |own| {
        if let Some(received) = received {
            let bind = || instruments.request_body_size.bind(&attributes());
            own.request_body_size.get_or_init(bind).record(received);
        }
        let bind = || instruments.response_body_size.bind(&attributes());
        own.response_body_size.get_or_init(bind).record(sent);
    });
}

/// The conventions' word for what failed on our side: the status itself, if we answer it.
pub fn http_error_type(status_code: u16) -> Option<&'static str> {
    match status_code {
        ..500 => None,
        500 => Some("500"),
        502 => Some("502"),
        503 => Some("503"),
        504 => Some("504"),
        _ => Some("_OTHER"),
    }
}
