//! The pace of the history on SQLite, and what the scheduler's lock costs the database.
//!
//! `BANGUI_TEST_SPEED_SECONDS` makes the first one longer than the few seconds of CI.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Word;
use opentelemetry_proto::tonic::metrics::v1::metric;

use crate::support::{
    Bangui, Client, Database, FakeSocket, OtlpReceiver, SOON, eventually, expect,
};

const BANS_PER_SECOND: usize = 100;
const DEFAULT_SECONDS: usize = 10;
/// What the page asks for, and how often: more than a page does.
const PAGE: [&str; 4] =
    ["/api/dashboard/status", "/api/bans?limit=100", "/api/history?limit=100", "/api/jails"];
const READERS: usize = 2;
const READ_PAUSE: Duration = Duration::from_millis(100);
/// How far the history may be behind the log, on a machine that is busy with other tests.
const LAG_MAX: Duration = Duration::from_secs(5);

/// Asks for what the page shows until it is told to stop; gives the times that answers took.
fn read_always(admin: &Client, is_over: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        for path in PAGE {
            let begun = Instant::now();
            admin.get(path).expect(200);
            times.push(begun.elapsed());
        }
        thread::sleep(READ_PAUSE);
    }
    times
}

/// Writes bans into fail2ban's log at an even pace, each on its own; gives how many.
fn write_bans(log: &mut std::fs::File, seconds: usize) -> usize {
    let (begun, count) = (Instant::now(), seconds * BANS_PER_SECOND);
    for n in 0..count {
        let due = begun + Duration::from_secs(1) * u32::try_from(n).unwrap() / 100;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,000");
        let ip = format!("198.18.{}.{}", n / 250, n % 250 + 1);
        let line = format!("{time} fail2ban.actions        [812]: NOTICE  [sshd] Ban {ip}\n");
        log.write_all(line.as_bytes()).unwrap();
    }
    count
}

#[test]
fn the_history_takes_a_hundred_bans_a_second_with_the_page_in_use() {
    let seconds = std::env::var("BANGUI_TEST_SPEED_SECONDS");
    let seconds = seconds.map_or(DEFAULT_SECONDS, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let log_path = folder.path().join("fail2ban.log");
    let mut log = OpenOptions::new().create(true).append(true).open(&log_path).unwrap();
    let socket = FakeSocket::logging_to(&log_path);
    let bangui = Bangui::builder().data_dir(folder.path()).socket(&socket.path()).start();
    let admin = bangui.admin();
    eventually(SOON, "the log", || {
        let status = admin.get("/api/dashboard/status").expect(200).json();
        let is_read = status["fail2ban"]["sources"]["log"]["healthy"] == true;
        expect(is_read, status.to_string())
    });
    let mut database = Database::open(folder.path());
    let is_over = AtomicBool::new(false);
    let (written, lag, mut times) = thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| read_always(&admin, &is_over))).collect();
        let written = write_bans(&mut log, seconds);
        let ended = Instant::now();
        let wanted = i64::try_from(written).unwrap();
        eventually(LAG_MAX, "all bans in the history", || {
            let rows = database.number("SELECT count(*) FROM bans");
            expect(rows == wanted, format!("{rows} of {wanted}"))
        });
        let lag = ended.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let times: Vec<_> = readers.into_iter().flat_map(|it| it.join().unwrap()).collect();
        (written, lag, times)
    });
    for lost in ["history_write_failed", "history_facts_dropped", "http_internal_error"] {
        assert_eq!(bangui.events(lost).len(), 0, "{lost}");
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "{written} bans in {seconds} s, all in the history {lag:?} after the last line; {} answers \
         for the page, median {:?}, 99 % within {:?}",
        times.len(),
        at(50),
        at(99)
    );
}

/// Statements on the lock so far, by their verb.
fn lock_statements(receiver: &OtlpReceiver) -> BTreeMap<String, u64> {
    let name = "db.client.operation.duration";
    let newest = receiver.metrics().into_iter().rfind(|metric| metric.name == name);
    let Some(metric::Data::Histogram(histogram)) = newest.and_then(|metric| metric.data) else {
        return BTreeMap::new();
    };
    let points = histogram.data_points.iter().map(|point| {
        let word = |key: &str| {
            let found = point.attributes.iter().find(|own| own.key == key);
            match found.and_then(|own| own.value.as_ref()?.value.as_ref()) {
                Some(Word::StringValue(text)) => text.clone(),
                other => panic!("{key}: {other:?}"),
            }
        };
        (word("db.collection.name"), word("db.operation.name"), point.count)
    });
    let of_lock = points.filter(|(table, ..)| table == "scheduler_lock");
    of_lock.map(|(_, verb, count)| (verb, count)).collect()
}

#[test]
fn a_heartbeat_is_one_small_statement() {
    const LEASE_SECONDS: u32 = 3;
    const WATCHED: Duration = Duration::from_secs(6);
    let folder = tempfile::tempdir().unwrap();
    let receivers = [OtlpReceiver::start(), OtlpReceiver::start()];
    let start = |receiver: &OtlpReceiver| {
        Bangui::builder()
            .data_dir(folder.path())
            .env("BANGUI_SCHEDULER_LEASE_SECONDS", LEASE_SECONDS)
            .export_to(receiver, "grpc")
            .start()
    };
    let holder = start(&receivers[0]);
    holder.wait_for_event("scheduler_lock_acquired");
    let waiter = start(&receivers[1]);
    waiter.wait_for_event("scheduler_lock_held_by_other_instance");
    // The first runs of the tasks write under the lock, once.
    for task in ["session_cleanup", "history_retention", "history_sync", "blocklist_refresh"] {
        holder.wait_for("task_completed", |line| line["task"] == task);
    }
    // What was counted until then has been exported.
    thread::sleep(Duration::from_secs(1));
    let (before, begun) = (receivers.each_ref().map(lock_statements), Instant::now());
    thread::sleep(WATCHED);
    let (after, watched) = (receivers.each_ref().map(lock_statements), begun.elapsed());
    let grown = |index: usize| -> Vec<(String, u64)> {
        let own = after[index].iter().map(|(verb, count)| {
            (verb.clone(), count - before[index].get(verb).copied().unwrap_or_default())
        });
        own.filter(|(_, count)| *count > 0).collect()
    };
    // One interval is a third of the lease; exports lag by some of their own.
    let beats = watched.as_secs_f64() * 3.0 / f64::from(LEASE_SECONDS) + 1.5;
    for (index, verb) in [(0, "UPDATE"), (1, "SELECT")] {
        let grown = grown(index);
        println!("{verb}: {grown:?} in {watched:?}, heartbeats at most {beats:.1}");
        let [(own, count)] = &grown[..] else { panic!("one kind of statement: {grown:?}") };
        assert!(own == verb && *count as f64 <= beats && *count >= 3, "{grown:?}");
    }
}
