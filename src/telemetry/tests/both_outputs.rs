//! Every kind of event is the same record at both outputs: keys, values and types.

use std::collections::BTreeSet;

use opentelemetry::logs::{AnyValue, Severity};
use serde_json::{Map, Value, json};
use tracing::field::{FieldSet, Value as FieldValue};
use tracing::subscriber::Interest;
use tracing::{Callsite, Event, Level, Metadata};

use super::*;

/// What the registry says of one event.
struct Declared {
    name: String,
    level: String,
    fields: Vec<String>,
}

/// The events of the registry, read line by line, since its files are plain.
fn declared() -> Vec<Declared> {
    let mut events: Vec<Declared> = Vec::new();
    let files = [
        include_str!("../../../telemetry/events.yaml"),
        include_str!("../../../telemetry/events_telemetry.yaml"),
    ];
    for line in files.iter().flat_map(|file| file.lines()).map(str::trim_start) {
        if let Some(name) = line.strip_prefix("name: ") {
            let (name, level) = (name.to_owned(), String::new());
            events.push(Declared { name, level, fields: Vec::new() });
        } else if let (Some(event), Some(level)) = (events.last_mut(), line.strip_prefix("level: "))
        {
            event.level = level.to_owned();
        } else if let (Some(event), Some(field)) = (events.last_mut(), line.strip_prefix("- ref: "))
        {
            event.fields.push(field.to_owned());
        }
    }
    events
}

