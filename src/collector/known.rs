//! What is known of the collector, for who asks often: the answer of the last seconds, and whether
//! each destination fails, which takes two answers to tell.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::{Destination, ask};

/// Pages and callers share an answer of this age; a collector is asked no more often.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(5);
/// A page must not wait for a collector that hangs; who is on this host or network is quicker.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The collector, as it was seen last.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Why it could not be asked.
    pub error: Option<String>,
    /// Its destinations of logs; those of the last answer while it cannot be asked.
    pub destinations: Vec<Known>,
    /// Its destinations of metrics beside Prometheus, which count data points.
    pub metrics: Vec<Known>,
}

/// A destination.
#[derive(Debug, Clone)]
pub struct Known {
    /// What the collector has counted.
    pub counts: Destination,
    /// Whether attempts failed, and none succeeded, when something was last tried.
    pub is_failing: bool,
    /// Why, in one word: the status that it answers, or what went wrong before it could.
    pub error_type: Option<String>,
}

/// The collector whose own metrics are at an address.
#[derive(Debug)]
pub struct Collector {
    metrics_url: String,
    kept: Mutex<Option<(Instant, State)>>,
}

impl Collector {
    /// Nothing is asked before somebody wants to know.
    pub fn new(metrics_url: String) -> Self {
        Self { metrics_url, kept: Mutex::default() }
    }

    /// What is known. Who comes while the collector is asked waits for that answer.
    pub async fn state(&self) -> State {
        let mut kept = self.kept.lock().await;
        let before = match &*kept {
            Some((at, state)) if at.elapsed() < KEPT_FOR => return state.clone(),
            Some((_, state)) => state.clone(),
            None => State::default(),
        };
        let state = match ask(&self.metrics_url, ANSWER_TIMEOUT).await {
            Ok(counts) => State {
                error: None,
                destinations: after(&before.destinations, counts.logs),
                metrics: after(&before.metrics, counts.metrics),
            },
            Err(error) => State { error: Some(error.to_string()), ..before },
        };
        *kept = Some((Instant::now(), state.clone()));
        state
    }
}

fn after(before: &[Known], counts: Vec<Destination>) -> Vec<Known> {
    let known = |counts: Destination| {
        let earlier = before.iter().find(|own| own.counts.name == counts.name);
        let is_failing = earlier.is_some_and(|earlier| {
            let has_sent = counts.sent != earlier.counts.sent;
            let has_failed = counts.failed > earlier.counts.failed;
            !has_sent && (has_failed || earlier.is_failing)
        });
        let newest = earlier.and_then(|earlier| counts.error_type_since(&earlier.counts));
        let kept = || earlier.and_then(|earlier| earlier.error_type.clone());
        let error_type = is_failing.then(|| newest.or_else(kept)).flatten();
        Known { counts, is_failing, error_type }
    };
    counts.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_most_is_why_it_fails() {
        let mut known = Vec::new();
        let mut why = |sent, failed, refusals: &[(&str, u64)]| {
            let refusals = refusals.iter().map(|(kind, count)| ((*kind).to_owned(), *count));
            let name = "otlp".to_owned();
            let refusals = refusals.collect();
            let counts = Destination { name, sent, failed, refusals, ..Destination::default() };
            known = after(&known, vec![counts]);
            known[0].error_type.clone()
        };
        assert_eq!(why(1, 9, &[("401", 9)]), None, "what was before is not known");
        assert_eq!(why(1, 10, &[("401", 9), ("503", 1)]).as_deref(), Some("503"));
        assert_eq!(why(1, 10, &[("401", 9), ("503", 1)]).as_deref(), Some("503"), "still");
        assert_eq!(why(1, 14, &[("401", 10), ("503", 4)]).as_deref(), Some("503"));
        assert_eq!(why(1, 15, &[("401", 11), ("503", 4)]).as_deref(), Some("401"));
        assert_eq!(why(2, 15, &[("401", 11), ("503", 4)]), None, "it works again");
        assert_eq!(why(2, 16, &[]), None, "a collector that does not tell");
    }

    #[test]
    fn a_destination_fails_until_something_was_sent() {
        let mut known = Vec::new();
        let mut is_failing = |sent, failed| {
            let name = "otlp".to_owned();
            let counts = Destination { name, sent, failed, ..Destination::default() };
            known = after(&known, vec![counts]);
            known[0].is_failing
        };
        assert!(!is_failing(3, 7), "what was before is not known");
        assert!(!is_failing(3, 7), "nothing was tried");
        assert!(is_failing(3, 8));
        assert!(is_failing(3, 8), "it is not known to have recovered");
        assert!(!is_failing(4, 9), "one attempt of several has succeeded");
        assert!(is_failing(4, 10));
        assert!(!is_failing(1, 0), "a new collector has sent something");
    }

    #[tokio::test]
    async fn nobody_is_asked_twice_within_seconds() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        let collector = Collector::new(url);
        // Whoever listens says nothing, so that the first question takes as long as it may.
        let started = Instant::now();
        let (one, other) = tokio::join!(collector.state(), collector.state());
        assert_eq!(one.error.as_deref(), Some("no answer within 1 s"));
        assert_eq!(one.error, other.error);
        assert!(started.elapsed() < ANSWER_TIMEOUT * 2, "{:?}", started.elapsed());
    }
}
