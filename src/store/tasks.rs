//! The runs of scheduled tasks, and the runs that were asked for.
//!
//! What the holder of the scheduler's lock writes is fenced; a request may come from any instance.

use super::backend::{Transaction, on};
use super::{Error, Fence, Store};
use crate::domain::{RunResult, TaskRun};

/// So many runs of each task are kept, and the last one that succeeded.
const RUNS_KEPT: i64 = 50;

/// A request stands for an hour. Without a limit, one that nobody could take for a long time would
/// surprise whoever had forgotten it, and one for a task that no longer exists would stay.
macro_rules! request_stands {
    () => {
        "task_requests.requested_at > unixepoch() - 3600"
    };
}
pub(super) use request_stands;

/// What a row of `task_runs` holds, in the order of [`RunRow`].
macro_rules! run_columns {
    () => {
        "run.id, run.task, run.started_at, run.ended_at, run.duration_ms, run.result, \
         run.changes, run.error, run.correlation_id, run.requested_by"
    };
}

/// The newest run of each task, and what those before it tell.
macro_rules! newest_runs {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            run_columns!(),
            ", (SELECT max(ended_at) FROM task_runs AS other \
              WHERE other.task = run.task AND other.result = 'completed') AS last_success_at, \
             (SELECT count(*) FROM task_runs AS other WHERE other.task = run.task \
              AND other.result IN ('failed', 'interrupted') \
              AND other.id > coalesce((SELECT max(id) FROM task_runs AS success \
              WHERE success.task = run.task AND success.result = 'completed'), 0)) \
              AS failures_in_a_row \
             FROM task_runs AS run \
             WHERE run.id IN (SELECT max(id) FROM task_runs GROUP BY task)",
            $condition
        )
    };
}

/// The request for a run of a task.
macro_rules! request_of {
    ($task:expr) => {
        sqlx::query_as::<_, (i64, String, Option<String>)>(concat!(
            "SELECT requested_at, requested_by, traceparent FROM task_requests \
             WHERE task = $1 AND ",
            request_stands!()
        ))
        .bind($task)
    };
}

const INSERT_RUN: &str = "\
    INSERT INTO task_runs (task, started_at, result, correlation_id, requested_by) \
    VALUES ($1, unixepoch(), 'running', $2, $3) RETURNING id, started_at";
const DELETE_OLD_RUNS: &str = "\
    DELETE FROM task_runs WHERE task = $1 AND id NOT IN \
    (SELECT id FROM task_runs WHERE task = $1 ORDER BY id DESC LIMIT $2) \
    AND id <> coalesce((SELECT max(id) FROM task_runs \
    WHERE task = $1 AND result = 'completed'), 0)";

/// What is remembered of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Its newest run.
    pub last: TaskRun,
    /// When a run last completed.
    pub last_success_at: Option<i64>,
    /// How many runs did not complete since then.
    pub failures_in_a_row: u32,
}

/// A run that was asked for and has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRequest {
    /// Unix seconds.
    pub requested_at: i64,
    /// The account, or `api-token`.
    pub requested_by: String,
    /// The request's place in its trace.
    pub traceparent: Option<String>,
}

/// What a new holder of the lock finds of a task.
#[derive(Debug, Clone)]
pub struct TakenUp {
    /// What is remembered; nothing of a task that never ran.
    pub state: Option<TaskState>,
    /// A run that was asked for.
    pub request: Option<TaskRequest>,
    /// The database's clock.
    pub now: i64,
}

/// A run that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewTaskRun<'a> {
    /// The task.
    pub task: &'a str,
    /// The run's trace.
    pub correlation_id: Option<&'a str>,
    /// Who asked for it.
    pub requested_by: Option<&'a str>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// Not [`RunResult::Running`].
    pub result: RunResult,
    /// How long it took.
    pub duration_ms: i64,
    /// How many things it changed.
    pub changes: Option<i64>,
    /// Why it did not complete.
    pub error: Option<String>,
}

