//! Holds `telemetry/`, the registry of what BanGUI emits, against the source and the documents:
//! whatever is emitted is declared, whatever is declared is emitted, and both are documented.
//!
//! The registry's YAML is read line by line, because it is plain: one key a line, groups begun by
//! `- id:`. The source is read as text; a name is a literal at the place where it is used.

#[allow(clippy::unwrap_used)]
#[path = "support/instruments.rs"]
mod instruments;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use instruments::{Instrument, Instruments};

/// Made by the collecting layer out of a library's line, so no macro names it.
const EVENTS_WITHOUT_MACRO: [&str; 1] = ["library_log"];
/// Made by the page, so no macro opens them; src/telemetry/page.rs takes nothing else.
const SPANS_OF_THE_PAGE: [&str; 2] = ["page_action", "page_call"];
/// Fields with a meaning of their own to the layers that read them; they become no attribute.
const CONTROL_FIELDS: [&str; 7] = [
    "otel.name",
    "otel.kind",
    "otel.status_code",
    "critical",
    "log.uid",
    "log.traceparent",
    "log.target",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Rust files of `src/` with their texts, but for tests, whose events are nobody's business;
/// whole-line comments are left out.
fn rust_sources() -> Vec<(String, String)> {
    let mut folders = vec![root().join("src")];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_test = ["tests", "tests.rs"].contains(&&*name) || name.ends_with("_tests.rs");
            match path.is_dir() {
                _ if is_test => {}
                true => folders.push(path),
                false if name.ends_with(".rs") => paths.push(path),
                false => {}
            }
        }
    }
    paths.sort();
    let source = |path: &PathBuf| {
        let name = path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
        let text = read(&name);
        let code = text.lines().map(|line| match line.trim_start().starts_with("//") {
            true => "",
            false => line,
        });
        (name.clone(), code.collect::<Vec<_>>().join("\n"))
    };
    paths.iter().map(source).collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// Names with the places where the source uses them.
type Places = BTreeMap<String, Vec<String>>;

/// Adds the literal that follows each occurrence of an opening, spaces and lines between allowed.
fn add_literals(places: &mut Places, path: &str, text: &str, opening: &str, before: &str) {
    for (at, _) in text.match_indices(opening) {
        let rest = text[at + opening.len()..].trim_start();
        let Some(rest) = rest.strip_prefix(before) else { continue };
        let Some((name, _)) = rest.split_once('"') else { continue };
        let place = format!("{path}:{}", line_of(text, at));
        places.entry(name.to_owned()).or_default().push(place);
    }
}

/// The events that the source emits.
fn emitted_events() -> Places {
    let mut places = Places::new();
    for (path, text) in rust_sources() {
        // `$level!`: one event at several levels, by a macro of its own.
        for level in ["error", "warn", "info", "debug", "trace", "$level", "report"] {
            add_literals(&mut places, &path, &text, &format!("{level}!("), "name: \"");
        }
    }
    places
}

/// The fields that each event is logged with, and the places.
fn event_fields() -> BTreeMap<String, Places> {
    let mut events: BTreeMap<String, Places> = BTreeMap::new();
    for (path, text) in rust_sources() {
        for (at, _) in text.match_indices("name: \"") {
            let is_macro = text[..at].trim_end().ends_with("!(");
            let arguments = &text[at..];
            let Some(name) = arguments.split('"').nth(1).filter(|_| is_macro) else { continue };
            let place = format!("{path}:{}", line_of(&text, at));
            let fields = events.entry(name.to_owned()).or_default();
            for argument in arguments_of(arguments).into_iter().map(str::trim) {
                let end = argument.bytes().position(|byte| !is_name_byte(byte));
                let field = &argument[..end.unwrap_or(argument.len())];
                let is_setting = argument[field.len()..].starts_with(':');
                let is_setting = is_setting || CONTROL_FIELDS.contains(&field);
                if !field.is_empty() && !is_setting {
                    fields.entry(field.to_owned()).or_default().push(place.clone());
                }
            }
        }
    }
    events
}

