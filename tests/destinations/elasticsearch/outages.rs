//! Faults in front of the server, and deaths of the server and of the collector: what the
//! collector has acknowledged arrives, once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;

use super::{collector_to, logs, now, prepared, record_at};
use crate::support::{Client, Collector, OpenSearch, Sink, SinkOptions, eventually, expect, heavy};

/// Long enough for some batches.
const MOMENT: Duration = Duration::from_secs(2);
/// The longest pause between two attempts is 5 s, and a request that hangs is given up after 15 s.
const CATCH_UP: Duration = Duration::from_secs(90);
const RECORDS_PER_REQUEST: usize = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// Records that a collector is sent all the time, by a thread of its own.
struct Load {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Load {
    fn begin(collector: &Collector) -> Self {
        let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
        let is_over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let (mut acknowledged, mut number) = (BTreeSet::new(), 0);
            while !end.load(Ordering::Relaxed) {
                let uids: Vec<_> =
                    (0..RECORDS_PER_REQUEST).map(|own| format!("r{:07}", number + own)).collect();
                number += RECORDS_PER_REQUEST;
                let records: Vec<_> = uids.iter().map(|uid| record_at(now(), uid, &[])).collect();
                let body = Some(("application/json", logs(&records).to_string()));
                // While the collector is away, nothing is acknowledged.
                if client.try_send(Method::POST, "/v1/logs", body).is_ok_and(|it| it.status == 200)
                {
                    acknowledged.extend(uids);
                }
                sleep(PAUSE);
            }
            acknowledged
        });
        Self { is_over, thread }
    }

    /// Ends it and gives the uids of what was acknowledged.
    fn end(self) -> BTreeSet<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Waits until everything that was acknowledged is there, and says what was measured. A record
/// that was not acknowledged may have arrived all the same.
fn assert_even(what: &str, server: &OpenSearch, acknowledged: &BTreeSet<String>, begun: Instant) {
    assert!(acknowledged.len() > 500, "only {} records", acknowledged.len());
    eventually(CATCH_UP, "all that was acknowledged", || {
        let documents = server.documents("bangui-*");
        let missing = acknowledged.iter().filter(|uid| !documents.contains_key(*uid)).count();
        expect(missing == 0, format!("{missing} of {} are missing", acknowledged.len()))
    });
    let seconds = begun.elapsed().as_secs_f64();
    // A copy could still be under way.
    sleep(MOMENT);
    let (count, distinct) = (server.count("bangui-*"), server.documents("bangui-*").len());
    println!(
        "{what}: {} acknowledged, {distinct} documents, lost 0, duplicated {}, {seconds:.1} s",
        acknowledged.len(),
        count - distinct,
    );
    assert_eq!(count, distinct);
}

#[test]
fn whatever_stands_before_the_server_nothing_is_lost_or_doubled() {
    let _turn = heavy();
    let server = prepared();
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    let collector = collector_to(&sink.endpoint(), &[]);
    let begun = Instant::now();
    let load = Load::begin(&collector);
    let statuses = [400, 401, 403, 404, 413, 429, 500, 503];
    let mut faults: Vec<_> =
        statuses.iter().map(|status| json!({ "mode": "status", "status": status })).collect();
    faults.extend(["hang", "refuse", "reset", "taken_then_hang"].map(|it| json!({ "mode": it })));
    faults.push(json!({ "mode": "reset", "taken": true }));
    for fault in &faults {
        sink.set_mode(fault);
        sleep(MOMENT);
        sink.set_ok();
        sleep(MOMENT);
    }
    let acknowledged = load.end();
    assert_even(&format!("{} faults", faults.len()), &server, &acknowledged, begun);
    let requests = sink.received().requests;
    for fault in faults {
        let status = fault["status"].as_u64();
        let has_ruled = requests.iter().any(|request| match status {
            Some(status) => request["status"] == status,
            None => request["fault"] == fault["mode"] || fault["mode"] == "refuse",
        });
        assert!(has_ruled, "no request met {fault}");
    }
}

#[test]
fn the_ledger_is_even_over_deaths_of_the_server_and_the_collector() {
    let _turn = heavy();
    let mut server = prepared();
    let mut collector = collector_to(&server.url(), &[]);
    let begun = Instant::now();
    let load = Load::begin(&collector);
    for _ in 0..3 {
        sleep(MOMENT);
        server.kill();
        sleep(MOMENT);
        collector.kill();
        sleep(MOMENT);
        collector.run();
        sleep(MOMENT);
        server.run();
    }
    collector.stop();
    collector.run();
    sleep(MOMENT);
    let acknowledged = load.end();
    assert_even("3 kills of both, 1 stop", &server, &acknowledged, begun);
}

#[test]
fn a_backlog_is_sent_fast_once_the_server_is_there() {
    const REQUESTS: usize = 200;
    const RECORDS: usize = 250;
    let _turn = heavy();
    let server = prepared();
    let settings = [("BANGUI_ELASTICSEARCH_BATCH_SIZE", "500")];
    // The way to the server is closed at first.
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    sink.set_mode(&json!({ "mode": "refuse" }));
    let collector = collector_to(&sink.endpoint(), &settings);
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    let begun = Instant::now();
    for request in 0..REQUESTS {
        let uids = (0..RECORDS).map(|number| format!("r{:06}", request * RECORDS + number));
        let records: Vec<_> = uids.map(|uid| record_at(now(), &uid, &[])).collect();
        client.post("/v1/logs", &logs(&records)).expect(200);
    }
    let taken_seconds = begun.elapsed().as_secs_f64();
    sink.set_ok();
    let begun = Instant::now();
    let all = REQUESTS * RECORDS;
    eventually(CATCH_UP, "the backlog", || {
        let count = server.count("bangui-*");
        expect(count == all, format!("{count}"))
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "backlog: {all} records taken in {taken_seconds:.1} s, delivered in {seconds:.1} s \
         ({:.0} documents/s)",
        f64::from(u32::try_from(all).unwrap()) / seconds,
    );
    assert_eq!(server.documents("bangui-*").len(), all);
}