/// What became of a request for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// The holder of the lock will take it.
    Accepted,
    /// The task runs already.
    Running,
    /// It was asked for already.
    Already,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: i64,
    task: String,
    started_at: i64,
    ended_at: Option<i64>,
    duration_ms: Option<i64>,
    result: String,
    changes: Option<i64>,
    error: Option<String>,
    correlation_id: Option<String>,
    requested_by: Option<String>,
}

#[derive(sqlx::FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    run: RunRow,
    last_success_at: Option<i64>,
    failures_in_a_row: i64,
}

impl From<(i64, String, Option<String>)> for TaskRequest {
    fn from((requested_at, requested_by, traceparent): (i64, String, Option<String>)) -> Self {
        Self { requested_at, requested_by, traceparent }
    }
}

impl From<RunRow> for TaskRun {
    fn from(row: RunRow) -> Self {
        Self {
            id: row.id,
            started_at: row.started_at,
            ended_at: row.ended_at,
            duration_ms: row.duration_ms,
            // The table admits no other word.
            result: RunResult::from_word(&row.result).unwrap_or(RunResult::Interrupted),
            changes: row.changes,
            error: row.error,
            correlation_id: row.correlation_id,
            requested_by: row.requested_by,
        }
    }
}

impl From<StateRow> for TaskState {
    fn from(row: StateRow) -> Self {
        Self {
            last: row.run.into(),
            last_success_at: row.last_success_at,
            failures_in_a_row: u32::try_from(row.failures_in_a_row).unwrap_or(u32::MAX),
        }
    }
}

