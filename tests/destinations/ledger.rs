//! Sends records to a collector while faults of every kind happen behind it and to it, and compares
//! what it acknowledged with what the destination has.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use crate::support::{Client, Collector, eventually, throughout};

/// How long a destination stays at fault, and the load that goes on after that.
const FAULT: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_millis(500);
/// A batch that was in doubt is tried again within this time.
const QUIET: Duration = Duration::from_millis(800);
/// A request that hung is given up after 10 s and tried again after 5 s at most, and what has
/// waited takes its time.
const CATCH_UP: Duration = Duration::from_secs(90);

/// Records of a batch that `max_size` in otel-collector/providers/ lets through, but for Datadog
/// and Elasticsearch: one batch may arrive twice for each fault.
pub(crate) const MAX_BATCH_RECORDS: u64 = 500;

/// So many records at least are acknowledged beside all faults of a run.
const MIN_RECORDS: usize = 500;

/// How records are sent.
#[derive(Debug)]
pub(crate) struct Load {
    senders: usize,
    request_records: u64,
    pause: Duration,
}

/// Some 400 records a second, far above what a service says.
const STEADY: Load = Load { senders: 1, request_records: 20, pause: Duration::from_millis(50) };
/// Somebody is always at the door: a collector hears requests in the millisecond it opens.
pub(crate) const EAGER: Load =
    Load { senders: 4, request_records: 1, pause: Duration::from_millis(2) };

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
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) destination: String,
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    /// Copies beyond the first of each record, fault by fault.
    pub(crate) copies: Vec<u64>,
    pub(crate) seconds: u64,
}

impl Figures {
    /// Prints what was measured, and fails when records are lost or when, after any one fault,
    /// more than a batch of them is there twice.
    pub(crate) fn assert_even(&self, max_batch_records: u64) {
        self.report();
        assert!(self.acknowledged >= MIN_RECORDS, "{self:?}");
        assert_eq!(self.lost, 0, "{self:?}");
        assert!(self.copies.iter().all(|copies| *copies <= max_batch_records), "{self:?}");
    }

    pub(crate) fn report(&self) {
        println!(
            "{}: {} faults in {} s, {} acknowledged, {} lost, {} duplicated, at most {} by a fault",
            self.destination,
            self.copies.len(),
            self.seconds,
            self.acknowledged,
            self.lost,
            self.copies.iter().sum::<u64>(),
            self.copies.iter().max().unwrap_or(&0),
        );
    }
}

/// Copies beyond the first, of how often each record is there.
pub(crate) fn duplicated(copies: &BTreeMap<String, u64>) -> u64 {
    copies.values().map(|count| count - 1).sum()
}

/// Answers of HTTP that refuse what was sent.
pub(crate) fn refusals() -> Vec<Fault> {
    let statuses = [400, 401, 403, 404, 413, 429, 500, 503];
    statuses.map(|status| Fault::Door(json!({ "mode": "status", "status": status }))).into()
}

/// Faults that a destination of HTTP can have.
pub(crate) fn http_faults() -> Vec<Fault> {
    refusals().into_iter().chain(stream_faults()).collect()
}

