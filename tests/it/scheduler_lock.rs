//! The scheduler's lock between real processes on one SQLite file: one runs the tasks, another
//! takes over, and whoever was paused meanwhile writes nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Bangui, Builder, Database, SOON, eventually, expect, throughout};

const LEASE_SECONDS: u64 = 3;

/// Sessions that a cleanup removes.
fn expired_sessions(database: &mut Database) -> i64 {
    database.number("SELECT count(*) FROM sessions WHERE expires_at < 100")
}

fn builder(folder: &Path) -> Builder {
    Bangui::builder().data_dir(folder).env("BANGUI_SCHEDULER_LEASE_SECONDS", LEASE_SECONDS)
}

/// The signal stops one thread, which then stops the others: some of them run on for a moment,
/// long enough to take the database's write lock and to keep it.
fn wait_until_stopped(pid: u32) {
    eventually(SOON, "the stop of all threads", || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let stats = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")));
        let stats: Vec<_> = stats.filter_map(Result::ok).collect();
        let is_stopped =
            |stat: &String| stat.rsplit_once(") ").is_some_and(|it| it.1.starts_with('T'));
        expect(stats.iter().all(is_stopped), format!("{stats:?}"))
    });
}

fn is_cleanup(line: &Value) -> bool {
    line["task"] == "session_cleanup"
}

/// How many runs of the task were begun, and how many are over.
fn runs(bangui: &Bangui) -> (usize, usize) {
    let count = |name| bangui.events(name).iter().filter(|line| is_cleanup(line)).count();
    (count("task_started"), count("task_completed") + count("task_failed"))
}

fn lock(bangui: &Bangui) -> Value {
    bangui.admin().get("/api/scheduler/lock").expect(200).json()
}

#[test]
fn a_paused_holder_is_replaced_and_writes_nothing_when_it_wakes_up() {
    let folder = tempfile::tempdir().unwrap();
    let often = builder(folder.path()).env("BANGUI_SESSION_CLEANUP_SECONDS", 1);
    let mut first = often.start();
    let acquired = first.wait_for_event("scheduler_lock_acquired");
    let pid = json!(first.process().id());
    assert_eq!((&acquired["level"], &acquired["pid"]), (&json!("info"), &pid));
    assert_eq!(acquired["epoch"], 1);
    let mut second = builder(folder.path()).start();
    let held = second.wait_for_event("scheduler_lock_held_by_other_instance");
    assert_eq!(
        (&held["level"], &held["pid"], &held["epoch"]),
        (&json!("warning"), &pid, &json!(1))
    );
    assert_eq!(lock(&second)["pid"], pid);

    // The holder's next write has begun and waits for its turn when the holder is paused.
    let mut database = Database::open(folder.path());
    database.run("BEGIN IMMEDIATE");
    let mut since = None;
    eventually(SOON, "a run under way", || {
        // Longer than lines wait to be written, so that the end of the run is not one of them.
        const SURE: Duration = Duration::from_millis(300);
        let (started, ended) = runs(&first);
        since = since.filter(|_| started > ended).or((started > ended).then(Instant::now));
        let is_sure = since.is_some_and(|since| since.elapsed() > SURE);
        expect(is_sure, format!("{started} begun, {ended} over"))
    });
    first.process().signal("STOP");
    wait_until_stopped(first.process().id());
    database.run("ROLLBACK");

    let overwrite = second.wait_for_event("scheduler_lock_stale_overwrite");
    assert_eq!((&overwrite["level"], &overwrite["pid"]), (&json!("info"), &pid));
    assert_eq!(overwrite["epoch"], 2);
    assert!(overwrite["age_seconds"].as_f64().unwrap() > LEASE_SECONDS as f64, "{overwrite}");
    second.wait_for("scheduler_lock_acquired", |line| line["epoch"] == 2);
    // A run that had begun is done again at once. Then only the paused one would remove it: for the
    // other, an hour has to pass since the last run.
    std::thread::sleep(Duration::from_secs(2));
    database.run("INSERT INTO sessions VALUES (x'00', 1, 1, 2, '192.0.2.1')");
    let continued = Timestamp::now();
    first.process().signal("CONT");
    let lost = first.wait_for_event("scheduler_lock_heartbeat_lost");
    assert_eq!((&lost["level"], &lost["epoch"]), (&json!("warning"), &json!(1)));
    first.wait_for("task_failed", is_cleanup);
    let second_pid = json!(second.process().id());
    first.wait_for("scheduler_lock_held_by_other_instance", |line| line["pid"] == second_pid);
    throughout(Duration::from_secs(2), "nothing is written", || {
        let completed = first.events("task_completed");
        let at = |line: &Value| line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
        let is_none = completed.iter().all(|line| at(line) < continued);
        let left = expired_sessions(&mut database);
        expect(left == 1 && is_none, format!("{left} left after {continued}: {completed:#?}"))
    });
    assert_eq!((&lock(&first)["pid"], &lock(&first)["is_stale"]), (&second_pid, &json!(false)));

    let stopped = Instant::now();
    let ended = second.stop();
    let is_told = |name| ended.lines.iter().any(|line| line["event"] == name);
    assert!(
        !is_told("scheduler_lock_release_mismatch") && !is_told("scheduler_lock_heartbeat_lost")
    );
    first.wait_for("scheduler_lock_acquired", |line| line["epoch"] == 3);
    // The whole stop of the other is in it, and a busy machine.
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    assert_eq!(first.events("scheduler_lock_stale_overwrite").len(), 0, "it was released");
    eventually(SOON, "the write of the new epoch", || {
        let left = expired_sessions(&mut database);
        expect(left == 0, format!("{left} left"))
    });
}

