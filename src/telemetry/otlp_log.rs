//! Gives a [`Record`] to the OpenTelemetry log SDK, with the same keys and values as the line.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity as OtelSeverity;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};

use super::delivery::{Delivery, Entry};
use super::receipt;
use super::record::{Record, Severity, Value};
use super::stdout::Numbers;

/// Names of loggers are module paths, so there are few; a bound keeps a mistake from growing.
const SCOPES_MAX: usize = 512;
/// What a record takes on the wire beside the texts of its fields, roughly.
const RECORD_BYTES: usize = 300;
const FIELD_BYTES: usize = 16;

/// The OTLP side of the log.
pub(super) struct OtlpLog {
    /// Makes empty records.
    logger: SdkLogger,
    scopes: RwLock<HashMap<String, Arc<InstrumentationScope>>>,
    delivery: Delivery,
}

impl OtlpLog {
    pub(super) fn new(provider: SdkLoggerProvider, delivery: Delivery) -> Self {
        Self { logger: provider.logger("bangui"), scopes: RwLock::default(), delivery }
    }

    /// Gives the record away under the numbers that its line has.
    pub(super) fn emit(&self, record: &Record<'_>, Numbers { instance, seq }: Numbers) {
        let mut out = self.logger.create_log_record();
        out.set_timestamp(record.at);
        out.set_observed_timestamp(record.at);
        out.set_severity_number(severity(record.severity));
        out.set_severity_text(record.severity.as_str());
        out.set_body(AnyValue::String(record.event.into()));
        out.set_event_name(record.event);
        let (uid, receipt) = match &record.uid {
            Some(uid) => (uid.as_str().to_owned(), receipt::take(uid.as_str())),
            None => (format!("{instance:016x}{seq:016x}"), None),
        };
        out.add_attribute(UID, uid);
        out.add_attribute("seq", integer(seq));
        if let Some((trace_id, span_id, flags)) = record.trace {
            out.set_trace_context(trace_id, span_id, Some(flags));
            out.add_attribute("correlation_id", trace_id.to_string());
        }
        let mut bytes = RECORD_BYTES;
        for (key, value) in record.fields.iter() {
            let text = if let Value::Text(text) = value { text.len() } else { 0 };
            bytes += key.len() + text + FIELD_BYTES;
            out.add_attribute(key, any_value(value));
        }
        if record.repeats > 0 {
            out.add_attribute("repeats", integer(record.repeats));
        }
        if record.fields.dropped > 0 {
            out.add_attribute("fields_dropped", integer(record.fields.dropped));
        }
        let scope = self.scope(&record.logger_name);
        self.delivery.push(Entry { record: Arc::new(out), scope, bytes, receipt });
    }

    /// The scope whose name is the record's `logger_name`.
    fn scope(&self, name: &str) -> Arc<InstrumentationScope> {
        let known = self.scopes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(scope) = known.get(name) {
            return scope.clone();
        }
        drop(known);
        let scope = Arc::new(InstrumentationScope::builder(name.to_owned()).build());
        let mut known = self.scopes.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < SCOPES_MAX {
            known.insert(name.to_owned(), scope.clone());
        }
        scope
    }
}

/// The attribute that holds `log.record.uid`, under the key that it has in every destination.
const UID: &str = "uid";

fn severity(severity: Severity) -> OtelSeverity {
    match severity {
        Severity::Debug => OtelSeverity::Debug,
        Severity::Info => OtelSeverity::Info,
        Severity::Warning => OtelSeverity::Warn,
        Severity::Error => OtelSeverity::Error,
        Severity::Critical => OtelSeverity::Fatal,
    }
}

/// OTLP has no unsigned integer; what does not fit is told exactly, as text.
fn integer(number: u64) -> AnyValue {
    match i64::try_from(number) {
        Ok(number) => AnyValue::Int(number),
        Err(_) => AnyValue::String(number.to_string().into()),
    }
}

fn any_value(value: Value<'_>) -> AnyValue {
    match value {
        Value::Text(text) => AnyValue::String(text.to_owned().into()),
        Value::Int(number) => AnyValue::Int(number),
        Value::Float(number) if number.is_finite() => AnyValue::Double(number),
        Value::Float(number) => AnyValue::String(number.to_string().into()),
        Value::Bool(flag) => AnyValue::Boolean(flag),
    }
}
