//! What the scheduler is measured by: its tasks and its lock.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::attributes::Attributes;
use super::definition::Definition;
use super::scheduled;

/// Tasks, which are words of the source, times the ways in which they fail.
const TASK_SERIES_MAX: usize = 100;

const TASK_DURATION: Definition =
    Definition::duration("bangui.task.duration", "Duration of runs of scheduled tasks.")
        .with(&["bangui.task.name", "error.type"], TASK_SERIES_MAX);
const TASK_LAST_SUCCESS: Definition = Definition::gauge(
    "bangui.task.last_success.age",
    "s",
    "Time since the last success of a scheduled task; absent before the first one, and on \
     instances that do not run it.",
)
.with(&["bangui.task.name"], TASK_SERIES_MAX);
const TASK_INTERVAL: Definition = Definition::gauge(
    "bangui.task.interval",
    "s",
    "Time between two runs of a task by its schedule, the longest of the next few of a cron \
     expression; absent on instances that do not run it.",
)
.with(&["bangui.task.name"], TASK_SERIES_MAX);
const TASK_FAILURES: Definition = Definition::gauge(
    "bangui.task.failures_in_a_row",
    "{run}",
    "Runs of a task that did not complete since its last success; absent on instances that do not \
     run it.",
)
.with(&["bangui.task.name"], TASK_SERIES_MAX);
const LOCK_HELD: Definition = Definition::gauge(
    "bangui.scheduler.lock.held",
    "{lock}",
    "1 while this instance runs the scheduled tasks, else 0.",
);
const LOCK_AGE: Definition = Definition::gauge(
    "bangui.scheduler.lock.age",
    "s",
    "Time since the last heartbeat of the lock's holder, as this instance knows it; absent while \
     there is no holder.",
);
const LOCK_TAKEOVERS: Definition = Definition::counter(
    "bangui.scheduler.lock.takeovers",
    "{takeover}",
    "Stale locks that were taken over from another instance; 0 from the start.",
);
const LOCK_HEARTBEATS_LOST: Definition = Definition::counter(
    "bangui.scheduler.lock.heartbeats_lost",
    "{loss}",
    "Times that the lock was lost while it was held; 0 from the start.",
);
const LOCK_HELD_BY_OTHER: Definition = Definition::counter(
    "bangui.scheduler.lock.held_by_other",
    "{report}",
    "Reports that another instance holds the lock, one a minute at most; 0 from the start.",
);

pub(super) const DEFINITIONS: &[&Definition] = &[
    &TASK_DURATION,
    &TASK_LAST_SUCCESS,
    &TASK_INTERVAL,
    &TASK_FAILURES,
    &LOCK_HELD,
    &LOCK_AGE,
    &LOCK_TAKEOVERS,
    &LOCK_HEARTBEATS_LOST,
    &LOCK_HELD_BY_OTHER,
];

struct Instruments {
    task_duration: Histogram<f64>,
    lock_takeovers: Counter<u64>,
    lock_heartbeats_lost: Counter<u64>,
    lock_held_by_other: Counter<u64>,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    LOCK_HELD.observe(meter, |observer| {
        scheduled::lock_held().into_iter().for_each(|held| observer.observe(held, &[]));
    });
    LOCK_AGE.observe_seconds(meter, |observer| {
        scheduled::lock_age_seconds().into_iter().for_each(|age| observer.observe(age, &[]));
    });
    TASK_LAST_SUCCESS.observe_seconds(meter, |observer| {
        for (task, age) in scheduled::success_ages_seconds() {
            observer.observe(age, &[KeyValue::new("bangui.task.name", task)]);
        }
    });
    TASK_INTERVAL.observe_seconds(meter, |observer| {
        for (task, interval) in scheduled::task_intervals_seconds() {
            observer.observe(interval, &[KeyValue::new("bangui.task.name", task)]);
        }
    });
    TASK_FAILURES.observe(meter, |observer| {
        for (task, failures) in scheduled::task_failures_in_a_row() {
            observer.observe(failures, &[KeyValue::new("bangui.task.name", task)]);
        }
    });
    let _ = INSTRUMENTS.set(Instruments {
        task_duration: TASK_DURATION.build_histogram(meter),
        lock_takeovers: LOCK_TAKEOVERS.build_counter_from_zero(meter),
        lock_heartbeats_lost: LOCK_HEARTBEATS_LOST.build_counter_from_zero(meter),
        lock_held_by_other: LOCK_HELD_BY_OTHER.build_counter_from_zero(meter),
    });
}

/// A run of a scheduled task is over; it failed with the given kind of error.
pub fn task(task: &'static str, seconds: f64, error_type: Option<&'static str>) {
    scheduled::task_ended(task, error_type.is_none());
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = Attributes::default();
    attributes.push(KeyValue::new("bangui.task.name", task));
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.task_duration.record(seconds, &attributes);
}

/// A task runs on this instance from now on: every so many seconds, by its schedule; how long ago
/// it last succeeded, and how often it did not since then, on whichever instance.
pub fn task_taken_up(
    task: &'static str,
    interval_seconds: i64,
    success_age_seconds: Option<f64>,
    failures_in_a_row: u32,
) {
    let interval_seconds = interval_seconds as f64;
    let failures = failures_in_a_row.into();
    scheduled::task_taken_up(task, interval_seconds, success_age_seconds, failures);
}

/// A task runs on this instance no longer.
pub fn task_left(task: &'static str) {
    scheduled::task_left(task);
}

/// Whether this instance holds the scheduler's lock, and how old the holder's heartbeat is.
pub fn set_scheduler_lock(is_held: bool, age_seconds: Option<f64>) {
    scheduled::set_lock(is_held, age_seconds);
}

/// A stale lock was taken over from another instance.
pub fn scheduler_lock_taken_over() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_takeovers.add(1, &[]);
    }
}

/// The lock was lost while it was held.
pub fn scheduler_lock_heartbeat_lost() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_heartbeats_lost.add(1, &[]);
    }
}

/// It was told that another instance holds the lock.
pub fn scheduler_lock_held_by_other() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_held_by_other.add(1, &[]);
    }
}
