//! Documents that are refused one by one: for the moment, or for good.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::inputs::send;
use super::{collector_to, days_ago, index_of, logs, now, prepared, record_at};
use crate::support::{
    Bangui, Collector, OpenSearch, SOON, Sink, SinkOptions, eventually, expect, heavy, throughout,
};

/// The dead letters of a collector for Elasticsearch.
fn dead_letters(collector: &Collector) -> Vec<PathBuf> {
    let folder = collector.state().join("dead-letters/elasticsearch");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).collect()
}

fn ids(server: &OpenSearch) -> Vec<String> {
    server.documents("bangui-*").into_keys().collect()
}

/// What the server itself answers to single documents of a read-only index, and of one that a full
/// disk has closed to writers.
#[test]
fn what_the_server_refuses_for_the_moment_is_sent_until_it_takes_it() {
    let _turn = heavy();
    for (block, status) in [("write", 403), ("read_only_allow_delete", 429)] {
        let server = prepared();
        let collector = collector_to(&server.url(), &[]);
        let (today, yesterday) = (now(), days_ago(1));
        let index = index_of("bangui", yesterday);
        let setting = format!("index.blocks.{block}");
        server.client().put(&format!("/{index}"), &json!({})).expect(200);
        server.set(&index, &json!({ &setting: true }));
        let refused = server.client().post(&format!("/{index}/_doc"), &json!({ "uid": "probe" }));
        assert_eq!(refused.status, status, "{}", refused.body);

        let mut records = Vec::new();
        for number in 0..100 {
            let at = if number % 2 == 0 { today } else { yesterday };
            records.push(record_at(at, &format!("r{number:02}"), &[]));
        }
        send(&collector, "/v1/logs", &logs(&records));
        eventually(SOON, "those of today", || {
            let count = server.count(&index_of("bangui", today));
            expect(count == 50, format!("{count}"))
        });
        throughout(Duration::from_secs(2), "it is no dead letter", || {
            expect(dead_letters(&collector).is_empty(), format!("{:?}", dead_letters(&collector)))
        });
        assert_eq!(server.count(&index), 0);
        server.set(&index, &json!({ &setting: null }));
        eventually(SOON, "those of yesterday", || {
            let count = server.count("bangui-*");
            expect(count == 100, format!("{count}"))
        });
        assert_eq!(server.count(&index), 50);
        assert!(dead_letters(&collector).is_empty());
    }
}

#[test]
fn nothing_is_lost_while_some_of_each_batch_are_refused_for_the_moment() {
    const REQUESTS: usize = 100;
    const RECORDS: usize = 20;
    let _turn = heavy();
    let server = prepared();
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    let collector = collector_to(&sink.endpoint(), &[("BANGUI_ELASTICSEARCH_BATCH_SIZE", "50")]);
    let fractions = json!({ "429": 0.1, "403": 0.05, "503": 0.05 });
    sink.set_mode(&json!({ "mode": "per_document_status", "fractions": fractions }));
    let begun = Instant::now();
    for request in 0..REQUESTS {
        let uids = (0..RECORDS).map(|number| format!("r{:05}", request * RECORDS + number));
        let records: Vec<_> = uids.map(|uid| record_at(now(), &uid, &[])).collect();
        send(&collector, "/v1/logs", &logs(&records));
    }
    std::thread::sleep(Duration::from_secs(3));
    sink.set_ok();
    eventually(Duration::from_secs(60), "all of them", || {
        let count = server.count("bangui-*");
        expect(count == REQUESTS * RECORDS, format!("{count}"))
    });
    let seconds = begun.elapsed().as_secs_f64();
    let stored = ids(&server).len();
    let sent = sink.received().requests.len();
    println!(
        "refused one by one: {} documents, lost 0, duplicated {}, {sent} requests, {seconds:.1} s",
        REQUESTS * RECORDS,
        server.count("bangui-*") - stored,
    );
    assert_eq!(stored, REQUESTS * RECORDS);
    assert!(dead_letters(&collector).is_empty());
}

#[test]
fn what_can_never_be_taken_is_a_dead_letter_at_once_and_can_be_replayed() {
    let _turn = heavy();
    let server = prepared();
    let index = index_of("bangui", now());
    let mapping = format!("/{index}/_mapping");
    server.client().put(&format!("/{index}"), &json!({})).expect(200);
    server.client().put(&mapping, &json!({ "dynamic": "strict" })).expect(200);
    let collector = collector_to(&server.url(), &[]);
    let record = |number: usize| {
        let field = if number.is_multiple_of(10) { "unheard_of" } else { "status_code" };
        record_at(now(), &format!("r{number:02}"), &[(field, json!(200))])
    };
    let records: Vec<_> = (0..60).map(record).collect();
    let begun = Instant::now();
    send(&collector, "/v1/logs", &logs(&records));
    eventually(SOON, "those that can be taken", || {
        let count = server.count(&index);
        expect(count == 54, format!("{count}"))
    });
    eventually(SOON, "the dead letters", || {
        let count = dead_letters(&collector).len();
        expect(count > 0, format!("{count}"))
    });
    println!("poison: 54 taken, 6 dead after {:.1} s", begun.elapsed().as_secs_f64());
    // Far below the four hours of a batch that is refused as a whole.
    assert!(begun.elapsed() < Duration::from_secs(15));

    let bangui = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let builder = Bangui::builder().env("BANGUI_COLLECTOR_DIR", collector.state().display());
        let output = builder.run(folder.path(), arguments, "");
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stdout.join("\n")
    };
    let listed = bangui(&["dead-letters", "list", "--json"]);
    let listed: Vec<Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let records: u64 = listed.iter().map(|letter| letter["records"].as_u64().unwrap()).sum();
    assert_eq!(records, 6, "{listed:#?}");
    for letter in &listed {
        assert_eq!(letter["destination"], "elasticsearch");
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("strict_dynamic_mapping_exception"), "{reason}");
    }

    server.client().put(&mapping, &json!({ "dynamic": false })).expect(200);
    bangui(&["dead-letters", "replay", "elasticsearch"]);
    eventually(SOON, "the dead letters in the index", || {
        let count = server.count(&index);
        expect(count == 60, format!("{count}"))
    });
    let documents = server.documents(&index);
    assert_eq!(documents["r10"]["_source"]["unheard_of"], 200);
    assert_eq!(documents["r10"]["_source"]["logger_name"], "app.http");
    eventually(SOON, "an empty folder", || {
        let left = dead_letters(&collector);
        expect(left.is_empty(), format!("{left:?}"))
    });
}