#[test]
fn the_lock_is_told_with_exactly_its_keys() {
    let bangui = Bangui::builder().start();
    bangui.wait_for_event("scheduler_lock_acquired");
    let told = lock(&bangui);
    let keys: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["age_seconds", "hostname", "is_stale", "locked", "pid", "ttl_remaining"];
    assert_eq!(keys, expected);
    assert_eq!((&told["locked"], &told["is_stale"]), (&json!(true), &json!(false)));
    assert!(told["hostname"].is_string() && told["age_seconds"].is_number(), "{told}");
    let left = told["ttl_remaining"].as_f64().unwrap();
    assert!((0.0..=30.0).contains(&left), "{told}");
    let status = bangui.admin().get("/api/dashboard/status").expect(200).json();
    assert_eq!(status["scheduler"]["held_here"], true, "{status}");
    let run = bangui.wait_for("task_completed", is_cleanup);
    assert_eq!(run["changes"], 0);
    assert_eq!(run["correlation_id"].as_str().map(str::len), Some(32), "{run}");
}

#[test]
fn a_lock_that_was_taken_by_hand_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let bangui = builder(folder.path()).start();
    bangui.wait_for_event("scheduler_lock_acquired");
    let mut database = Database::open(folder.path());
    // The documented way to take it from its holder.
    let sql = "DELETE FROM scheduler_lock;";
    let text = std::fs::read_to_string("docs/SCHEDULER.md").unwrap();
    assert!(text.contains(sql), "docs/SCHEDULER.md lacks it");
    database.run(sql);
    bangui.wait_for_event("scheduler_lock_heartbeat_lost");
    bangui.wait_for("scheduler_lock_acquired", |line| line["epoch"] == 2);
    bangui.stop();

    // With half an hour of lease, a stop comes long before the next heartbeat.
    let slow =
        Bangui::builder().data_dir(folder.path()).env("BANGUI_SCHEDULER_LEASE_SECONDS", 1800);
    let bangui = slow.start();
    bangui.wait_for_event("scheduler_lock_acquired");
    database.run("UPDATE scheduler_lock SET owner = 'another', epoch = epoch + 1 WHERE id = 1");
    let ended = bangui.stop();
    let line = ended.lines.iter().find(|it| it["event"] == "scheduler_lock_release_mismatch");
    let line = line.unwrap_or_else(|| panic!("{:#?}", ended.lines));
    assert_eq!((&line["level"], &line["epoch"]), (&json!("warning"), &json!(3)));
}

#[test]
fn a_database_that_takes_no_write_gives_the_lock_to_nobody_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let bangui = builder(folder.path()).start();
    bangui.wait_for_event("scheduler_lock_acquired");
    let mut database = Database::open(folder.path());
    database.run("BEGIN IMMEDIATE");
    let lost = bangui.wait_for_event("scheduler_lock_heartbeat_lost");
    assert_eq!(lost["error"], "no heartbeat was confirmed in time");
    // Before another could have had it.
    assert!(lost["age_seconds"].as_f64().unwrap() < LEASE_SECONDS as f64, "{lost}");
    throughout(Duration::from_secs(3), "it is held by nobody, and told once", || {
        let (held, told) = ("scheduler_lock_acquired", "scheduler_lock_check_failed");
        let counts = (bangui.events(held).len(), bangui.events(told).len());
        expect(counts == (1, 1), format!("{counts:?}"))
    });
    assert_eq!(bangui.events("scheduler_lock_check_failed")[0]["level"], "error");
    database.run("ROLLBACK");
    bangui.wait_for("scheduler_lock_acquired", |line| line["epoch"] != 1);
}
