//! The store: accounts, sessions, audit, ban history, the scheduler's lock and the runs of its
//! tasks, in SQLite or in Postgres.
//!
//! Every statement runs inside a client span and is measured (see `Store::run`), so a request's
//! trace shows its SQL. Statements are constants; values are always bound. Each stands once, for
//! both databases (see `backend`).

mod accounts;
mod audit;
mod backend;
mod backup;
mod blocklists;
mod fail2ban_rows;
mod history;
mod instances;
mod integrity;
mod lock;
mod notices;
mod opening;
mod postgres;
mod retention;
mod sqlite;
mod tasks;
mod transfer;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tracing::Instrument as _;

pub use accounts::{Account, NewSession};
pub use audit::{AuditResult, NewAudit, UntoldAudit, UntoldQuery};
pub use backup::{BackupError, backup};
pub use blocklists::{BlocklistRow, ImportClaim, ImportEnd, KnownEntry, NewBlocklist, SourceText};
pub use fail2ban_rows::{EndedBan, EndedBans, Fail2banRows, Unreadable};
pub use history::{OpenBan, RecordedBan};
pub use integrity::{IntegrityError, OnCorruption, check_database};
pub use lock::{Claim, Fence, LockRow, Renewal};
pub use notices::Notices;
pub use tasks::{NewTaskRun, Requested, TakenUp, TaskEnd, TaskRequest, TaskState};
pub use transfer::{CopiedTable, TransferError, copy_to_postgres};

use crate::telemetry::metrics;
use backend::Pool;

/// How long the end of the service waits for the database to take note of it.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder of the database cannot be made.
    #[error("cannot create {path}: {error}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is damaged, or cannot be guarded.
    #[error(transparent)]
    Integrity(#[from] IntegrityError),
    /// A migration failed.
    #[error("cannot bring the database up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("{operation} {collection} failed: {error}")]
    Statement {
        /// The SQL verb.
        operation: &'static str,
        /// The table.
        collection: &'static str,
        /// What the database said.
        error: sqlx::Error,
    },
    /// A scheduled write came from an instance that no longer holds the scheduler's lock. Nothing
    /// was written.
    #[error("the scheduler lock of epoch {epoch} is no longer held; nothing was written")]
    Fenced {
        /// The epoch in which it was held.
        epoch: i64,
    },
    /// An import wrote after another had taken its list. Nothing was written.
    #[error("the import was overtaken by another; nothing was written")]
    ClaimLost,
}

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// Random for each process.
    instance: Arc<str>,
    /// Held while this process uses a database's file.
    guard: Option<integrity::Guard>,
}

impl Store {
    fn new(pool: Pool) -> Result<Self, Error> {
        let instance = random_id().map_err(|error| Error::Statement {
            operation: "OPEN",
            collection: "database",
            error,
        })?;
        Ok(Self { pool, instance: instance.into(), guard: None })
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        // Without it, others wait until this instance counts as dead.
        let _ = timeout(FAREWELL_TIMEOUT, self.instance_ends()).await;
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// Runs one statement inside a span and measures it. Attributes follow the database
    /// conventions of OpenTelemetry; the text of the statement is not among them, its summary is.
    async fn run<T>(
        &self,
        operation: &'static str,
        collection: &'static str,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        let span = tracing::info_span!(
            "db",
            otel.name = %format_args!("{operation} {collection}"),
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            db.system.name = self.pool.system_name(),
            db.operation.name = operation,
            db.collection.name = collection,
            error.type = tracing::field::Empty,
        );
        let started = Instant::now();
        let result = self.pool.within_limit(statement).instrument(span.clone()).await;
        let error_type = result.as_ref().err().map(|error| {
            if let Some(guard) = &self.guard {
                guard.look_at(error);
            }
            error_type(error)
        });
        if let Some(error_type) = error_type {
            span.record("otel.status_code", "ERROR").record("error.type", error_type);
        }
        let seconds = started.elapsed().as_secs_f64();
        metrics::db_operation(self.pool.system_name(), operation, collection, seconds, error_type);
        result.map_err(|error| Error::Statement { operation, collection, error })
    }
}

impl Error {
    /// Whether the database is away, or has no room for us: it may be tried again later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Statement { error, .. } => is_unavailable(error),
            Self::Folder { .. }
            | Self::Integrity(_)
            | Self::ClaimLost
            | Self::Migration(_)
            | Self::Fenced { .. } => false,
        }
    }
}

