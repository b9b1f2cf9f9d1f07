//! Sends a record a minute to every destination, so that silence means something: a destination
//! that gets none for minutes gets nothing. The collector tells how late each batch of records is
//! acknowledged, and without this a quiet night has no numbers.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// An alert after five minutes can wait for more than one of them, and 1440 records a day cost
/// nothing anywhere.
const INTERVAL: Duration = Duration::from_secs(60);

/// Sends one at once, and then one a minute, until it is told to stop.
pub(super) async fn run(stop: CancellationToken) {
    stop.run_until_cancelled(each_interval(send)).await;
}

/// Shown at any level of the log, and outside of any trace, which a sampler could leave out.
fn send() {
    tracing::info!(name: "telemetry_canary", interval_seconds = INTERVAL.as_secs());
}

async fn each_interval(mut send: impl FnMut()) {
    let mut ticks = interval(INTERVAL);
    // After a suspension, one says as much as all that were missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        send();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_is_sent_at_once_and_then_one_a_minute() {
        let mut sent = 0;
        let limit = INTERVAL * 4 + INTERVAL / 2;
        let _ = tokio::time::timeout(limit, each_interval(|| sent += 1)).await;
        assert_eq!(sent, 5);
    }
}
