//! Opens a database in a file of its own: SQLite, which is part of the program.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};

use super::backend::Backend;
use super::integrity::Guard;
use super::{Error, Store, opening};

/// SQLite writes one at a time; a few readers beside it are plenty for an operator's page.
const CONNECTIONS_MAX: u32 = 4;
/// How long a writer waits for another before it gives up.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What has become of the schema.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

impl Store {
    /// Opens the database, creates it if it is not there, and brings it up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        create_folder(path)?;
        Self::open_guarded(path, Guard::take(path).await?).await
    }

    /// The same for who has a part in the file's lock already, or is alone with it.
    pub(super) async fn open_guarded(path: &Path, guard: Guard) -> Result<Self, Error> {
        let _turn = opening::turn(path).await;
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
            .after_release(|connection, _| Box::pin(is_clean(connection)))
            .connect_with(options)
            .await
            .map_err(|error| Error::Statement {
                operation: "OPEN",
                collection: "database",
                error,
            })?;
        restrict_to_owner(path);
        MIGRATIONS.run(&pool).await?;
        let mut store = Self::new(Backend::Sqlite(pool))?;
        // Who is alone with the file knows that no other instance lives, and need not wait until
        // those that were killed count as dead.
        if guard.is_alone() {
            store.forget_instances().await?;
        }
        store.guard = Some(guard.share().await?);
        store.instance_begins().await?;
        Ok(store)
    }
}

/// Whether a connection can be used again. When the disk is full or fails, SQLite ends a
/// transaction by itself; sqlx's own `ROLLBACK` then fails, and it takes the connection to be
/// within that transaction for ever, so that none can begin there.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // A rollback may still be on its way; it is answered before this is.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

pub(super) fn create_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::Folder { path: folder.to_owned(), error })
}

/// The database holds password hashes and addresses: nobody but its owner reads it. On a file
/// system without permissions this has no effect, which is no reason not to start.
fn restrict_to_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::NewAudit;
    use super::super::backend::{Transaction, on};
    use super::super::tests::temporary;
    use super::*;

    /// Has commits fail, as on a full disk, as long as the flag is set.
    async fn failing_commits(store: &Store) -> Arc<AtomicBool> {
        let fails = Arc::new(AtomicBool::new(true));
        let Backend::Sqlite(pool) = &store.pool else { panic!("a file") };
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let (mut connection, fails) = (pool.acquire().await.unwrap(), fails.clone());
            let mut handle = connection.lock_handle().await.unwrap();
            handle.set_commit_hook(move || !fails.load(Ordering::Relaxed));
            drop(handle);
            held.push(connection);
        }
        drop(held);
        // They go back in their own time, and who asks before that may get a new one.
        let all_back = async {
            while pool.num_idle() < CONNECTIONS_MAX as usize {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(ACQUIRE_TIMEOUT, all_back).await.expect("all connections are back");
        fails
    }

    /// SQLite asks nobody before it commits nothing.
    async fn write(transaction: &mut Transaction) -> Result<(), sqlx::Error> {
        const WRITE: &str = "INSERT INTO audit (at, actor, client_ip, action, result) \
            VALUES (1, '', '', '', 'success')";
        on!(mut *transaction, connection => sqlx::query(WRITE).execute(connection).await.map(drop)?)
            .await
    }

    #[tokio::test]
    async fn a_row_that_was_not_committed_is_an_error() {
        let (_folder, store) = temporary().await;
        let fails = failing_commits(&store).await;
        let audit = NewAudit { action: "ban", ..NewAudit::default() };
        assert!(store.begin_audit(&audit).await.is_err());
        assert!(store.request_task("history_sync", "admin", None).await.is_err());
        fails.store(false, Ordering::Relaxed);
        let id = store.begin_audit(&audit).await.unwrap();
        let rows = store.list_audit(i64::MAX, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    }

    #[tokio::test]
    async fn a_transaction_that_was_not_committed_spoils_no_connection() {
        let (_folder, store) = temporary().await;
        let fails = failing_commits(&store).await;
        for _ in 0..CONNECTIONS_MAX {
            let mut transaction = store.begin().await.unwrap();
            let written = write(&mut transaction).await;
            assert!(written.is_ok() && transaction.commit().await.is_err());
        }
        fails.store(false, Ordering::Relaxed);
        for _ in 0..2 * CONNECTIONS_MAX {
            store.begin().await.unwrap().commit().await.unwrap();
        }
    }
}