impl Store {
    /// What is remembered of all tasks, by their names.
    pub async fn task_states(&self) -> Result<Vec<(String, TaskState)>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as::<_, StateRow>(newest_runs!("")).fetch_all(pool).await?
        });
        let rows = self.run("SELECT", "task_runs", query).await?;
        Ok(rows.into_iter().map(|row| (row.run.task.clone(), row.into())).collect())
    }

    /// The newest runs of a task before an id.
    pub async fn list_task_runs(
        &self,
        task: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<TaskRun>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as::<_, RunRow>(concat!(
                "SELECT ",
                run_columns!(),
                " FROM task_runs AS run WHERE run.task = $1 AND run.id < $2 \
                 ORDER BY run.id DESC LIMIT $3"
            ))
            .bind(task)
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
        });
        Ok(self.run("SELECT", "task_runs", query).await?.into_iter().map(TaskRun::from).collect())
    }

    /// The runs that were asked for and have not begun, by their tasks.
    pub async fn task_requests(&self) -> Result<Vec<(String, TaskRequest)>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as::<_, (String, i64, String, Option<String>)>(concat!(
                "SELECT task, requested_at, requested_by, traceparent FROM task_requests WHERE ",
                request_stands!()
            ))
            .fetch_all(pool)
            .await?
        });
        let rows = self.run("SELECT", "task_requests", query).await?;
        let request = |(task, requested_at, requested_by, traceparent)| {
            (task, TaskRequest { requested_at, requested_by, traceparent })
        };
        Ok(rows.into_iter().map(request).collect())
    }

    /// The run of a task that was asked for and has not begun.
    pub async fn task_request(&self, task: &str) -> Result<Option<TaskRequest>, Error> {
        let query = on!(self.pool, pool => {
            request_of!(task).fetch_optional(pool).await?.map(TaskRequest::from)
        });
        self.run("SELECT", "task_requests", query).await
    }

    /// Asks for a run, unless the task runs or was asked for already.
    pub async fn request_task(
        &self,
        task: &str,
        requested_by: &str,
        traceparent: Option<&str>,
    ) -> Result<Requested, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar::<_, String>(concat!(
                "INSERT INTO task_requests (task, requested_at, requested_by, traceparent) \
                 SELECT $1, unixepoch(), $2, $3 WHERE NOT EXISTS \
                 (SELECT 1 FROM task_runs WHERE task = $1 AND result = 'running') \
                 ON CONFLICT (task) DO UPDATE SET requested_at = excluded.requested_at, \
                 requested_by = excluded.requested_by, traceparent = excluded.traceparent \
                 WHERE NOT (",
                request_stands!(),
                ") RETURNING task"
            ))
            .bind(task)
            .bind(requested_by)
            .bind(traceparent)
            .fetch_all(pool)
            .await?
            .pop()
        });
        if self.run("INSERT", "task_requests", query).await?.is_some() {
            return Ok(Requested::Accepted);
        }
        let is_requested = self.task_request(task).await?.is_some();
        Ok(if is_requested { Requested::Already } else { Requested::Running })
    }

    /// Looks at a task after the lock was taken. A run that still counts as running is another
    /// instance's or another time's, which can write nothing more.
    pub async fn take_up_task(&self, fence: &Fence, task: &str) -> Result<TakenUp, Error> {
        let mut transaction = self.fenced(fence).await?;
        self.run("SELECT", "task_runs", async {
            interrupt(&mut transaction, task).await?;
            let found = on!(mut transaction, connection => {
                let state = sqlx::query_as::<_, StateRow>(newest_runs!(" AND run.task = $1"))
                    .bind(task)
                    .fetch_optional(&mut *connection)
                    .await?;
                let request = request_of!(task).fetch_optional(&mut *connection).await?;
                let now = sqlx::query_scalar::<_, i64>("SELECT unixepoch()")
                    .fetch_one(&mut *connection)
                    .await?;
                let (state, request) = (state.map(TaskState::from), request.map(TaskRequest::from));
                TakenUp { state, request, now }
            })
            .await?;
            transaction.commit().await?;
            Ok(found)
        })
        .await
    }

    /// Writes that a run begins, takes away the request for it, if there was one, and removes the
    /// oldest runs; returns the row's id and the time.
    pub async fn begin_task_run(
        &self,
        fence: &Fence,
        run: NewTaskRun<'_>,
    ) -> Result<(i64, i64), Error> {
        let mut transaction = self.fenced(fence).await?;
        self.run("INSERT", "task_runs", async {
            // There is one run of a task at a time, so one whose end could not be written is over.
            interrupt(&mut transaction, run.task).await?;
            let begun = on!(mut transaction, connection => {
                if run.requested_by.is_some() {
                    sqlx::query("DELETE FROM task_requests WHERE task = $1")
                        .bind(run.task)
                        .execute(&mut *connection)
                        .await?;
                }
                let begun = sqlx::query_as::<_, (i64, i64)>(INSERT_RUN)
                    .bind(run.task)
                    .bind(run.correlation_id)
                    .bind(run.requested_by)
                    .fetch_one(&mut *connection)
                    .await?;
                sqlx::query(DELETE_OLD_RUNS)
                    .bind(run.task)
                    .bind(RUNS_KEPT)
                    .execute(&mut *connection)
                    .await?;
                begun
            })
            .await?;
            transaction.commit().await?;
            Ok(begun)
        })
        .await
    }

    /// Writes how a run ended; returns the time.
    pub async fn finish_task_run(
        &self,
        fence: &Fence,
        id: i64,
        end: &TaskEnd,
    ) -> Result<i64, Error> {
        let mut transaction = self.fenced(fence).await?;
        self.run("UPDATE", "task_runs", async {
            let ended_at = on!(mut transaction, connection => {
                sqlx::query_scalar::<_, i64>(
                    "UPDATE task_runs SET ended_at = unixepoch(), result = $1, duration_ms = $2, \
                     changes = $3, error = $4 WHERE id = $5 RETURNING ended_at",
                )
                .bind(end.result.as_str())
                .bind(end.duration_ms)
                .bind(end.changes)
                .bind(&end.error)
                .bind(id)
                .fetch_one(&mut *connection)
                .await?
            })
            .await?;
            transaction.commit().await?;
            Ok(ended_at)
        })
        .await
    }
}

/// Marks runs of a task that nobody will finish.
async fn interrupt(transaction: &mut Transaction, task: &str) -> Result<(), sqlx::Error> {
    on!(mut *transaction, connection => {
        sqlx::query(
            "UPDATE task_runs SET result = 'interrupted', ended_at = unixepoch(), \
             error = 'its instance ended or lost the lock before it was over' \
             WHERE task = $1 AND result = 'running'",
        )
        .bind(task)
        .execute(&mut *connection)
        .await?;
    })
    .await
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
