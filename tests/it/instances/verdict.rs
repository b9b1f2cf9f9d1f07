//! What must hold at the end, judged from the outside: by what operators were answered, what the
//! processes said, and what the database noted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::evidence::{Acquired, AuditRow, BanRow, Removed};
use super::fleet::{Life, Pause};
use super::load::Acknowledged;

/// Two clocks of one machine are compared, of which the database's shows milliseconds.
const CLOCK_SLACK_SECONDS: f64 = 0.01;

/// A process that goes on takes so long at most, on a busy machine, to find that its time is over.
const WAKING: SignedDuration = SignedDuration::from_secs(2);

/// A run of the scheduled task as its process told of it.
#[derive(Debug)]
struct Run {
    pid: u32,
    epoch: i64,
    started: Timestamp,
    /// When it was over, and how many changes it made if it completed.
    end: Option<(Timestamp, Option<i64>)>,
}

/// How the runs ended, for people.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) completed: usize,
    pub(super) failed: usize,
    /// The process was killed in it.
    pub(super) cut: usize,
    /// Runs that were not over when one of a later epoch began.
    pub(super) overlaps: usize,
    /// Items of work that completed runs say they removed.
    pub(super) changes: i64,
}

fn at(line: &Value) -> Timestamp {
    line["timestamp"].as_str().unwrap().parse().unwrap()
}

fn seconds(at: Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}

fn of_event<'a>(life: &'a Life, name: &'a str) -> impl Iterator<Item = &'a Value> {
    life.lines.iter().filter(move |line| line["event"] == name)
}

fn runs_of(life: &Life) -> Vec<Run> {
    let ends: HashMap<&str, &Value> = ["task_completed", "task_failed"]
        .into_iter()
        .flat_map(|name| of_event(life, name))
        .filter_map(|line| Some((line["correlation_id"].as_str()?, line)))
        .collect();
    let started = of_event(life, "task_started");
    let run = |line: &Value| {
        let end = ends.get(line["correlation_id"].as_str().unwrap());
        Run {
            pid: life.pid,
            epoch: line["epoch"].as_i64().unwrap(),
            started: at(line),
            end: end.map(|line| (at(line), line["changes"].as_i64())),
        }
    };
    started.map(run).collect()
}

/// Each run is over, or its process was killed in it; what it says it removed was removed in its
/// epoch, while it ran; and none overlaps one of a later epoch unless its process did not run.
pub(super) fn check_runs(lives: &[Life], removed: &[Removed]) -> Runs {
    let mut sums = Runs::default();
    let mut all: Vec<Run> = lives.iter().flat_map(runs_of).collect();
    all.sort_by_key(|run| run.started);
    let life_of = |run: &Run| lives.iter().find(|life| life.pid == run.pid).unwrap();
    for (index, run) in all.iter().enumerate() {
        let life = life_of(run);
        match run.end {
            None => {
                assert!(life.was_killed, "a run without an end: {run:?}");
                sums.cut += 1;
            }
            Some((_, None)) => sums.failed += 1,
            Some((end, Some(changes))) => {
                sums.completed += 1;
                sums.changes += changes;
                let from = seconds(run.started) - CLOCK_SLACK_SECONDS;
                let until = seconds(end) + CLOCK_SLACK_SECONDS;
                let seen = removed.iter().filter(|it| it.epoch == run.epoch);
                let seen = seen.filter(|it| (from..=until).contains(&it.at)).count();
                let claimed = usize::try_from(changes).unwrap();
                assert!(seen >= claimed, "{claimed} removed, {seen} of them in its epoch: {run:?}");
            }
        }
        let Some((end, _)) = run.end else { continue };
        let later = all[index + 1..].iter().take_while(|later| later.started < end);
        for later in later {
            assert_ne!(later.epoch, run.epoch, "two at once: {run:?} {later:?}");
            // Who has the older epoch woke up a moment ago, or sleeps.
            let older = if later.epoch < run.epoch { later } else { run };
            let until = older.end.map_or(end, |(end, _)| end);
            let is_near = |it: &&Pause| it.from < until && it.until + WAKING > older.started;
            let was_paused = life_of(older).pauses.iter().any(|it| is_near(&it));
            assert!(was_paused, "two at once, and nobody was paused: {run:?} {later:?}");
            sums.overlaps += 1;
        }
    }
    sums
}

