//! Writes a [`Record`] as one line of JSON.
//!
//! The line is built by hand because its keys have a fixed order and nothing may be lost or
//! doubled; strings are escaped by serde_json. A line is always valid JSON without raw newlines.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::record::{Record, Value};

/// A line longer than this loses its last fields, never its form.
const LINE_MAX_BYTES: usize = 64 * 1024;

/// Appends the record's line, newline included, to the buffer.
pub(super) fn write_line(record: &Record, zone: &TimeZone, line: &mut String) {
    line.push_str("{\"timestamp\":\"");
    push_timestamp(record.timestamp, zone, line);
    line.push_str("\",\"level\":\"");
    line.push_str(record.severity.as_str());
    line.push('"');
    push_text(line, "logger_name", &record.logger_name);
    push_text(line, "event", &record.event);
    if let Some((trace_id, span_id, _)) = record.trace {
        // Writing into a String cannot fail.
        let _ = write!(
            line,
            ",\"correlation_id\":\"{trace_id}\",\"trace_id\":\"{trace_id}\",\
             \"span_id\":\"{span_id}\""
        );
    }
    let _ = write!(line, ",\"uid\":\"{}\",\"seq\":{}", record.uid, record.seq);
    let mut dropped = record.fields.dropped;
    for (key, value) in &record.fields.items {
        let before = line.len();
        push_value(line, key, value);
        if line.len() > LINE_MAX_BYTES {
            line.truncate(before);
            dropped += 1;
        }
    }
    if dropped > 0 {
        let _ = write!(line, ",\"fields_dropped\":{dropped}");
    }
    line.push_str("}\n");
}

fn push_timestamp(at: std::time::SystemTime, zone: &TimeZone, line: &mut String) {
    let instant = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let local = instant.to_zoned(zone.clone());
    let _ = write!(line, "{}", local.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z"));
}

fn push_value(line: &mut String, key: &str, value: &Value) {
    match value {
        Value::Text(text) => push_text(line, key, text),
        Value::Float(number) if !number.is_finite() => push_text(line, key, &number.to_string()),
        value => {
            push_key(line, key);
            let _ = match value {
                Value::Int(number) => write!(line, "{number}"),
                Value::Unsigned(number) => write!(line, "{number}"),
                Value::Float(number) => write!(line, "{number}"),
                Value::Bool(flag) => write!(line, "{flag}"),
                Value::Text(_) => Ok(()),
            };
        }
    }
}

fn push_text(line: &mut String, key: &str, text: &str) {
    push_key(line, key);
    push_quoted(line, text);
}

fn push_key(line: &mut String, key: &str) {
    line.push(',');
    push_quoted(line, key);
    line.push(':');
}

fn push_quoted(line: &mut String, text: &str) {
    match serde_json::to_string(text) {
        Ok(quoted) => line.push_str(&quoted),
        Err(_) => line.push_str("\"\""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{Fields, Severity};
    use super::*;

    fn record(fields: Fields) -> Record {
        Record {
            timestamp: std::time::UNIX_EPOCH,
            severity: Severity::Critical,
            logger_name: "app.auth".into(),
            event: "user_login_attempt".into(),
            trace: None,
            uid: "00".into(),
            seq: 7,
            fields,
        }
    }

    fn line(record: &Record) -> String {
        let mut line = String::new();
        write_line(record, &TimeZone::UTC, &mut line);
        line
    }

    #[test]
    fn a_line_has_the_documented_keys_in_order() {
        assert_eq!(
            line(&record(Fields::default())),
            "{\"timestamp\":\"1970-01-01T00:00:00.000000+00:00\",\"level\":\"critical\",\
             \"logger_name\":\"app.auth\",\"event\":\"user_login_attempt\",\"uid\":\"00\",\
             \"seq\":7}\n"
        );
    }

    #[test]
    fn hostile_text_and_numbers_stay_one_valid_line() {
        let mut fields = Fields::default();
        fields.text("message", "a\r\nb\0\u{1b}[31m\"\\\u{2028}");
        fields.set("ratio", Value::Float(f64::NAN));
        let text = line(&record(fields));
        assert_eq!(text.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["message"], "a\r\nb\0\u{1b}[31m\"\\\u{2028}");
        assert_eq!(json["ratio"], "NaN");
    }

    #[test]
    fn a_line_too_long_loses_fields_and_says_so() {
        let long = |n: u32| (format!("k{n}").into(), Value::Text("x".repeat(8000)));
        let fields = Fields { items: (0..20).map(long).collect(), ..Fields::default() };
        let text = line(&record(fields));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(text.len() <= LINE_MAX_BYTES + 64);
        assert_eq!(json["fields_dropped"], 12);
    }
}
