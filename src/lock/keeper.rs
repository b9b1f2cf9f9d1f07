//! Takes the lock, keeps it by heartbeats, notices that it is lost, and takes it again.
//!
//! `mod.rs` argues why this is right; the limits here are the ones that it names. Time is tokio's,
//! so that the simulation can run years of it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::lease::Lease;
use crate::store::{Claim, Fence, LockRow};
use crate::telemetry::metrics;

/// How often it is told that the same other instance holds the lock.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// How many other holders are remembered for that. With more, each change is told.
const TOLD_MAX: usize = 16;
/// How long a stop waits for the release; without it the others wait for the lease's end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);
/// A look at a row that is about to become stale comes so much after that.
const STALE_SLACK: Duration = Duration::from_millis(10);

/// The parts of a lease time.
#[derive(Debug, Clone, Copy)]
struct Timing {
    /// Between heartbeats, and at most between looks at another's lock.
    interval: Duration,
    /// How long an answer is waited for. A heartbeat can be sent again once before the deadline.
    answer: Duration,
    /// The pause after a failure that came at once.
    retry: Duration,
    /// How long after a heartbeat was sent the tasks may still run.
    deadline: Duration,
}

impl Timing {
    fn of(lease_time: Duration) -> Self {
        let part = |numerator, denominator| lease_time * numerator / denominator;
        Self { interval: part(1, 3), answer: part(1, 4), retry: part(1, 12), deadline: part(5, 6) }
    }
}

/// What tells one holder from another, also if it has no owner.
type Holder = (Option<String>, Option<i64>);

/// How a lease ended.
enum End {
    Stopped,
    Lost(&'static str),
}

/// The keeper. One task of the process runs it.
pub(super) struct Keeper<D> {
    database: D,
    claim: Claim,
    timing: Timing,
    held: watch::Sender<Option<Lease>>,
    /// The other holders that were told of within the last minute, and when.
    told: Vec<(Holder, Instant)>,
    /// Whether the lock may be ours without our knowing: an acquisition was not answered.
    is_claim_open: bool,
    /// Whether it was told that the database fails, and nothing has gone well since. A look that
    /// answers is not enough: a full disk is read without trouble.
    is_failing: bool,
}

/// A keeper that is dropped, by a panic too, leaves nobody behind who believes to hold the lock.
impl<D> Drop for Keeper<D> {
    fn drop(&mut self) {
        if let Some(lease) = self.held.send_replace(None) {
            lease.end();
        }
    }
}

impl<D: Database> Keeper<D> {
    /// A keeper that has not asked yet.
    pub(super) fn new(
        database: D,
        claim: Claim,
        lease_time: Duration,
        held: watch::Sender<Option<Lease>>,
    ) -> Self {
        let timing = Timing::of(lease_time);
        let (told, is_claim_open, is_failing) = (Vec::new(), false, false);
        Self { database, claim, timing, held, told, is_claim_open, is_failing }
    }

