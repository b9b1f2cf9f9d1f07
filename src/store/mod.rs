//! The store: accounts, sessions, audit, ban history, the scheduler's lock and the runs of its
//! tasks, in SQLite or in Postgres.
//!
//! Every statement runs inside a client span and is measured (see `Store::run`), so a request's
//! trace shows its SQL. Statements are constants; values are always bound. Each stands once, for
//! both databases (see `backend`).

mod accounts;
mod audit;
mod backend;
mod history;
mod lock;
mod postgres;
mod sqlite;
mod tasks;

use std::future::Future;
use std::path::PathBuf;
use std::time::Instant;

use tracing::Instrument as _;

pub use accounts::{Account, NewSession, Session};
pub use audit::{AuditResult, NewAudit, UntoldAudit, UntoldQuery};
pub use history::{OpenBan, RecordedBan};
pub use lock::{Claim, Fence, LockRow, Renewal};
pub use tasks::{NewTaskRun, Requested, TakenUp, TaskEnd, TaskRequest, TaskState};

use crate::telemetry::metrics;
use backend::Pool;

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
}

/// A handle on the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
}

impl Store {
    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
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
