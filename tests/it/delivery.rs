//! What the log promises about its delivery: a collector that is away costs nobody anything, what
//! the buffer can hold arrives, and the rest is counted.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Bangui, Builder, Client, Collector, Gate, OtlpReceiver, SOON, assert_same, eventually, expect,
    heavy, is_stdout_only, throughout,
};

/// How often the collector is killed.
const KILLS: usize = 4;
/// How long it is there at first, and away each time.
const FIRST: Duration = Duration::from_millis(1000);
const AWAY: Duration = Duration::from_millis(2000);
/// More requests at once than cores, so that lines of several threads mix.
const CALLERS: usize = 3;
/// How many records the service sends at once.
const BATCH_RECORDS: u64 = 512;
/// So long `make run` waits for the service to end, and then kills it.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);

/// The lines that leave by export, in the order of their numbers.
fn travelled(lines: &[Value]) -> Vec<Value> {
    lines.iter().filter(|line| !is_stdout_only(line)).cloned().collect()
}

fn uids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["uid"].as_str().unwrap()).collect()
}

fn seqs<'a>(lines: impl IntoIterator<Item = &'a Value>) -> Vec<u64> {
    lines.into_iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

fn of_event<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == name).collect()
}

/// The sum of a number over all lines of an event.
fn sum(lines: &[Value], event: &str, key: &str) -> u64 {
    of_event(lines, event).iter().map(|line| line[key].as_u64().unwrap()).sum()
}

/// The number of records that were told of as dropped.
fn dropped(lines: &[Value]) -> usize {
    usize::try_from(sum(lines, "external_log_batch_dropped", "dropped")).unwrap()
}

/// Export of nothing but the log, so that nothing else is under way.
fn export_logs_to(builder: Builder, endpoint: &str) -> Builder {
    builder.env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", endpoint).export_often()
}

/// Requests of several kinds, until it is enough. Nobody may notice that the collector is away.
fn call_always(bangui: &Bangui, admin: &Client, caller: usize, is_enough: &AtomicBool) -> usize {
    let stranger = bangui.stranger();
    // What the service has redacted must pass the collector as it is.
    let reason = "ünï \"quoted\" password=hunter2\n\u{1b}[31m token: abc";
    let mut count = 0;
    while !is_enough.load(Ordering::Relaxed) {
        let ip = format!("203.0.{caller}.{}", count % 200 + 1);
        let ban = json!({ "jail": "sshd", "ip": ip, "reason": reason });
        admin.post("/api/bans", &ban).expect_problem(503);
        admin.get("/api/audit").expect(200);
        stranger.get("/nothing").expect_problem(404);
        stranger.get("/health").expect(200);
        count += 4;
    }
    count
}

/// What became of the lines of one service.
#[derive(Debug, Default)]
struct Figures {
    missing: usize,
    /// Copies beyond the first.
    duplicated: usize,
    /// First copies that came in a later batch than that of a younger line.
    late: usize,
}

/// Compares lines with the batches that have arrived; every copy must be the same as the line.
fn compare(lines: &[Value], batches: &[Vec<Value>]) -> Figures {
    let by_uid: HashMap<_, _> = uids(lines).into_iter().zip(lines).collect();
    let (mut seen, mut figures, mut youngest) = (HashSet::new(), Figures::default(), 0);
    for batch in batches {
        let before = youngest;
        for (uid, record) in uids(batch).into_iter().zip(batch) {
            let line = by_uid.get(uid).unwrap_or_else(|| panic!("no line for {record}"));
            assert_same(line, record);
            let seq = record["seq"].as_u64().unwrap();
            match seen.insert(uid) {
                true => figures.late += usize::from(seq < before),
                false => figures.duplicated += 1,
            }
            youngest = youngest.max(seq);
        }
    }
    figures.missing = by_uid.len() - seen.len();
    figures
}

