//! What the scheduler writes down of the runs of its tasks, and what it finds there.

use super::due::due_at;
use crate::domain::{RunResult, Schedule};
use crate::lock::Fence;
use crate::store::{Error, NewTaskRun, Store, TaskEnd, TaskRequest, TaskState};
use crate::telemetry::sanitize::sanitize_for_logging;

/// The log has the whole of an error.
const ERROR_CHARS_MAX: usize = 500;

/// A handle on the runs; cheap to clone. All but a look at requests takes the fence of who holds
/// the scheduler's lock.
#[derive(Debug, Clone)]
pub struct Runs {
    store: Store,
}

/// The newest run of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub(super) id: i64,
    pub(super) started_at: i64,
    pub(super) ended_at: Option<i64>,
    pub(super) result: RunResult,
}

/// What matters of a task's past for what comes next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past {
    pub(super) last: Option<Last>,
    pub(super) last_success_at: Option<i64>,
    pub(super) failures_in_a_row: u32,
}

/// What a new holder of the lock finds of a task.
#[derive(Debug)]
pub struct TakenUp {
    /// Its past.
    pub past: Past,
    /// A run that was asked for.
    pub request: Option<TaskRequest>,
    /// The database's clock, in unix seconds.
    pub now: i64,
}

impl From<Option<TaskState>> for Past {
    fn from(state: Option<TaskState>) -> Self {
        let Some(state) = state else { return Self::default() };
        let run = state.last;
        let last = Last {
            id: run.id,
            started_at: run.started_at,
            ended_at: run.ended_at,
            result: run.result,
        };
        Self {
            last: Some(last),
            last_success_at: state.last_success_at,
            failures_in_a_row: state.failures_in_a_row,
        }
    }
}

impl Past {
    /// When the next run is due, in unix seconds of the database.
    pub fn due_at(&self, schedule: &Schedule, now: f64) -> f64 {
        // Whoever asks has no run going on.
        due_at(schedule, self, now).unwrap_or(now)
    }

    /// When a run last completed, in unix seconds of the database.
    pub fn last_success_at(&self) -> Option<i64> {
        self.last_success_at
    }

    /// How many runs did not complete since then.
    pub fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }

    /// One run more has ended.
    pub fn ended(&mut self, id: i64, started_at: i64, ended_at: i64, result: RunResult) {
        self.last = Some(Last { id, started_at, ended_at: Some(ended_at), result });
        if result == RunResult::Completed {
            (self.last_success_at, self.failures_in_a_row) = (Some(ended_at), 0);
        } else {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        }
    }
}

impl Runs {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Looks at a task after the lock was taken. A run that an earlier holder left is marked as
    /// interrupted.
    pub async fn take_up(&self, fence: &Fence, task: &str) -> Result<TakenUp, Error> {
        let found = self.store.take_up_task(fence, task).await?;
        Ok(TakenUp { past: found.state.into(), request: found.request, now: found.now })
    }

    /// The run that was asked for and has not begun.
    pub async fn request(&self, task: &str) -> Result<Option<TaskRequest>, Error> {
        self.store.task_request(task).await
    }

    /// Writes that a run begins; returns its row and the database's time.
    pub async fn begin(
        &self,
        fence: &Fence,
        task: &str,
        correlation_id: Option<&str>,
        request: Option<&TaskRequest>,
    ) -> Result<(i64, i64), Error> {
        let requested_by = request.map(|request| request.requested_by.as_str());
        let run = NewTaskRun { task, correlation_id, requested_by };
        self.store.begin_task_run(fence, run).await
    }

    /// Writes how a run ended; returns the database's time.
    pub async fn finish(&self, fence: &Fence, id: i64, end: TaskEnd) -> Result<i64, Error> {
        // What is written for good holds no secret.
        let clean = |error: String| -> String {
            sanitize_for_logging(&error).chars().take(ERROR_CHARS_MAX).collect()
        };
        let end = TaskEnd { error: end.error.map(clean), ..end };
        self.store.finish_task_run(fence, id, &end).await
    }
}
