//! The tracing layer that turns an event into a [`Record`] and hands it to the outputs.
//!
//! An event is visited once. Context comes from the enclosing spans: the fields that [`CONTEXT`]
//! names are kept with the span when they are recorded and copied onto every record inside it, so
//! a request's user, client and route stand on each of its lines without anybody passing them
//! along.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use opentelemetry::Context as OtelContext;
use opentelemetry::trace::TraceContextExt as _;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::level;
use super::outputs::Outputs;
use super::record::{Fields, Record, Severity, Trace, Uid, Value, cap};
use super::repeats::{self, Repeats};
use super::{sanitize, traceparent};
use crate::config::LogLevel;

/// Span attribute (semantic convention) and the key under which a log line shows it.
const CONTEXT: [(&str, &str); 4] = [
    ("user.id", "user_id"),
    ("client.address", "client_ip"),
    ("http.route", "endpoint"),
    ("bangui.task.name", "task"),
];

/// A library may call itself anything through the `log` crate; paths of modules are shorter.
const TARGET_MAX_BYTES: usize = 256;

/// What a span contributes to the records inside it.
struct SpanContext(Fields);

thread_local! {
    /// The memory of the last event, for the next one.
    static SCRATCH: RefCell<Draft> = RefCell::default();
}

/// The layer. It needs the span layer of tracing-opentelemetry beside it for trace ids.
pub(super) struct Collect {
    outputs: Outputs,
    repeats: Repeats,
    /// What is the same for every event of one place in the source.
    sites: RwLock<HashMap<Identifier, &'static Site>>,
}

/// One place in the source that logs.
struct Site {
    logger_name: String,
    event: &'static str,
    is_ours: bool,
    /// Whether its records may leave by export.
    travels: bool,
}

impl Collect {
    pub(super) fn new(outputs: Outputs, repeats: Repeats) -> Self {
        Self { outputs, repeats, sites: RwLock::default() }
    }

    fn site(&self, metadata: &'static Metadata<'static>) -> &'static Site {
        let known = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = known.get(&metadata.callsite()) {
            return site;
        }
        drop(known);
        let is_ours = level::is_ours(metadata.target());
        // There are as many as there are places in the source, so none needs to be given back.
        let site = Box::leak(Box::new(Site {
            logger_name: logger_name(metadata.target()).into_owned(),
            event: event_name(metadata, is_ours),
            is_ours,
            travels: travels(metadata.target()),
        }));
        let mut known = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(metadata.callsite(), site);
        site
    }

    fn collect<S>(&self, event: &Event<'_>, context: &Context<'_, S>, draft: &mut Draft)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let metadata = event.metadata();
        draft.clear();
        event.record(draft);
        let severity = severity(metadata.level(), draft.is_critical);
        let is_hidden = severity != Severity::Critical && level::current() == LogLevel::Critical;
        if is_hidden && !level::is_always_shown(metadata) {
            return;
        }
        let site = self.site(metadata);
        draft.fields.clean();
        let logger_name = match &draft.target {
            Some(target) => Cow::Owned(target.clone()),
            None => Cow::Borrowed(site.logger_name.as_str()),
        };
        // Asked here: what is left out now may be told later, by a thread without the mark.
        let travels = match &draft.target {
            Some(target) => self::travels(target),
            None => site.travels,
        } && !OtelContext::is_current_telemetry_suppressed();
        if repeats::is_limited(severity, site.is_ours, site.event) {
            let line =
                repeats::Line { severity, logger_name: &logger_name, event: site.event, travels };
            if !self.repeats.admit(line, &draft.fields) {
                return;
            }
        }
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanContext(own)) = span.extensions().get::<SpanContext>() {
                draft.fields.inherit(own);
            }
        }
        let mut record = Record {
            at: SystemTime::now(),
            severity,
            logger_name,
            event: site.event,
            trace: draft.trace.or_else(|| current_trace(metadata.target())),
            uid: draft.uid,
            fields: &mut draft.fields,
            repeats: 0,
        };
        self.outputs.emit(&mut record, travels);
    }
}