/// Epochs grow, and each belongs to one process, as the database and as the processes say.
pub(super) fn check_epochs(lives: &[Life], acquired: &[Acquired]) {
    for pair in acquired.windows(2) {
        assert!(pair[0].epoch < pair[1].epoch && pair[0].at <= pair[1].at, "{pair:?}");
    }
    let owner: BTreeMap<i64, i64> = acquired.iter().map(|it| (it.epoch, it.pid)).collect();
    let mut told = BTreeSet::new();
    for life in lives {
        let mut last = 0;
        for line in of_event(life, "scheduler_lock_acquired") {
            let epoch = line["epoch"].as_i64().unwrap();
            assert_eq!(line["pid"], life.pid, "{line}");
            assert!(epoch > last && told.insert(epoch), "told twice, or of the past: {line}");
            last = epoch;
            let known = owner.get(&epoch).copied();
            assert_eq!(known, Some(i64::from(life.pid)), "the database knows another: {line}");
        }
    }
}

/// Everything that was acknowledged stands in the database, once and as it was.
pub(super) fn check_acknowledged(done: &[Acknowledged], audit: &[AuditRow], bans: &[BanRow]) {
    let by_id: HashMap<&str, &AuditRow> =
        audit.iter().filter_map(|row| Some((row.correlation_id.as_deref()?, row))).collect();
    for own in done {
        let row = by_id.get(own.correlation_id.as_str());
        let row = row.unwrap_or_else(|| panic!("no row of the audit log: {own:?}"));
        assert_eq!((row.action.as_str(), &row.ip), (own.action, &own.ip), "{own:?} {row:?}");
        assert_eq!(row.result, "success", "{own:?} {row:?}");
        let Some(ip) = &own.ip else { continue };
        let rows: Vec<_> = bans.iter().filter(|row| row.ip == *ip).collect();
        if own.action == "ban" {
            let is_told = |row: &&BanRow| row.reason.is_some();
            assert!(rows.iter().any(is_told), "not in the history: {own:?} {rows:?}");
        } else {
            let has_ended = rows.iter().all(|row| row.unbanned_at.is_some());
            assert!(has_ended && !rows.is_empty(), "not over in the history: {own:?} {rows:?}");
        }
    }
}

/// How well the history knows who did what, for people: of the bans and unbans that operators
/// made, how many have rows that say so; and how many addresses have more than one row.
pub(super) fn attribution(done: &[Acknowledged], bans: &[BanRow]) -> String {
    let mut rows: HashMap<&str, Vec<&BanRow>> = HashMap::new();
    for row in bans {
        rows.entry(&row.ip).or_default().push(row);
    }
    let of = |own: &Acknowledged| own.ip.as_deref().and_then(|ip| rows.get(ip));
    let count = |action: &str, fits: fn(&BanRow) -> bool| {
        let own = done.iter().filter(|own| own.action == action);
        let own: Vec<_> = own.filter_map(of).collect();
        let fitting = own.iter().filter(|rows| rows.iter().any(|row| fits(row))).count();
        format!("{fitting} of {} {action}s", own.len())
    };
    let doubled = rows.values().filter(|rows| rows.len() > 1).count();
    format!(
        "history names the operator of {} and {}; {doubled} of {} addresses have several rows",
        count("ban", |row| row.source == "operator" && row.correlation_id.is_some()),
        count("unban", |row| row.unban_source.as_deref() == Some("operator")),
        rows.len(),
    )
}

/// Nothing was critical, nothing panicked, nothing was said on stderr, and nobody grew fat.
pub(super) fn check_lives(lives: &[Life], peak_mib_max: u64) {
    for life in lives {
        let bad = |line: &&Value| line["level"] == "critical" || line["event"] == "panic";
        let found: Vec<_> = life.lines.iter().filter(bad).collect();
        assert!(found.is_empty(), "{}: {found:#?}", life.pid);
        assert!(life.stderr.is_empty(), "{}: {:?}", life.pid, life.stderr);
        assert!(life.peak_mib <= peak_mib_max, "{} took {} MiB", life.pid, life.peak_mib);
    }
}

/// Events at level warning and error, counted, for people.
pub(super) fn troubles(lives: &[Life]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lives.iter().flat_map(|life| &life.lines) {
        if line["level"] == "warning" || line["level"] == "error" {
            let name = format!("{} {}", line["level"], line["event"]).replace('"', "");
            *counts.entry(name).or_default() += 1;
        }
    }
    counts
}

/// How often records of the audit log were told beyond the first time, for people.
pub(super) fn told_again(lives: &[Life]) -> (usize, usize) {
    let lines = lives.iter().flat_map(|life| of_event(life, "audit_recorded"));
    let ids: Vec<_> = lines.filter_map(|line| line["audit_id"].as_i64()).collect();
    let distinct: BTreeSet<_> = ids.iter().collect();
    (distinct.len(), ids.len() - distinct.len())
}
