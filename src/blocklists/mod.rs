//! Blocklists: lists of addresses from elsewhere that are kept banned in a jail.
//!
//! An operator sets lists up; the scheduler, or an operator, has them imported. An import fetches
//! the list, takes out what must not be banned, compares it with what the jail bans, and makes the
//! difference in small steps that fail2ban's one thread can bear. It never lifts a ban that the
//! list itself did not bring.

mod apply;
mod import;
mod protected;
mod setup;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::{Changes, Interrupted};
use crate::domain::blocklist::{BlocklistSource, ListError, Plan, Refused};
use crate::domain::{JailName, Network};
use crate::fail2ban::{Client, Fail2banError};
use crate::fetch::{DownloadError, FileError};
use crate::history::History;
use crate::store::{self, BlocklistRow, Store};
use crate::telemetry::metrics::{self, BlocklistState};
pub use setup::{BLOCKLISTS_MAX, Setup};

/// Documents that are read at the same time: each may take some ten megabytes.
const DOCUMENTS_MAX: usize = 2;

/// Why something about lists cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such list.
    #[error("there is no such blocklist")]
    NotFound,
    /// A list of that name exists.
    #[error("another blocklist has this name")]
    NameTaken,
    /// There are as many as there may be.
    #[error("there are {BLOCKLISTS_MAX} blocklists already, as many as there may be")]
    TooMany,
    /// A list stays with its jail.
    #[error("a blocklist stays with its jail; delete it and set up another")]
    JailChanged,
    /// fail2ban has no such jail.
    #[error("fail2ban has no jail {0}")]
    UnknownJail(JailName),
    /// The list is being imported, or its bans are being lifted.
    #[error("the blocklist is being worked on; try again later")]
    Busy,
    /// The service stops.
    #[error("the service stops")]
    Stopping,
    /// fail2ban is away, or does not do what it is asked for.
    #[error("{0}")]
    Fail2ban(Fail2banError),
    /// The document cannot be had.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The same of a file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The document is no list, or not believable.
    #[error(transparent)]
    List(#[from] ListError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The task that did it was lost.
    #[error("the work was interrupted")]
    Interrupted,
}

impl Error {
    /// A word for metrics and spans; there are only these few.
    fn kind(&self) -> &'static str {
        match self {
            Self::NotFound | Self::NameTaken | Self::TooMany | Self::JailChanged => "request",
            Self::UnknownJail(_) => "unknown_jail",
            Self::Busy => "busy",
            Self::Stopping | Self::Interrupted => "interrupted",
            Self::Fail2ban(error) => error.error_type(),
            Self::Download(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::List(error) => error.kind(),
            Self::Store(_) => "store",
        }
    }

