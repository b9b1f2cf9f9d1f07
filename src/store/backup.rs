//! A copy of the SQLite database while it is in use: one file that is whole, or none.
//!
//! `VACUUM INTO` writes what one moment of the database holds, as a reader: whoever writes
//! meanwhile does not notice. Deleted rows leave no traces in the copy.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;

use super::Error;
use super::integrity::{Guard, is_whole};
use super::sqlite::BUSY_TIMEOUT;

/// A copy that takes longer keeps the write-ahead log from being emptied for too long.
const COPY_LIMIT: Duration = Duration::from_secs(3600);

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no database at {0}")]
    NoDatabase(PathBuf),
    /// Something is at its place, and must not be replaced.
    #[error("{0} exists already; --force replaces it")]
    Exists(PathBuf),
    /// It would be its own copy.
    #[error("{0} is the database itself")]
    Itself(PathBuf),
    /// The copy was read and is not whole. It was removed.
    #[error("the copy is damaged, and was removed: check the disk and the database")]
    Damaged,
    /// It took too long.
    #[error("not done within {} s", COPY_LIMIT.as_secs())]
    TooLate,
    /// A file or folder.
    #[error("cannot {action} {path}: {error}")]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Removes the unfinished copy, whatever ends the work.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It was renamed, if all went well.
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies the database to a path that is not taken, or may be replaced; answers with its size in
/// bytes. Nothing is at that path before the copy is whole and on the disk.
pub async fn backup(from: &Path, to: &Path, may_replace: bool) -> Result<u64, BackupError> {
    if !from.is_file() {
        return Err(BackupError::NoDatabase(from.to_owned()));
    }
    if let (Ok(from), Ok(own)) = (from.canonicalize(), to.canonicalize())
        && from == own
    {
        return Err(BackupError::Itself(own));
    }
    if !may_replace && fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // Nobody sets the file aside meanwhile.
    let _guard = Guard::take(from).await?.share().await?;
    let partial = Partial(partial_path(to));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial.0);
    let file = file.map_err(|error| failed("create", &partial.0, error))?;
    timeout(COPY_LIMIT, copy(from, &partial.0)).await.map_err(|_| BackupError::TooLate)??;
    if !is_whole(&partial.0, COPY_LIMIT).await? {
        return Err(BackupError::Damaged);
    }
    let bytes = file.sync_all().and_then(|()| file.metadata());
    let bytes = bytes.map_err(|error| failed("write", &partial.0, error))?.len();
    publish(&partial.0, to, may_replace)?;
    Ok(bytes)
}

/// Beside its later place, so that it can be renamed; hidden, so that nobody takes it for done.
fn partial_path(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.partial-{}", std::process::id()))
}

async fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let result = async {
        let options = SqliteConnectOptions::new().filename(from).read_only(true);
        let mut connection = options.busy_timeout(BUSY_TIMEOUT).connect().await?;
        let to = to.to_string_lossy();
        let copied = sqlx::query("VACUUM INTO $1").bind(&*to).execute(&mut connection).await;
        let _ = connection.close().await;
        copied
    };
    let result = result.await;
    result.map(drop).map_err(|error| Error::Statement {
        operation: "VACUUM INTO",
        collection: "database",
        error,
    })
}

/// Gives the copy its name. A link fails where a name is taken, also by who was faster.
fn publish(partial: &Path, to: &Path, may_replace: bool) -> Result<(), BackupError> {
    let named = if may_replace { fs::rename(partial, to) } else { fs::hard_link(partial, to) };
    let named = match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Exists(to.to_owned()));
        }
        // Some file systems have no links; the name was free a moment ago.
        Err(_) if !may_replace && fs::symlink_metadata(to).is_err() => fs::rename(partial, to),
        named => named,
    };
    named.map_err(|error| failed("write", to, error))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let sync = File::open(folder).and_then(|folder| folder.sync_all());
    sync.map_err(|error| failed("write", folder, error))
}

fn failed(action: &'static str, path: &Path, error: io::Error) -> BackupError {
    BackupError::File { action, path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::tests::temporary;
    use super::super::{AuditResult, NewAudit, Store};
    use super::*;

    async fn add_rows(store: &Store, count: usize) {
        for _ in 0..count {
            let audit = NewAudit { action: "ban", ..NewAudit::default() };
            let id = store.begin_audit(&audit).await.unwrap();
            store.finish_audit(id, AuditResult::Success, None).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_copy_holds_what_the_log_holds_and_opens_as_a_database() {
        let (folder, store) = temporary().await;
        add_rows(&store, 30).await;
        let (from, to) = (folder.path().join("bangui.db"), folder.path().join("copy.db"));
        let bytes = backup(&from, &to, false).await.unwrap();
        assert_eq!(fs::metadata(&to).unwrap().len(), bytes);
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| !name.contains("partial") && name != "copy.db-wal"));
        let copy = Store::open(&to).await.unwrap();
        assert_eq!(copy.list_audit(i64::MAX, 100).await.unwrap().len(), 30);
        // Ids go on from where they were.
        add_rows(&copy, 1).await;
        assert_eq!(copy.list_audit(i64::MAX, 1).await.unwrap()[0].id, 31);
    }

    #[tokio::test]
    async fn nothing_is_replaced_unless_that_is_wanted_and_never_the_database_itself() {
        let (folder, store) = temporary().await;
        let (from, to) = (folder.path().join("bangui.db"), folder.path().join("copy.db"));
        fs::write(&to, "mine").unwrap();
        let error = backup(&from, &to, false).await.unwrap_err();
        assert!(matches!(error, BackupError::Exists(_)), "{error}");
        assert_eq!(fs::read(&to).unwrap(), b"mine");
        assert!(backup(&from, &to, true).await.unwrap() > 4096);
        let error = backup(&from, &from, true).await.unwrap_err();
        assert!(matches!(error, BackupError::Itself(_)), "{error}");
        let nowhere = folder.path().join("no/copy.db");
        let error = backup(&from, &nowhere, true).await.unwrap_err();
        assert!(matches!(error, BackupError::File { .. }), "{error}");
        let error = backup(&folder.path().join("no.db"), &to, true).await.unwrap_err();
        assert!(matches!(error, BackupError::NoDatabase(_)), "{error}");
        assert!(store.has_accounts().await.is_ok());
    }

    #[tokio::test]
    async fn a_damaged_database_leaves_no_copy() {
        let (folder, store) = temporary().await;
        add_rows(&store, 3).await;
        store.close().await;
        let (from, to) = (folder.path().join("bangui.db"), folder.path().join("copy.db"));
        let mut bytes = fs::read(&from).unwrap();
        bytes[8192..].fill(0xa5);
        fs::write(&from, bytes).unwrap();
        assert!(backup(&from, &to, false).await.is_err());
        assert!(!to.exists());
    }
}
