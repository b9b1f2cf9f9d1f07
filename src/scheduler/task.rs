//! A scheduled task, and the one boundary inside which each run happens.
//!
//! Whatever goes wrong in a run ends at the boundary: a panic, a failure, a run that takes too
//! long, a lock that is lost meanwhile. It is told, counted and written down, and the task waits
//! for its next turn (`turns.rs`); no other task notices.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span};

use crate::domain::{RunResult, Schedule};
use crate::lock::{Error, Fence, Lease};
use crate::tasks::{Known, Runs, TaskEnd, TaskRequest};
use crate::telemetry::span::Remote;
use crate::telemetry::{metrics, milliseconds, span};

/// How often it is tried to write down how a run ended, so long apart.
const FINISH_ATTEMPTS: u32 = 3;
const FINISH_PAUSE: Duration = Duration::from_secs(1);
/// Why a run that was good so far ends.
const LOCK_LOST: &str = "the scheduler lock was lost";

/// What a run did: how many things it changed, or why it failed.
pub(super) type Outcome = Result<u64, String>;
type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A task that runs on the one instance that holds the scheduler's lock.
#[derive(Clone)]
pub struct Task {
    pub(super) name: &'static str,
    pub(super) schedule: Schedule,
    /// A run that takes longer is given up.
    limit: Duration,
    begin: Arc<dyn Fn(Run) -> Work + Send + Sync>,
    /// A run has it until it is really over. One that was given up and never awaits anything
    /// cannot be ended; it must not be joined by another.
    turn: Arc<Mutex<()>>,
}

/// What a run is given.
#[derive(Debug, Clone)]
pub struct Run {
    lease: Lease,
    is_requested: bool,
}

/// A run that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Its row, and the database's time at its begin; nothing if it could not be written down,
    /// and so did not begin.
    pub(super) row: Option<(i64, i64)>,
    /// The database's time at its end, if that could be written down.
    pub(super) at: Option<i64>,
    pub(super) result: RunResult,
}

/// Why a run did not complete.
#[derive(Debug, Clone)]
struct Failure {
    /// For metrics and spans.
    kind: &'static str,
    /// For people.
    error: String,
    /// Whether something is wrong with the task itself.
    is_own: bool,
}

impl Run {
    /// What a scheduled write must show, unless it is too late for one.
    pub fn fence(&self) -> Result<&Fence, &'static str> {
        self.lease.fence().ok_or(LOCK_LOST)
    }

    /// Whether somebody asked for it; else it was due.
    pub fn is_requested(&self) -> bool {
        self.is_requested
    }
}

impl Failure {
    fn own(kind: &'static str, error: impl Into<String>) -> Self {
        Self { kind, error: error.into(), is_own: true }
    }

    fn interrupted(kind: &'static str, error: &str) -> Self {
        Self { kind, error: error.to_owned(), is_own: false }
    }

    fn lock_lost() -> Self {
        Self::interrupted("lock_lost", LOCK_LOST)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Fenced { .. } => Self::lock_lost(),
            other => Self::own("failed", format!("the run cannot be written down: {other}")),
        }
    }
}

impl Task {
    /// A task with its schedule (an interval or a cron expression) and the time after which a run
    /// is given up.
    pub(super) fn new<F>(
        name: &'static str,
        schedule: impl Into<Schedule>,
        limit: Duration,
        begin: impl Fn(Run) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let begin = Arc::new(move |run| Box::pin(begin(run)) as Work);
        Self { name, schedule: schedule.into(), limit, begin, turn: Arc::default() }
    }

    /// What operators are shown of it.
    pub fn known(&self) -> Known {
        Known { name: self.name, schedule: self.schedule.clone(), limit: self.limit }
    }

    /// The boundary: one run, in a trace of its own, or in that of the request for it.
    pub(super) async fn run(
        &self,
        lease: &Lease,
        request: Option<TaskRequest>,
        runs: &Runs,
        stop: &CancellationToken,
    ) -> Ended {
        let span = tracing::info_span!(
            "task",
            otel.name = %format_args!("task {}", self.name),
            otel.status_code = tracing::field::Empty,
            bangui.task.name = self.name,
            error.type = tracing::field::Empty,
        );
        // The store is ours: a traceparent in it is one that we believed.
        let traceparent = request.as_ref().and_then(|request| request.traceparent.as_deref());
        Remote::from_header(traceparent, true).place(&span);
        self.run_in_span(lease, request.as_ref(), runs, stop).instrument(span).await
    }

