//! A scheduled task: when it runs, and the one boundary inside which each run happens.
//!
//! Whatever goes wrong in a run ends at the boundary: a panic, a failure, a run that takes too
//! long, a lock that is lost meanwhile. It is told, counted, and the task waits for its next turn;
//! no other task notices.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, Span};

use crate::lock::{Lease, SchedulerLock};
use crate::telemetry::{metrics, span};

/// A run is put off by up to one in so many parts of its interval, so that tasks with the same
/// interval drift apart.
const JITTER_PARTS: u32 = 10;
/// The pause after a failed run, doubled with each further one, up to the interval.
const RETRY_PAUSE: Duration = Duration::from_secs(60);

/// What a run did: how many things it changed, or why it failed.
pub(super) type Outcome = Result<u64, String>;
type Run = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A task that runs on the one instance that holds the scheduler's lock.
#[derive(Clone)]
pub struct Task {
    name: &'static str,
    interval: Duration,
    /// A run that takes longer is given up.
    limit: Duration,
    begin: Arc<dyn Fn(Lease) -> Run + Send + Sync>,
    /// A run has it until it is really over. One that was given up and never awaits anything
    /// cannot be ended; it must not be joined by another.
    turn: Arc<Mutex<()>>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunEnd {
    Completed,
    Failed,
    /// By a stop, or the loss of the lock.
    Interrupted,
}

/// Why a run did not complete.
struct Failure {
    /// For metrics and spans.
    kind: &'static str,
    /// For people.
    error: String,
    /// Whether something is wrong with the task itself.
    is_own: bool,
}

impl Task {
    pub(super) fn new<F>(
        name: &'static str,
        interval: Duration,
        limit: Duration,
        begin: impl Fn(Lease) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let begin = Arc::new(move |lease| Box::pin(begin(lease)) as Run);
        Self { name, interval, limit, begin, turn: Arc::default() }
    }

    /// Runs it whenever it is due and this instance holds the lock. The first run is due when the
    /// lock is taken for the first time; a run never begins before the last one is over.
    pub(super) async fn run_always(self, lock: SchedulerLock, stop: CancellationToken) {
        let (mut due, mut failures) = (Instant::now(), 0);
        loop {
            let lease = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                lease = lock.held() => lease,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = lease.lost() => continue,
                () = sleep_until(due) => {}
            }
            // A process that was paused may wake up here, before its keeper does.
            if !lease.is_held() {
                continue;
            }
            let end = self.run(lease, &stop).await;
            failures = if end == RunEnd::Failed { failures + 1 } else { 0 };
            due = Instant::now() + self.pause_after(end, failures);
        }
    }

    /// What was interrupted is done as soon as it may; what fails is tried again ever later.
    fn pause_after(&self, end: RunEnd, failures: u32) -> Duration {
        match end {
            RunEnd::Completed => self.interval + jitter(self.interval),
            RunEnd::Failed => {
                let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
                RETRY_PAUSE.saturating_mul(doubled).min(self.interval)
            }
            RunEnd::Interrupted => Duration::ZERO,
        }
    }

    /// The boundary: one run in a trace of its own.
    async fn run(&self, lease: Lease, stop: &CancellationToken) -> RunEnd {
        let span = span::root(tracing::info_span!(
            "task",
            otel.name = %format_args!("task {}", self.name),
            otel.status_code = tracing::field::Empty,
            bangui.task.name = self.name,
            error.type = tracing::field::Empty,
        ));
        self.run_in_span(lease, stop).instrument(span).await
    }

    async fn run_in_span(&self, lease: Lease, stop: &CancellationToken) -> RunEnd {
        tracing::info!(name: "task_started", epoch = lease.epoch());
        let started = Instant::now();
        let result = self.supervise(lease, stop).await;
        let seconds = started.elapsed().as_secs_f64();
        metrics::task(self.name, seconds, result.as_ref().err().map(|failure| failure.kind));
        // To the microsecond, as of requests.
        let duration_ms = (seconds * 1e6).round() / 1e3;
        match result {
            Ok(changes) => {
                tracing::info!(name: "task_completed", changes, duration_ms);
                RunEnd::Completed
            }
            Err(Failure { kind, error, is_own }) => {
                Span::current().record("otel.status_code", "ERROR").record("error.type", kind);
                if is_own {
                    tracing::error!(name: "task_failed", error, duration_ms);
                    RunEnd::Failed
                } else {
                    tracing::warn!(name: "task_failed", error, duration_ms);
                    RunEnd::Interrupted
                }
            }
        }
    }

    /// The run is a task of the runtime, so that its panic is its own, and that it ends (where it
    /// awaits) when nobody waits for it any longer.
    async fn supervise(&self, lease: Lease, stop: &CancellationToken) -> Result<u64, Failure> {
        let failure = |kind, error: &str, is_own| Failure { kind, error: error.to_owned(), is_own };
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else {
            return Err(failure("overlap", "an earlier run cannot be ended", true));
        };
        let work = (self.begin)(lease.clone());
        let work = async move {
            let _turn = turn;
            work.await
        };
        let work = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
        tokio::select! {
            // What must not go on counts before what was done.
            biased;
            () = lease.lost() => Err(failure("lock_lost", "the scheduler lock was lost", false)),
            () = stop.cancelled() => Err(failure("stopped", "the service stops", false)),
            () = sleep(self.limit) => {
                let error = format!("it took longer than {} s", self.limit.as_secs());
                Err(failure("timeout", &error, true))
            }
            ended = work => match ended {
                Ok(Ok(changes)) => Ok(changes),
                Ok(Err(error)) => Err(failure("failed", &error, true)),
                Err(_) => Err(failure("panic", "panic", true)),
            },
        }
    }
}

fn jitter(interval: Duration) -> Duration {
    let mut random = [0_u8; 4];
    // Without randomness there is no jitter, which no task depends on.
    let _ = getrandom::fill(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    (interval / JITTER_PARTS).mul_f64(share)
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
