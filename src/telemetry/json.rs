//! Writes a [`Record`] as one line of JSON.
//!
//! The line is built by hand because its keys have a fixed order and nothing may be lost or
//! doubled; texts and numbers are written by serde_json. A line is always valid JSON without raw
//! newlines. Its number is added where it is written, so that numbers and lines have one order.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::record::{Record, Value};
use super::stdout::Numbers;

/// A line longer than this loses its last fields, never its form.
const LINE_MAX_BYTES: usize = 64 * 1024;
/// Room for the keys `uid`, `seq`, `repeats` and `fields_dropped` with their values.
const NUMBERS_BYTES: usize = 160;

/// A line in the making, and the memory for the next one.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Where `uid` and `seq` belong.
    numbers_at: usize,
    clock: Clock,
}

impl Line {
    /// Writes the record. Fields for which there is no room are taken off the record too, so that
    /// every output has the same.
    pub(super) fn write(&mut self, record: &mut Record<'_>, zone: &TimeZone) {
        self.bytes.clear();
        self.bytes.extend_from_slice(b"{\"timestamp\":\"");
        self.clock.push(record.at, zone, &mut self.bytes);
        self.bytes.extend_from_slice(b"\",\"level\":\"");
        self.bytes.extend_from_slice(record.severity.as_str().as_bytes());
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(b",\"logger_name\":");
        push_quoted(&mut self.bytes, &record.logger_name);
        self.bytes.extend_from_slice(b",\"event\":");
        push_quoted(&mut self.bytes, record.event);
        if let Some((trace_id, span_id, _)) = record.trace {
            push_id(&mut self.bytes, b",\"correlation_id\":\"", trace_id.to_bytes());
            push_id(&mut self.bytes, b",\"trace_id\":\"", trace_id.to_bytes());
            push_id(&mut self.bytes, b",\"span_id\":\"", span_id.to_bytes());
        }
        self.numbers_at = self.bytes.len();
        self.push_fields(record);
        if record.repeats > 0 {
            push_number(&mut self.bytes, "repeats", record.repeats);
        }
        if record.fields.dropped > 0 {
            push_number(&mut self.bytes, "fields_dropped", record.fields.dropped);
        }
        self.bytes.extend_from_slice(b"}\n");
    }

    fn push_fields(&mut self, record: &mut Record<'_>) {
        let mut kept = 0;
        for (key, value) in record.fields.iter() {
            let before = self.bytes.len();
            push_value(&mut self.bytes, key, value);
            if self.bytes.len() + NUMBERS_BYTES > LINE_MAX_BYTES {
                self.bytes.truncate(before);
                break;
            }
            kept += 1;
        }
        if kept < record.fields.len() {
            record.fields.truncate(kept);
        }
    }

    /// The line before and after the place of its numbers.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.numbers_at)
    }
}

/// Appends a given `uid`, and `seq`.
pub(super) fn push_numbers(line: &mut Vec<u8>, uid: &str, seq: u64) {
    line.extend_from_slice(b",\"uid\":\"");
    line.extend_from_slice(uid.as_bytes());
    push_seq(line, seq);
}

/// Appends the record's own `uid`, and `seq`. The uid is unique over all instances and restarts:
/// its first half is random for each process, the second is the record's number.
pub(super) fn push_own_numbers(line: &mut Vec<u8>, Numbers { instance, seq }: Numbers) {
    line.extend_from_slice(b",\"uid\":\"");
    push_hex(line, instance.to_be_bytes());
    push_hex(line, seq.to_be_bytes());
    push_seq(line, seq);
}

fn push_seq(line: &mut Vec<u8>, seq: u64) {
    line.extend_from_slice(b"\",\"seq\":");
    // Writing a number into memory cannot fail.
    let _ = serde_json::to_writer(line, &seq);
}

fn push_value(line: &mut Vec<u8>, key: &str, value: Value<'_>) {
    match value {
        Value::Text(text) => push_text(line, key, text),
        // JSON has no such numbers.
        Value::Float(number) if !number.is_finite() => push_text(line, key, &number.to_string()),
        Value::Float(number) => push_number(line, key, number),
        Value::Int(number) => push_number(line, key, number),
        Value::Bool(flag) => push_number(line, key, flag),
    }
}

fn push_number(line: &mut Vec<u8>, key: &str, number: impl serde::Serialize) {
    push_key(line, key);
    // Writing a number into memory cannot fail.
    let _ = serde_json::to_writer(line, &number);
}

fn push_text(line: &mut Vec<u8>, key: &str, text: &str) {
    push_key(line, key);
    push_quoted(line, text);
}

/// Keys are names of fields in our source and in that of libraries, which may be any literal.
fn push_key(line: &mut Vec<u8>, key: &str) {
    line.push(b',');
    push_quoted(line, key);
    line.push(b':');
}

/// Writes a text in quotes. Most texts have nothing to escape, and are copied as they are.
fn push_quoted(line: &mut Vec<u8>, text: &str) {
    if must_escape(text.as_bytes()) {
        // Writing a text into memory cannot fail.
        let _ = serde_json::to_writer(line, text);
        return;
    }
    line.reserve(text.len() + 2);
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
}

/// Whether JSON wants anything in a text escaped. Most texts are short, so eight bytes are looked
/// at in one word: a byte's highest bit is set in the end if it is below a space, a quote or a
/// backslash.
fn must_escape(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES * 0x80;
    let is_below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
    let is_in = |word: u64| {
        let quote = is_below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = is_below(word ^ (ONES * u64::from(b'\\')), 1);
        (is_below(word, 0x20) | quote | backslash) != 0
    };
    let (words, rest) = text.as_chunks::<8>();
    words.iter().any(|word| is_in(u64::from_le_bytes(*word)))
        || rest.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
}