/// A place in the source that exists only in this test.
struct Place(std::sync::OnceLock<Metadata<'static>>);

impl Callsite for Place {
    fn set_interest(&self, _: Interest) {}
    fn metadata(&self) -> &Metadata<'_> {
        self.0.get().unwrap()
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Logs an event with these fields, as the macro would.
fn log(name: &str, level: Level, target: &'static str, fields: &[(&str, &dyn FieldValue)]) {
    let place: &'static Place = Box::leak(Box::new(Place(std::sync::OnceLock::new())));
    let names: Vec<&'static str> = fields.iter().map(|(name, _)| leak(name)).collect();
    let set = FieldSet::new(Vec::leak(names), tracing::callsite::Identifier(place));
    let kind = tracing::metadata::Kind::EVENT;
    let metadata = Metadata::new(leak(name), target, level, None, None, None, set, kind);
    let metadata = place.0.get_or_init(|| metadata);
    let values: Vec<_> = fields.iter().map(|(_, value)| Some(*value)).collect();
    Event::dispatch(metadata, &metadata.fields().value_set_all(&values));
}

/// The record that an OTLP log record stands for.
fn line_of((record, scope): &(SdkLogRecord, InstrumentationScope)) -> Value {
    let mut line = Map::new();
    for (key, value) in record.attributes_iter() {
        assert!(line.insert(key.to_string(), plain(value)).is_none(), "{key} stands there twice");
    }
    let name = record.event_name().unwrap();
    assert_eq!(record.body().map(plain), Some(json!(name)));
    let level = record.severity_text().unwrap();
    let number = record.severity_number().unwrap();
    let expected = match level {
        "debug" => Severity::Debug,
        "info" => Severity::Info,
        "warning" => Severity::Warn,
        "error" => Severity::Error,
        _ => Severity::Fatal,
    };
    assert_eq!(number, expected);
    line.insert("event".into(), json!(name));
    line.insert("level".into(), json!(level));
    line.insert("logger_name".into(), json!(scope.name()));
    if let Some(context) = record.trace_context() {
        line.insert("trace_id".into(), json!(context.trace_id.to_string()));
        line.insert("span_id".into(), json!(context.span_id.to_string()));
    }
    Value::Object(line)
}

fn plain(value: &AnyValue) -> Value {
    match value {
        AnyValue::String(text) => json!(text.as_str()),
        AnyValue::Int(number) => json!(number),
        AnyValue::Double(number) => json!(number),
        AnyValue::Boolean(flag) => json!(flag),
        other => panic!("no such type: {other:?}"),
    }
}

/// The line without what OTLP carries in a field of its own form.
fn without_timestamp(line: &Value) -> Value {
    let mut line = line.clone();
    let timestamp = line.as_object_mut().unwrap().remove("timestamp");
    assert!(timestamp.unwrap().as_str().unwrap().len() >= "2026-01-01T00:00:00.000000Z".len());
    line
}

#[track_caller]
fn assert_same(out: &Out) {
    let records: Vec<_> = out.logs.iter().map(line_of).collect();
    assert_eq!(records.len(), out.lines.len());
    for (line, record) in out.lines.iter().zip(&records) {
        assert_eq!(&without_timestamp(line), record);
    }
}

#[test]
fn every_declared_event_is_the_same_at_both_outputs() {
    let path = LogPath::start();
    let events = declared();
    assert!(events.len() > 30, "{}", events.len());
    path.run(|| {
        let span = tracing::info_span!("request", user.id = "admin", http.route = "/api/{id}");
        let _entered = span.enter();
        for (number, event) in events.iter().enumerate() {
            let level = match event.level.as_str() {
                "warning" => Level::WARN,
                "error" | "critical" => Level::ERROR,
                _ => Level::INFO,
            };
            let text = format!("text {number} \"quoted\"\n\u{1b}[0m ünï");
            let number = number as i64;
            let critical = event.level == "critical";
            let share = number as f64 / 3.0;
            let kinds: [&dyn FieldValue; 5] = [&text, &number, &u64::MAX, &share, &true];
            let mut fields: Vec<(&str, &dyn FieldValue)> = vec![("critical", &critical)];
            // Each field takes each type once, so that no type is tied to a name.
            for (place, field) in event.fields.iter().enumerate() {
                fields.push((field, kinds[(place + number as usize) % kinds.len()]));
            }
            log(&event.name, level, "bangui::test", &fields);
        }
    });
    let out = path.end();
    assert_same(&out);
    let seen: BTreeSet<_> = out.lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let names: BTreeSet<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(seen, names);
    for (event, line) in events.iter().zip(&out.lines) {
        for field in &event.fields {
            assert!(!line[field].is_null(), "{field} is missing: {line}");
        }
        assert_eq!(line["correlation_id"], line["trace_id"]);
        if !event.fields.iter().any(|field| field == "user_id") {
            assert_eq!(line["user_id"], "admin", "the context is missing");
        }
    }
}

#[test]
fn hostile_events_are_the_same_at_both_outputs() {
    let path = LogPath::start();
    path.run(|| {
        let huge = "é\u{0}\"\\\n".repeat(1 << 18);
        tracing::info!(name: "test_huge", huge, nan = f64::NAN, small = f64::MIN_POSITIVE);
        tracing::info!(name: "test_reserved", level = "critical", seq = 1, uid = "x", event = "y");
        tracing::info!(name: "test_secret", note = "password=hunter2", db_password = "hunter2");
        let bytes: &[u8] = &[0xff, b'a', 0xfe];
        tracing::info!(name: "test_bytes", bytes);
        let names: Vec<String> = (0..1000).map(|number| format!("key_{number}")).collect();
        let text = "x".repeat(9000);
        let fields: Vec<(&str, &dyn FieldValue)> =
            names.iter().map(|name| (name.as_str(), &text as &dyn FieldValue)).collect();
        log("test_many", Level::INFO, "bangui::test", &fields);
    });
    let out = path.end();
    assert_same(&out);
    let [huge, reserved, secret, bytes, many] = &out.lines[..] else { panic!("{:#?}", out.lines) };
    assert!(huge["huge"].as_str().unwrap().len() <= 8192 && huge["nan"] == "NaN");
    assert_eq!(
        (&reserved["field_level"], &reserved["level"]),
        (&json!("critical"), &json!("info"))
    );
    assert_eq!((&secret["note"], &secret["db_password"]), (&json!("password=***"), &json!("***")));
    assert_eq!(bytes["bytes"], "\u{fffd}a\u{fffd}");
    assert_eq!(many["fields_dropped"], 993);
}

#[test]
fn a_line_too_long_loses_no_context() {
    let path = LogPath::start();
    path.run(|| {
        let _entered = tracing::info_span!("request", user.id = "admin").entered();
        let escaped = "\u{1}".repeat(8192);
        tracing::info!(name: "test_long", first = escaped, second = escaped);
        let names: Vec<String> = (0..100).map(|number| format!("key_{number}")).collect();
        let fields: Vec<(&str, &dyn FieldValue)> =
            names.iter().map(|name| (name.as_str(), &1 as &dyn FieldValue)).collect();
        log("test_many", Level::INFO, "bangui::test", &fields);
    });
    let out = path.end();
    assert_same(&out);
    for (line, dropped) in out.lines.iter().zip([1, 37]) {
        assert_eq!((&line["user_id"], &line["fields_dropped"]), (&json!("admin"), &json!(dropped)));
    }
}

#[test]
fn a_given_uid_and_trace_are_the_records_own() {
    let path = LogPath::start();
    let (uid, trace) = ("0123456789abcdef0123456789abcdef", "0af7651916cd43dd8448eb211c80319c");
    let traceparent = format!("00-{trace}-b7ad6b7169203331-01");
    path.run(|| {
        tracing::info!(
            name: "test_given",
            number = 1,
            log.uid = uid,
            log.traceparent = traceparent.as_str(),
        );
    });
    let out = path.end();
    assert_same(&out);
    let line = &out.lines[0];
    assert_eq!((&line["uid"], &line["trace_id"]), (&json!(uid), &json!(trace)));
    assert!(line.get("log.uid").is_none() && line.get("log.traceparent").is_none(), "{line}");
}
