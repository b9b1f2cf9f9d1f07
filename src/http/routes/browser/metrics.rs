//! `POST /v1/metrics`: Web Vitals and calls of the API, as the page has measured them.
//!
//! Two gauges are known, whose points are single measurements. They are recorded into the
//! service's own instruments, so a page makes no series, and at the time at which they come, so its
//! clock does not matter.

use http::Response;
use serde::Deserialize;

use super::super::super::body::Body;
use super::super::super::call::Call;
use super::super::super::problem::Problem;
use super::{ApiCall, Attribute, PartialSuccess, Rate, admit, rate, rejected, reply};
use crate::telemetry::metrics::{self as instruments, WebVital};

/// Points taken of one request; a page sends a few.
const POINTS_MAX: usize = 200;
/// The page gives up a call long before.
const CALL_MAX_SECONDS: f64 = 600.0;
static RATE: Rate = rate();

/// The metric whose points are Web Vitals.
const WEB_VITAL: &str = "browser.web_vital";
/// The metric whose points are calls of the API.
const API_CALL: &str = "bangui.frontend.api.duration";

/// What a navigation can be, in the words of the web-vitals library.
const NAVIGATION_TYPES: [&str; 6] =
    ["navigate", "reload", "back-forward", "back-forward-cache", "prerender", "restore"];

/// OTLP/JSON, as much of it as is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    #[serde(default)]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeMetrics {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(default)]
    name: String,
    #[serde(default)]
    unit: String,
    gauge: Option<Gauge>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gauge {
    #[serde(default)]
    data_points: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    as_double: Option<f64>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

/// A measurement that is known.
#[derive(Debug, PartialEq)]
enum Measured {
    Vital { vital: WebVital, value: f64, navigation_type: Option<&'static str> },
    Call { call: ApiCall, seconds: f64 },
}

/// `POST /v1/metrics`
pub(in crate::http) async fn metrics(call: Call) -> Result<Response<Body>, Problem> {
    let (_, request): (_, Request) = admit(call, &RATE).await?;
    let scopes = request.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
    let metrics: Vec<Metric> = scopes.flat_map(|it| it.metrics).collect();
    let points = metrics.iter().flat_map(|metric| {
        let points = metric.gauge.iter().flat_map(|gauge| &gauge.data_points);
        points.map(move |point| (metric, point))
    });
    let sent = points.clone().count();
    let known = points.take(POINTS_MAX).filter_map(|(metric, point)| measured(metric, point));
    let taken = known.inspect(record).count();
    let rejected = rejected(sent - taken);
    reply(PartialSuccess {
        error_message: rejected.as_ref().map(|_| "not a measurement that is known"),
        rejected_data_points: rejected,
        ..PartialSuccess::default()
    })
}

fn measured(metric: &Metric, point: &Point) -> Option<Measured> {
    let value = point.as_double?;
    match metric.name.as_str() {
        WEB_VITAL => {
            let text = |key| {
                let value = point.attributes.iter().find(|it| it.key == key)?.value.as_ref();
                value?.string_value.as_deref()
            };
            let vital = WebVital::of_name(text("browser.web_vital.name")?)?;
            let unit = if vital == WebVital::Cls { "1" } else { "ms" };
            let navigation = text("browser.web_vital.navigation_type");
            let navigation_type =
                navigation.and_then(|text| NAVIGATION_TYPES.into_iter().find(|it| *it == text));
            let is_taken = metric.unit == unit && vital.can_be(value);
            is_taken.then_some(Measured::Vital { vital, value, navigation_type })
        }
        API_CALL => {
            let is_taken = metric.unit == "s" && (0.0..=CALL_MAX_SECONDS).contains(&value);
            let call = ApiCall::read(&point.attributes)?;
            is_taken.then_some(Measured::Call { call, seconds: value })
        }
        _ => None,
    }
}

fn record(measured: &Measured) {
    match *measured {
        Measured::Vital { vital, value, navigation_type } => {
            instruments::web_vital(vital, value);
            let (web_vital, rating) = (vital.name(), vital.rating(value));
            // A hundredth of a millisecond is more than browsers tell; shifts are small numbers.
            let value = (value * 1e4).round() / 1e4;
            tracing::info!(
                name: "browser_web_vital_reported",
                web_vital,
                value,
                rating,
                navigation_type,
            );
        }
        Measured::Call { call: ApiCall { method, endpoint, answer }, seconds } => {
            instruments::browser_call(method, endpoint, answer, seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::metrics::BrowserAnswer;

    fn read(name: &str, unit: &str, point: Value) -> Option<Measured> {
        let metric = json!({ "name": name, "unit": unit, "gauge": { "dataPoints": [point] } });
        let metric: Metric = serde_json::from_value(metric).unwrap();
        measured(&metric, &metric.gauge.as_ref().unwrap().data_points[0])
    }

    fn vital(name: &str, value: Value) -> Value {
        let text = |key, text| json!({ "key": key, "value": { "stringValue": text } });
        let navigation = text("browser.web_vital.navigation_type", "reload");
        json!({
            "asDouble": value,
            "attributes": [text("browser.web_vital.name", name), navigation, text("rating", "x")],
        })
    }

    #[test]
    fn a_vital_is_known_by_its_name_and_unit_and_has_a_value_that_can_be() {
        let lcp =
            Measured::Vital { vital: WebVital::Lcp, value: 812.5, navigation_type: Some("reload") };
        assert_eq!(read(WEB_VITAL, "ms", vital("LCP", json!(812.5))), Some(lcp));
        assert!(read(WEB_VITAL, "1", vital("CLS", json!(0))).is_some());
        assert_eq!(read(WEB_VITAL, "s", vital("LCP", json!(1))), None);
        assert_eq!(read(WEB_VITAL, "ms", vital("CLS", json!(1))), None);
        assert_eq!(read(WEB_VITAL, "ms", vital("LCP2", json!(1))), None);
        assert_eq!(read(WEB_VITAL, "ms", vital("LCP", json!(-1))), None);
        assert_eq!(read(WEB_VITAL, "ms", vital("LCP", json!(1e9))), None);
        assert_eq!(read(WEB_VITAL, "ms", vital("LCP", Value::Null)), None);
        assert_eq!(read("bangui.log.lost", "ms", vital("LCP", json!(1))), None);
    }

    #[test]
    fn a_call_has_a_duration_that_can_be() {
        let point = |value| {
            let text = |key, text| json!({ "key": key, "value": { "stringValue": text } });
            json!({ "asDouble": value, "attributes": [
                text("http.request.method", "GET"), text("url.template", "/api/bans"),
                { "key": "http.response.status_code", "value": { "intValue": "200" } },
            ] })
        };
        let answer = BrowserAnswer::Status(200);
        let call = ApiCall { method: "GET", endpoint: "/api/bans", answer };
        let expected = Measured::Call { call, seconds: 0.25 };
        assert_eq!(read(API_CALL, "s", point(0.25)), Some(expected));
        assert_eq!(read(API_CALL, "ms", point(0.25)), None);
        assert_eq!(read(API_CALL, "s", point(601.0)), None);
    }
}
