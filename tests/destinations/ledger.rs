//! Sends records to a collector while faults of every kind happen behind it and to it, and compares
//! what it acknowledged with what the destination has.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Collector, eventually, throughout};

/// As many records a request, and so often: some 400 a second, far above what a service says.
const BATCH_RECORDS: u64 = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// How long a fault lasts, and the time without one after it.
const FAULT: Duration = Duration::from_millis(1500);
const REST: Duration = Duration::from_millis(800);
/// A request that hung is given up after 10 s and tried again after 5 s at most, and what has
/// waited takes its time.
const CATCH_UP: Duration = Duration::from_secs(90);

/// Records of a batch that `max_size` in otel-collector/providers/ lets through: one batch may
/// arrive twice for each fault. Datadog's may be larger, and is held to the same bound.
pub(crate) const MAX_BATCH_RECORDS: usize = 500;

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The destination behaves so for a while; what is here is a mode of the sink.
    Door(Value),
    /// The collector is killed and started again, in the midst of another fault or of none.
    Kill(Option<Value>),
    /// The collector is asked to end, and started again.
    Stop(Option<Value>),
}

/// A destination, as the ledger sees it.
pub(crate) struct Destination<'a> {
    pub(crate) name: &'a str,
    pub(crate) set_mode: Box<dyn Fn(&Value) + 'a>,
    /// How often each record is there.
    pub(crate) copies: Box<dyn Fn() -> BTreeMap<String, u64> + 'a>,
}

/// What became of the records at one destination.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) destination: String,
    pub(crate) faults: usize,
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    /// Copies beyond the first of each record.
    pub(crate) duplicated: u64,
    pub(crate) seconds: u64,
}

/// Copies beyond the first, of how often each record is there.
pub(crate) fn duplicated(copies: &BTreeMap<String, u64>) -> u64 {
    copies.values().map(|count| count - 1).sum()
}

/// Faults that a destination of HTTP can have.
pub(crate) fn http_faults() -> Vec<Fault> {
    let statuses = [400, 401, 403, 404, 413, 429, 500, 503];
    let refusals =
        statuses.map(|status| Fault::Door(json!({ "mode": "status", "status": status })));
    refusals.into_iter().chain(stream_faults()).collect()
}

/// Faults that a stream of bytes can have, and those of the collector.
pub(crate) fn stream_faults() -> Vec<Fault> {
    let refuse = || Some(json!({ "mode": "refuse" }));
    let hang = || Some(json!({ "mode": "hang" }));
    vec![
        // The answer breaks off: what it would have been is for the sender to doubt.
        Fault::Door(json!({ "mode": "reset", "taken": true })),
        Fault::Door(json!({ "mode": "refuse" })),
        Fault::Door(json!({ "mode": "hang" })),
        Fault::Kill(None),
        Fault::Stop(None),
        Fault::Kill(refuse()),
        Fault::Stop(refuse()),
        Fault::Kill(hang()),
        Fault::Stop(hang()),
    ]
}

/// Records with numbers, flat as BanGUI sends them.
fn request(first: u64) -> (Vec<String>, String) {
    let uids: Vec<_> = (first..first + BATCH_RECORDS).map(|seq| format!("{seq:032x}")).collect();
    // Some vendors refuse what is old.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string();
    let record = |uid: &String| {
        json!({
            "timeUnixNano": now, "severityNumber": 9, "severityText": "info",
            "body": { "stringValue": "ban_observed" },
            "attributes": [
                { "key": "uid", "value": { "stringValue": uid } },
                { "key": "jail", "value": { "stringValue": "sshd" } },
            ],
        })
    };
    let records: Vec<_> = uids.iter().map(record).collect();
    let scope = json!({ "scope": { "name": "app.history" }, "logRecords": records });
    (uids, json!({ "resourceLogs": [{ "scopeLogs": [scope] }] }).to_string())
}

/// Sends until it is enough; what is acknowledged goes into the list.
fn send(port: u16, is_enough: &AtomicBool, acknowledged: &Mutex<HashSet<String>>) {
    let client = Client::new(format!("http://127.0.0.1:{port}"));
    let mut first = 0;
    while !is_enough.load(Ordering::Relaxed) {
        let (uids, body) = request(first);
        first += BATCH_RECORDS;
        // A collector that is away acknowledges nothing; the next records have other numbers.
        let answer = client.try_send(Method::POST, "/v1/logs", Some(("application/json", body)));
        if answer.is_ok_and(|answer| answer.status == 200) {
            acknowledged.lock().unwrap().extend(uids);
        }
        thread::sleep(PAUSE);
    }
}

fn happen(fault: &Fault, collector: &mut Collector, destinations: &[Destination<'_>]) {
    let wait = |time| throughout(time, "a fault", || Ok(()));
    let set = |mode: &Value| destinations.iter().for_each(|it| (it.set_mode)(mode));
    let (mode, restart): (_, Option<fn(&mut Collector)>) = match fault {
        Fault::Door(mode) => (Some(mode), None),
        Fault::Kill(mode) => (mode.as_ref(), Some(Collector::kill)),
        Fault::Stop(mode) => (mode.as_ref(), Some(Collector::stop)),
    };
    if let Some(mode) = mode {
        set(mode);
    }
    wait(FAULT);
    if let Some(restart) = restart {
        restart(collector);
        collector.run();
    }
    set(&json!({ "mode": "ok" }));
    wait(REST);
}

/// Lets the faults happen under load, to all destinations at once, and waits until everything has
/// arrived everywhere or time is up.
pub(crate) fn run(
    collector: &mut Collector,
    destinations: &[Destination<'_>],
    faults: &[Fault],
) -> Vec<Figures> {
    let started = Instant::now();
    let (is_enough, acknowledged) = (AtomicBool::new(false), Mutex::default());
    let port = collector.port("OTLP_HTTP_PORT");
    thread::scope(|scope| {
        scope.spawn(|| send(port, &is_enough, &acknowledged));
        for fault in faults {
            // Where to look when something is missing: the faults by what was acknowledged before.
            println!("{fault:?} after {} records", acknowledged.lock().unwrap().len());
            happen(fault, collector, destinations);
        }
        is_enough.store(true, Ordering::Relaxed);
    });
    let acknowledged: HashSet<String> = acknowledged.into_inner().unwrap();
    let missing = |copies: &BTreeMap<String, u64>| {
        acknowledged.iter().filter(|uid| !copies.contains_key(*uid)).count()
    };
    let until = Instant::now() + CATCH_UP;
    let all = || destinations.iter().map(|it| missing(&(it.copies)())).collect::<Vec<_>>();
    eventually(CATCH_UP * 2, "the backlog, or the end of the time for it", || {
        let missing = all();
        if Instant::now() >= until || missing.iter().all(|count| *count == 0) {
            return Ok(());
        }
        Err(format!("missing of {} records: {missing:?}", acknowledged.len()))
    });
    let figures = |destination: &Destination<'_>| {
        let copies = (destination.copies)();
        let mut lost: Vec<_> = acknowledged.iter().filter(|it| !copies.contains_key(*it)).collect();
        if !lost.is_empty() {
            lost.sort();
            println!("{}: lost from {:?} to {:?}", destination.name, lost.first(), lost.last());
        }
        Figures {
            destination: destination.name.to_owned(),
            faults: faults.len(),
            acknowledged: acknowledged.len(),
            lost: missing(&copies),
            duplicated: duplicated(&copies),
            seconds: started.elapsed().as_secs(),
        }
    };
    destinations.iter().map(figures).collect()
}
