//! The store: accounts, sessions, audit, ban history and the scheduler's lock in SQLite.
//!
//! Every statement runs inside a client span and is measured (see `Store::run`), so a request's
//! trace shows its SQL. Statements are constants; values are always bound.

mod accounts;
mod audit;
mod blocklists;
mod history;
mod lock;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tracing::Instrument as _;

pub use accounts::{Account, NewSession, Session};
pub use audit::{AuditResult, NewAudit, UntoldAudit, UntoldQuery};
pub use blocklists::{BlocklistRow, ImportClaim, ImportEnd, KnownEntry, NewBlocklist, SourceText};
pub use history::{OpenBan, RecordedBan};
pub use lock::{Claim, Fence, LockRow};

use crate::telemetry::metrics;

/// SQLite writes one at a time; a few readers beside it are plenty for an operator's page.
const CONNECTIONS_MAX: u32 = 4;
/// How long a writer waits for another before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

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
    pool: SqlitePool,
}

impl Store {
    /// Opens the database, creates it if it is not there, and brings it up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::Folder { path: folder.to_owned(), error })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Audit and history must survive a power cut, not only a crash of the process.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(|error| Error::Statement {
                operation: "OPEN",
                collection: "database",
                error,
            })?;
        restrict_to_owner(path);
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
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
            db.system.name = "sqlite",
            db.operation.name = operation,
            db.collection.name = collection,
            error.type = tracing::field::Empty,
        );
        let started = Instant::now();
        let result = statement.instrument(span.clone()).await;
        let error_type = result.as_ref().err().map(error_type);
        if let Some(error_type) = error_type {
            span.record("otel.status_code", "ERROR").record("error.type", error_type);
        }
        let seconds = started.elapsed().as_secs_f64();
        metrics::db_operation(operation, collection, seconds, error_type);
        result.map_err(|error| Error::Statement { operation, collection, error })
    }
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

/// The database holds password hashes and addresses: nobody but its owner reads it. On a file
/// system without permissions this has no effect, which is no reason not to start.
fn restrict_to_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A store in a folder that lives as long as the returned guard.
    pub(crate) async fn temporary() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("bangui.db")).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn a_store_opens_twice_and_keeps_its_rows() {
        let (folder, store) = temporary().await;
        assert!(store.create_first_account("admin", "hash", 1).await.unwrap());
        store.close().await;
        let again = Store::open(&folder.path().join("bangui.db")).await.unwrap();
        assert!(again.has_accounts().await.unwrap());
    }
}
