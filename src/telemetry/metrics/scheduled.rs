//! What the gauges of the scheduler show: facts with the time at which they were reported, since an
//! age goes on growing while nobody reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;

/// The lock as its keeper last saw it.
#[derive(Debug, Clone, Copy)]
struct Lock {
    is_held: bool,
    /// The last heartbeat's age when it was reported.
    age_seconds: Option<f64>,
    reported: Instant,
}

static LOCK: ArcSwapOption<Lock> = ArcSwapOption::const_empty();
/// A task that runs here.
#[derive(Debug, Clone, Copy, Default)]
struct Task {
    /// How far apart its runs are to be, if that is known.
    interval_seconds: Option<f64>,
    /// How long ago its last success was when it was reported, and when that was.
    success: Option<(f64, Instant)>,
    /// Runs since then, which did not complete.
    failures_in_a_row: u64,
}

/// The tasks that run on this instance. Names are words of the source, so there are few.
static TASKS: ArcSwapOption<BTreeMap<&'static str, Task>> = ArcSwapOption::const_empty();

pub(super) fn set_lock(is_held: bool, age_seconds: Option<f64>) {
    LOCK.store(Some(Arc::new(Lock { is_held, age_seconds, reported: Instant::now() })));
}

/// 1 while this instance holds the lock, 0 while it does not; nothing where nobody keeps one.
pub(super) fn lock_held() -> Option<u64> {
    LOCK.load().as_ref().map(|lock| lock.is_held.into())
}

/// Seconds since the holder's last heartbeat, as far as this instance knows.
pub(super) fn lock_age_seconds() -> Option<f64> {
    let lock = LOCK.load_full()?;
    // The database's clock was set back if it is negative.
    Some(lock.age_seconds?.max(0.0) + lock.reported.elapsed().as_secs_f64())
}

fn change_tasks(change: impl Fn(&mut BTreeMap<&'static str, Task>)) {
    TASKS.rcu(|tasks| {
        let mut tasks = tasks.as_deref().cloned().unwrap_or_default();
        change(&mut tasks);
        Some(Arc::new(tasks))
    });
}

/// A task runs here from now on.
pub(super) fn task_taken_up(
    task: &'static str,
    interval_seconds: f64,
    success_age_seconds: Option<f64>,
    failures_in_a_row: u64,
) {
    // The database's clock was set back if it is negative.
    let success = success_age_seconds.map(|age| (age.max(0.0), Instant::now()));
    let known = Task { interval_seconds: Some(interval_seconds), success, failures_in_a_row };
    change_tasks(|tasks| {
        tasks.insert(task, known);
    });
}

/// A task runs elsewhere, or nowhere.
pub(super) fn task_left(task: &'static str) {
    change_tasks(|tasks| {
        tasks.remove(task);
    });
}

/// A run of a task is over.
pub(super) fn task_ended(task: &'static str, is_success: bool) {
    let now = Instant::now();
    change_tasks(|tasks| {
        let task = tasks.entry(task).or_default();
        if is_success {
            (task.success, task.failures_in_a_row) = (Some((0.0, now)), 0);
        } else {
            task.failures_in_a_row += 1;
        }
    });
}

/// How many runs of each task did not complete since its last success.
pub(super) fn task_failures_in_a_row() -> Vec<(&'static str, u64)> {
    of_tasks(|task| Some(task.failures_in_a_row))
}

/// Seconds since each task's last success.
pub(super) fn success_ages_seconds() -> Vec<(&'static str, f64)> {
    let age = |task: &Task| task.success.map(|(age, at)| age + at.elapsed().as_secs_f64());
    of_tasks(age)
}

/// How far apart each task's runs are to be.
pub(super) fn task_intervals_seconds() -> Vec<(&'static str, f64)> {
    of_tasks(|task| task.interval_seconds)
}

fn of_tasks<T>(value: impl Fn(&Task) -> Option<T>) -> Vec<(&'static str, T)> {
    let tasks = TASKS.load();
    let all = tasks.iter().flat_map(|tasks| tasks.iter());
    all.filter_map(|(name, task)| Some((*name, value(task)?))).collect()
}
