//! The boundary of a run, with a lease that needs no database and time that does not pass.

use std::sync::{Mutex, mpsc};

use tokio::time::advance;

use super::*;
use crate::lock::Fence;

const LIMIT: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn lease() -> Lease {
    let fence = Fence { owner: "a".into(), pid: 1, epoch: 1 };
    Lease::new(fence, Instant::now() + HOUR * 24)
}

fn task<F>(work: impl Fn() -> F + Send + Sync + 'static) -> Task
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Task::new("test", HOUR, LIMIT, move |_| work())
}

async fn outcome(task: &Task, lease: Lease, stop: &CancellationToken) -> Result<u64, &'static str> {
    // What was given up before is ended by the runtime, not at once.
    tokio::task::yield_now().await;
    let run = Run { lease, is_requested: false };
    task.supervise(run, stop).await.map_err(|failure| failure.kind)
}

#[tokio::test(start_paused = true)]
async fn every_end_is_told_from_the_others() {
    let stop = CancellationToken::new();
    let done = task(|| async { Ok(3) });
    assert_eq!(outcome(&done, lease(), &stop).await, Ok(3));
    let failed = task(|| async { Err("no".to_owned()) });
    assert_eq!(outcome(&failed, lease(), &stop).await, Err("failed"));
    let lost = task(|| async { panic!("a test") });
    assert_eq!(outcome(&lost, lease(), &stop).await, Err("panic"));
    let hangs = task(std::future::pending);
    let begun = Instant::now();
    assert_eq!(outcome(&hangs, lease(), &stop).await, Err("timeout"));
    assert_eq!(begun.elapsed(), LIMIT);
    let (ending, own) = (lease(), lease());
    let later = async {
        sleep(LIMIT / 2).await;
        ending.end();
    };
    let (ended, ()) = tokio::join!(outcome(&hangs, ending.clone(), &stop), later);
    assert_eq!(ended, Err("lock_lost"));
    stop.cancel();
    assert_eq!(outcome(&done, own, &stop).await, Err("stopped"), "a stop comes first");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_given_up_does_not_go_on() {
    let steps = Arc::new(Mutex::new(0));
    let own = Arc::clone(&steps);
    let slow = task(move || {
        let steps = Arc::clone(&own);
        async move {
            loop {
                sleep(Duration::from_secs(1)).await;
                *steps.lock().unwrap() += 1;
            }
        }
    });
    let _ = outcome(&slow, lease(), &CancellationToken::new()).await;
    let before = *steps.lock().unwrap();
    advance(HOUR).await;
    tokio::task::yield_now().await;
    assert_eq!(*steps.lock().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_be_ended_is_given_up_and_not_joined_by_another() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let work = move || {
        let ended = Arc::clone(&ended);
        async move {
            // It blocks a thread of the runtime, as a task should not.
            let _ = ended.lock().unwrap().recv();
            Ok(0)
        }
    };
    let hangs = Task::new("test", HOUR, Duration::from_millis(50), move |_| work());
    let stop = CancellationToken::new();
    assert_eq!(outcome(&hangs, lease(), &stop).await, Err("timeout"));
    assert_eq!(outcome(&hangs, lease(), &stop).await, Err("overlap"));
    drop(end);
    let over = async { drop(hangs.turn.lock().await) };
    tokio::time::timeout(LIMIT, over).await.unwrap();
    assert_eq!(outcome(&hangs, lease(), &stop).await, Ok(0));
}
