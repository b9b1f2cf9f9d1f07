//! The tracing layer that turns an event into a [`Record`] and hands it to both outputs.
//!
//! Context comes from the enclosing spans: the fields that [`CONTEXT`] names are kept with the
//! span when they are recorded and copied onto every record inside it, so a request's user,
//! client and route stand on each of its lines without anybody passing them along.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::TraceContextExt as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::otlp_log::OtlpLog;
use super::record::{Fields, Record, Severity, Value};
use super::stdout::Stdout;
use super::traceparent;

/// Span attribute (semantic convention) and the key under which a log line shows it.
const CONTEXT: [(&str, &str); 4] = [
    ("user.id", "user_id"),
    ("client.address", "client_ip"),
    ("http.route", "endpoint"),
    ("bangui.task.name", "task"),
];

/// What a span contributes to the records inside it.
struct SpanContext(Fields);

/// The layer. It needs the span layer of tracing-opentelemetry beside it for trace ids.
pub(super) struct Collect {
    stdout: Stdout,
    otlp: Option<OtlpLog>,
    instance: u64,
    sequence: AtomicU64,
    /// tracing knows no level above error, so this one is sorted out here.
    is_critical_only: bool,
}

impl Collect {
    pub(super) fn new(
        stdout: Stdout,
        otlp: Option<OtlpLog>,
        instance: u64,
        is_critical_only: bool,
    ) -> Self {
        Self { stdout, otlp, instance, sequence: AtomicU64::new(0), is_critical_only }
    }

    fn record<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Record
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let (mut fields, mut control) = (Fields::default(), Control::default());
        event.record(&mut Visitor(&mut fields, &mut control));
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanContext(own)) = span.extensions().get::<SpanContext>() {
                for (key, value) in &own.items {
                    if !fields.contains(key) {
                        fields.items.push((key.clone(), value.clone()));
                    }
                }
            }
        }
        let seq = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let metadata = event.metadata();
        Record {
            timestamp: SystemTime::now(),
            severity: severity(metadata.level(), fields.critical),
            logger_name: logger_name(metadata.target()),
            event: event_name(metadata),
            trace: control.trace.or_else(current_trace),
            uid: control.uid.unwrap_or_else(|| format!("{:016x}{seq:016x}", self.instance)),
            seq,
            fields,
        }
    }
}

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut ContextVisitor(&mut fields));
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanContext(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(SpanContext(fields)) = span.extensions_mut().get_mut::<SpanContext>() {
            values.record(&mut ContextVisitor(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let record = self.record(event, &context);
        if self.is_critical_only && record.severity != Severity::Critical {
            return;
        }
        self.stdout.write(&record);
        if let Some(otlp) = &self.otlp
            && !is_stdout_only(event.metadata().target())
            && !OtelContext::is_current_telemetry_suppressed()
        {
            otlp.emit(&record);
        }
    }
}

/// Diagnostics of the export itself may not travel by it, or a failing export feeds itself.
/// What carries the export talks on threads of its own, which have no suppression mark.
fn is_stdout_only(target: &str) -> bool {
    const CARRIERS: [&str; 7] =
        ["opentelemetry", "hyper", "h2", "reqwest", "rustls", "tonic", "tower"];
    let package = target.split("::").next().unwrap_or_default();
    target == super::EXPORT_TARGET || CARRIERS.iter().any(|carrier| package.starts_with(carrier))
}

type Trace =
    (opentelemetry::trace::TraceId, opentelemetry::trace::SpanId, opentelemetry::TraceFlags);

fn current_trace() -> Option<Trace> {
    OtelContext::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id(), ids.span_id(), ids.trace_flags()))
    })
}

fn severity(level: &Level, critical: bool) -> Severity {
    match *level {
        Level::ERROR if critical => Severity::Critical,
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO => Severity::Info,
        Level::DEBUG | Level::TRACE => Severity::Debug,
    }
}

/// `bangui::http::problem` is `app.http.problem`; a library keeps its own path. The composition
/// root speaks for the whole program, as `app.main`.
fn logger_name(target: &'static str) -> Cow<'static, str> {
    match target.strip_prefix("bangui") {
        Some("") => "app.main".into(),
        Some(path) if path.starts_with("::app") => "app.main".into(),
        Some(path) if path.starts_with("::") => format!("app{}", path.replace("::", ".")).into(),
        _ => target.into(),
    }
}

/// Our events are named; the macro names an unnamed one after its source line.
fn event_name(metadata: &'static Metadata<'static>) -> Cow<'static, str> {
    let is_ours = metadata.target().starts_with("bangui");
    if is_ours && !metadata.name().starts_with("event ") {
        metadata.name().into()
    } else {
        "library_log".into()
    }
}

/// What an event says about its own record: one that is told again has the uid that it had, and
/// stands in the trace in which it happened.
#[derive(Default)]
struct Control {
    uid: Option<String>,
    trace: Option<Trace>,
}

impl Control {
    /// Whether the field was one of these; they become no attributes.
    fn take(&mut self, name: &str, value: &str) -> bool {
        match name {
            "log.uid" => {
                let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                let is_uid = value.len() == 32 && value.bytes().all(is_hex);
                self.uid = is_uid.then(|| value.to_owned());
            }
            "log.traceparent" => {
                let ids = traceparent::parse(value);
                self.trace = ids.map(|it| (it.trace_id(), it.span_id(), it.trace_flags()));
            }
            _ => return false,
        }
        true
    }
}

struct Visitor<'a>(&'a mut Fields, &'a mut Control);

impl Visit for Visitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.1.take(field.name(), value) {
            self.0.text(field.name(), value);
        }
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.set(field.name(), Value::Int(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.set(field.name(), Value::Unsigned(value));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.set(field.name(), Value::Float(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "critical" {
            self.0.critical = value;
        } else {
            self.0.set(field.name(), Value::Bool(value));
        }
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.text(field.name(), &value.to_string());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        // A Debug that fails leaves what it wrote so far, which is better than no line at all.
        let _ = write!(text, "{value:?}");
        self.0.text(field.name(), &text);
    }
}

/// Keeps only context fields, under the names that log lines use.
struct ContextVisitor<'a>(&'a mut Fields);

fn context_key(field: &Field) -> Option<&'static str> {
    CONTEXT.iter().find(|(attribute, _)| *attribute == field.name()).map(|(_, key)| *key)
}

impl Visit for ContextVisitor<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(key) = context_key(field) {
            self.0.text(key, value);
        }
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some(key) = context_key(field) {
            self.0.set(key, Value::Int(value));
        }
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if let Some(key) = context_key(field) {
            self.0.text(key, &format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logger_names_follow_the_module_path() {
        assert_eq!(logger_name("bangui"), "app.main");
        assert_eq!(logger_name("bangui::app::serve"), "app.main");
        assert_eq!(logger_name("bangui::auth"), "app.auth");
        assert_eq!(logger_name("bangui::http::auth"), "app.http.auth");
        assert_eq!(logger_name("sqlx::query"), "sqlx::query");
        assert_eq!(logger_name("banguinette"), "banguinette");
    }

    #[test]
    fn critical_is_an_error_that_says_so() {
        assert_eq!(severity(&Level::ERROR, true), Severity::Critical);
        assert_eq!(severity(&Level::WARN, true), Severity::Warning);
    }
}
