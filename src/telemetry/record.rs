//! One log record, the same for both outputs: the JSON line on stdout and the OTLP log record.
//!
//! The fields of an event are written one after the other into one buffer, keys and texts alike.
//! So one look at the buffer tells whether there can be a secret in any of them, which is almost
//! never; and a thread keeps its buffer from one event to the next.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::SystemTime;

use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

use super::sanitize;

/// A text longer than this after redaction is cut: a log is no place for documents.
pub(super) const FIELD_MAX_BYTES: usize = 8 * 1024;
/// More fields than this on one record are dropped and counted in `fields_dropped`.
pub(super) const FIELDS_MAX: usize = 64;
/// A buffer that a huge event has blown up is given back.
const BUFFER_KEPT_BYTES: usize = 64 * 1024;

/// The five documented severities, least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Severity {
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

impl Severity {
    /// All of them, in order.
    pub(super) const ALL: [Self; 5] =
        [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    pub(super) const fn as_str(self) -> &'static str {
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// A value as it is kept: a text by its place in the buffer.
#[derive(Debug, Clone)]
enum Kept {
    Text(Range<usize>),
    Plain(Value<'static>),
}

/// The name under which a field appears: one of the record's own names is not given away.
pub(super) fn public_name(key: &'static str) -> &'static str {
    match key {
        "timestamp" => "field_timestamp",
        "level" => "field_level",
        "logger_name" => "field_logger_name",
        "event" => "field_event",
        "correlation_id" => "field_correlation_id",
        "trace_id" => "field_trace_id",
        "span_id" => "field_span_id",
        "uid" => "field_uid",
        "seq" => "field_seq",
        "fields_dropped" => "field_fields_dropped",
        "repeats" => "field_repeats",
        key => key,
    }
}

/// The fields of one span or event, in the order in which they were recorded.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields {
    items: Vec<(&'static str, Kept)>,
    /// Every key and every text, each on a line of its own.
    buffer: String,
    /// How many fields did not fit.
    pub(super) dropped: u64,
}

impl Fields {
    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.dropped = 0;
    }

    /// Adds a text.
    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.written(key, |buffer| buffer.push_str(text));
    }

    /// Adds what a value prints. One whose printing fails leaves what it printed so far, which is
    /// better than no line at all.
    pub(super) fn display(&mut self, key: &'static str, value: std::fmt::Arguments<'_>) {
        self.written(key, |buffer| _ = buffer.write_fmt(value));
    }

    fn written(&mut self, key: &'static str, write: impl FnOnce(&mut String)) {
        let Some(place) = self.place(key) else { return };
        let start = self.buffer.len();
        write(&mut self.buffer);
        self.items[place].1 = Kept::Text(start..self.buffer.len());
        self.buffer.push('\n');
    }

    /// Adds a number or a truth value.
    pub(super) fn plain(&mut self, key: &'static str, value: Value<'static>) {
        if let Some(place) = self.place(key) {
            self.items[place].1 = Kept::Plain(value);
        }
    }

    /// The place of a field, made if there is room; a later value of the same name wins.
    fn place(&mut self, key: &'static str) -> Option<usize> {
        let name = public_name(key);
        let known = self.items.iter().position(|(own, _)| *own == name);
        if known.is_none() && self.items.len() >= FIELDS_MAX {
            self.dropped += 1;
            return None;
        }
        self.buffer.push_str(key);
        self.buffer.push('\n');
        Some(known.unwrap_or_else(|| {
            self.items.push((name, Kept::Plain(Value::Bool(false))));
            self.items.len() - 1
        }))
    }

    /// Takes over fields, whose values win over those of the same name.
    pub(super) fn replace(&mut self, newer: &Self) {
        for (key, value) in &newer.items {
            if let Some(place) = self.place(key) {
                self.items[place].1 = self.copied(newer, value);
            }
        }
    }

    /// A value of other fields, as it is kept here.
    fn copied(&mut self, other: &Self, value: &Kept) -> Kept {
        match value {
            Kept::Text(range) => Kept::Text(append(&mut self.buffer, &other.buffer[range.clone()])),
            Kept::Plain(value) => Kept::Plain(*value),
        }
    }

    /// Takes over the cleaned fields of an enclosing span that are not there yet. They come first:
    /// a record that is too long loses its last fields, and must not lose whom it is about.
    pub(super) fn inherit(&mut self, outer: &Self) {
        let own = self.items.len();
        for (key, value) in &outer.items {
            if self.items.iter().all(|(name, _)| name != key) {
                let kept = self.copied(outer, value);
                self.items.push((key, kept));
            }
        }
        let inherited = self.items.len() - own;
        self.items.rotate_right(inherited);
        self.truncate(FIELDS_MAX);
    }

    /// A copy for long keeping: without what was cut or taken out, which the buffer still holds.
    pub(super) fn compact(&self) -> Self {
        let mut copy = Self::default();
        copy.inherit(self);
        copy.dropped = self.dropped;
        copy
    }

    /// Takes all secrets out, then cuts what is too long. Redaction comes first: a cut could leave
    /// half a secret that no rule recognises.
    pub(super) fn clean(&mut self) {
        if sanitize::may_hold_secret(&self.buffer) {
            self.redact();
        }
        for (_, value) in &mut self.items {
            let Kept::Text(range) = value else { continue };
            if let Cow::Owned(cut) = cap(&self.buffer[range.clone()], FIELD_MAX_BYTES) {
                *range = append(&mut self.buffer, &cut);
            }
        }
    }

    fn redact(&mut self) {
        for (key, value) in &mut self.items {
            let redacted = match value {
                // Whether there is a secret may be told.
                Kept::Plain(Value::Bool(_)) => continue,
                Kept::Plain(_) => match sanitize::mask_of_number(key) {
                    Some(mask) => mask.to_owned(),
                    None => continue,
                },
                Kept::Text(range) => {
                    let text = &self.buffer[range.clone()];
                    let clean = sanitize::sanitize_field(key, text);
                    // The mask is borrowed as well, so only the texts tell.
                    if clean == text {
                        continue;
                    }
                    clean.into_owned()
                }
            };
            *value = Kept::Text(append(&mut self.buffer, &redacted));
        }
    }

    /// Keeps the first fields only; the others count as dropped.
    pub(super) fn truncate(&mut self, kept: usize) {
        self.dropped += self.items.len().saturating_sub(kept) as u64;
        self.items.truncate(kept);
    }

    /// Tells how many fields there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// The fields in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, Value<'_>)> {
        self.items.iter().map(|(key, value)| match value {
            Kept::Text(range) => (*key, Value::Text(&self.buffer[range.clone()])),
            Kept::Plain(value) => (*key, *value),
        })
    }
}

fn append(buffer: &mut String, text: &str) -> Range<usize> {
    let start = buffer.len();
    buffer.push_str(text);
    start..buffer.len()
}

/// Cuts a text at a character boundary and marks the cut.
pub(super) fn cap(text: &str, max_bytes: usize) -> Cow<'_, str> {
    if text.len() <= max_bytes {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(max_bytes.saturating_sub('…'.len_utf8()));
    Cow::Owned(format!("{}…", &text[..end]))
}

/// The trace, the span and the flags in which an event was logged.
pub(super) type Trace = (TraceId, SpanId, TraceFlags);

/// A `log.record.uid` that was given to a record before it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Uid([u8; 32]);

impl Uid {
    /// Takes 32 lower-case hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 32] = text.as_bytes().try_into().ok()?;
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_hex).then_some(Self(digits))
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Everything that one event says, but for the number that it is given when it is written.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) at: SystemTime,
    pub(super) severity: Severity,
    pub(super) logger_name: Cow<'a, str>,
    pub(super) event: &'static str,
    pub(super) trace: Option<Trace>,
    /// A given uid; else it is made of the instance and the number.
    pub(super) uid: Option<Uid>,
    pub(super) fields: &'a mut Fields,
    /// How many records just like this one were left out since the last.
    pub(super) repeats: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(fields: &Fields) -> Vec<(&'static str, String)> {
        let text = |value: Value<'_>| match value {
            Value::Text(text) => text.to_owned(),
            value => format!("{value:?}"),
        };
        fields.iter().map(|(key, value)| (key, text(value))).collect()
    }

    fn cleaned(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(key, text)| fields.text(key, text));
        fields.clean();
        texts(&fields)
    }

    #[test]
    fn a_field_cannot_take_a_reserved_name() {
        assert_eq!(cleaned(&[("level", "critical")]), [("field_level", "critical".into())]);
    }

    #[test]
    fn secrets_go_by_text_and_by_key_whatever_their_type() {
        let found =
            cleaned(&[("note", "token=abc x"), ("db_password", "hunter2"), ("user", "bob")]);
        let expected = [("note", "token=*** x"), ("db_password", "***"), ("user", "bob")];
        // Whatever its length, that of the mask among them.
        for length in 1..16 {
            let secret = "x".repeat(length);
            assert_eq!(cleaned(&[("db_password", &secret)]), [("db_password", "***".into())]);
        }
        assert_eq!(found, expected.map(|(key, text)| (key, text.to_owned())));
        let mut fields = Fields::default();
        fields.plain("pin_token", Value::Int(1234));
        fields.plain("has_token", Value::Bool(true));
        fields.clean();
        assert_eq!(
            texts(&fields),
            [("pin_token", "***".into()), ("has_token", "Bool(true)".into())]
        );
    }

    #[test]
    fn redaction_comes_before_the_cut() {
        let text = format!("{}password=hunter2hunter2", "x".repeat(FIELD_MAX_BYTES - 12));
        let kept = &cleaned(&[("message", &text)])[0].1;
        assert!(!kept.contains("hunter") && kept.len() <= FIELD_MAX_BYTES);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cap("ééééé", 8), "éé…");
        assert_eq!(cap("short", 8), "short");
        let kept = &cleaned(&[("message", &"é".repeat(1 << 20))])[0].1;
        assert!(kept.len() <= FIELD_MAX_BYTES && kept.ends_with('…'));
    }

    #[test]
    fn fields_beyond_the_limit_are_counted() {
        let names: Vec<&'static str> =
            (0..1000).map(|n| &*Box::leak(format!("k{n}").into_boxed_str())).collect();
        let mut fields = Fields::default();
        names.iter().for_each(|name| fields.plain(name, Value::Int(1)));
        assert_eq!((fields.len(), fields.dropped), (FIELDS_MAX, 936));
    }

    #[test]
    fn a_later_value_wins_and_the_outer_one_never_does() {
        let (mut fields, mut outer) = (Fields::default(), Fields::default());
        fields.text("jail", "a");
        fields.text("jail", "b");
        outer.text("jail", "c");
        outer.text("task", "watch");
        fields.inherit(&outer);
        assert_eq!(texts(&fields), [("task", "watch".into()), ("jail", "b".into())]);
    }

    #[test]
    fn a_compact_copy_holds_what_is_shown_and_nothing_else() {
        let mut fields = Fields::default();
        fields.text("error", "token=hunter2");
        fields.text("message", &"x".repeat(1 << 20));
        fields.clean();
        let copy = fields.compact();
        assert_eq!(texts(&copy), texts(&fields));
        assert!(copy.buffer.len() <= FIELD_MAX_BYTES + 100, "{} bytes", copy.buffer.len());
    }

    #[test]
    fn a_given_uid_has_32_digits() {
        let text = "0123456789abcdef0123456789abcdef";
        assert_eq!(Uid::parse(text).unwrap().as_str(), text);
        assert!(Uid::parse("0123").is_none() && Uid::parse(&text.to_uppercase()).is_none());
    }
}
