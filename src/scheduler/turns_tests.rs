//! Turns of a task on a real store, with a lock that is really held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::task::JoinHandle;

use super::*;
use crate::audit::{Audit, Changes};
use crate::domain::{RunResult, Schedule, TaskRun};
use crate::store::tests::temporary;
use crate::store::{NewTaskRun, Store};
use crate::tasks::Tasks;

const NAME: &str = "test";
const SOON: Duration = Duration::from_secs(10);

/// Runs so far, and those of them that were asked for.
#[derive(Debug, Default)]
struct Counts {
    all: AtomicUsize,
    requested: AtomicUsize,
}

/// An instance: its lock is kept and its task has its turns until it is stopped.
struct Instance {
    counts: Arc<Counts>,
    lock: SchedulerLock,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Instance {
    fn start(store: &Store, schedule: &str) -> Self {
        let counts = Arc::<Counts>::default();
        let own = Arc::clone(&counts);
        let schedule: Schedule = schedule.parse().unwrap();
        let task = Task::new(NAME, schedule, SOON, move |run| {
            own.all.fetch_add(1, Ordering::SeqCst);
            own.requested.fetch_add(usize::from(run.is_requested()), Ordering::SeqCst);
            async { Ok(3) }
        });
        let lock = SchedulerLock::new(store.clone(), 30).unwrap();
        let stop = CancellationToken::new();
        let runs = runs(store, &lock);
        let running = super::super::run_tasks(lock.clone(), runs, vec![task], stop.clone());
        Self { counts, lock, stop, running: tokio::spawn(running) }
    }

    fn runs(&self) -> (usize, usize) {
        (self.counts.all.load(Ordering::SeqCst), self.counts.requested.load(Ordering::SeqCst))
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

fn runs(store: &Store, lock: &SchedulerLock) -> Runs {
    let changes = Changes::new(Audit::new(store.clone()));
    Tasks::new(store.clone(), lock.clone(), changes, vec![]).runs()
}

async fn stored(store: &Store) -> Vec<TaskRun> {
    store.list_task_runs(NAME, i64::MAX, 100).await.unwrap()
}

/// Waits until so many runs have completed.
async fn completed(store: &Store, count: usize) {
    let begun = Instant::now();
    loop {
        let runs = stored(store).await;
        let done = runs.iter().filter(|run| run.result == RunResult::Completed).count();
        if done == count {
            return;
        }
        assert!(begun.elapsed() < SOON, "{done} of {count}: {runs:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_restart_runs_nothing_again_but_what_is_asked_for_at_once() {
    let (_folder, store) = temporary().await;
    let first = Instance::start(&store, "3600");
    completed(&store, 1).await;
    first.stop().await;
    let second = Instance::start(&store, "3600");
    second.lock.held().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(second.runs(), (0, 0), "the interval is not over");

    store.request_task(NAME, "admin", None).await.unwrap();
    second.lock.tell_requested();
    completed(&store, 2).await;
    assert_eq!(second.runs(), (1, 1));
    let newest = stored(&store).await.remove(0);
    assert_eq!((newest.requested_by.as_deref(), newest.changes), (Some("admin"), Some(3)));
    assert_eq!(store.task_request(NAME).await.unwrap(), None);
    second.stop().await;

    // Asked for while nobody ran tasks.
    store.request_task(NAME, "admin", None).await.unwrap();
    let third = Instance::start(&store, "3600");
    completed(&store, 3).await;
    assert_eq!(third.runs(), (1, 1));
    third.stop().await;
}

#[tokio::test]
async fn a_run_that_died_with_its_instance_is_marked_and_run_again() {
    let (_folder, store) = temporary().await;
    let first = Instance::start(&store, "3600");
    completed(&store, 1).await;
    let lease = first.lock.held().await;
    let runs = runs(&store, &first.lock);
    runs.begin(lease.fence().unwrap(), NAME, None, None).await.unwrap();
    first.stop().await;
    let second = Instance::start(&store, "3600");
    completed(&store, 2).await;
    let results: Vec<_> = stored(&store).await.iter().map(|run| run.result).collect();
    let expected = [RunResult::Completed, RunResult::Interrupted, RunResult::Completed];
    assert_eq!(results, expected);
    second.stop().await;
}

#[tokio::test]
async fn intervals_go_on_and_an_expression_waits_for_its_time() {
    let (_folder, store) = temporary().await;
    let often = Instance::start(&store, "1");
    completed(&store, 2).await;
    often.stop().await;
    let (_folder, store) = temporary().await;
    // 29 February, for years.
    let rarely = Instance::start(&store, "0 0 29 2 *");
    rarely.lock.held().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(rarely.runs(), (0, 0));
    rarely.stop().await;
}

#[tokio::test]
async fn a_heartbeat_sets_the_clock_and_tells_of_a_request() {
    let (_folder, store) = temporary().await;
    let instance = Instance::start(&store, "3600");
    completed(&store, 1).await;
    let lease = instance.lock.held().await;
    let runs = runs(&store, &instance.lock);
    // Another than the instance's own, which would take the request away.
    let task = Task::new("other", Duration::from_secs(3600), SOON, |_| async { Ok(0) });
    let mut beats = lease.beats();
    let mut clock = DatabaseTime::told(5);
    store.request_task("other", "admin", None).await.unwrap();
    store.request_task(NAME, "admin", None).await.unwrap();
    let renewal = store.renew_lock(lease.fence().unwrap()).await.unwrap().unwrap();
    lease.tell_renewed(renewal);
    let request = task.heard(&mut clock, &mut beats, &runs).await;
    assert_eq!(request.map(|it| it.requested_by).as_deref(), Some("admin"));
    assert!(clock.now() - renewal.time as f64 <= SOON.as_secs_f64(), "{clock:?}");
    // The instance has heard of its own.
    completed(&store, 2).await;
    assert_eq!(instance.runs(), (2, 1));
    let run = NewTaskRun { task: "other", correlation_id: None, requested_by: Some("admin") };
    store.begin_task_run(lease.fence().unwrap(), run).await.unwrap();
    let renewal = store.renew_lock(lease.fence().unwrap()).await.unwrap().unwrap();
    lease.tell_renewed(renewal);
    assert_eq!(task.heard(&mut clock, &mut beats, &runs).await, None);
    instance.stop().await;
}
