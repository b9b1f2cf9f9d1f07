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
/// When each task last succeeded. Names are words of the source, so there are few.
static SUCCESSES: ArcSwapOption<BTreeMap<&'static str, Instant>> = ArcSwapOption::const_empty();

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

pub(super) fn task_succeeded(task: &'static str) {
    let now = Instant::now();
    SUCCESSES.rcu(|known| {
        let mut known = known.as_deref().cloned().unwrap_or_default();
        known.insert(task, now);
        Some(Arc::new(known))
    });
}

/// Seconds since each task's last success.
pub(super) fn success_ages_seconds() -> Vec<(&'static str, f64)> {
    let successes = SUCCESSES.load();
    let all = successes.iter().flat_map(|known| known.iter());
    all.map(|(task, at)| (*task, at.elapsed().as_secs_f64())).collect()
}
