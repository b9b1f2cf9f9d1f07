//! Faults in front of the server, and deaths of the server and of the collector: what the
//! collector has acknowledged arrives, once.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::inputs::send;
use super::super::ledger::{self, Destination, Fault};
use super::{collector_to, logs, now, prepared, record_at};
use crate::support::{Sink, SinkOptions, eventually, expect, heavy};

#[test]
fn whatever_stands_before_the_server_nothing_is_lost_or_doubled() {
    let _turn = heavy();
    let server = prepared();
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    let mut collector = collector_to(&sink.endpoint(), &[]);
    let destination = Destination {
        name: "faults before elasticsearch",
        set_mode: Box::new(|mode: &Value| sink.set_mode(mode)),
        copies: Box::new(|| server.copies("bangui-*")),
    };
    let mut faults = ledger::http_faults();
    // The server has the documents and cannot say so, or has only some of them.
    let fractions = json!({ "429": 0.2, "403": 0.1, "503": 0.1 });
    faults.extend([
        Fault::Kill(Some(json!({ "mode": "taken_then_hang" }))),
        Fault::Door(json!({ "mode": "per_document_status", "fractions": fractions })),
    ]);
    ledger::run(&mut collector, &[destination], &faults)[0].assert_even(0);
}

#[test]
fn the_ledger_is_even_over_deaths_of_the_server_and_the_collector() {
    let _turn = heavy();
    let server = RefCell::new(prepared());
    let mut collector = collector_to(&server.borrow().url(), &[]);
    let destination = Destination {
        name: "deaths of elasticsearch",
        set_mode: Box::new(|mode: &Value| {
            let mut server = server.borrow_mut();
            match (mode["mode"] == "ok", server.is_running()) {
                (false, true) => server.kill(),
                (true, false) => server.run(),
                _ => {}
            }
        }),
        copies: Box::new(|| server.borrow().copies("bangui-*")),
    };
    let death = || json!({ "mode": "refuse" });
    let both = || [Fault::Door(death()), Fault::Kill(Some(death())), Fault::Stop(Some(death()))];
    let faults: Vec<_> = both().into_iter().chain(both()).collect();
    ledger::run(&mut collector, &[destination], &faults)[0].assert_even(0);
}

#[test]
fn a_backlog_is_sent_fast_once_the_server_is_there() {
    const REQUESTS: usize = 200;
    const RECORDS: usize = 250;
    /// Less than a tenth of this was needed.
    const LIMIT: Duration = Duration::from_secs(60);
    let _turn = heavy();
    let server = prepared();
    // The way to the server is closed at first.
    let sink = Sink::start(&SinkOptions::default().forward(&server.url()));
    sink.set_mode(&json!({ "mode": "refuse" }));
    let collector = collector_to(&sink.endpoint(), &[("BANGUI_ELASTICSEARCH_BATCH_SIZE", "500")]);
    let begun = Instant::now();
    for request in 0..REQUESTS {
        let uids = (0..RECORDS).map(|number| format!("r{:06}", request * RECORDS + number));
        let records: Vec<_> = uids.map(|uid| record_at(now(), &uid, &[])).collect();
        send(&collector, "/v1/logs", &logs(&records));
    }
    let taken_seconds = begun.elapsed().as_secs_f64();
    sink.set_ok();
    let begun = Instant::now();
    let all = REQUESTS * RECORDS;
    eventually(LIMIT, "the backlog", || {
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
