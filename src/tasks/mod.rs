//! The scheduled tasks as operators see them, on every instance alike: what there is, when it runs,
//! how it went, and a run that is asked for.
//!
//! All of it comes from the database, so that it does not matter which instance is asked. A run
//! that is asked for is written down; the instance with the scheduler's lock learns of it with its
//! next heartbeat, or at once if it is this one.

mod due;
mod runs;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::Span;

use crate::audit::{Changes, Interrupted};
use crate::auth::Origin;
use crate::domain::{Schedule, TaskRun};
use crate::lock::SchedulerLock;
use crate::store::{self, NewAudit, Requested, Store, TaskState};
use crate::telemetry::span;
pub use runs::{Past, Runs, TakenUp};
pub use store::{TaskEnd, TaskRequest};

/// Why a run was not asked for, or nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such task.
    #[error("there is no task {0}")]
    Unknown(String),
    /// A task never runs twice at a time.
    #[error("the task {0} is running")]
    Running(&'static str),
    /// It will run soon.
    #[error("a run of the task {0} is already asked for")]
    Already(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The task that wrote it was lost.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// A task that this service has.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its name, a word of the source.
    pub name: &'static str,
    /// When it runs.
    pub schedule: Schedule,
    /// A run that takes longer is given up.
    pub limit: Duration,
}

/// A task as it is now. Times are the database's, in unix seconds.
#[derive(Debug)]
pub struct TaskNow {
    /// The task.
    pub known: Known,
    /// Its newest run, which may not be over.
    pub last: Option<TaskRun>,
    /// When a run last completed.
    pub last_success_at: Option<i64>,
    /// How many runs did not complete since then.
    pub failures_in_a_row: u32,
    /// Since when a run is asked for that has not begun.
    pub requested_at: Option<i64>,
    /// When the next run is due; nothing while one runs.
    pub next_at: Option<i64>,
}

/// The use cases around tasks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    store: Store,
    lock: SchedulerLock,
    changes: Changes,
    known: Arc<[Known]>,
}

impl Tasks {
    /// The tasks of this service.
    pub fn new(store: Store, lock: SchedulerLock, changes: Changes, known: Vec<Known>) -> Self {
        Self { store, lock, changes, known: known.into() }
    }

    /// What the scheduler writes down of runs.
    pub fn runs(&self) -> Runs {
        Runs::new(self.store.clone())
    }

    /// All tasks, in the order in which the service has them.
    pub async fn list(&self) -> Result<Vec<TaskNow>, Error> {
        let states = self.store.task_states().await?;
        let requests = self.store.task_requests().await?;
        let now = Timestamp::now().as_second();
        let task = |known: &Known| {
            let state = states.iter().find(|(name, _)| name == known.name).map(|(_, state)| state);
            let request = requests.iter().find(|(name, _)| name == known.name);
            task_now(known.clone(), state.cloned(), request.map(|it| it.1.requested_at), now)
        };
        Ok(self.known.iter().map(task).collect())
    }

    /// The newest runs of a task before a row.
    pub async fn runs_of(
        &self,
        name: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<TaskRun>, Error> {
        let name = self.find(name)?;
        Ok(self.store.list_task_runs(name, before, limit).await?)
    }

    /// Asks for a run, which will continue the caller's trace.
    pub async fn request(&self, origin: Origin, name: &str) -> Result<&'static str, Error> {
        let name = self.find(name)?;
        let row = NewAudit { reason: Some(name.to_owned()), ..origin.row("run_task") };
        let this = self.clone();
        self.changes.make(row, async move { this.request_now(&origin, name).await }).await
    }

    async fn request_now(
        &self,
        origin: &Origin,
        name: &'static str,
    ) -> Result<&'static str, Error> {
        let traceparent = span::request_header(&Span::current());
        let actor = &origin.caller.username;
        match self.store.request_task(name, actor, traceparent.as_deref()).await? {
            Requested::Accepted => {
                self.lock.tell_requested();
                Ok(name)
            }
            Requested::Running => Err(Error::Running(name)),
            Requested::Already => Err(Error::Already(name)),
        }
    }

    fn find(&self, name: &str) -> Result<&'static str, Error> {
        let known = self.known.iter().find(|known| known.name == name);
        known.map(|known| known.name).ok_or_else(|| Error::Unknown(name.to_owned()))
    }
}

fn task_now(
    known: Known,
    state: Option<TaskState>,
    requested_at: Option<i64>,
    now: i64,
) -> TaskNow {
    let past = Past::from(state.clone());
    let next_at = due::due_at(&known.schedule, &past, now as f64).map(|due| due as i64);
    TaskNow {
        known,
        last_success_at: past.last_success_at,
        failures_in_a_row: past.failures_in_a_row,
        last: state.map(|state| state.last),
        requested_at,
        next_at,
    }
}
