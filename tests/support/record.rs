//! Turns OTLP log records back into the keys and values of the line on stdout, to compare them.

use std::fmt::Write as _;

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value, json};

/// The severity numbers of OTLP for our five levels.
const SEVERITIES: [(&str, i32); 5] =
    [("debug", 5), ("info", 9), ("warning", 13), ("error", 17), ("critical", 21)];

/// Lines that describe the export itself stay on stdout.
pub(crate) fn is_stdout_only(line: &Value) -> bool {
    let logger = line["logger_name"].as_str().unwrap();
    logger == "app.telemetry.export" || logger.starts_with("opentelemetry")
}

/// The line that a decoded record stands for.
pub(crate) fn line_of_otlp(scope: &str, record: &LogRecord) -> Value {
    let mut line = Map::new();
    for attribute in &record.attributes {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref()).unwrap();
        let value = match value {
            Any::StringValue(text) => json!(text),
            Any::IntValue(number) => json!(number),
            Any::DoubleValue(number) => json!(number),
            Any::BoolValue(flag) => json!(flag),
            other => panic!("{}: an unexpected type: {other:?}", attribute.key),
        };
        let previous = line.insert(attribute.key.clone(), value);
        assert!(previous.is_none(), "the attribute {} stands twice", attribute.key);
    }
    let body = record.body.as_ref().and_then(|body| body.value.clone());
    let Some(Any::StringValue(event)) = body else { panic!("the body is no text: {record:?}") };
    if !record.event_name.is_empty() {
        assert_eq!(record.event_name, event);
    }
    let ids = (hex(&record.trace_id), hex(&record.span_id));
    let severity = (record.severity_text.clone(), record.severity_number);
    finish(line, scope, event, severity, record.time_unix_nano, ids)
}

/// The lines of one line of the collector's file, which is a batch in OTLP's JSON form.
pub(crate) fn line_of_otlp_json(batch: &str) -> Vec<Value> {
    let batch: Value = serde_json::from_str(batch).unwrap();
    let mut lines = Vec::new();
    for scope in items(&batch["resourceLogs"]).flat_map(|logs| items(&logs["scopeLogs"])) {
        let name = scope["scope"]["name"].as_str().unwrap_or_default();
        lines.extend(items(&scope["logRecords"]).map(|record| line_of_json_record(name, record)));
    }
    lines
}

fn line_of_json_record(scope: &str, record: &Value) -> Value {
    let mut line = Map::new();
    for attribute in items(&record["attributes"]) {
        let (kind, value) = attribute["value"].as_object().unwrap().iter().next().unwrap();
        let value = match kind.as_str() {
            // 64-bit integers are texts in OTLP's JSON.
            "intValue" => json!(value.as_str().unwrap().parse::<i64>().unwrap()),
            _ => value.clone(),
        };
        line.insert(attribute["key"].as_str().unwrap().to_owned(), value);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = i32::try_from(record["severityNumber"].as_i64().unwrap()).unwrap();
    let severity = (text(&record["severityText"]), number);
    let time = text(&record["timeUnixNano"]).parse().unwrap();
    let ids = (text(&record["traceId"]), text(&record["spanId"]));
    finish(line, scope, text(&record["body"]["stringValue"]), severity, time, ids)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn finish(
    mut line: Map<String, Value>,
    scope: &str,
    event: String,
    (level, number): (String, i32),
    unix_nanoseconds: u64,
    (trace_id, span_id): (String, String),
) -> Value {
    assert!(SEVERITIES.contains(&(level.as_str(), number)), "{level} is not {number}");
    let at = Timestamp::from_nanosecond(i128::from(unix_nanoseconds)).unwrap();
    let reserved = [
        ("timestamp", json!(at.as_microsecond())),
        ("level", json!(level)),
        ("logger_name", json!(scope)),
        ("event", json!(event)),
    ];
    let ids = [("trace_id", trace_id), ("span_id", span_id)];
    let ids = ids.into_iter().filter(|(_, id)| !id.is_empty());
    for (key, value) in reserved.into_iter().chain(ids.map(|(key, id)| (key, json!(id)))) {
        let previous = line.insert(key.to_owned(), value);
        assert!(previous.is_none(), "an attribute took the reserved key {key}");
    }
    Value::Object(line)
}

/// Fails unless the line and the record say the same: keys, values, types, and the instant.
#[track_caller]
pub(crate) fn assert_same(line: &Value, record: &Value) {
    let mut line = line.clone();
    let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    line["timestamp"] = json!(at.as_microsecond());
    let (line, record) = (line.as_object().unwrap(), record.as_object().unwrap());
    for key in line.keys().chain(record.keys()) {
        assert!(
            same(line.get(key), record.get(key)),
            "`{key}` differs: {:?} on stdout, {:?} in OTLP\n{line:?}\n{record:?}",
            line.get(key),
            record.get(key),
        );
    }
}

/// JSON knows one type of number: a float without a fraction may be written without a point.
fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => left.as_f64() == right.as_f64(),
        (left, right) => left == right,
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
