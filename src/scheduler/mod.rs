//! Work that nobody asked for: watching fail2ban.

mod watch;

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::fail2ban::Client;
use crate::history::History;
use watch::Watch;

/// The pause before a watch that was lost to a panic is started anew.
const RESTART_PAUSE: Duration = Duration::from_secs(5);

/// Watches fail2ban until it is told to stop. A panic in the watch must not leave the service
/// looking healthy and seeing nothing: the panic was told by its hook, and a new watch begins.
pub async fn watch_always(client: Client, history: History, stop: CancellationToken) {
    loop {
        let watch = Watch::new(client.clone(), history.clone());
        if tokio::spawn(watch.run(stop.clone())).await.is_ok() {
            return;
        }
        tracing::error!(name: "task_failed", task = "watch", error = "panic");
        sleep(RESTART_PAUSE).await;
    }
}
