//! What a document is: the line on stdout, under its uid, in the index of its day.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::inputs::send;
use super::super::otlp::bangui_to;
use super::{collector_to, days_ago, index_of, logs, now, prepared, put_template, record_at};
use crate::support::{OpenSearch, SOON, assert_same, eventually, expect, heavy, is_stdout_only};

/// What the collector adds to a line.
const ADDED: [&str; 4] = ["@timestamp", "service", "instance", "host"];

/// Fails unless a document says what a line says, and stands where it should.
#[track_caller]
fn assert_document(prefix: &str, line: &Value, hit: &Value) {
    let mut source = hit["_source"].clone();
    assert_eq!(source["timestamp"], line["timestamp"], "the same text, to the last digit");
    assert_eq!(source["@timestamp"], line["timestamp"]);
    assert_eq!(source["service"], "bangui");
    let instance = source["instance"].as_str().unwrap_or_default();
    assert_eq!(instance.len(), 36, "a UUID: {source}");
    for added in ADDED {
        let value = source.as_object_mut().unwrap().remove(added);
        assert!(value.is_some_and(|value| value.is_string()), "{added} is missing: {source}");
    }
    let at: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    source["timestamp"] = json!(at.as_microsecond());
    assert_same(line, &source);
    assert_eq!(hit["_id"], line["uid"]);
    assert_eq!(hit["_index"], index_of(prefix, at));
}

/// Waits for all lines, and compares each of them with its document.
fn assert_all_are_documents(server: &OpenSearch, prefix: &str, lines: &[Value]) -> usize {
    let lines: BTreeMap<_, _> = lines
        .iter()
        .filter(|line| !is_stdout_only(line))
        .map(|line| (line["uid"].as_str().unwrap(), line))
        .collect();
    assert!(lines.len() > 5, "{lines:#?}");
    let indices = format!("{prefix}-*");
    let documents = eventually(SOON, "all documents", || {
        let documents = server.documents(&indices);
        let missing: Vec<_> = lines.keys().filter(|uid| !documents.contains_key(**uid)).collect();
        if missing.is_empty() { Ok(documents) } else { Err(format!("without {missing:?}")) }
    });
    assert_eq!(documents.len(), lines.len(), "one document for each line");
    for (uid, line) in &lines {
        assert_document(prefix, line, &documents[*uid]);
    }
    lines.len()
}

#[test]
fn every_line_is_a_document_and_the_documented_query_finds_the_right_ones() {
    let _turn = heavy();
    let server = prepared();
    let collector = collector_to(&server.url(), &[]);
    let bangui = bangui_to(&collector);
    let reason = "line\nbreak \u{0} \"quoted\" ünï 127.0.0.1 <14>1 2026-01-01T00:00:00Z a b c d";
    let ban = json!({ "jail": "sshd", "ip": "192.0.2.1", "reason": reason });
    // Not what is looked for: an error of another logger, and other levels of the same one.
    bangui.admin().post("/api/bans", &ban).expect_problem(503);
    for token in ["nobodys-token-at-all", "another-one-of-nobodys"] {
        let header = format!("Bearer {token}");
        bangui.stranger().with("authorization", &header).get("/api/bans").expect_problem(401);
    }
    let lines = bangui.stop().lines;
    let count = assert_all_are_documents(&server, "bangui", &lines);

    let wanted: Vec<_> = lines
        .iter()
        .filter(|line| line["logger_name"] == "app.auth" && line["level"] == "error")
        .map(|line| line["uid"].clone())
        .collect();
    assert_eq!(wanted.len(), 2, "{lines:#?}");
    let must =
        json!([{ "match": { "logger_name": "app.auth" } }, { "match": { "level": "error" } }]);
    let found = server.search("bangui-*", &json!({ "bool": { "must": must } }));
    let ids: Vec<_> = found.iter().map(|hit| hit["_id"].clone()).collect();
    assert_eq!(ids, wanted, "sorted by uid, which counts up");
    let events: Vec<_> = found.iter().map(|hit| &hit["_source"]["event"]).collect();
    assert_eq!(events, ["auth_token_validation_failed"; 2]);
    println!("documents: {count} lines, {count} documents, {} found by the query", found.len());
}

#[test]
fn a_record_stands_in_the_index_of_its_own_day_under_the_prefix() {
    let _turn = heavy();
    let server = OpenSearch::start();
    let prefix = ("BANGUI_ELASTICSEARCH_INDEX_PREFIX", "prod.b-1");
    let output = put_template(&[("BANGUI_ELASTICSEARCH_HOSTS", &server.url()), prefix]);
    assert!(output.status.success(), "{output:?}");
    let collector = collector_to(&server.url(), &[prefix]);
    // The last and the first moments of a day (UTC), and two others.
    let midnight: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let before = midnight - std::time::Duration::from_micros(10);
    let days = [("now", now()), ("yesterday", days_ago(1)), ("last", before), ("first", midnight)];
    let records: Vec<_> = days.iter().map(|(uid, at)| record_at(*at, uid, &[])).collect();
    send(&collector, "/v1/logs", &logs(&records));
    eventually(SOON, "all of them", || {
        let count = server.count("prod.b-1-*");
        expect(count == days.len(), format!("{count}"))
    });
    let documents = server.documents("*,-.*");
    for (uid, at) in days {
        assert_eq!(documents[uid]["_index"], index_of("prod.b-1", at), "{uid}");
    }
    assert_eq!(documents["last"]["_index"], "prod.b-1-2026.11.23");
    assert_eq!(documents["first"]["_index"], "prod.b-1-2026.11.24");
    assert_eq!(documents["last"]["_source"]["@timestamp"], "2026-11-23T23:59:59.999990+00:00");
    assert_eq!(documents["first"]["_source"]["timestamp"], "2026-11-24T00:00:00.000000+00:00");
}

#[test]
fn of_several_hosts_one_may_be_dead() {
    const REQUESTS: usize = 40;
    let _turn = heavy();
    let server = prepared();
    let dead = format!("http://127.0.0.1:{}", crate::support::free_port());
    let hosts = format!("{dead},{}", server.url());
    let collector = collector_to(&hosts, &[("BANGUI_ELASTICSEARCH_BATCH_SIZE", "1")]);
    for number in 0..REQUESTS {
        send(&collector, "/v1/logs", &logs(&[record_at(now(), &format!("r{number}"), &[])]));
    }
    eventually(SOON, "all of them", || {
        let count = server.count("bangui-*");
        expect(count == REQUESTS, format!("{count}"))
    });
}
