//! Work that nobody asked for: watching fail2ban, and telling what the audit log holds.

mod watch;

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::fail2ban::Client;
use crate::history::History;
use watch::Watch;

/// The pause before a task that was lost to a panic is started anew.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

/// Watches fail2ban until it is told to stop.
pub async fn watch_always(client: Client, history: History, stop: CancellationToken) {
    always("watch", || Watch::new(client.clone(), history.clone()).run(stop.clone())).await;
}

/// Tells the rows of the audit log until it is told to stop.
pub async fn tell_audit_always(audit: Audit, stop: CancellationToken) {
    always("outbox", || audit.clone().empty_outbox(stop.clone())).await;
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