/// The arguments of a macro, given what follows its parenthesis.
fn arguments_of(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut is_literal) = (1_usize, 0, false);
    let mut arguments = Vec::new();
    for (at, symbol) in text.char_indices() {
        match symbol {
            '"' => is_literal = !is_literal,
            '(' | '{' | '[' if !is_literal => depth += 1,
            ')' | '}' | ']' if !is_literal => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && symbol == ',' && !is_literal) {
            arguments.push(&text[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    arguments
}

/// The lines of the registry's files of one kind (`events.yaml`, `events_*.yaml`), with their
/// places.
fn registry(kind: &str) -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join("telemetry")).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        folder.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    files.retain(|file| file.split(['_', '.']).next() == Some(kind));
    let lines = |file: String| {
        let path = format!("telemetry/{file}");
        let numbered = |(index, line): (usize, &str)| {
            (format!("{path}:{}", index + 1), line.trim_start().to_owned())
        };
        read(&path).lines().enumerate().map(numbered).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(lines).collect()
}

/// The values of one key in the registry's files of one kind, with their places.
fn declared(kind: &str, key: &str) -> Places {
    let mut places = Places::new();
    for (place, line) in registry(kind) {
        let line = line.trim_start_matches("- ");
        if let Some(value) = line.strip_prefix(key).and_then(|rest| rest.strip_prefix(": ")) {
            places.entry(value.trim_matches('"').to_owned()).or_default().push(place);
        }
    }
    places
}

/// Everything that stands in one list and not in the other, with its places.
fn only_in(places: &Places, others: &BTreeSet<String>) -> Vec<String> {
    let missing = places.iter().filter(|(name, _)| !others.contains(*name));
    missing.map(|(name, places)| format!("{}: {name}", places.join(", "))).collect()
}

fn names(places: &Places) -> BTreeSet<String> {
    places.keys().cloned().collect()
}

fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

/// The attributes that spans, instruments and the resource carry.
fn used_attributes() -> Places {
    let mut places = Places::new();
    for (path, text) in rust_sources() {
        if path.starts_with("src/telemetry/") && !path.ends_with("export.rs") {
            add_literals(&mut places, &path, &text, "KeyValue::new(", "\"");
        }
        for (at, _) in text.match_indices("info_span!(") {
            let place = format!("{path}:{}", line_of(&text, at));
            for name in span_fields(&text[at + "info_span!(".len()..]) {
                places.entry(name).or_default().push(place.clone());
            }
        }
    }
    places
}

/// The names of the fields of a span, given what follows the macro's parenthesis.
fn span_fields(text: &str) -> Vec<String> {
    let fields = arguments_of(text).into_iter().filter_map(|it| it.split_once(" = "));
    let names = fields.map(|(name, _)| name.trim().to_owned());
    names.filter(|name| !CONTROL_FIELDS.contains(&name.as_str())).collect()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'.'
}

#[test]
fn every_event_is_declared_and_every_declaration_is_emitted() {
    let emitted = emitted_events();
    let declared = declared("events", "name");
    assert!(emitted.len() > 20, "the search for events finds too little: {emitted:?}");
    assert_none("emitted but not declared:", &only_in(&emitted, &names(&declared)));
    let mut known = names(&emitted);
    known.extend(EVENTS_WITHOUT_MACRO.map(str::to_owned));
    assert_none("declared but not emitted:", &only_in(&declared, &known));
    let twice: Vec<_> = declared.values().filter(|places| places.len() > 1).flatten().collect();
    assert!(twice.is_empty(), "declared twice: {twice:?}");
    for event in EVENTS_WITHOUT_MACRO {
        let literal = format!("\"{event}\"");
        assert!(rust_sources().iter().any(|(_, text)| text.contains(&literal)), "{event}");
    }
}

#[test]
fn the_id_of_an_event_is_its_name_and_its_annotations_are_whole() {
    let names = names(&declared("events", "name"));
    let ids: BTreeSet<_> = declared("events", "id")
        .into_keys()
        .map(|id| id.trim_start_matches("event.").to_owned())
        .collect();
    assert_eq!(ids, names);
    let count = |key| declared("events", key).values().flatten().count();
    assert_eq!((count("level"), count("stdout_only")), (names.len(), names.len()));
    let levels = declared("events", "level");
    let known = ["debug", "info", "warning", "error", "critical"].map(str::to_owned);
    assert_none("no level of ours:", &only_in(&levels, &known.into()));
}

#[test]
fn every_field_of_an_event_is_declared_with_it() {
    let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut event = String::new();
    for (_, line) in registry("events") {
        event = line.strip_prefix("name: ").map_or(event, str::to_owned);
        if let Some(field) = line.strip_prefix("- ref: ") {
            declared.entry(event.clone()).or_default().insert(field.to_owned());
        }
    }
    let nothing = BTreeSet::new();
    let logged = event_fields();
    assert!(logged.len() > 20, "the search for fields finds too little: {logged:?}");
    for (event, fields) in logged {
        let undeclared = only_in(&fields, declared.get(&event).unwrap_or(&nothing));
        assert_none(&format!("{event} has fields that are not declared:"), &undeclared);
    }
}

#[test]
fn every_instrument_is_declared_as_it_is() {
    let mut defined = Instruments::new();
    for definition in bangui::telemetry::metrics::definitions() {
        let instrument = Instrument {
            kind: definition.kind.name().to_owned(),
            unit: definition.unit.to_owned(),
            brief: definition.brief.to_owned(),
            attributes: definition.attributes.iter().map(|key| (*key).to_owned()).collect(),
        };
        let other = defined.insert(definition.name.to_owned(), instrument);
        assert!(other.is_none(), "two instruments are {}", definition.name);
    }
    let declared = instruments::declared();
    let found = instruments::differences((&defined, "source"), (&declared, "registry"));
    assert_none("not declared as it is:", &found);
}

#[test]
fn every_span_is_declared() {
    let mut opened = Places::new();
    for (path, text) in rust_sources() {
        add_literals(&mut opened, &path, &text, "_span!(", "\"");
    }
    let ids = declared("spans", "id");
    let mut declared: BTreeSet<_> =
        ids.keys().map(|id| id.trim_start_matches("span.").to_owned()).collect();
    for name in SPANS_OF_THE_PAGE {
        assert!(declared.remove(name), "not declared: {name}");
    }
    assert_none("opened but not declared:", &only_in(&opened, &declared));
    assert_eq!(names(&opened), declared, "left: opened, right: declared");
}

#[test]
fn every_attribute_is_declared_once() {
    let ids = declared("attributes", "id");
    let known = names(&ids);
    for file in ["events", "metrics", "spans"] {
        let refs = declared(file, "ref");
        assert_none("used but not declared:", &only_in(&refs, &known));
    }
    let used = used_attributes();
    assert!(used.len() > 15, "the search for attributes finds too little: {used:?}");
    assert_none("used in the source but not declared:", &only_in(&used, &known));
    let twice: Vec<_> = ids.values().filter(|places| places.len() > 1).flatten().collect();
    assert!(twice.is_empty(), "declared twice: {twice:?}");
}

/// A value under such a name would be masked, and should not be there in the first place.
#[test]
fn no_field_is_named_after_a_secret() {
    let mut used = used_attributes();
    used.extend(event_fields().into_values().flatten());
    used.extend(declared("attributes", "id"));
    assert!(used.len() > 40, "the search for fields finds too little: {used:?}");
    used.retain(|name, _| bangui::telemetry::sanitize::is_secret_key(name));
    assert_none("named after a secret:", &only_in(&used, &BTreeSet::new()));
}

#[test]
fn what_is_declared_is_documented() {
    for (kind, key, document) in
        [("events", "name", "docs/LOGGING.md"), ("metrics", "metric_name", "docs/METRICS.md")]
    {
        let text = read(document);
        let declared = declared(kind, key);
        let missing = declared.iter().filter(|(name, _)| !text.contains(&format!("`{name}`")));
        let findings: Vec<_> =
            missing.map(|(name, places)| format!("{}: {name}", places.join(", "))).collect();
        assert_none(&format!("not in {document}:"), &findings);
    }
}

/// What stands in every document beside the fields of its event: docs/LOGGING.md, and what the
/// collector adds.
const KEYS_OF_EVERY_DOCUMENT: [&str; 19] = [
    "@timestamp",
    "timestamp",
    "level",
    "logger_name",
    "event",
    "uid",
    "seq",
    "correlation_id",
    "trace_id",
    "span_id",
    "repeats",
    "fields_dropped",
    "endpoint",
    "client_ip",
    "user_id",
    "task",
    "service",
    "instance",
    "host",
];

/// The types of attributes, by their names.
fn attribute_types() -> BTreeMap<String, String> {
    let (mut types, mut name) = (BTreeMap::new(), String::new());
    for (_, line) in registry("attributes") {
        name = line.strip_prefix("- id: ").map_or(name, str::to_owned);
        if let Some(kind) = line.strip_prefix("type: ") {
            types.insert(name.clone(), kind.to_owned());
        }
    }
    types
}

/// A field that Elasticsearch does not know from the template cannot be searched for.
#[test]
fn every_field_of_an_event_has_a_type_in_elasticsearch() {
    let template = read("otel-collector/elasticsearch/index-template.json");
    let template: serde_json::Value = serde_json::from_str(&template).unwrap_or_default();
    let properties = template["template"]["mappings"]["properties"].as_object();
    let properties = properties.cloned().unwrap_or_default();
    let (fields, types) = (declared("events", "ref"), attribute_types());
    let wrong = fields.iter().filter_map(|(field, places)| {
        let fitting: &[&str] = match types.get(field).map(String::as_str) {
            Some("int") => &["long"],
            Some("double") => &["double"],
            Some("string") => &["keyword", "text"],
            // Not everywhere does `ignore_malformed` count for a boolean.
            Some("boolean") => &["keyword"],
            other => panic!("{field}: what is a {other:?} to be in Elasticsearch?"),
        };
        let own = properties.get(field).and_then(|property| property["type"].as_str());
        let is_fitting = own.is_some_and(|own| fitting.contains(&own));
        let found = || format!("{}: {field} is {own:?} and not {fitting:?}", places.join(", "));
        (!is_fitting).then(found)
    });
    assert_none("without its type in index-template.json:", &wrong.collect::<Vec<_>>());
    let always = KEYS_OF_EVERY_DOCUMENT.map(str::to_owned);
    let known = names(&fields).into_iter().chain(always).collect();
    let typed: BTreeSet<_> = properties.keys().cloned().collect();
    assert_eq!(typed, known, "left: index-template.json, right: the registry");
}
