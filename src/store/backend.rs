//! The two databases behind the store. Statements stand once: [`on!`] runs a piece of code on
//! whichever pool, connection or transaction there is.
//!
//! What makes one text run in both: placeholders `$1`, `RETURNING`, `ON CONFLICT`, and a few
//! functions that SQLite brings and the first migration of Postgres defines (`unixepoch()`,
//! `unixepoch('subsec')` and `json_each(list)`).
//!
//! What writes outside of a transaction and returns rows is read to its end, with `fetch_all`:
//! SQLite commits such a statement with its last step, behind the last row. Who takes the first row
//! and goes, as `fetch_one` and `fetch_optional` do, never hears that the disk was full.

use std::time::Duration;

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};

use super::Store;

/// How long one call of the store may take on a server: more than the server's own limit of a
/// statement and the wait for a connection together.
const SERVER_TIMEOUT: Duration = Duration::from_secs(40);

/// Something of one of the two databases.
#[derive(Debug, Clone)]
pub(super) enum Backend<S, P> {
    /// The file beside the service.
    Sqlite(S),
    /// A server that several instances share.
    Postgres(P),
}

/// The connections of a store.
pub(super) type Pool = Backend<SqlitePool, PgPool>;

/// What is written together or not at all.
pub(super) type Transaction =
    Backend<sqlx::Transaction<'static, Sqlite>, sqlx::Transaction<'static, Postgres>>;

/// A future that runs code on either database: `on!(self.pool, pool => …)`. The code is compiled
/// once for each, may use `await` and `?`, and its value must be of the same type for both.
macro_rules! on {
    ($backend:expr, $it:ident => $code:expr) => {
        async {
            let value = match &$backend {
                $crate::store::backend::Backend::Sqlite($it) => $code,
                $crate::store::backend::Backend::Postgres($it) => $code,
            };
            Ok::<_, sqlx::Error>(value)
        }
    };
    (mut $backend:expr, $it:ident => $code:expr) => {
        async {
            let value = match &mut $backend {
                $crate::store::backend::Backend::Sqlite(it) => {
                    let $it = &mut **it;
                    $code
                }
                $crate::store::backend::Backend::Postgres(it) => {
                    let $it = &mut **it;
                    $code
                }
            };
            Ok::<_, sqlx::Error>(value)
        }
    };
}
pub(super) use on;

impl Pool {
    /// The name of the database in OpenTelemetry's conventions.
    pub(super) fn system_name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgresql",
        }
    }
}

impl Pool {
    /// Runs statements within a limit. SQLite is a part of this process; a server may be out of
    /// reach without anybody's being told.
    pub(super) async fn within_limit<T>(
        &self,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(_) => statement.await,
            Self::Postgres(_) => {
                let answer = tokio::time::timeout(SERVER_TIMEOUT, statement).await;
                answer.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
            }
        }
    }
}

impl Store {
    /// Begins a transaction that is the only writer from its start in SQLite, where a second one
    /// would otherwise fail in its midst, and an ordinary one in Postgres.
    pub(super) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        Ok(match &self.pool {
            Backend::Sqlite(pool) => Backend::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Backend::Postgres(pool) => Backend::Postgres(pool.begin().await?),
        })
    }
}

impl Transaction {
    /// Makes what was written last.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