    /// Whether it is the list itself that cannot be had or believed, and not something of ours.
    fn is_of_source(&self) -> bool {
        matches!(self, Self::Download(_) | Self::File(_) | Self::List(_))
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<Fail2banError> for Error {
    fn from(error: Fail2banError) -> Self {
        match error {
            Fail2banError::UnknownJail(jail) => Self::UnknownJail(jail),
            error => Self::Fail2ban(error),
        }
    }
}

/// The pause after a failure of a source, doubled with each further one, up to the most. Alerts
/// count the failures of some hours, so an hour without one must be rare.
const PAUSE_SECONDS: i64 = 300;
const PAUSE_SECONDS_MAX: i64 = 3600;

/// What the settings say about lists.
#[derive(Debug, Clone)]
pub struct Options {
    /// Below which folder lists may lie as files.
    pub folder: Option<PathBuf>,
    /// Whether lists may come from private networks and this host.
    pub allow_private: bool,
    /// How long an import's claim stands without a word from it.
    pub lease_seconds: u32,
    /// After how many seconds an import is told to be slow.
    pub slow_seconds: u32,
    /// Proxies in front of this service.
    pub trusted_proxies: Vec<Network>,
}

/// A list with its last import, as it may be shown.
#[derive(Debug, Clone)]
pub struct Blocklist {
    /// The row; its source is not to be shown.
    pub row: BlocklistRow,
    /// What may be shown of the source.
    pub source: String,
    /// When it is due (unix seconds), if it is imported by itself.
    pub due_at: Option<i64>,
}

/// What an import would do.
#[derive(Debug)]
pub struct Preview {
    /// Entries that the list asks for and that may be banned.
    pub entries: usize,
    /// Entries that stood there twice or lay within others.
    pub merged: u64,
    /// The steps.
    pub plan: Plan,
    /// What is not banned, and why.
    pub refused: Refused,
    /// Why an import would leave everything as it is.
    pub problem: Option<ListError>,
}

/// The use cases around lists; cheap to clone.
#[derive(Debug, Clone)]
pub struct Blocklists {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    history: History,
    changes: Changes,
    store: Store,
    options: Options,
    documents: Semaphore,
    /// Imports that operators asked for.
    imports: TaskTracker,
    /// Ends imports when the service stops.
    stop: CancellationToken,
}

impl Blocklists {
    /// Puts the use cases together.
    pub fn new(
        client: Client,
        history: History,
        changes: Changes,
        store: Store,
        options: Options,
        stop: CancellationToken,
    ) -> Self {
        let documents = Semaphore::new(DOCUMENTS_MAX);
        let imports = TaskTracker::new();
        let inner = Inner { client, history, changes, store, options, documents, imports, stop };
        Self { inner: Arc::new(inner) }
    }

    /// Waits for the imports that operators asked for, which end when the service stops.
    pub async fn finish_imports(&self) {
        self.inner.imports.close();
        self.inner.imports.wait().await;
    }

    /// All lists, by name.
    pub async fn list(&self) -> Result<Vec<Blocklist>, Error> {
        Ok(self.inner.store.blocklists().await?.into_iter().map(shown).collect())
    }

    /// One list.
    pub async fn get(&self, id: i64) -> Result<Blocklist, Error> {
        self.inner.store.blocklist(id).await?.map(shown).ok_or(Error::NotFound)
    }

    /// Tells the gauges how the lists stand.
    async fn count(&self) -> Result<(), Error> {
        let rows = self.inner.store.blocklists().await?;
        let enabled = rows.into_iter().filter(|row| row.enabled && row.deleted_at.is_none());
        let state = |row: BlocklistRow| BlocklistState {
            entries: row.entries.try_into().unwrap_or(0),
            age_seconds: row.succeeded_at.map(|at| (row.now - at).max(0)),
            interval_seconds: row.interval_seconds,
            name: row.name,
        };
        metrics::set_blocklists(enabled.map(state));
        Ok(())
    }
}

fn shown(row: BlocklistRow) -> Blocklist {
    let source = row.source.0.expose().parse::<BlocklistSource>();
    let source = source.map_or_else(|_| "***".to_owned(), |source| source.shown());
    let due_at = (row.enabled && row.deleted_at.is_none()).then(|| due_at(&row));
    Blocklist { row, source, due_at }
}

/// When a list is due: an interval after its last success, or at once. A source that failed is left
/// alone for a while first.
fn due_at(row: &BlocklistRow) -> i64 {
    let regular = row.succeeded_at.map_or(row.now, |at| at.saturating_add(row.interval_seconds));
    let failed_at = row.finished_at.or(row.started_at).filter(|_| row.failures > 0);
    failed_at.map_or(regular, |at| regular.max(at.saturating_add(pause_seconds(row))))
}

fn pause_seconds(row: &BlocklistRow) -> i64 {
    let doublings = u32::try_from(row.failures - 1).unwrap_or(u32::MAX);
    let pause = PAUSE_SECONDS.saturating_mul(2_i64.saturating_pow(doublings));
    pause.min(PAUSE_SECONDS_MAX).min(row.interval_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(row: &BlocklistRow) -> i64 {
        due_at(&BlocklistRow { now: 100_000, started_at: Some(50_000), ..row.clone() })
    }

    #[test]
    fn a_list_is_due_an_interval_after_its_success_or_at_once() {
        let row = BlocklistRow { interval_seconds: 86_400, ..BlocklistRow::default() };
        assert_eq!(due(&row), 100_000);
        // What failed for another reason than its source is not put off.
        let failed = BlocklistRow { finished_at: Some(99_000), ..row.clone() };
        assert_eq!(due(&failed), 100_000);
        let done = BlocklistRow { succeeded_at: Some(60_000), ..failed };
        assert_eq!(due(&done), 146_400);
    }

    #[test]
    fn a_source_that_fails_is_asked_ever_later_but_never_later_than_an_hour() {
        let after = |failures, interval_seconds| {
            let finished_at = Some(200_000);
            let row =
                BlocklistRow { failures, interval_seconds, finished_at, ..Default::default() };
            due(&row) - 200_000
        };
        let pauses = [1, 2, 3, 4, 5, 100, i64::MAX].map(|failures| after(failures, 86_400));
        assert_eq!(pauses, [300, 600, 1200, 2400, 3600, 3600, 3600]);
        assert_eq!([1, 3].map(|failures| after(failures, 900)), [300, 900]);
        // Asked for by hand before its time: the time stays.
        let (succeeded_at, finished_at) = (Some(60_000), Some(61_000));
        let row = BlocklistRow { failures: 1, interval_seconds: 86_400, ..Default::default() };
        assert_eq!(due(&BlocklistRow { succeeded_at, finished_at, ..row.clone() }), 146_400);
        // A process that died in the midst of the next one: its begin counts.
        let row = BlocklistRow { interval_seconds: 400, succeeded_at: Some(40_000), ..row };
        assert_eq!(due(&row), 50_300);
    }
}
