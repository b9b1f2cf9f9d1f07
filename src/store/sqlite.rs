//! Opens a database in a file of its own: SQLite, which is part of the program.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

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