/// Sixteen random bytes in hexadecimal digits.
fn random_id() -> Result<String, sqlx::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| sqlx::Error::Io(std::io::Error::other(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_unavailable(error: &sqlx::Error) -> bool {
    /// In Postgres: the server stops, crashed, or is starting; the session was ended because it was
    /// idle within a transaction; a standby that only reads; others were in the way for too long.
    const CODES: [&str; 9] =
        ["57P01", "57P02", "57P03", "25P03", "25006", "40001", "40P01", "55P03", "57014"];
    match error {
        // What the other end says cannot be understood, or its certificate is not believed.
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::InvalidData,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Classes: no connection, and not enough of something, such as room on the disk.
            let is_of = |class| code.len() == 5 && code.starts_with(class);
            CODES.contains(&&*code) || is_of("08") || is_of("53") || is_away(&code)
        }),
        _ => false,
    }
}

/// In SQLite: another process has kept its write lock for too long, or the file cannot be written,
/// read or opened, or the disk is full. Its codes are numbers, of which the lowest byte says what
/// it is about; those of Postgres have five digits.
fn is_away(code: &str) -> bool {
    /// Busy, read-only, an error of the disk, full, cannot be opened.
    const ABOUT: [u16; 5] = [5, 8, 10, 13, 14];
    code.len() < 5 && code.parse::<u16>().is_ok_and(|code| ABOUT.contains(&(code & 0xff)))
}

fn error_type(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(_) => "database",
        sqlx::Error::PoolTimedOut => "timeout",
        sqlx::Error::PoolClosed => "closed",
        sqlx::Error::Io(_) => "io",
        sqlx::Error::RowNotFound => "row_not_found",
        _ => "_OTHER",
    }
}

#[cfg(test)]
#[path = "../../tests/support/postgres.rs"]
mod server;

#[cfg(test)]
pub(crate) mod tests {
    use super::server::Postgres;
    use super::*;
    use crate::domain::Secret;

    /// A store in a folder that lives as long as the returned guard.
    pub(crate) async fn temporary() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("bangui.db")).await.unwrap();
        (folder, store)
    }

    impl Store {
        /// The same database, as another instance sees it.
        pub(crate) async fn another_instance(&self) -> Self {
            let other = Self::new(self.pool.clone()).unwrap();
            other.instance_begins().await.unwrap();
            other
        }
    }

    /// A store in a new database of a real server.
    pub(crate) async fn on_postgres() -> Store {
        let url = Secret::new(new_database().await);
        Store::open_postgres(&url).await.unwrap()
    }

    /// The first one waits for the server, and other tests of the same runtime must not.
    pub(crate) async fn new_database() -> String {
        let work = || Postgres::shared().create_database();
        tokio::task::spawn_blocking(work).await.unwrap()
    }

    /// Makes a test for each database of functions that take a store.
    macro_rules! on_both {
        ($($name:ident),* $(,)?) => {
            mod sqlite {
                $(
                    #[tokio::test]
                    async fn $name() {
                        let (_folder, store) = $crate::store::tests::temporary().await;
                        super::$name(store).await;
                    }
                )*
            }
            mod postgres {
                $(
                    #[tokio::test]
                    async fn $name() {
                        let store = $crate::store::tests::on_postgres().await;
                        super::$name(store.clone()).await;
                        store.close().await;
                    }
                )*
            }
        };
    }
    pub(crate) use on_both;

    #[test]
    fn a_database_that_another_process_keeps_or_whose_disk_is_full_is_away() {
        // Busy, and busy with a recovery or behind a snapshot; no room; a write that failed.
        assert!(["5", "261", "517", "13", "778"].into_iter().all(is_away));
        // A plain error, a constraint, and a code of Postgres.
        assert!(!["1", "2067", "53300", "08006", "XX000"].into_iter().any(is_away));
    }

    #[tokio::test]
    async fn a_store_opens_twice_and_keeps_its_rows() {
        let (folder, store) = temporary().await;
        assert!(store.create_first_account("admin", "hash", 1).await.unwrap());
        store.close().await;
        let again = Store::open(&folder.path().join("bangui.db")).await.unwrap();
        assert!(again.has_accounts().await.unwrap());
    }

    #[tokio::test]
    async fn ten_instances_start_at_once_on_an_empty_database() {
        let url = Secret::new(new_database().await);
        let open = || async { Store::open_postgres(&url).await.map(drop) };
        let results = futures_util::future::join_all((0..10).map(|_| open())).await;
        for result in results {
            result.unwrap();
        }
        let store = Store::open_postgres(&url).await.unwrap();
        assert!(!store.has_accounts().await.unwrap());
    }
}
