//! Every kind of fault of a syslog server and of the way to it, under load: what the collector
//! acknowledged arrives, although syslog knows no answer.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{collector_to, line_of};
use crate::ledger::{self, Destination, Fault, Figures, MAX_BATCH_RECORDS};
use crate::support::{Certificates, Rsyslog, Security, Sink, SinkOptions, heavy};

/// Lets a server do what a mode says, and be well again at `ok`.
fn set_mode(rsyslog: &RefCell<Rsyslog>, mode: &Value) {
    let mut rsyslog = rsyslog.borrow_mut();
    match mode["mode"].as_str().unwrap() {
        "stopped" => rsyslog.stop(),
        "killed" => rsyslog.kill(),
        "frozen" | "frozen, then killed" => rsyslog.freeze(),
        "ok" => {}
        other => panic!("rsyslog knows no {other}"),
    }
}

fn set_ok(rsyslog: &RefCell<Rsyslog>, was: &Value) {
    let mut rsyslog = rsyslog.borrow_mut();
    if *was == "frozen, then killed" {
        rsyslog.kill();
    }
    if rsyslog.is_running() {
        rsyslog.thaw();
    } else {
        rsyslog.run();
    }
}

fn copies(rsyslog: &Rsyslog) -> BTreeMap<String, u64> {
    let mut copies = BTreeMap::new();
    for record in rsyslog.records() {
        let uid = line_of(&record)["uid"].as_str().unwrap().to_owned();
        *copies.entry(uid).or_default() += 1;
    }
    copies
}

fn mode(name: &str) -> Value {
    json!({ "mode": name })
}

/// The server's own faults, and the collector's in the midst of them.
fn server_faults(name: &str) -> Vec<Fault> {
    vec![
        Fault::Door(mode(name)),
        Fault::Kill(Some(mode(name))),
        Fault::Stop(Some(mode(name))),
        Fault::Door(mode(name)),
    ]
}

/// A server, and the setting by which the collector finds it so.
fn start(certificates: &Certificates, is_tls: bool) -> (Rsyslog, (&'static str, String)) {
    if is_tls {
        let ca = certificates.certificate("ca").to_str().unwrap().to_owned();
        let rsyslog = Rsyslog::start(Security::tls(certificates, "server"));
        (rsyslog, ("BANGUI_PAPERTRAIL_CA_FILE", ca))
    } else {
        (Rsyslog::start(Security::Clear), ("BANGUI_PAPERTRAIL_TLS", "false".into()))
    }
}

/// Lets faults of a server happen.
fn run_server(what: &str, is_tls: bool, faults: &[Fault]) -> Figures {
    let certificates = Certificates::make();
    let (rsyslog, (name, value)) = start(&certificates, is_tls);
    let mut collector = collector_to(rsyslog.port(), &[(name, &value)]);
    let rsyslog = RefCell::new(rsyslog);
    let current = RefCell::new(json!("ok"));
    let destination = Destination {
        name: what,
        set_mode: Box::new(|mode| {
            let was = current.replace(mode["mode"].clone());
            if mode["mode"] == "ok" { set_ok(&rsyslog, &was) } else { set_mode(&rsyslog, mode) }
        }),
        copies: Box::new(|| copies(&rsyslog.borrow())),
    };
    ledger::run(&mut collector, &[destination], faults).remove(0)
}

#[test]
fn nothing_is_lost_on_the_way_to_a_syslog_server() {
    let _turn = heavy();
    let faults = ledger::stream_faults();
    for is_tls in [true, false] {
        let certificates = Certificates::make();
        let (rsyslog, (name, value)) = start(&certificates, is_tls);
        let address = rsyslog.address().to_string();
        let sink = Sink::start(&SinkOptions::default().forward_tcp(&address));
        let port = sink.address().rsplit_once(':').unwrap().1.parse().unwrap();
        let mut collector = collector_to(port, &[(name, &value)]);
        let destination = Destination {
            name: if is_tls { "on the way, TLS" } else { "on the way, in clear" },
            set_mode: Box::new(|mode| sink.set_mode(mode)),
            copies: Box::new(|| copies(&rsyslog)),
        };
        ledger::run(&mut collector, &[destination], &faults)[0].assert_even(MAX_BATCH_RECORDS);
    }
}

#[test]
fn nothing_is_lost_while_a_syslog_server_hangs_or_is_restarted() {
    let _turn = heavy();
    let faults = [server_faults("frozen"), server_faults("stopped")].concat();
    run_server("frozen and stopped", true, &faults).assert_even(MAX_BATCH_RECORDS);
}

#[test]
fn a_dying_syslog_server_loses_what_it_had_read_at_most() {
    let _turn = heavy();
    let faults = [server_faults("killed"), server_faults("frozen, then killed")].concat();
    // In clear: a frozen server cannot shake hands, but its host takes what is sent to it.
    let figures = run_server("killed", false, &faults);
    figures.report();
    // What is killed between reading a batch and writing it ends its connections in order, which
    // only an answer could tell apart; syslog has none.
    assert!(figures.lost as u64 <= MAX_BATCH_RECORDS, "{figures:?}");
}
