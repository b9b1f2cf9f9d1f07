//! Spans that a page has made: checked ids, bounded times, fixed attributes, and then the ordinary
//! way out through the sanitizer.
//!
//! A page must not pose as the service. Its spans leave with a resource of its own, whose
//! `service.name` is the service's with `-page` behind it, and with the scope `app.page`; nothing
//! of what the page itself says it is goes along. They have an exporter and a queue of their own,
//! so that no page can push the service's spans out.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SamplingDecision, ShouldSample as _, SpanData,
    SpanEvents, SpanLinks, SpanProcessor as _,
};

use super::Error;
use super::export;
use super::metrics::BrowserAnswer;
use super::resource;
use super::sampler::OurSampler;
use super::traceparent::hex;
use super::transport::Transport;
use crate::config::Export;

/// Spans that wait for their export; a page that is used makes a few a second. Further ones are
/// dropped.
const QUEUE_SPANS: usize = 1024;
/// A page that was hidden may tell late.
const AGE_MAX: Duration = Duration::from_secs(3600);
/// A clock of a page may run ahead a little.
const AHEAD_MAX: Duration = Duration::from_secs(60);
/// The page gives up a call long before.
const DURATION_MAX: Duration = Duration::from_secs(600);

/// The way out, once telemetry runs with an export of traces.
static WAY_OUT: OnceLock<WayOut> = OnceLock::new();

struct WayOut {
    processor: BatchSpanProcessor,
    sampler: OurSampler,
}

/// The ids of a span, of which each is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
}

impl Ids {
    /// Reads lower-case hexadecimal ids of exactly their length, none of them zero. A span cannot
    /// be its own parent.
    pub fn parse(trace: &str, span: &str, parent: Option<&str>) -> Option<Self> {
        let span_id = |text| Some(SpanId::from_bytes(hex::<8>(text)?));
        let is_valid = |id: &SpanId| *id != SpanId::INVALID;
        let trace = TraceId::from_bytes(hex::<16>(trace)?);
        let span = span_id(span).filter(is_valid)?;
        let parent = match parent {
            Some(text) => Some(span_id(text).filter(|id| is_valid(id) && *id != span)?),
            None => None,
        };
        (trace != TraceId::INVALID).then_some(Self { trace, span, parent })
    }

    fn context(&self, span: SpanId) -> SpanContext {
        SpanContext::new(self.trace, span, TraceFlags::SAMPLED, true, TraceState::default())
    }
}

/// From when to when something took place, by the clock of a page, if that can be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    start: SystemTime,
    end: SystemTime,
}

impl Times {
    /// Takes nanoseconds since 1970; nothing that is too long ago, too long, or yet to come.
    pub fn from_nanos(start: u64, end: u64, now: SystemTime) -> Option<Self> {
        let at = |nanos| SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos));
        let (start, end) = (at(start)?, at(end)?);
        let is_fitting = end.duration_since(start).ok()? <= DURATION_MAX
            && start >= now.checked_sub(AGE_MAX)?
            && end <= now.checked_add(AHEAD_MAX)?;
        is_fitting.then_some(Self { start, end })
    }
}

/// What somebody or something did on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Somebody pressed, chose or submitted something, whose name is a short identifier.
    Action(String),
    /// The page made a call of the API.
    Call {
        /// The method.
        method: &'static str,
        /// The route's template.
        endpoint: &'static str,
        /// How it ended.
        answer: BrowserAnswer,
    },
}

/// A span of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSpan {
    /// Where in which trace.
    pub ids: Ids,
    /// When.
    pub times: Times,
    /// What.
    pub deed: Deed,
}

impl PageSpan {
    fn name(&self) -> Cow<'static, str> {
        match &self.deed {
            Deed::Action(action) => format!("page {action}").into(),
            Deed::Call { method, endpoint, .. } => format!("{method} {endpoint}").into(),
        }
    }

    fn kind(&self) -> SpanKind {
        match self.deed {
            Deed::Action(_) => SpanKind::Internal,
            Deed::Call { .. } => SpanKind::Client,
        }
    }

    fn attributes(&self, user: &str) -> Vec<KeyValue> {
        let mut attributes = vec![KeyValue::new("user.id", user.to_owned())];
        match &self.deed {
            Deed::Action(action) => {
                attributes.push(KeyValue::new("bangui.page.action", action.clone()));
            }
            Deed::Call { method, endpoint, answer } => {
                attributes.push(KeyValue::new("http.request.method", *method));
                attributes.push(KeyValue::new("url.template", *endpoint));
                if let BrowserAnswer::Status(status) = answer {
                    let status = i64::from(*status);
                    attributes.push(KeyValue::new("http.response.status_code", status));
                }
                let error = answer.error_type().map(|it| KeyValue::new("error.type", it));
                attributes.extend(error);
            }
        }
        attributes
    }

    fn data(&self, user: &str) -> SpanData {
        let attributes = self.attributes(user);
        let is_error = attributes.iter().any(|it| it.key.as_str() == "error.type");
        SpanData {
            span_context: self.ids.context(self.ids.span),
            parent_span_id: self.ids.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: false,
            span_kind: self.kind(),
            name: self.name(),
            start_time: self.times.start,
            end_time: self.times.end,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if is_error { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("app.page").build(),
        }
    }
}

