//! What the page is measured by: Web Vitals, and its calls of the API as the browser saw them.
//!
//! Measurements of all pages fall into these instruments of the service, so a page makes no series
//! of its own. Every label is a word of the source.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::attributes::Attributes;
use super::definition::Definition;

/// Five vitals, each with three ratings, and room for one more.
const VITAL_SERIES_MAX: usize = 20;
/// Routes times the six ways in which a call ends.
const CALL_SERIES_MAX: usize = 300;

/// From an input that is answered at once to the slowest page; every threshold of a rating is
/// among them.
const VITAL_BOUNDS_SECONDS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 1.0, 1.8, 2.5, 3.0, 4.0, 6.0, 10.0];
/// Shifts have no unit; the thresholds of a rating are among these.
const SHIFT_BOUNDS: &[f64] = &[0.001, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0];

const VITAL_DURATION: Definition = Definition::histogram(
    "bangui.web_vitals.duration",
    "s",
    "Those Web Vitals of the page that are durations (FCP, LCP, TTFB, INP, FID).",
    VITAL_BOUNDS_SECONDS,
)
.with(&["web_vital", "rating"], VITAL_SERIES_MAX);
const LAYOUT_SHIFT: Definition = Definition::histogram(
    "bangui.web_vitals.cls",
    "1",
    "Cumulative Layout Shift of the page.",
    SHIFT_BOUNDS,
)
.with(&["rating"], VITAL_SERIES_MAX);
const CALL_DURATION: Definition = Definition::duration(
    "bangui.frontend.api.duration",
    "Duration of the page's calls of the API, as the browser saw them.",
)
.with(&["method", "endpoint", "status_class"], CALL_SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] = &[&VITAL_DURATION, &LAYOUT_SHIFT, &CALL_DURATION];

struct Instruments {
    vital_duration: Histogram<f64>,
    layout_shift: Histogram<f64>,
    call_duration: Histogram<f64>,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    let _ = INSTRUMENTS.set(Instruments {
        vital_duration: VITAL_DURATION.build_histogram(meter),
        layout_shift: LAYOUT_SHIFT.build_histogram(meter),
        call_duration: CALL_DURATION.build_histogram(meter),
    });
}

/// A Web Vital.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebVital {
    /// Cumulative Layout Shift.
    Cls,
    /// First Contentful Paint.
    Fcp,
    /// First Input Delay.
    Fid,
    /// Interaction to Next Paint.
    Inp,
    /// Largest Contentful Paint.
    Lcp,
    /// Time to First Byte.
    Ttfb,
}

impl WebVital {
    const ALL: [Self; 6] = [Self::Cls, Self::Fcp, Self::Fid, Self::Inp, Self::Lcp, Self::Ttfb];

    /// The vital of a name, which is written in capitals.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vital| vital.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "CLS",
            Self::Fcp => "FCP",
            Self::Fid => "FID",
            Self::Inp => "INP",
            Self::Lcp => "LCP",
            Self::Ttfb => "TTFB",
        }
    }

    /// The largest value that is good, and the largest that is not poor; milliseconds but for CLS.
    fn thresholds(self) -> (f64, f64) {
        match self {
            Self::Cls => (0.1, 0.25),
            Self::Fcp => (1800.0, 3000.0),
            Self::Fid => (100.0, 300.0),
            Self::Inp => (200.0, 500.0),
            Self::Lcp => (2500.0, 4000.0),
            Self::Ttfb => (600.0, 1800.0),
        }
    }

    /// Rates a value. This is done here, so that all pages are rated alike.
    pub fn rating(self, value: f64) -> &'static str {
        let (good, fair) = self.thresholds();
        match value {
            value if value <= good => "good",
            value if value <= fair => "needs-improvement",
            _ => "poor",
        }
    }

    /// Whether a value can be true: ten minutes at most, or a hundred windows shifted whole.
    pub fn can_be(self, value: f64) -> bool {
        let max = if self == Self::Cls { 100.0 } else { 600_000.0 };
        (0.0..=max).contains(&value)
    }
}

/// How a call of the page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrowserAnswer {
    /// With an answer that has this status.
    Status(u16),
    /// Without one in the time that the page waits.
    TimedOut,
    /// Without one for another reason, which browsers do not tell.
    Failed,
}

impl BrowserAnswer {
    fn class(self) -> &'static str {
        match self {
            Self::Status(..300) => "2xx",
            Self::Status(..400) => "3xx",
            Self::Status(..500) => "4xx",
            Self::Status(_) => "5xx",
            Self::TimedOut | Self::Failed => "none",
        }
    }

    /// The conventions' word for what failed, as a client sees it.
    pub fn error_type(self) -> Option<String> {
        match self {
            Self::Status(..400) => None,
            Self::Status(status) => Some(status.to_string()),
            Self::TimedOut => Some("timeout".to_owned()),
            Self::Failed => Some("network".to_owned()),
        }
    }
}

/// A page has measured a vital; milliseconds but for CLS.
pub fn web_vital(vital: WebVital, value: f64) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = Attributes::default();
    attributes.push(KeyValue::new("rating", vital.rating(value)));
    if vital == WebVital::Cls {
        instruments.layout_shift.record(value, &attributes);
    } else {
        attributes.push(KeyValue::new("web_vital", vital.name()));
        instruments.vital_duration.record(value / 1000.0, &attributes);
    }
}

/// A page has made a call of the API.
pub fn browser_call(
    method: &'static str,
    endpoint: &'static str,
    answer: BrowserAnswer,
    seconds: f64,
) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = Attributes::default();
    attributes.push(KeyValue::new("method", method));
    attributes.push(KeyValue::new("endpoint", endpoint));
    attributes.push(KeyValue::new("status_class", answer.class()));
    instruments.call_duration.record(seconds, &attributes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitals_have_names_and_ratings() {
        for vital in WebVital::ALL {
            assert_eq!(WebVital::of_name(vital.name()), Some(vital));
            let (good, fair) = vital.thresholds();
            let ratings = [0.0, good, fair, fair * 1.01].map(|value| vital.rating(value));
            assert_eq!(ratings, ["good", "good", "needs-improvement", "poor"], "{vital:?}");
            assert!(vital.can_be(fair) && !vital.can_be(-0.1) && !vital.can_be(f64::NAN));
            assert!(!vital.can_be(f64::INFINITY) && !vital.can_be(600_001.0));
        }
        assert_eq!(WebVital::of_name("lcp"), None);
    }

    #[test]
    fn thresholds_are_bounds_of_buckets() {
        for vital in WebVital::ALL.into_iter().filter(|it| *it != WebVital::Cls) {
            assert!(VITAL_BOUNDS_SECONDS.contains(&(vital.thresholds().0 / 1000.0)), "{vital:?}");
        }
        assert!(SHIFT_BOUNDS.contains(&WebVital::Cls.thresholds().0));
    }

    #[test]
    fn answers_fall_into_classes() {
        let of = |status| (BrowserAnswer::Status(status).class(), status < 400);
        for (status, class) in [(200, "2xx"), (304, "3xx"), (404, "4xx"), (503, "5xx")] {
            assert_eq!(of(status), (class, BrowserAnswer::Status(status).error_type().is_none()));
        }
        assert_eq!(BrowserAnswer::TimedOut.class(), "none");
        assert_eq!(BrowserAnswer::Failed.error_type().as_deref(), Some("network"));
    }
}
