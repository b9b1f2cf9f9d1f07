//! One log record, the same for both outputs: the JSON line on stdout and the OTLP log record.
//!
//! A record is made once per event, already sanitized and capped; the outputs only encode it.

use std::borrow::Cow;

use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

use super::sanitize;

/// A field longer than this after redaction is cut: a log is no place for documents.
pub(super) const FIELD_MAX_BYTES: usize = 8 * 1024;
/// More fields than this on one record are dropped and counted in `fields_dropped`.
pub(super) const FIELDS_MAX: usize = 64;

/// The five documented severities, least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// The value of a field, with its JSON type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
}

/// Names that an event's own fields cannot take.
const RESERVED: [&str; 9] = [
    "timestamp",
    "level",
    "logger_name",
    "event",
    "correlation_id",
    "trace_id",
    "span_id",
    "uid",
    "seq",
];

/// The fields of one span or event, in the order in which they were recorded.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields {
    pub(super) items: Vec<(Cow<'static, str>, Value)>,
    pub(super) dropped: u64,
    pub(super) critical: bool,
}

impl Fields {
    /// Adds a text, sanitized and capped. Redaction comes first: a cut could leave half a secret
    /// that no rule recognises.
    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        let clean = sanitize::sanitize_field(key, text);
        self.set(key, Value::Text(cap(&clean, FIELD_MAX_BYTES).into_owned()));
    }

    /// Sets a field; a later value of the same name wins.
    pub(super) fn set(&mut self, key: &'static str, value: Value) {
        let key = match key {
            key if RESERVED.contains(&key) => Cow::Owned(format!("field_{key}")),
            key => Cow::Borrowed(key),
        };
        if let Some(slot) = self.items.iter_mut().find(|(name, _)| *name == key) {
            slot.1 = value;
        } else if self.items.len() < FIELDS_MAX {
            self.items.push((key, value));
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.items.iter().any(|(name, _)| name == key)
    }
}

/// Cuts a text at a character boundary and marks the cut.
pub(super) fn cap(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(max_bytes.saturating_sub('…'.len_utf8()));
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Everything that one event says.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) timestamp: std::time::SystemTime,
    pub(super) severity: Severity,
    pub(super) logger_name: Cow<'static, str>,
    pub(super) event: Cow<'static, str>,
    pub(super) trace: Option<(TraceId, SpanId, TraceFlags)>,
    /// Unique over all instances and restarts: random per process, then the sequence number.
    pub(super) uid: String,
    pub(super) seq: u64,
    pub(super) fields: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_cannot_take_a_reserved_name() {
        let mut fields = Fields::default();
        fields.text("level", "critical");
        assert_eq!(fields.items[0].0, "field_level");
    }

    #[test]
    fn redaction_comes_before_the_cut() {
        let mut fields = Fields::default();
        let text = format!("{}password=hunter2hunter2", "x".repeat(FIELD_MAX_BYTES - 12));
        fields.text("message", &text);
        let Value::Text(kept) = &fields.items[0].1 else { panic!("text expected") };
        assert!(!kept.contains("hunter") && kept.len() <= FIELD_MAX_BYTES);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cap("ééééé", 8), "éé…");
        assert_eq!(cap("short", 8), "short");
    }

    #[test]
    fn fields_beyond_the_limit_are_counted() {
        let mut fields = Fields::default();
        const NAMES: [&str; 3] = ["a", "b", "c"];
        fields.items =
            (0..FIELDS_MAX - 1).map(|n| (Cow::Owned(format!("k{n}")), Value::Bool(true))).collect();
        NAMES.into_iter().for_each(|name| fields.set(name, Value::Int(1)));
        assert_eq!((fields.items.len(), fields.dropped), (FIELDS_MAX, 2));
    }
}
