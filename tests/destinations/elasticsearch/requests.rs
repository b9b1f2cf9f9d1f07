//! The requests themselves: who asks, how many documents at once, and how soon.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::inputs::send;
use super::{collector_to, logs, now, prepared, put_template, record_at};
use crate::support::{
    Collector, OpenSearch, SOON, Sink, SinkOptions, eventually, expect, patient, throughout,
};

/// Answers one request with 401 and gives the lines of its head.
fn head_of_one_request(listener: &TcpListener) -> Vec<String> {
    listener.set_nonblocking(true).unwrap();
    let mut stream = eventually(SOON, "a request", || match listener.accept() {
        Ok((stream, _)) => Ok(stream),
        Err(error) => Err(error.to_string()),
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    // The client may have gone when it had seen enough.
    let _ = stream.write_all(answer.as_bytes());
    head
}

fn header(head: &[String], name: &str) -> String {
    let fields = head.iter().filter_map(|line| line.split_once(": "));
    let found: Vec<_> = fields.filter(|(own, _)| own.eq_ignore_ascii_case(name)).collect();
    assert_eq!(found.len(), 1, "{name} in {head:?}");
    found[0].1.to_owned()
}

/// Accounts, and the header that must arrive. One is a file, as secrets should be.
fn accounts(key_file: &str) -> [(Vec<(&'static str, String)>, &'static str); 3] {
    let key = "Yk1rT2J:nX-plain_key==";
    [
        (vec![("BANGUI_ELASTICSEARCH_API_KEY", key.into())], "ApiKey Yk1rT2J:nX-plain_key=="),
        (vec![("BANGUI_ELASTICSEARCH_API_KEY_FILE", key_file.into())], "ApiKey from-a-file="),
        (
            vec![
                ("BANGUI_ELASTICSEARCH_USER", "writer@example".into()),
                ("BANGUI_ELASTICSEARCH_PASSWORD", "p:a$s \"w'o\\rd".into()),
            ],
            // writer@example:p:a$s "w'o\rd
            "Basic d3JpdGVyQGV4YW1wbGU6cDphJHMgIncnb1xyZA==",
        ),
    ]
}

#[test]
fn the_key_or_the_account_is_shown_with_each_request() {
    let _turn = patient();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "from-a-file=\n").unwrap();
    for (settings, expected) in accounts(file.to_str().unwrap()) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        let mut settings: Vec<_> = settings.iter().map(|(name, it)| (*name, &**it)).collect();
        let collector = collector_to(&host, &settings);
        send(&collector, "/v1/logs", &logs(&[record_at(now(), "any", &[])]));
        let head = head_of_one_request(&listener);
        assert!(head[0].starts_with("POST /_bulk"), "{head:?}");
        // The name of a scheme has no case; the exporter's client writes APIKey.
        let authorization = header(&head, "authorization").replacen("APIKey ", "ApiKey ", 1);
        assert_eq!(authorization, expected);
        drop(collector);

        // Nobody reads the connections that the collector has left behind.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("http://{}", listener.local_addr().unwrap());
        settings.push(("BANGUI_ELASTICSEARCH_HOSTS", &host));
        let asking = thread::spawn(move || head_of_one_request(&listener));
        let output = put_template(&settings);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let head = asking.join().unwrap();
        assert!(head[0].starts_with("PUT /_index_template/bangui "), "{head:?}");
        assert_eq!(header(&head, "authorization"), expected);
    }
}

/// A collector that sends through a sink, which counts the requests.
fn watched(settings: &[(&str, &str)]) -> (OpenSearch, Sink, Collector) {
    let server = prepared();
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    let collector = collector_to(&sink.endpoint(), settings);
    (server, sink, collector)
}

/// How many documents each bulk request so far had.
fn batches(sink: &Sink) -> Vec<usize> {
    let requests = sink.received().requests;
    let bulk = requests.iter().filter(|request| request["path"] == "/_bulk");
    let count =
        |request: &Value| request["headers"]["x-elastic-event-count"].as_str()?.parse().ok();
    bulk.map(|request| count(request).unwrap_or_else(|| panic!("{request}"))).collect()
}

fn send_some(collector: &Collector, names: std::ops::Range<usize>) {
    for number in names {
        send(collector, "/v1/logs", &logs(&[record_at(now(), &format!("r{number}"), &[])]));
    }
}

#[test]
fn a_batch_leaves_when_it_is_full() {
    let _turn = patient();
    let (server, sink, collector) = watched(&[
        ("BANGUI_ELASTICSEARCH_BATCH_SIZE", "25"),
        ("BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS", "300"),
    ]);
    send_some(&collector, 0..24);
    throughout(Duration::from_secs(2), "24 documents wait for one more", || {
        expect(batches(&sink).is_empty(), format!("{:?}", batches(&sink)))
    });
    send_some(&collector, 24..25);
    eventually(SOON, "the batch", || {
        expect(batches(&sink) == [25], format!("{:?}", batches(&sink)))
    });
    assert_eq!(server.count("bangui-*"), 25);
}

#[test]
fn a_batch_leaves_when_its_time_has_come() {
    let _turn = patient();
    // The largest that may be set.
    let (_server, sink, collector) = watched(&[
        ("BANGUI_ELASTICSEARCH_BATCH_SIZE", "1000"),
        ("BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS", "3"),
    ]);
    let begun = Instant::now();
    send_some(&collector, 0..2);
    eventually(SOON, "the batch", || {
        expect(batches(&sink) == [2], format!("{:?}", batches(&sink)))
    });
    let seconds = begun.elapsed().as_secs_f64();
    // The interval counts from the first of them, within the clock of the queue.
    assert!((2.0..8.0).contains(&seconds), "after {seconds} s");
}
