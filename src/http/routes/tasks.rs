//! The scheduled tasks: what there is, how it went, and a run that is asked for.

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::jails::Page;
use super::lists::{answer, bounds, time};
use crate::domain::{Schedule, TaskRun};
use crate::tasks::TaskNow;

#[derive(Serialize)]
struct TaskItem {
    name: &'static str,
    /// Nothing if it follows a cron expression.
    interval_seconds: Option<u64>,
    /// In UTC; nothing if it has an interval.
    cron: Option<String>,
    timeout_seconds: u64,
    /// Since when a run is asked for that has not begun.
    requested_at: Option<Timestamp>,
    /// Nothing while it runs.
    next_run_at: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
    failures_in_a_row: u32,
    /// The newest, which may not be over.
    last_run: Option<RunItem>,
}

#[derive(Serialize)]
struct RunItem {
    id: i64,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    duration_ms: Option<i64>,
    result: &'static str,
    changes: Option<i64>,
    error: Option<String>,
    correlation_id: Option<String>,
    requested_by: Option<String>,
}

/// A run that will begin soon.
#[derive(Serialize)]
struct Requested {
    task: &'static str,
    /// The run continues the trace of the request.
    correlation_id: Option<String>,
}

/// `GET /api/scheduler/tasks`
pub(in crate::http) async fn list(call: Call) -> Result<Response<Body>, Problem> {
    let tasks = call.services.tasks.list().await?;
    let items = tasks.into_iter().map(task_item).collect();
    // There are as many as the source has, so that one page holds them all.
    body::json(StatusCode::OK, &Page { items, next: None })
}

/// `GET /api/scheduler/tasks/{task}/runs?limit=&cursor=`
pub(in crate::http) async fn runs(call: Call) -> Result<Response<Body>, Problem> {
    let ((before, limit), task) = (bounds(&call)?, call.parameter("task")?);
    let rows = call.services.tasks.runs_of(&task, before, limit + 1).await?;
    answer(rows, limit, |row: &TaskRun| row.id, run_item)
}

/// `POST /api/scheduler/tasks/{task}/runs`
pub(in crate::http) async fn request(call: Call) -> Result<Response<Body>, Problem> {
    let (origin, task) = (call.origin()?, call.parameter("task")?);
    let correlation_id = origin.correlation_id.clone();
    let task = call.services.tasks.request(origin, &task).await?;
    body::json(StatusCode::ACCEPTED, &Requested { task, correlation_id })
}

fn task_item(task: TaskNow) -> TaskItem {
    let (interval_seconds, cron) = match &task.known.schedule {
        Schedule::Every(interval) => (Some(interval.as_secs()), None),
        Schedule::Cron(cron) => (None, Some(cron.to_string())),
    };
    TaskItem {
        name: task.known.name,
        interval_seconds,
        cron,
        timeout_seconds: task.known.limit.as_secs(),
        requested_at: task.requested_at.and_then(time),
        next_run_at: task.next_at.and_then(time),
        last_success_at: task.last_success_at.and_then(time),
        failures_in_a_row: task.failures_in_a_row,
        last_run: task.last.map(run_item),
    }
}

fn run_item(run: TaskRun) -> RunItem {
    RunItem {
        id: run.id,
        started_at: time(run.started_at),
        ended_at: run.ended_at.and_then(time),
        duration_ms: run.duration_ms,
        result: run.result.as_str(),
        changes: run.changes,
        error: run.error.map(body::clean),
        correlation_id: run.correlation_id,
        requested_by: run.requested_by,
    }
}