impl<S> Layer<S> for Collect
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut ContextVisitor(&mut fields));
        fields.clean();
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanContext(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        // Printed before the span is locked: a value may log while it is printed.
        let mut newer = Fields::default();
        values.record(&mut ContextVisitor(&mut newer));
        if newer.len() == 0 {
            return;
        }
        newer.clean();
        let Some(span) = context.span(id) else { return };
        if let Some(SpanContext(fields)) = span.extensions_mut().get_mut::<SpanContext>() {
            fields.replace(&newer);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let is_done = SCRATCH.try_with(|scratch| match scratch.try_borrow_mut() {
            Ok(mut draft) => self.collect(event, &context, &mut draft),
            // A value that logs while it is printed.
            Err(_) => self.collect(event, &context, &mut Draft::default()),
        });
        // The thread is ending, and its memory is gone already.
        if is_done.is_err() {
            self.collect(event, &context, &mut Draft::default());
        }
    }
}

/// Diagnostics of the export itself may not travel by it, or a failing export feeds itself.
/// What carries the export talks on threads of its own, which have no suppression mark.
fn travels(target: &str) -> bool {
    const CARRIERS: [&str; 7] =
        ["opentelemetry", "hyper", "h2", "reqwest", "rustls", "tonic", "tower"];
    let package = target.split("::").next().unwrap_or_default();
    target != super::EXPORT_TARGET && !CARRIERS.iter().any(|carrier| package.starts_with(carrier))
}

/// The SDK warns of its context while it holds it, where asking for it would be a panic.
fn current_trace(target: &str) -> Option<Trace> {
    if target.starts_with("opentelemetry") {
        return None;
    }
    OtelContext::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id(), ids.span_id(), ids.trace_flags()))
    })
}

fn severity(level: &Level, is_critical: bool) -> Severity {
    match *level {
        Level::ERROR if is_critical => Severity::Critical,
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO => Severity::Info,
        Level::DEBUG | Level::TRACE => Severity::Debug,
    }
}

/// `bangui::http::problem` is `app.http.problem`; a library keeps its own path. The composition
/// root speaks for the whole program, as `app.main`.
fn logger_name(target: &str) -> Cow<'_, str> {
    match target.strip_prefix("bangui") {
        Some("") => "app.main".into(),
        Some(path) if path.starts_with("::app") => "app.main".into(),
        Some(path) if path.starts_with("::") => format!("app{}", path.replace("::", ".")).into(),
        _ => target.into(),
    }
}

/// Our events are named; the macro names an unnamed one after its source line.
fn event_name(metadata: &'static Metadata<'static>, is_ours: bool) -> &'static str {
    let is_named = is_ours && !metadata.name().starts_with("event ");
    if is_named { metadata.name() } else { "library_log" }
}

/// What was read of an event.
#[derive(Default)]
struct Draft {
    fields: Fields,
    is_critical: bool,
    uid: Option<Uid>,
    trace: Option<Trace>,
    target: Option<String>,
}

impl Draft {
    fn clear(&mut self) {
        self.fields.clear();
        self.is_critical = false;
        (self.uid, self.trace, self.target) = (None, None, None);
    }

    /// Takes what is meant for this layer and becomes no field.
    fn control(&mut self, key: &str, text: &str) -> bool {
        match key {
            "log.uid" => self.uid = Uid::parse(text),
            "log.traceparent" => {
                self.trace = traceparent::parse(text)
                    .map(|it| (it.trace_id(), it.span_id(), it.trace_flags()));
            }
            "log.target" => {
                let target = sanitize::sanitize_for_logging(text);
                self.target = Some(cap(&target, TARGET_MAX_BYTES).into_owned());
            }
            _ => return false,
        }
        true
    }
}

impl Visit for Draft {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.control(field.name(), value) {
            self.fields.text(field.name(), value);
        }
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.plain(field.name(), Value::Int(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        // OTLP has no unsigned integer; what does not fit is told exactly, as text.
        match i64::try_from(value) {
            Ok(value) => self.fields.plain(field.name(), Value::Int(value)),
            Err(_) => self.fields.display(field.name(), format_args!("{value}")),
        }
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.plain(field.name(), Value::Float(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "critical" {
            self.is_critical = value;
        } else {
            self.fields.plain(field.name(), Value::Bool(value));
        }
    }
    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.fields.text(field.name(), &String::from_utf8_lossy(value));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.fields.display(field.name(), format_args!("{value}"));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.display(field.name(), format_args!("{value:?}"));
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
            self.0.plain(key, Value::Int(value));
        }
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if let Some(key) = context_key(field) {
            self.0.display(key, format_args!("{value:?}"));
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

    #[test]
    fn what_carries_the_export_does_not_travel_by_it() {
        assert!(travels("bangui::auth") && travels("sqlx::query"));
        assert!(!travels("h2::codec") && !travels("opentelemetry_sdk"));
        assert!(!travels(super::super::EXPORT_TARGET));
    }
}
