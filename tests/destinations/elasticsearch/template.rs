//! The index template: complete, taken by the server, and such that it refuses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use http::Method;
use serde_json::{Map, Value, json};

use super::put_template;
use crate::support::{OpenSearch, heavy, repository};

/// What stands in a document without being a field of an event: docs/LOGGING.md, and what the
/// collector adds.
const RESERVED: [&str; 15] = [
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
    "service",
    "instance",
    "host",
];
/// Context that any event may have.
const CONTEXT: [&str; 4] = ["endpoint", "client_ip", "user_id", "task"];

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn properties() -> Map<String, Value> {
    let template = read("otel-collector/elasticsearch/index-template.json");
    let mut template: Value = serde_json::from_str(&template).unwrap();
    match template["template"]["mappings"]["properties"].take() {
        Value::Object(properties) => properties,
        other => panic!("no properties: {other}"),
    }
}

/// The values of one key in a file of the registry.
fn values(path: &str, key: &str) -> Vec<String> {
    let text = read(path);
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    let values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    values.map(str::to_owned).collect()
}

/// The fields of all events.
fn declared() -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for entry in fs::read_dir(repository().join("telemetry")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name.starts_with("events") {
            fields.extend(values(&format!("telemetry/{name}"), "ref"));
        }
    }
    fields
}

/// The types of attributes.
fn types() -> BTreeMap<String, String> {
    let text = read("telemetry/attributes.yaml");
    let (mut types, mut name) = (BTreeMap::new(), "");
    for line in text.lines().map(|line| line.trim_start().trim_start_matches("- ")) {
        if let Some(id) = line.strip_prefix("id: ") {
            name = id;
        } else if let Some(kind) = line.strip_prefix("type: ") {
            types.insert(name.to_owned(), kind.to_owned());
        }
    }
    types
}

#[test]
fn every_declared_field_has_a_type_of_its_own() {
    let (properties, declared, types) = (properties(), declared(), types());
    assert!(declared.len() > 40, "the search for fields finds too little: {declared:?}");
    for field in &declared {
        let property = properties.get(field).unwrap_or_else(|| panic!("`{field}` has no type"));
        let fitting: &[&str] = match types[field].as_str() {
            "int" => &["long"],
            "double" => &["double"],
            "boolean" => &["keyword"],
            "string" => &["keyword", "text"],
            other => panic!("{field}: what is a {other} to be?"),
        };
        assert!(fitting.contains(&property["type"].as_str().unwrap()), "{field}: {property}");
    }
    let known: BTreeSet<_> = RESERVED.into_iter().chain(CONTEXT).map(str::to_owned).collect();
    let stale: Vec<_> = properties
        .keys()
        .filter(|name| !declared.contains(*name) && !known.contains(*name))
        .collect();
    assert!(stale.is_empty(), "typed, but no field any more: {stale:?}");
    assert!(known.iter().all(|name| properties.contains_key(name)), "{known:?}");
}

/// Documents that would conflict with each other, or with Lucene's limits, if unknown fields were
/// indexed or numbers were not forgiven.
fn difficult() -> Vec<Value> {
    let many = |from: usize| -> Value {
        let fields = (from..from + 1500).map(|number| (format!("f{number}"), json!(number)));
        Value::Object(fields.collect())
    };
    vec![
        json!({ "unknown": "text", "other": 1 }),
        json!({ "unknown": { "deep": { "er": [1, { "x": 2 }] } }, "other": "2026-11-25" }),
        json!({ "unknown": 7, "other": { "a": null } }),
        json!({ "unknown.deep": true, "other": [[1], ["two"]] }),
        many(0),
        many(1500),
        json!({ "status_code": "none", "duration_ms": "fast", "seq": 1e40, "pid": "12x" }),
        json!({ "@timestamp": "yesterday", "timestamp": "", "success": "maybe", "ip": "no ip" }),
        json!({ "message": "m".repeat(100_000), "jail": "j".repeat(100_000) }),
        json!({ "error": "ü€😀".repeat(20_000), "ip": "€😀".repeat(9_000) }),
        json!({ "success": true, "level": 5, "message": 5, "client_ip": "192.0.2.0/24" }),
    ]
}

#[test]
fn the_server_takes_it_and_refuses_no_document() {
    let _turn = heavy();
    let server = OpenSearch::start();
    let nobody = "http://127.0.0.1:1";
    let hosts = format!("{nobody},{}", server.url());
    let settings = [
        ("BANGUI_ELASTICSEARCH_HOSTS", hosts.as_str()),
        ("BANGUI_ELASTICSEARCH_INDEX_PREFIX", "prod.b-1"),
    ];
    for time in ["the first time", "again"] {
        let output = put_template(&settings);
        assert!(output.status.success(), "{time}: {output:?}");
    }
    let found = server.client().get("/_index_template/prod.b-1").expect(200).json();
    let patterns = &found["index_templates"][0]["index_template"]["index_patterns"];
    assert_eq!(patterns, &json!(["prod.b-1-*"]));

    for (number, mut document) in difficult().into_iter().enumerate() {
        document["uid"] = json!(format!("d{number}"));
        let path = format!("/prod.b-1-2026.11.25/_doc/d{number}");
        let answer = server.client().put(&path, &document);
        assert_eq!(answer.status, 201, "{number}: {}", answer.body);
    }
    // What was forgiven is still in the document; the rest of it is found.
    let find = |query: Value| -> Vec<String> {
        let hits = server.search("prod.b-1-*", &query);
        hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(find(json!({ "match": { "success": true } })), ["d10"]);
    assert_eq!(find(json!({ "match": { "client_ip": "192.0.2.0/24" } })), ["d10"]);
    assert_eq!(find(json!({ "match": { "message": "5" } })), ["d10"]);
    let all = server.documents("prod.b-1-*");
    assert_eq!(all.len(), difficult().len());
    assert_eq!(all["d6"]["_source"]["duration_ms"], "fast");
    assert_eq!(all["d1"]["_source"]["unknown"]["deep"]["er"][1]["x"], 2);

    // Without the template, the same documents are refused: the test can fail.
    let refused = difficult().into_iter().filter(|document| {
        let body = Some(("application/json", document.to_string()));
        server.client().send(Method::POST, "/plain/_doc", body).status == 400
    });
    assert!(refused.count() > 4);
}

#[test]
fn the_script_names_what_is_wrong() {
    let run = |settings: &[(&str, &str)]| {
        let output = put_template(settings);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&[("BANGUI_ELASTICSEARCH_USER", "someone")]);
    assert_eq!(code, Some(78), "{said}");
    for name in ["BANGUI_ELASTICSEARCH_HOSTS: ", "BANGUI_ELASTICSEARCH_PASSWORD: "] {
        assert!(said.contains(name), "{said}");
    }
    let hosts = ("BANGUI_ELASTICSEARCH_HOSTS", "http://127.0.0.1:1");
    let (code, said) = run(&[hosts, ("BANGUI_ELASTICSEARCH_INDEX_PREFIX", "no/path")]);
    assert_eq!(code, Some(78), "{said}");
    let (code, said) = run(&[hosts]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("http://127.0.0.1:1 does not answer"), "{said}");
}
