//! Gives a [`Record`] to the OpenTelemetry log SDK, with the same keys and values as the line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use opentelemetry::logs::Severity as OtelSeverity;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};

use super::record::{Record, Severity, Value};

/// Names of loggers are module paths, so there are few; a bound keeps a mistake from growing.
const LOGGERS_MAX: usize = 512;

/// The OTLP side of the log.
pub(super) struct OtlpLog {
    provider: SdkLoggerProvider,
    loggers: RwLock<HashMap<String, SdkLogger>>,
}

impl OtlpLog {
    pub(super) fn new(provider: SdkLoggerProvider) -> Self {
        Self { provider, loggers: RwLock::default() }
    }

    pub(super) fn emit(&self, record: &Record) {
        let logger = self.logger(&record.logger_name);
        let mut out = logger.create_log_record();
        out.set_timestamp(record.timestamp);
        out.set_observed_timestamp(record.timestamp);
        out.set_severity_number(severity(record.severity));
        out.set_severity_text(record.severity.as_str());
        out.set_body(AnyValue::String(record.event.to_string().into()));
        if let Cow::Borrowed(name) = record.event {
            out.set_event_name(name);
        }
        out.add_attribute("uid", record.uid.clone());
        out.add_attribute("seq", AnyValue::Int(i64::try_from(record.seq).unwrap_or(i64::MAX)));
        if let Some((trace_id, span_id, flags)) = record.trace {
            out.set_trace_context(trace_id, span_id, Some(flags));
            out.add_attribute("correlation_id", trace_id.to_string());
        }
        for (key, value) in &record.fields.items {
            out.add_attribute(key.clone(), any_value(value));
        }
        if record.fields.dropped > 0 {
            let dropped = i64::try_from(record.fields.dropped).unwrap_or(i64::MAX);
            out.add_attribute("fields_dropped", AnyValue::Int(dropped));
        }
        logger.emit(out);
    }

    /// The logger whose scope name is the record's `logger_name`.
    fn logger(&self, name: &str) -> SdkLogger {
        let known = self.loggers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(logger) = known.get(name) {
            return logger.clone();
        }
        drop(known);
        let logger = self.provider.logger(name.to_owned());
        let mut known = self.loggers.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < LOGGERS_MAX {
            known.insert(name.to_owned(), logger.clone());
        }
        logger
    }
}

fn severity(severity: Severity) -> OtelSeverity {
    match severity {
        Severity::Debug => OtelSeverity::Debug,
        Severity::Info => OtelSeverity::Info,
        Severity::Warning => OtelSeverity::Warn,
        Severity::Error => OtelSeverity::Error,
        Severity::Critical => OtelSeverity::Fatal,
    }
}

fn any_value(value: &Value) -> AnyValue {
    match value {
        Value::Text(text) => AnyValue::String(text.clone().into()),
        Value::Int(number) => AnyValue::Int(*number),
        // OTLP has no unsigned integer; what does not fit is told exactly, as text.
        Value::Unsigned(number) => match i64::try_from(*number) {
            Ok(number) => AnyValue::Int(number),
            Err(_) => AnyValue::String(number.to_string().into()),
        },
        Value::Float(number) if number.is_finite() => AnyValue::Double(*number),
        Value::Float(number) => AnyValue::String(number.to_string().into()),
        Value::Bool(flag) => AnyValue::Boolean(*flag),
    }
}