/// Waits until the service has sent a batch of a size that fits, beside those known before.
fn wait_for_batch(bangui: &Bangui, known: usize, what: &str, fits: impl Fn(u64) -> bool) {
    eventually(SOON, what, || {
        let sent = bangui.events("external_log_batch_sent");
        let mut new = sent.iter().skip(known).map(|line| line["batch_size"].as_u64().unwrap());
        expect(new.any(&fits), format!("{} batches, {known} of them before", sent.len()))
    });
}

#[test]
fn every_line_arrives_although_the_collector_is_killed_again_and_again() {
    let _turn = heavy();
    let mut collector = Collector::start();
    let bangui = Bangui::builder()
        .env("BANGUI_LOG_LEVEL", "debug")
        .env("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", 20_000)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .export_often()
        .start();
    let admin = bangui.admin();
    let is_enough = AtomicBool::new(false);
    let calls: usize = thread::scope(|scope| {
        let (bangui, admin, is_enough) = (&bangui, &admin, &is_enough);
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| scope.spawn(move || call_always(bangui, admin, caller, is_enough)))
            .collect();
        let goes_on = |time| throughout(time, "load", || Ok(()));
        goes_on(FIRST);
        let mut known = 0;
        for _ in 0..KILLS {
            // From the second time on in the midst of sending what has waited.
            collector.kill();
            goes_on(AWAY);
            known = bangui.events("external_log_batch_sent").len();
            collector.run();
            wait_for_batch(bangui, known, "a batch", |_| true);
        }
        // When all that waited is sent, a batch is not full.
        wait_for_batch(bangui, known, "a small batch", |size| size < BATCH_RECORDS);
        is_enough.store(true, Ordering::Relaxed);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    let ended = bangui.stop();
    assert_eq!(ended.status.code(), Some(0));
    let lines = travelled(&ended.lines);
    let figures = compare(&lines, &collector.batches());
    println!("{calls} requests, {KILLS} kills, {} lines: {figures:?}", lines.len());
    // An outage is told once a minute; each one shows in a batch that took more than one attempt.
    let sent = of_event(&ended.lines, "external_log_batch_sent");
    let again = sent.iter().filter(|line| line["attempts"].as_u64() > Some(1)).count();
    assert!(again >= KILLS, "{KILLS} outages, and {again} batches that had to be sent again");
    assert!(!of_event(&ended.lines, "external_log_batch_failed").is_empty());
    assert_eq!(dropped(&ended.lines), 0, "the buffer did not span the gap");
    assert_eq!(figures.missing, 0, "{figures:?}");
    assert!(lines.iter().any(|line| line.to_string().contains("password=***")));
}

/// How long a request takes that neither fails nor does much.
fn time_of_request(client: &Client) -> Duration {
    let started = Instant::now();
    client.get("/api/audit").expect_problem(401);
    started.elapsed()
}

#[test]
fn a_collector_that_never_answers_costs_nobody_anything_and_what_is_lost_is_told() {
    let _turn = heavy();
    let receiver = OtlpReceiver::start();
    let gate = Gate::before(receiver.address());
    let without = Bangui::builder().start();
    let mut bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", gate.endpoint())
        .export_often()
        .env("BANGUI_LOG_LEVEL", "debug")
        .env("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", 200)
        .start();
    bangui.wait_for_event("external_log_batch_sent");
    gate.set_shut(true);
    let clients = [without.stranger(), bangui.stranger()];
    let mut times = [Vec::new(), Vec::new()];
    // In turns, so that whatever else runs on this machine slows down both.
    for _ in 0..300 {
        for (times, client) in times.iter_mut().zip(&clients) {
            times.push(time_of_request(client));
        }
    }
    let [without, with] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!("median of a request: {without:?} without export, {with:?} with a hanging collector");
    assert!(with < without * 3 + Duration::from_millis(5), "{with:?} instead of {without:?}");

    let started = Instant::now();
    bangui.process().signal("TERM");
    let status = bangui.process().wait(STOP_TIMEOUT).expect("the service does not end");
    println!("it has ended {:?} after SIGTERM", started.elapsed());
    assert_eq!(status.code(), Some(0));
    let lines = bangui.stop().lines;
    let (travelled, arrived) = (travelled(&lines), receiver.lines());
    let figures = compare(&travelled, std::slice::from_ref(&arrived));
    println!("{} lines: {figures:?}, {} told of as dropped", travelled.len(), dropped(&lines));
    assert!(!arrived.is_empty() && figures.missing >= 300, "{figures:?}");
    assert_eq!(dropped(&lines), figures.missing);
    assert_eq!(figures.duplicated, 0);
}

#[test]
fn a_full_buffer_keeps_the_newest_and_tells_how_many_are_lost() {
    const BUFFER_RECORDS: usize = 100;
    let receiver = OtlpReceiver::start();
    receiver.set_failing(true);
    let bangui = export_logs_to(Bangui::builder(), &receiver.endpoint())
        .env("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", BUFFER_RECORDS)
        .start();
    let stranger = bangui.stranger();
    let request = || stranger.get("/nothing").expect_problem(404).correlation_id().to_owned();
    (0..400).for_each(|_| _ = request());
    let last = request();
    bangui.wait_for("http_request_completed", |line| line["correlation_id"] == last.as_str());
    bangui.wait_for_event("external_log_batch_failed");
    bangui.wait_for_event("external_log_batch_dropped");
    let so_far = travelled(&bangui.log()).len();
    receiver.set_failing(false);
    eventually(SOON, "what the buffer holds", || {
        let count = receiver.lines().len();
        expect(count >= BUFFER_RECORDS, format!("{count} records"))
    });
    (0..10).for_each(|_| _ = request());
    let told = bangui.events("external_log_batch_dropped").len();
    assert_eq!(told, 1, "drops are told of once a minute");
    let lines = bangui.stop().lines;
    let (travelled, mut arrived) = (travelled(&lines), receiver.lines());
    let lost = so_far - BUFFER_RECORDS;
    let requests = of_event(&arrived, "http_request_completed");
    let order = seqs(requests);
    assert!(order.is_sorted(), "out of order: {order:?}");
    // Within a batch, OTLP groups records by their loggers.
    arrived.sort_by_key(|record| record["seq"].as_u64());
    assert_eq!(seqs(&arrived), seqs(&travelled[lost..]), "the newest, once each");
    assert_eq!(dropped(&lines), lost);
    assert_eq!(of_event(&lines, "external_log_batch_failed").len(), 1);
}

#[test]
fn batches_are_told_of_on_stdout_alone() {
    let receiver = OtlpReceiver::start();
    let bangui = export_logs_to(Bangui::builder(), &receiver.endpoint())
        .env("BANGUI_LOG_LEVEL", "debug")
        .start();
    bangui.wait_for_event("external_log_batch_sent");
    receiver.set_failing(true);
    bangui.stranger().get("/api/audit").expect_problem(401);
    bangui.wait_for_event("external_log_batch_failed");
    receiver.set_failing(false);
    let again = bangui.wait_for("external_log_batch_sent", |line| line["attempts"] != 1);
    let keys = ["provider", "batch_size", "duration_ms", "attempts"].map(|key| &again[key]);
    assert_eq!((keys[0], &again["level"]), (&json!("collector"), &json!("debug")), "{again}");
    assert!(keys[1..].iter().all(|value| value.is_number()), "{again}");
    bangui.stranger().get("/nothing").expect_problem(404);
    let lines = bangui.stop().lines;
    let arrived = receiver.lines();
    let sent = sum(&lines, "external_log_batch_sent", "batch_size");
    assert_eq!(usize::try_from(sent).unwrap(), arrived.len(), "each record is in one batch");
    let own = |line: &&Value| line["event"].as_str().unwrap().starts_with("external_log");
    assert_eq!(arrived.iter().find(own), None, "what is told of a batch makes another one");
    assert_eq!(compare(&travelled(&lines), &[arrived]).missing, 0);
}
