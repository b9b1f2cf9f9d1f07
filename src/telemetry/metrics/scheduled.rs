//! What the gauges of the scheduler show: facts with the time at which they were reported, since an
//! age goes on growing while nobody reports.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The lock as its keeper last saw it.
#[derive(Debug, Clone, Copy)]
struct Lock {
    is_held: bool,
    /// The last heartbeat's age when it was reported.
    age_seconds: Option<f64>,
    reported: Instant,
}

static LOCK: Mutex<Option<Lock>> = Mutex::new(None);
/// When each task last succeeded. Names are words of the source, so there are few.
static SUCCESSES: Mutex<BTreeMap<&'static str, Instant>> = Mutex::new(BTreeMap::new());

pub(super) fn set_lock(is_held: bool, age_seconds: Option<f64>) {
    *locked(&LOCK) = Some(Lock { is_held, age_seconds, reported: Instant::now() });
}

/// 1 while this instance holds the lock, 0 while it does not; nothing where nobody keeps one.
pub(super) fn lock_held() -> Option<u64> {
    locked(&LOCK).map(|lock| lock.is_held.into())
}

/// Seconds since the holder's last heartbeat, as far as this instance knows.
pub(super) fn lock_age_seconds() -> Option<f64> {
    let lock = (*locked(&LOCK))?;
    // The database's clock was set back if it is negative.
    Some(lock.age_seconds?.max(0.0) + lock.reported.elapsed().as_secs_f64())
}

pub(super) fn task_succeeded(task: &'static str) {
    locked(&SUCCESSES).insert(task, Instant::now());
}

/// Seconds since each task's last success.
pub(super) fn success_ages_seconds() -> Vec<(&'static str, f64)> {
    let successes = locked(&SUCCESSES);
    successes.iter().map(|(task, at)| (*task, at.elapsed().as_secs_f64())).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
