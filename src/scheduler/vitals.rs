//! Looks at what the process takes of its machine, for the metrics.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::telemetry::metrics;

/// As often as metrics are exported where somebody watches them.
const INTERVAL: Duration = Duration::from_secs(5);

/// Looks until it is told to stop; the first time at once, so that no export is without it.
pub(super) async fn run(stop: CancellationToken) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => metrics::sample_process(),
        }
    }
}
