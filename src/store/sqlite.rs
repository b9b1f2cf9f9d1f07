//! Opens a database in a file of its own: SQLite, which is part of the program.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::time::{Instant, sleep};

use super::backend::Backend;
use super::{Error, Store, opening};

/// SQLite writes one at a time; a few readers beside it are plenty for an operator's page.
const CONNECTIONS_MAX: u32 = 4;
/// How long a writer waits for another before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a caller waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long, and how often, it is tried to be present beside another process that starts.
const PRESENCE_TIMEOUT: Duration = Duration::from_secs(2);
const PRESENCE_PAUSE: Duration = Duration::from_millis(10);

impl Store {
    /// Opens the database, creates it if it is not there, and brings it up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::Folder { path: folder.to_owned(), error })?;
        }
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
        sqlx::migrate!("migrations/sqlite").run(&pool).await?;
        let mut store = Self::new(Backend::Sqlite(pool))?;
        store._presence = store.be_present(path).await?;
        store.instance_begins().await?;
        Ok(store)
    }

    /// Holds a file beside the database, together with all other processes that use it. One that
    /// finds it free knows that no other lives, and need not wait until those that were killed
    /// count as dead. Without such locks (some network file systems) it has to wait.
    async fn be_present(&self, path: &Path) -> Result<Option<Arc<File>>, Error> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let Ok(file) = File::options().create(true).append(true).open(name) else {
            return Ok(None);
        };
        if file.try_lock().is_ok() {
            self.forget_instances().await?;
            let _ = file.unlock();
        }
        // Another one holds it alone for a moment at most.
        let until = Instant::now() + PRESENCE_TIMEOUT;
        while file.try_lock_shared().is_err() && Instant::now() < until {
            sleep(PRESENCE_PAUSE).await;
        }
        Ok(Some(Arc::new(file)))
    }
}

/// The database holds password hashes and addresses: nobody but its owner reads it. On a file
/// system without permissions this has no effect, which is no reason not to start.
fn restrict_to_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}