fn push_id<const N: usize>(line: &mut Vec<u8>, key: &[u8], id: [u8; N]) {
    line.extend_from_slice(key);
    push_hex(line, id);
    line.push(b'"');
}

fn push_hex<const N: usize>(line: &mut Vec<u8>, bytes: [u8; N]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [[0; 2]; N];
    for (pair, byte) in digits.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    line.extend_from_slice(digits.as_flattened());
}

/// Prints times. All but the microseconds stays the same for a second, and so is kept that long.
#[derive(Debug, Default)]
struct Clock {
    second: Option<i64>,
    /// `2026-11-25T13:18:24`
    date_time: String,
    /// `+01:00`
    offset: String,
}

impl Clock {
    fn push(&mut self, at: SystemTime, zone: &TimeZone, line: &mut Vec<u8>) {
        let instant = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
        // Whole seconds, rounded down before 1970 too, so that the fraction counts upwards.
        let microseconds = instant.as_microsecond();
        let second = microseconds.div_euclid(1_000_000);
        if self.second != Some(second) {
            let zoned = instant.to_zoned(zone.clone());
            self.date_time = zoned.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            self.offset = zoned.strftime("%:z").to_string();
            self.second = Some(second);
        }
        line.extend_from_slice(self.date_time.as_bytes());
        let mut fraction = *b".000000";
        let mut rest = microseconds.rem_euclid(1_000_000);
        for digit in fraction[1..].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        line.extend_from_slice(&fraction);
        line.extend_from_slice(self.offset.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::super::record::{FIELD_MAX_BYTES, Fields, Severity};
    use super::*;

    fn line_at(at: SystemTime, fields: &mut Fields) -> String {
        let mut line = Line::default();
        let mut record = Record {
            at,
            severity: Severity::Critical,
            logger_name: "app.auth".into(),
            event: "user_login_attempt",
            trace: None,
            uid: None,
            fields,
            repeats: 0,
        };
        line.write(&mut record, &TimeZone::UTC);
        let (head, tail) = line.parts();
        let mut bytes = head.to_vec();
        push_own_numbers(&mut bytes, Numbers { instance: 0xab, seq: 7 });
        bytes.extend_from_slice(tail);
        String::from_utf8(bytes).unwrap()
    }

    fn parsed(fields: &mut Fields) -> serde_json::Value {
        let text = line_at(UNIX_EPOCH, fields);
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(text.len() <= LINE_MAX_BYTES, "{} bytes", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_has_the_documented_keys_in_order() {
        assert_eq!(
            line_at(UNIX_EPOCH, &mut Fields::default()),
            "{\"timestamp\":\"1970-01-01T00:00:00.000000+00:00\",\"level\":\"critical\",\
             \"logger_name\":\"app.auth\",\"event\":\"user_login_attempt\",\
             \"uid\":\"00000000000000ab0000000000000007\",\"seq\":7}\n"
        );
    }

    #[test]
    fn times_have_microseconds_before_and_after_1970() {
        let start = |at| line_at(at, &mut Fields::default())[14..46].to_owned();
        let later = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_042);
        assert_eq!(start(later), "2023-11-14T22:13:20.000042+00:00");
        let earlier = UNIX_EPOCH - Duration::from_micros(1);
        assert_eq!(start(earlier), "1969-12-31T23:59:59.999999+00:00");
    }

    #[test]
    fn hostile_text_and_numbers_stay_one_valid_line() {
        let mut fields = Fields::default();
        fields.text("message", "a\r\nb\0\u{1b}[31m\"\\\u{2028}");
        fields.plain("ratio", Value::Float(f64::NAN));
        fields.text("a \"key\"\n", "x");
        let json = parsed(&mut fields);
        assert_eq!(json["message"], "a\r\nb\0\u{1b}[31m\"\\\u{2028}");
        assert_eq!(json["ratio"], "NaN");
        assert_eq!(json["a \"key\"\n"], "x");
    }

    #[test]
    fn a_line_too_long_loses_fields_and_says_so() {
        const KEYS: [&str; 20] = [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r", "s", "t",
        ];
        for (text, kept) in [("x", 7), ("\u{1}", 1)] {
            let mut fields = Fields::default();
            KEYS.iter().for_each(|key| fields.text(key, &text.repeat(FIELD_MAX_BYTES)));
            fields.clean();
            let json = parsed(&mut fields);
            assert_eq!(json["fields_dropped"], KEYS.len() - kept);
            assert_eq!(fields.len(), kept, "the other output has the same fields");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn what_must_be_escaped_is_found_in_words_as_in_bytes(text in any::<Vec<u8>>()) {
            let plainly = text.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
            prop_assert_eq!(must_escape(&text), plainly);
        }

        #[test]
        fn any_text_is_one_valid_line(
            text in any::<String>(),
            bytes in any::<Vec<u8>>(),
            number in any::<f64>(),
        ) {
            let mut fields = Fields::default();
            fields.text("text", &text);
            fields.text("bytes", &String::from_utf8_lossy(&bytes));
            fields.plain("number", Value::Float(number));
            let json = parsed(&mut fields);
            prop_assert_eq!(json["text"].as_str(), Some(text.as_str()));
        }
    }
}
