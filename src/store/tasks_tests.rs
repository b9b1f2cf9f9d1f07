//! Runs and requests on both databases, with the lock's row held by who writes.

use super::super::tests::on_both;
use super::super::{Claim, Fence};
use super::*;

on_both!(
    the_last_runs_are_kept_and_the_last_success_in_any_case,
    a_run_is_asked_for_once_until_it_begins_and_not_while_it_runs,
    a_request_that_nobody_takes_lapses,
    what_an_earlier_holder_left_running_is_interrupted_and_it_writes_nothing_more,
);

const TASK: &str = "test";

async fn take(store: &Store, owner: &str, seen: i64) -> Fence {
    let claim =
        Claim { owner: owner.into(), pid: 1, hostname: String::new(), heartbeat_timeout: 30 };
    let epoch = store.acquire_lock(&claim, seen).await.unwrap().unwrap();
    Fence { owner: owner.into(), pid: 1, epoch }
}

fn run() -> NewTaskRun<'static> {
    NewTaskRun { task: TASK, correlation_id: Some("c"), requested_by: None }
}

fn end(result: RunResult) -> TaskEnd {
    TaskEnd { result, duration_ms: 5, changes: Some(2), error: None }
}

async fn results(store: &Store) -> Vec<&'static str> {
    let runs = store.list_task_runs(TASK, i64::MAX, 1000).await.unwrap();
    runs.iter().map(|run| run.result.as_str()).collect()
}

async fn the_last_runs_are_kept_and_the_last_success_in_any_case(store: Store) {
    let fence = take(&store, "a", 0).await;
    let (first, started) = store.begin_task_run(&fence, run()).await.unwrap();
    let ended = store.finish_task_run(&fence, first, &end(RunResult::Completed)).await.unwrap();
    assert!(ended >= started);
    for _ in 0..RUNS_KEPT + 5 {
        let (id, _) = store.begin_task_run(&fence, run()).await.unwrap();
        store.finish_task_run(&fence, id, &end(RunResult::Failed)).await.unwrap();
    }
    let runs = store.list_task_runs(TASK, i64::MAX, 1000).await.unwrap();
    assert_eq!(runs.len(), RUNS_KEPT as usize + 1);
    let success = runs.last().unwrap();
    assert_eq!((success.id, success.changes, success.duration_ms), (first, Some(2), Some(5)));
    assert_eq!(success.correlation_id.as_deref(), Some("c"));
    let (task, state) = store.task_states().await.unwrap().remove(0);
    assert_eq!((task.as_str(), state.last_success_at), (TASK, Some(ended)));
    assert_eq!(i64::from(state.failures_in_a_row), RUNS_KEPT);
    assert_eq!(state.last, runs[0]);
    let older = store.list_task_runs(TASK, runs[0].id, 2).await.unwrap();
    assert_eq!(older, runs[1..3]);
    // Another task's runs are its own.
    let other = NewTaskRun { task: "other", ..run() };
    store.begin_task_run(&fence, other).await.unwrap();
    assert_eq!(results(&store).await.len(), runs.len());
}

async fn a_run_is_asked_for_once_until_it_begins_and_not_while_it_runs(store: Store) {
    let fence = take(&store, "a", 0).await;
    let ask = || store.request_task(TASK, "admin", Some("00-1-2-01"));
    assert!(!store.renew_lock(&fence).await.unwrap().unwrap().has_requests);
    assert_eq!(ask().await.unwrap(), Requested::Accepted);
    assert_eq!(ask().await.unwrap(), Requested::Already);
    let renewal = store.renew_lock(&fence).await.unwrap().unwrap();
    assert!(renewal.has_requests);
    let request = store.take_up_task(&fence, TASK).await.unwrap().request.unwrap();
    assert_eq!((request.requested_by.as_str(), request.requested_at), ("admin", renewal.time));
    assert_eq!(request.traceparent.as_deref(), Some("00-1-2-01"));
    assert_eq!(store.task_requests().await.unwrap(), [(TASK.to_owned(), request)]);

    // A run that was due leaves the request to the next one.
    let (due, _) = store.begin_task_run(&fence, run()).await.unwrap();
    assert!(store.task_request(TASK).await.unwrap().is_some());
    store.finish_task_run(&fence, due, &end(RunResult::Completed)).await.unwrap();
    let asked = NewTaskRun { requested_by: Some("admin"), ..run() };
    let (id, _) = store.begin_task_run(&fence, asked).await.unwrap();
    assert_eq!(store.task_request(TASK).await.unwrap(), None);
    assert_eq!(ask().await.unwrap(), Requested::Running);
    store.finish_task_run(&fence, id, &end(RunResult::Completed)).await.unwrap();
    assert_eq!(ask().await.unwrap(), Requested::Accepted);
}

async fn a_request_that_nobody_takes_lapses(store: Store) {
    let fence = take(&store, "a", 0).await;
    store.request_task(TASK, "admin", None).await.unwrap();
    on!(store.pool, pool => {
        sqlx::query("UPDATE task_requests SET requested_at = requested_at - 3600")
            .execute(pool)
            .await?;
    })
    .await
    .unwrap();
    assert!(!store.renew_lock(&fence).await.unwrap().unwrap().has_requests);
    assert_eq!(store.task_request(TASK).await.unwrap(), None);
    assert_eq!(store.request_task(TASK, "other", None).await.unwrap(), Requested::Accepted);
    assert_eq!(store.task_request(TASK).await.unwrap().unwrap().requested_by, "other");
}

async fn what_an_earlier_holder_left_running_is_interrupted_and_it_writes_nothing_more(
    store: Store,
) {
    let old = take(&store, "a", 0).await;
    let (id, _) = store.begin_task_run(&old, run()).await.unwrap();
    store.shift_lock_heartbeat(-60).await;
    let new = take(&store, "b", 1).await;
    for refused in [
        store.begin_task_run(&old, run()).await.map(drop),
        store.finish_task_run(&old, id, &end(RunResult::Completed)).await.map(drop),
        store.take_up_task(&old, TASK).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Fenced { epoch: 1 })), "{refused:?}");
    }
    assert_eq!(results(&store).await, ["running"]);
    let state = store.take_up_task(&new, TASK).await.unwrap().state.unwrap();
    assert_eq!((state.last.result, state.failures_in_a_row), (RunResult::Interrupted, 1));
    assert!(state.last.error.is_some() && state.last.ended_at.is_some());
    // The same holder's own run, whose end could not be written.
    store.begin_task_run(&new, run()).await.unwrap();
    store.begin_task_run(&new, run()).await.unwrap();
    assert_eq!(results(&store).await, ["running", "interrupted", "interrupted"]);
}