    async fn run_in_span(
        &self,
        lease: &Lease,
        request: Option<&TaskRequest>,
        runs: &Runs,
        stop: &CancellationToken,
    ) -> Ended {
        let trigger = if request.is_some() { "request" } else { "schedule" };
        tracing::info!(name: "task_started", epoch = lease.epoch(), trigger);
        let started = Instant::now();
        let row = self.begin(lease, request, runs).await;
        let result = match &row {
            Ok(_) => {
                let run = Run { lease: lease.clone(), is_requested: request.is_some() };
                self.supervise(run, stop).await
            }
            Err(failure) => Err(failure.clone()),
        };
        let elapsed = started.elapsed();
        let row = row.ok();
        let at = match row {
            Some((id, _)) => finish(lease, runs, id, end(&result, elapsed), stop).await,
            None => Ok(None),
        };
        // A run that woke up behind its time has done nothing that counts.
        let (at, result) = match at {
            Ok(at) => (at, result),
            Err(lost) => (None, result.and(Err(lost))),
        };
        let error_type = result.as_ref().err().map(|failure| failure.kind);
        metrics::task(self.name, elapsed.as_secs_f64(), error_type);
        Ended { row, at, result: tell(result, elapsed) }
    }

    /// Writes that the run begins. Without that it would not be known to have happened, so that
    /// it does not.
    async fn begin(
        &self,
        lease: &Lease,
        request: Option<&TaskRequest>,
        runs: &Runs,
    ) -> Result<(i64, i64), Failure> {
        let correlation_id = span::correlation_id();
        let fence = lease.fence().ok_or_else(Failure::lock_lost)?;
        Ok(runs.begin(fence, self.name, correlation_id.as_deref(), request).await?)
    }

    /// The run is a task of the runtime, so that its panic is its own, and that it ends (where it
    /// awaits) when nobody waits for it any longer.
    async fn supervise(&self, run: Run, stop: &CancellationToken) -> Result<u64, Failure> {
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else {
            return Err(Failure::own("overlap", "an earlier run cannot be ended"));
        };
        let lease = run.lease.clone();
        let work = (self.begin)(run);
        let work = async move {
            let _turn = turn;
            work.await
        };
        let work = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
        tokio::select! {
            // What must not go on counts before what was done.
            biased;
            () = lease.lost() => Err(Failure::lock_lost()),
            () = stop.cancelled() => Err(Failure::interrupted("stopped", "the service stops")),
            () = sleep(self.limit) => {
                let limit = self.limit.as_secs();
                Err(Failure::own("timeout", format!("it took longer than {limit} s")))
            }
            ended = work => match ended {
                Ok(Ok(changes)) => Ok(changes),
                Ok(Err(error)) => Err(Failure::own("failed", error)),
                Err(_) => Err(Failure::own("panic", "panic")),
            },
        }
    }
}

/// Writes how a run ended. What cannot be written is told; the row then counts as interrupted when
/// the next run begins, or the next holder of the lock sees it. A failure says that the lock is
/// lost.
async fn finish(
    lease: &Lease,
    runs: &Runs,
    id: i64,
    end: TaskEnd,
    stop: &CancellationToken,
) -> Result<Option<i64>, Failure> {
    let mut attempts = 0;
    loop {
        let fence = lease.fence().ok_or_else(Failure::lock_lost)?;
        let error = match runs.finish(fence, id, end.clone()).await {
            Ok(at) => return Ok(Some(at)),
            Err(Error::Fenced { .. }) => return Err(Failure::lock_lost()),
            Err(error) => error,
        };
        attempts += 1;
        if attempts == FINISH_ATTEMPTS || stop.is_cancelled() {
            tracing::error!(name: "task_end_not_recorded", error = %error);
            return Ok(None);
        }
        sleep(FINISH_PAUSE).await;
    }
}

fn end(result: &Result<u64, Failure>, elapsed: Duration) -> TaskEnd {
    let failure = result.as_ref().err();
    TaskEnd {
        result: run_result(failure),
        // No run takes longer than its limit.
        duration_ms: (elapsed.as_secs_f64() * 1e3).round() as i64,
        changes: result.as_ref().ok().map(|changes| i64::try_from(*changes).unwrap_or(i64::MAX)),
        error: failure.map(|failure| failure.error.clone()),
    }
}

fn run_result(failure: Option<&Failure>) -> RunResult {
    match failure {
        None => RunResult::Completed,
        Some(Failure { is_own: true, .. }) => RunResult::Failed,
        Some(Failure { is_own: false, .. }) => RunResult::Interrupted,
    }
}

fn tell(result: Result<u64, Failure>, elapsed: Duration) -> RunResult {
    let duration_ms = milliseconds(elapsed);
    let run_result = run_result(result.as_ref().err());
    match result {
        Ok(changes) => tracing::info!(name: "task_completed", changes, duration_ms),
        Err(Failure { kind, error, is_own }) => {
            Span::current().record("otel.status_code", "ERROR").record("error.type", kind);
            if is_own {
                tracing::error!(name: "task_failed", error, duration_ms);
            } else {
                tracing::warn!(name: "task_failed", error, duration_ms);
            }
        }
    }
    run_result
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