/// Faults that a stream of bytes can have, and those of the collector.
pub(crate) fn stream_faults() -> Vec<Fault> {
    let refuse = || Some(json!({ "mode": "refuse" }));
    let hang = || Some(json!({ "mode": "hang" }));
    vec![
        // One answer breaks off, and one never comes: the sender cannot know that it was taken.
        Fault::Door(json!({ "mode": "reset", "taken": true, "for_requests": 1 })),
        Fault::Door(json!({ "mode": "taken_then_hang" })),
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

/// Records with these numbers, flat as BanGUI sends them.
fn request(numbers: std::ops::Range<u64>) -> (Vec<String>, String) {
    let uids: Vec<_> = numbers.map(|seq| format!("{seq:032x}")).collect();
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

/// What the senders share.
#[derive(Default)]
struct Sent {
    is_enough: AtomicBool,
    is_paused: AtomicBool,
    next: AtomicU64,
    acknowledged: Mutex<HashSet<String>>,
}

impl Sent {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// How many acknowledged records a destination lacks.
    fn missing(&self, copies: &BTreeMap<String, u64>) -> usize {
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.iter().filter(|uid| !copies.contains_key(*uid)).count()
    }
}

/// Sends until it is enough; what is acknowledged goes into the list.
fn send(port: u16, load: &Load, sent: &Sent) {
    let client = Client::new(format!("http://127.0.0.1:{port}"));
    while !sent.is_enough.load(Ordering::Relaxed) {
        thread::sleep(load.pause);
        if sent.is_paused.load(Ordering::Relaxed) {
            continue;
        }
        let first = sent.next.fetch_add(load.request_records, Ordering::Relaxed);
        let (uids, body) = request(first..first + load.request_records);
        // A collector that is away acknowledges nothing; the next records have other numbers.
        let answer = client.try_send(Method::POST, "/v1/logs", Some(("application/json", body)));
        if answer.is_ok_and(|answer| answer.status == 200) {
            sent.acknowledged.lock().unwrap().extend(uids);
        }
    }
}

fn wait(time: Duration) {
    throughout(time, "a fault", || Ok(()));
}

fn happen(fault: &Fault, collector: &mut Collector, destinations: &[Destination<'_>]) {
    let set = |mode: &Value| destinations.iter().for_each(|it| (it.set_mode)(mode));
    let (mode, restart): (_, Option<fn(&mut Collector)>) = match fault {
        Fault::Door(mode) => (Some(mode), None),
        Fault::Kill(mode) => (mode.as_ref(), Some(Collector::kill)),
        Fault::Stop(mode) => (mode.as_ref(), Some(Collector::stop)),
    };
    if let Some(mode) = mode {
        set(mode);
        wait(FAULT);
    }
    if let Some(restart) = restart {
        restart(collector);
        collector.run();
    }
    set(&json!({ "mode": "ok" }));
}

/// Lets the load go on after a fault, and on a busy machine until this many records were taken. If
/// they never are, the figures tell.
fn go_on(sent: &Sent, enough: usize) {
    let until = Instant::now() + CATCH_UP;
    wait(REST);
    while sent.count() < enough && Instant::now() < until {
        wait(STEADY.pause);
    }
}

/// Waits until everything has arrived everywhere and is not sent again. What has not when time is
/// up is `lost`, and is not waited for again.
fn settle(sent: &Sent, destinations: &[Destination<'_>], lost: &mut Vec<usize>) {
    let until = Instant::now() + CATCH_UP;
    eventually(CATCH_UP * 2, "the backlog, or the end of the time for it", || {
        let missing: Vec<_> = destinations.iter().map(|it| sent.missing(&(it.copies)())).collect();
        let is_there = missing.iter().zip(&*lost).all(|(missing, lost)| missing <= lost);
        if is_there || Instant::now() >= until {
            *lost = missing;
            return Ok(());
        }
        Err(format!("missing of {} records: {missing:?}", sent.count()))
    });
    wait(QUIET);
}

/// Lets the faults happen under load, to all destinations at once. After each, the load pauses
/// until everything has arrived everywhere, so that every copy is the work of one fault.
pub(crate) fn run(
    collector: &mut Collector,
    destinations: &[Destination<'_>],
    faults: &[Fault],
) -> Vec<Figures> {
    run_under(&STEADY, collector, destinations, faults)
}

/// The same under another load.
pub(crate) fn run_under(
    load: &Load,
    collector: &mut Collector,
    destinations: &[Destination<'_>],
    faults: &[Fault],
) -> Vec<Figures> {
    let started = Instant::now();
    let (sent, port) = (Sent::default(), collector.port("OTLP_HTTP_PORT"));
    let mut lost = vec![0; destinations.len()];
    let mut duplicates: Vec<Vec<u64>> = vec![Vec::new(); destinations.len()];
    thread::scope(|scope| {
        for _ in 0..load.senders {
            scope.spawn(|| send(port, load, &sent));
        }
        for (number, fault) in (1..).zip(faults) {
            // Where to look when something is missing: the faults by what was acknowledged before.
            println!("{fault:?} after {} records", sent.count());
            happen(fault, collector, destinations);
            go_on(&sent, MIN_RECORDS * number / faults.len());
            sent.is_paused.store(true, Ordering::Relaxed);
            settle(&sent, destinations, &mut lost);
            for (destination, counts) in destinations.iter().zip(&mut duplicates) {
                let before: u64 = counts.iter().sum();
                counts.push(duplicated(&(destination.copies)()) - before);
            }
            sent.is_paused.store(false, Ordering::Relaxed);
        }
        sent.is_enough.store(true, Ordering::Relaxed);
    });
    settle(&sent, destinations, &mut lost);
    let figures = |(destination, copies): (&Destination<'_>, Vec<u64>)| {
        let arrived = (destination.copies)();
        let acknowledged = sent.acknowledged.lock().unwrap();
        let mut lost: Vec<_> =
            acknowledged.iter().filter(|it| !arrived.contains_key(*it)).collect();
        if !lost.is_empty() {
            lost.sort();
            println!("{}: lost from {:?} to {:?}", destination.name, lost.first(), lost.last());
        }
        Figures {
            destination: destination.name.to_owned(),
            acknowledged: acknowledged.len(),
            lost: lost.len(),
            copies,
            seconds: started.elapsed().as_secs(),
        }
    };
    destinations.iter().zip(duplicates).map(figures).collect()
}
