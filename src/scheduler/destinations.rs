//! Tells which destinations behind the collector take nothing, and why: a key that is refused, say;
//! at once, and then once a minute. The collector counts and logs it as well, but whoever reads the
//! log of this service must not have to know of the collector's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::collector::{Collector, Known, State};

/// The collector answers from memory, and who waits for a first record wants to know soon.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// Often enough to be read in time, and too seldom to fill a log.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// Looks until it is told to stop.
pub(super) async fn run(collector: Arc<Collector>, stop: CancellationToken) {
    let looks = async {
        let mut watch = Watch::default();
        let mut ticks = interval(LOOK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for news in watch.look(&collector.state().await) {
                news.tell();
            }
        }
    };
    stop.run_until_cancelled(looks).await;
}

/// One destination of one signal.
type Key = (&'static str, String);

/// What there is to be told.
#[derive(Debug, PartialEq, Eq)]
enum News {
    /// It takes nothing.
    Failing {
        key: Key,
        /// Records or data points of attempts that failed since it was told last.
        failed: u64,
        queue_size: u64,
        error_type: Option<String>,
    },
    /// It takes something again.
    Recovered { key: Key },
}

impl News {
    fn tell(&self) {
        match self {
            Self::Failing { key: (signal, provider), failed, queue_size, error_type } => {
                tracing::warn!(
                    name: "external_destination_failing",
                    provider,
                    signal,
                    failed,
                    queue_size,
                    error_type = error_type.as_deref(),
                );
            }
            Self::Recovered { key: (signal, provider) } => {
                tracing::info!(name: "external_destination_recovered", provider, signal);
            }
        }
    }
}

/// What is known of the destinations.
#[derive(Debug, Default)]
struct Watch {
    seen: BTreeMap<Key, Seen>,
}

/// One destination.
#[derive(Debug)]
struct Seen {
    /// The count of failures that has been told, or from which counting began.
    failed: u64,
    /// When it was told that it fails; nothing while it does not.
    told: Option<Instant>,
}

impl Watch {
    /// A collector that cannot be asked says nothing of its destinations, so nothing is told.
    fn look(&mut self, state: &State) -> Vec<News> {
        if state.error.is_some() {
            return Vec::new();
        }
        let logs = state.destinations.iter().map(|known| ("logs", known));
        let metrics = state.metrics.iter().map(|known| ("metrics", known));
        logs.chain(metrics).filter_map(|(signal, known)| self.compare(signal, known)).collect()
    }

    fn compare(&mut self, signal: &'static str, known: &Known) -> Option<News> {
        let (key, failed) = ((signal, known.counts.name.clone()), known.counts.failed);
        let seen = self.seen.entry(key.clone()).or_insert(Seen { failed, told: None });
        if !known.is_failing {
            seen.failed = failed;
            return seen.told.take().map(|_| News::Recovered { key });
        }
        if seen.told.is_some_and(|at| at.elapsed() < TELL_INTERVAL) {
            return None;
        }
        seen.told = Some(Instant::now());
        // Less than before: the collector began anew.
        let before = std::mem::replace(&mut seen.failed, failed);
        Some(News::Failing {
            key,
            failed: failed.checked_sub(before).unwrap_or(failed),
            queue_size: known.counts.queue_size,
            error_type: known.error_type.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::Destination;

    fn state(failed: u64, is_failing: bool) -> State {
        let counts = Destination { name: "datadog".into(), failed, ..Destination::default() };
        let error_type = is_failing.then(|| "403".to_owned());
        State { metrics: vec![Known { counts, is_failing, error_type }], ..State::default() }
    }

    fn failing(failed: u64) -> [News; 1] {
        let (key, error_type) = (("metrics", "datadog".into()), Some("403".into()));
        [News::Failing { key, failed, queue_size: 0, error_type }]
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_at_once_and_then_once_a_minute_and_its_end_once() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(&state(5, false)), [], "what was before is not known");
        assert_eq!(watch.look(&state(7, true)), failing(2));
        tokio::time::advance(TELL_INTERVAL / 2).await;
        assert_eq!(watch.look(&state(8, true)), [], "it was told");
        tokio::time::advance(TELL_INTERVAL / 2).await;
        let hidden = State { error: Some("no answer".into()), ..state(9, true) };
        assert_eq!(watch.look(&hidden), [], "nobody knows");
        assert_eq!(watch.look(&state(9, true)), failing(2));
        tokio::time::advance(TELL_INTERVAL).await;
        assert_eq!(watch.look(&state(3, true)), failing(3), "a new collector");
        let recovered = || [News::Recovered { key: ("metrics", "datadog".into()) }];
        assert_eq!(watch.look(&state(3, false)), recovered());
        assert_eq!(watch.look(&state(3, false)), []);
        assert_eq!(watch.look(&state(4, true)), failing(1), "each failure anew");
    }
}
