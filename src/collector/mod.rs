//! What the collector says of itself: for each destination of logs, how much was sent, failed and
//! waits. Read from the metrics that it shows of itself, not from those that it passes on.

mod exposition;
mod known;
mod own_log;
mod page;

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use crate::fetch;
pub use exposition::exposed_value;
pub use known::{Collector, Known, State};
pub use own_log::{Line, NotShown, OwnLog};

/// It is on this host or network, and answers from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// A collector with all destinations shows a tenth of this.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// A destination of log records, as far as the collector has counted since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Destination {
    /// The provider's word.
    pub name: String,
    /// Records that wait.
    pub queue_size: u64,
    /// How many may.
    pub queue_capacity: u64,
    /// Records that the destination has acknowledged.
    pub sent: u64,
    /// Records of attempts that failed, counted anew with each attempt. They are not lost.
    pub failed: u64,
    /// Records that were given up.
    pub dropped: u64,
    /// Batches that were refused, by the type of the error: `401`, `timeout`.
    #[serde(skip)]
    pub refusals: BTreeMap<String, u64>,
}

impl Destination {
    /// The type of most refusals since an earlier answer.
    pub fn error_type_since(&self, before: &Self) -> Option<String> {
        let growth = |kind: &String, count: u64| {
            count.saturating_sub(before.refusals.get(kind).copied().unwrap_or_default())
        };
        let grown = self.refusals.iter().map(|(kind, count)| (growth(kind, *count), kind));
        let most = grown.filter(|(growth, _)| *growth > 0).max_by_key(|(growth, _)| *growth);
        most.map(|(_, kind)| kind.clone())
    }
}

/// Why nothing is known. The texts are made to be shown to an operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// An answer that is none.
    #[error("it answered {0}")]
    Status(StatusCode),
}

/// Asks for all destinations of logs, in the order of their names.
pub async fn destinations(metrics_url: &str) -> Result<Vec<Destination>, Error> {
    ask(metrics_url, ANSWER_TIMEOUT).await.map(|counts| counts.logs)
}

/// What the collector has counted, by the signal that it sends on.
struct Counts {
    logs: Vec<Destination>,
    metrics: Vec<Destination>,
}

async fn ask(metrics_url: &str, wait: Duration) -> Result<Counts, Error> {
    let answer = fetch::get(metrics_url, wait, ANSWER_MAX_BYTES).await?;
    if answer.status != StatusCode::OK {
        return Err(Error::Status(answer.status));
    }
    let page = String::from_utf8_lossy(&answer.body);
    Ok(Counts { logs: page::parse(&page), metrics: page::parse_metrics(&page) })
}
