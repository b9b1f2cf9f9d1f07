//! When a task has its turn: it is due, or somebody asked for a run, while this instance holds the
//! scheduler's lock.
//!
//! What was done before is read whenever the lock is taken, so that neither a restart nor a change
//! of the holder begins from nothing. Times are the database's: the heartbeats bring them along,
//! and whether a run was asked for.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::task::{Ended, Task};
use crate::lock::{Beat, DatabaseTime, Error, Lease, SchedulerLock};
use crate::tasks::{Past, Runs, TaskRequest};
use crate::telemetry::{metrics, span};

/// The pause before what the store holds is read again, after it could not be.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Cron expressions can name times that are years away; a sleep ends before, for no harm.
const SLEEP_MAX_SECONDS: f64 = 24.0 * 3600.0;

/// What is known of a task while the lock is held.
struct Course {
    past: Past,
    clock: DatabaseTime,
    /// When the next run is due, by the database's clock.
    due_at: f64,
    /// A run that was asked for.
    request: Option<TaskRequest>,
}

impl Task {
    /// Runs it whenever it has its turn, until the service stops. A run never begins before the
    /// last one is over.
    pub(super) async fn run_always(self, lock: SchedulerLock, runs: Runs, stop: CancellationToken) {
        loop {
            let lease = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                lease = lock.held() => lease,
            };
            let result = self.run_under(&lease, &runs, &stop).await;
            metrics::task_left(self.name);
            if let Err(error) = result {
                self.tell_unread(&error);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = lease.lost() => {}
                () = sleep(RETRY_PAUSE) => {}
            }
        }
    }

    /// The turns under one lease. An error says that the past cannot be read.
    async fn run_under(
        &self,
        lease: &Lease,
        runs: &Runs,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut beats = lease.beats();
        let Some(mut course) = self.take_up(lease, runs).await? else { return Ok(()) };
        loop {
            let asked = course.request.take();
            let request = match asked {
                Some(request) => Some(request),
                None => tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    () = lease.lost() => return Ok(()),
                    Ok(()) = beats.changed() => {
                        course.request = self.heard(&mut course.clock, &mut beats, runs).await;
                        continue;
                    }
                    () = sleep(course.wait()) => None,
                },
            };
            if course.wait() > Duration::ZERO && request.is_none() {
                continue;
            }
            let ended = self.run(lease, request, runs, stop).await;
            self.note(&mut course, ended);
        }
    }

    /// Reads what is remembered; nothing if the lock is lost meanwhile.
    async fn take_up(&self, lease: &Lease, runs: &Runs) -> Result<Option<Course>, Error> {
        let Some(fence) = lease.fence() else { return Ok(None) };
        let found = match runs.take_up(fence, self.name).instrument(self.quiet()).await {
            Err(Error::Fenced { .. }) => return Ok(None),
            found => found?,
        };
        let now = found.now;
        let age = |at: i64| now.saturating_sub(at) as f64;
        let success_age = found.past.last_success_at().map(age);
        let interval = self.schedule.period_seconds(now);
        let failures = found.past.failures_in_a_row();
        metrics::task_taken_up(self.name, interval, success_age, failures);
        let due_at = found.past.due_at(&self.schedule, now as f64);
        let clock = DatabaseTime::told(now);
        Ok(Some(Course { past: found.past, clock, due_at, request: found.request }))
    }

    /// Sets the clock by a heartbeat, and looks for a request if there is one for any task.
    async fn heard(
        &self,
        clock: &mut DatabaseTime,
        beats: &mut watch::Receiver<Beat>,
        runs: &Runs,
    ) -> Option<TaskRequest> {
        let beat = *beats.borrow_and_update();
        *clock = beat.time.unwrap_or(*clock);
        if !beat.has_requests {
            return None;
        }
        match runs.request(self.name).instrument(self.quiet()).await {
            Ok(request) => request,
            Err(error) => {
                // The next heartbeat tells of it again.
                self.tell_unread(&error);
                None
            }
        }
    }

    fn note(&self, course: &mut Course, ended: Ended) {
        if let Some(at) = ended.at {
            course.clock = DatabaseTime::told(at);
        }
        let now = course.clock.now();
        let (id, started_at) = ended.row.unwrap_or((0, now as i64));
        course.past.ended(id, started_at, ended.at.unwrap_or(now as i64), ended.result);
        course.due_at = course.past.due_at(&self.schedule, now);
    }

    fn tell_unread(&self, error: &Error) {
        tracing::error!(name: "task_failed", task = self.name, error = %error);
    }

    /// These looks are no work that anybody waits for.
    fn quiet(&self) -> tracing::Span {
        span::unsampled_root(tracing::info_span!("turn", bangui.task.name = self.name))
    }
}

impl Course {
    fn wait(&self) -> Duration {
        let seconds = (self.due_at - self.clock.now()).clamp(0.0, SLEEP_MAX_SECONDS);
        Duration::from_secs_f64(seconds)
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
