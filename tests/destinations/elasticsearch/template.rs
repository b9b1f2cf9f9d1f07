//! The index template: taken by the server, and such that it refuses nothing. That it is complete
//! is a test of the registry.

use http::Method;
use serde_json::{Value, json};

use super::put_template;
use crate::support::{OpenSearch, heavy};

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
