//! Work that nobody asked for: watching fail2ban and this process, telling what the audit log
//! holds, sending canary records, checking that they arrive, and the scheduled tasks.
//!
//! Each instance watches fail2ban for itself, tells what it finds in the audit log and sends
//! canaries on its own way to the collector. Scheduled tasks work on what all instances share, so
//! one instance runs them: the one with the lock.

mod canary;
mod destinations;
mod self_check;
mod task;
mod turns;
mod upkeep;
mod vitals;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::auth::Auth;
use crate::blocklists::Blocklists;
use crate::collector::Collector;
use crate::domain::Schedule;
use crate::fail2ban::Client;
use crate::history::History;
use crate::lock::SchedulerLock;
use crate::tasks::Runs;
pub use self_check::SelfCheck;
pub use task::{Run, Task};
pub use upkeep::{Retention, remove_old_rows, sync_history};
use watch::Watch;

/// The pause before a task that was lost to a panic is started anew.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// One statement, which may have to wait for other writers.
const SESSION_CLEANUP_LIMIT: Duration = Duration::from_secs(60);

/// A first import of the largest list into a jail with slow actions.
const BLOCKLIST_REFRESH_LIMIT: Duration = Duration::from_secs(3600);

/// Watches fail2ban until it is told to stop.
pub async fn watch_always(client: Client, history: History, stop: CancellationToken) {
    always("watch", || Watch::new(client.clone(), history.clone()).run(stop.clone())).await;
}

/// Tells the rows of the audit log until it is told to stop.
pub async fn tell_audit_always(audit: Audit, stop: CancellationToken) {
    always("outbox", || audit.clone().empty_outbox(stop.clone())).await;
}

/// Hears the other instances on the same database until it is told to stop.
pub async fn hear_peers_always(history: History, stop: CancellationToken) {
    always("peers", || history.clone().hear_peers(stop.clone())).await;
}

/// Sends a record a minute to all destinations until it is told to stop.
pub async fn send_canaries_always(stop: CancellationToken) {
    always("canary", || canary::run(stop.clone())).await;
}

/// Tells which destinations behind the collector fail until it is told to stop.
pub async fn watch_destinations_always(collector: Arc<Collector>, stop: CancellationToken) {
    always("destinations", || destinations::run(collector.clone(), stop.clone())).await;
}

/// Checks whether telemetry arrives until it is told to stop.
pub async fn check_telemetry_always(check: SelfCheck, stop: CancellationToken) {
    always("telemetry_self_check", || check.clone().run(stop.clone())).await;
}

/// Looks at what the process takes until it is told to stop.
pub async fn watch_process_always(stop: CancellationToken) {
    always("vitals", || vitals::run(stop.clone())).await;
}

/// Keeps the scheduler's lock, and runs the tasks while it is held. When it is told to stop, the
/// tasks end first, and then the lock is released.
pub async fn run_tasks(lock: SchedulerLock, runs: Runs, tasks: Vec<Task>, stop: CancellationToken) {
    let stop_keeper = CancellationToken::new();
    let (keep, ended) = (lock.clone(), stop_keeper.clone());
    let keeper = tokio::spawn(async move {
        always("scheduler_lock", || keep.clone().keep(ended.clone())).await;
    });
    let mut running = JoinSet::new();
    for task in tasks {
        running.spawn(task.run_always(lock.clone(), runs.clone(), stop.clone()));
    }
    // A task's own panics end at its boundary, so that nothing is to be restarted here.
    while running.join_next().await.is_some() {}
    stop.cancelled().await;
    stop_keeper.cancel();
    let _ = keeper.await;
}

/// The task that removes sessions nobody can use any longer.
pub fn remove_expired_sessions(auth: Auth, schedule: Schedule) -> Task {
    Task::new("session_cleanup", schedule, SESSION_CLEANUP_LIMIT, move |run| {
        let auth = auth.clone();
        async move {
            let fence = run.fence()?;
            auth.remove_expired_sessions(fence).await.map_err(|error| error.to_string())
        }
    })
}

/// The task that imports the blocklists that are due.
pub fn refresh_blocklists(blocklists: Blocklists, schedule: Schedule) -> Task {
    Task::new("blocklist_refresh", schedule, BLOCKLIST_REFRESH_LIMIT, move |run| {
        let blocklists = blocklists.clone();
        async move {
            let fence = run.fence()?;
            blocklists.refresh_due(fence).await
        }
    })
}

/// Runs a task to its end. A panic in it must not leave the service looking healthy and doing
/// nothing: the panic was told by its hook, and the task begins anew.
async fn always<F>(task: &'static str, begin: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while tokio::spawn(begin()).await.is_err() {
        tracing::error!(name: "task_failed", task, error = "panic");
        sleep(RESTART_PAUSE).await;
    }
}
