//! The tasks as operators see them, and the requests for runs, on a real store.

use std::net::IpAddr;

use super::*;
use crate::audit::Audit;
use crate::auth::Caller;
use crate::config::Scope;
use crate::domain::RunResult;
use crate::store::tests::temporary;

const NAME: &str = "test";

async fn tasks() -> (tempfile::TempDir, Store, Tasks) {
    let (folder, store) = temporary().await;
    let lock = SchedulerLock::new(store.clone(), 30).unwrap();
    let known = |name, schedule: &str| Known {
        name,
        schedule: schedule.parse().unwrap(),
        limit: Duration::from_secs(60),
    };
    let known = vec![known(NAME, "3600"), known("nightly", "30 3 * * *")];
    let changes = Changes::new(Audit::new(store.clone()));
    let tasks = Tasks::new(store.clone(), lock, changes, known);
    (folder, store, tasks)
}

fn origin() -> Origin {
    let caller = Caller { username: "admin".into(), scope: Scope::Write, session: None };
    Origin { caller, client: IpAddr::from([192, 0, 2, 1]), correlation_id: None }
}

#[tokio::test]
async fn each_request_is_an_audit_row_and_a_second_one_is_refused() {
    let (_folder, store, tasks) = tasks().await;
    assert!(matches!(tasks.request(origin(), "none").await, Err(Error::Unknown(_))));
    assert_eq!(tasks.request(origin(), NAME).await.unwrap(), NAME);
    let refused = tasks.request(origin(), NAME).await;
    assert!(matches!(refused, Err(Error::Already(NAME))), "{refused:?}");
    let rows = store.list_audit(i64::MAX, 10).await.unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.action.as_str(), row.reason.as_deref(), row.result.as_str()))
        .collect();
    let row = |result| ("run_task", Some(NAME), result);
    assert_eq!(told, [row("failure"), row("success")]);
    assert!(rows[0].detail.as_ref().is_some_and(|it| it.contains("already")), "{rows:?}");
}

#[tokio::test]
async fn what_is_listed_comes_from_the_store() {
    let (_folder, store, tasks) = tasks().await;
    let now = Timestamp::now().as_second();
    let all = tasks.list().await.unwrap();
    assert_eq!(all.iter().map(|task| task.known.name).collect::<Vec<_>>(), [NAME, "nightly"]);
    assert!(all[0].last.is_none() && all[0].next_at.is_some_and(|at| at - now < 60));
    let nightly = all[1].next_at.unwrap();
    assert!(nightly > now && nightly % 86_400 == 3 * 3600 + 1800, "{nightly}");

    let claim =
        store::Claim { owner: "a".into(), pid: 1, hostname: String::new(), heartbeat_timeout: 30 };
    let epoch = store.acquire_lock(&claim, 0).await.unwrap().unwrap();
    let fence = store::Fence { owner: "a".into(), pid: 1, epoch };
    tasks.request(origin(), NAME).await.unwrap();
    let runs = tasks.runs();
    let request = runs.request(NAME).await.unwrap().unwrap();
    let (id, _) = runs.begin(&fence, NAME, Some("c"), Some(&request)).await.unwrap();
    let task = tasks.list().await.unwrap().remove(0);
    assert_eq!((task.next_at, task.requested_at), (None, None), "it runs");
    assert!(matches!(tasks.request(origin(), NAME).await, Err(Error::Running(NAME))));
    let end = TaskEnd {
        result: RunResult::Failed,
        duration_ms: 7,
        changes: None,
        error: Some(format!("password=hunter2 {}", "x".repeat(1000))),
    };
    runs.finish(&fence, id, end).await.unwrap();
    let task = tasks.list().await.unwrap().remove(0);
    let last = task.last.unwrap();
    assert_eq!((last.result, last.requested_by.as_deref()), (RunResult::Failed, Some("admin")));
    let error = last.error.unwrap();
    assert!(error.starts_with("password=***") && error.chars().count() == 500, "{error}");
    assert_eq!(task.next_at, last.ended_at.map(|at| at + 60), "the pause after a failure");
    assert_eq!(tasks.runs_of(NAME, i64::MAX, 10).await.unwrap().len(), 1);
    assert!(tasks.runs_of("none", i64::MAX, 10).await.is_err());
}