/// Opens the way out. Called once, by telemetry's start, within the runtime of the exporters.
pub(super) fn install(export: &Export, service: &Resource) -> Result<(), Error> {
    let Some(protocol) = export.traces else { return Ok(()) };
    let config = BatchConfigBuilder::default().with_max_queue_size(QUEUE_SPANS).build();
    let exporter = export::Spans::build(&Transport::new(protocol, &export.links.traces))?;
    let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    processor.set_resource(&resource::of_page(service));
    let _ = WAY_OUT.set(WayOut { processor, sampler: OurSampler::new(export.sampler) });
    Ok(())
}

/// Sends what is still waiting, and nothing more.
pub(super) fn shutdown(timeout: Duration) {
    if let Some(way_out) = WAY_OUT.get() {
        // A failure was already told when its export failed.
        let _ = way_out.processor.shutdown_with_timeout(timeout);
    }
}

/// Exports a span of a page that a user has open, if the sampler exports such a trace: it is asked
/// what it is asked for the request that continues the trace, so both go or stay.
pub fn tell(span: &PageSpan, user: &str) {
    let Some(WayOut { processor, sampler }) = WAY_OUT.get() else { return };
    let ids = &span.ids;
    let context = Context::new().with_remote_span_context(ids.context(ids.span));
    let kind = span.kind();
    let result = sampler.should_sample(Some(&context), ids.trace, "", &kind, &[], &[]);
    if result.decision == SamplingDecision::RecordAndSample {
        processor.on_end(span.data(user));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    const OTHER: &str = "00f067aa0ba902b7";

    #[test]
    fn ids_are_strict() {
        assert!(Ids::parse(TRACE, SPAN, None).is_some());
        assert!(Ids::parse(TRACE, SPAN, Some(OTHER)).is_some());
        let zeros = "0".repeat(32);
        for (trace, span, parent) in [
            ("", SPAN, None),
            (zeros.as_str(), SPAN, None),
            (&TRACE[1..], SPAN, None),
            (&TRACE.to_uppercase(), SPAN, None),
            (TRACE, &zeros[..16], None),
            (TRACE, &SPAN[1..], None),
            (TRACE, "b7ad6b716920333g", None),
            (TRACE, SPAN, Some("")),
            (TRACE, SPAN, Some(&zeros[..16])),
            (TRACE, SPAN, Some(SPAN)),
        ] {
            assert_eq!(Ids::parse(trace, span, parent), None, "{trace} {span} {parent:?}");
        }
    }

    #[test]
    fn times_are_bounded() {
        const SECOND: u64 = 1_000_000_000;
        let now_seconds = 1_800_000_000;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now_seconds);
        let fits =
            |start: u64, end: u64| Times::from_nanos(start * SECOND, end * SECOND, now).is_some();
        assert!(fits(now_seconds - 2, now_seconds - 1));
        assert!(fits(now_seconds - 1, now_seconds - 1), "of no length");
        assert!(fits(now_seconds + 30, now_seconds + 31), "a clock that runs ahead");
        assert!(!fits(now_seconds - 1, now_seconds - 2), "ends before it begins");
        assert!(!fits(now_seconds - 3601, now_seconds - 3600), "long ago");
        assert!(!fits(now_seconds - 700, now_seconds - 1), "too long");
        assert!(!fits(now_seconds, now_seconds + 61), "yet to come");
        assert_eq!(Times::from_nanos(0, 0, now), None);
        assert_eq!(Times::from_nanos(u64::MAX, u64::MAX, now), None);
    }

    #[test]
    fn a_call_is_named_like_its_request_and_told_with_its_user() {
        let now = SystemTime::now();
        let span = |answer| PageSpan {
            ids: Ids::parse(TRACE, SPAN, Some(OTHER)).unwrap(),
            times: Times { start: now, end: now },
            deed: Deed::Call { method: "GET", endpoint: "/api/jails/{id}", answer },
        };
        let data = span(BrowserAnswer::Status(404)).data("admin");
        assert_eq!(data.name, "GET /api/jails/{id}");
        assert_eq!(data.parent_span_id.to_string(), OTHER);
        assert_eq!(data.status, Status::error(""));
        let expected = [
            KeyValue::new("user.id", "admin"),
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("url.template", "/api/jails/{id}"),
            KeyValue::new("http.response.status_code", 404),
            KeyValue::new("error.type", "404"),
        ];
        assert_eq!(data.attributes, expected);
        assert_eq!(span(BrowserAnswer::Status(204)).data("admin").status, Status::Unset);
    }
}