    /// Keeps the lock until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        metrics::set_scheduler_lock(false, None);
        loop {
            let lease = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                lease = self.acquire() => lease,
            };
            self.held.send_replace(Some(lease.clone()));
            let end = self.hold(&lease, &stop).await;
            lease.end();
            self.held.send_replace(None);
            match end {
                End::Stopped => return self.release(&lease).await,
                End::Lost(why) => self.tell_lost(&lease, why),
            }
        }
        if self.is_claim_open {
            // Nobody believes to hold it, so it is no matter whether it was.
            let _ = timeout(RELEASE_TIMEOUT, self.database.release(&self.claim)).await;
        }
    }

    /// Asks until the lock is ours.
    async fn acquire(&mut self) -> Lease {
        loop {
            match self.attempt().await {
                Ok(lease) => return lease,
                Err(pause) => sleep(pause).await,
            }
        }
    }

    /// Looks, and takes the lock if it can be had; else says when to look again. A look costs the
    /// database no write, an attempt to acquire would.
    async fn attempt(&mut self) -> Result<Lease, Duration> {
        let look = timeout(self.timing.answer, self.database.look()).await;
        let row = self.answered(look)?;
        if let Some(row) = row.as_ref().filter(|row| !self.may_take(row)) {
            self.is_failing = false;
            self.tell_held(row);
            return Err(self.until_next_look(row));
        }
        let seen = row.as_ref().map_or(0, |row| row.epoch);
        self.is_claim_open = true;
        let sent = Instant::now();
        let acquire = self.database.acquire(&self.claim, seen);
        let acquired = timeout(self.timing.answer, acquire).await;
        let acquired = self.answered(acquired)?;
        (self.is_claim_open, self.is_failing) = (false, false);
        // Another was faster. Its row will tell who.
        let epoch = acquired.ok_or(Duration::ZERO)?;
        let fence = Fence { owner: self.claim.owner.clone(), pid: self.claim.pid, epoch };
        let lease = Lease::new(fence, sent + self.timing.deadline);
        self.tell_acquired(row.as_ref(), &lease);
        Ok(lease)
    }

    fn may_take(&self, row: &LockRow) -> bool {
        row.is_stale || row.is_free() || row.is_of(&self.claim)
    }

    fn until_next_look(&self, row: &LockRow) -> Duration {
        // The row becomes stale when one more than the whole seconds of its time are over.
        let limit = f64::from(i32::try_from(row.heartbeat_timeout).unwrap_or(i32::MAX));
        let left = Duration::try_from_secs_f64(limit + 1.0 - row.age_seconds).unwrap_or_default();
        self.timing.interval.min(left + STALE_SLACK)
    }

    /// Sends heartbeats until the lease is lost or the service stops.
    async fn hold(&mut self, lease: &Lease, stop: &CancellationToken) -> End {
        let mut next = lease.until() - self.timing.deadline + self.timing.interval;
        loop {
            let until = lease.until();
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                () = sleep_until(next.min(until)) => {}
            }
            let sent = Instant::now();
            let Some(fence) = lease.fence() else { return End::Lost(TOO_LATE) };
            let limit = until.min(sent + self.timing.answer);
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                answer = timeout_at(limit, self.database.renew(fence)) => answer,
            };
            let answer = self.answered(answer);
            self.is_failing &= answer.is_err();
            match answer {
                Ok(None) => return End::Lost(TAKEN),
                // An answer from behind the deadline comes too late: the tasks have ended.
                Ok(Some(renewal)) if Instant::now() < until => {
                    lease.extend(sent + self.timing.deadline);
                    lease.tell_renewed(renewal);
                    metrics::set_scheduler_lock(true, Some(0.0));
                    next = sent + self.timing.interval;
                }
                Ok(Some(_)) => return End::Lost(TOO_LATE),
                Err(pause) => next = Instant::now() + pause,
            }
        }
    }

    /// Gives up the lock, so that another need not wait for its end.
    async fn release(&mut self, lease: &Lease) {
        metrics::set_scheduler_lock(false, None);
        let release = timeout(RELEASE_TIMEOUT, self.database.release(&self.claim)).await;
        if let Ok(false) = self.answered(release) {
            tracing::warn!(
                name: "scheduler_lock_release_mismatch",
                pid = self.claim.pid,
                hostname = self.claim.hostname.as_str(),
                epoch = lease.epoch(),
            );
        }
    }

    /// The answer; or how long to wait before the next question. A failure is told once until
    /// something has gone well again.
    fn answered<T>(
        &mut self,
        answer: Result<Result<T, D::Error>, tokio::time::error::Elapsed>,
    ) -> Result<T, Duration> {
        let (error, pause) = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => (error.to_string(), self.timing.retry),
            // The wait is over already.
            Err(_) => ("the database did not answer in time".to_owned(), Duration::ZERO),
        };
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(name: "scheduler_lock_check_failed", error);
        }
        Err(pause)
    }
}

/// Why a lease was lost: the database says so.
const TAKEN: &str = "another instance took the lock, or it was released by hand";
/// Why a lease was lost: nobody knows, so it counts as lost.
const TOO_LATE: &str = "no heartbeat was confirmed in time";

/// The database's clock has no more, and further digits would be noise.
fn to_milliseconds(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// What is told of the lock.
impl<D> Keeper<D> {
    fn tell_acquired(&mut self, before: Option<&LockRow>, lease: &Lease) {
        metrics::set_scheduler_lock(true, Some(0.0));
        let is_other = |row: &&LockRow| !row.is_free() && !row.is_of(&self.claim);
        if let Some(row) = before.filter(is_other) {
            metrics::scheduler_lock_taken_over();
            tracing::info!(
                name: "scheduler_lock_stale_overwrite",
                pid = row.pid,
                hostname = row.hostname.as_deref(),
                epoch = lease.epoch(),
                age_seconds = to_milliseconds(row.age_seconds),
            );
        }
        tracing::info!(
            name: "scheduler_lock_acquired",
            pid = self.claim.pid,
            hostname = self.claim.hostname.as_str(),
            epoch = lease.epoch(),
        );
    }

    /// Once a minute for each holder.
    fn tell_held(&mut self, row: &LockRow) {
        metrics::set_scheduler_lock(false, Some(row.age_seconds));
        let now = Instant::now();
        self.told.retain(|(_, at)| now < *at + TELL_INTERVAL);
        let holder = (row.owner.clone(), row.pid);
        if self.told.iter().any(|(told, _)| *told == holder) {
            return;
        }
        if self.told.len() < TOLD_MAX {
            self.told.push((holder, now));
        }
        metrics::scheduler_lock_held_by_other();
        tracing::warn!(
            name: "scheduler_lock_held_by_other_instance",
            pid = row.pid,
            hostname = row.hostname.as_deref(),
            epoch = row.epoch,
            age_seconds = to_milliseconds(row.age_seconds),
        );
    }

    fn tell_lost(&self, lease: &Lease, why: &'static str) {
        let confirmed = lease.until() - self.timing.deadline;
        metrics::set_scheduler_lock(false, None);
        metrics::scheduler_lock_heartbeat_lost();
        tracing::warn!(
            name: "scheduler_lock_heartbeat_lost",
            pid = self.claim.pid,
            hostname = self.claim.hostname.as_str(),
            epoch = lease.epoch(),
            age_seconds = to_milliseconds(confirmed.elapsed().as_secs_f64()),
            error = why,
        );
    }
}
