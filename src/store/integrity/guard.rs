//! Tells processes on one database file of each other, by a lock on a file beside it that the
//! system gives back when a process ends, however it ends.
//!
//! Whoever has the database open shares the lock. Whoever wants to move it takes the lock alone,
//! which fails while anybody has it open, a process that was stopped (SIGSTOP) too.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::super::Error;
use super::{IntegrityError, is_corruption, mark_suspect, set_aside, tell};

/// How long to wait for who is alone with the file.
const SHARED_WAIT: Duration = Duration::from_secs(30);
/// How long to wait for others to end: an instance that is being replaced drains that long.
const ALONE_WAIT: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);

/// This process's share of the lock, and what it has met in the file.
#[derive(Debug, Clone)]
pub(in crate::store) struct Guard {
    path: PathBuf,
    file: Arc<File>,
    is_alone: bool,
    is_told: Arc<AtomicBool>,
    corrupted: CancellationToken,
}

/// Opens one of the files beside a database. Whoever makes it as root makes it for the owner of the
/// database, as SQLite does with its log.
fn open(database: &Path, ending: &str) -> Result<File, Error> {
    let path = set_aside::with_ending(database, ending);
    let write = || OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    // Who may only read, as for a backup by another user, can share it all the same.
    let file = write().or_else(|_| File::open(&path));
    let file = file.map_err(|error| failed("open", &path, error))?;
    if let Ok(owner) = std::fs::metadata(database) {
        // Nobody else may do that, and need not.
        let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
    }
    Ok(file)
}

impl Guard {
    /// Alone with the file if nobody has it open, else as one of several.
    pub(in crate::store) async fn take(path: &Path) -> Result<Self, Error> {
        let file = open(path, ".guard")?;
        let mut own = Self {
            path: path.to_owned(),
            file: Arc::new(file),
            is_alone: false,
            is_told: Arc::default(),
            corrupted: CancellationToken::new(),
        };
        own.is_alone = own.try_alone()?;
        if own.is_alone { Ok(own) } else { own.share().await }
    }

    pub(in crate::store) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// One of several from now on.
    pub(in crate::store) async fn share(mut self) -> Result<Self, Error> {
        let until = Instant::now() + SHARED_WAIT;
        loop {
            match self.file.try_lock_shared() {
                Ok(()) => {
                    self.is_alone = false;
                    return Ok(self);
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &self.path, error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(IntegrityError::Busy { path: self.path }.into());
                }
                Err(TryLockError::WouldBlock) => sleep(PAUSE).await,
            }
        }
    }

    /// Waits for the others to end; nothing if they do not. The own share is given up first: two
    /// that kept theirs would wait for each other.
    pub(super) async fn wait_until_alone(mut self) -> Result<Option<Self>, Error> {
        self.file.unlock().map_err(|error| failed("unlock", &self.path, error))?;
        let until = Instant::now() + ALONE_WAIT;
        loop {
            self.is_alone = self.try_alone()?;
            if self.is_alone {
                return Ok(Some(self));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(PAUSE).await;
        }
    }

    fn try_alone(&self) -> Result<bool, Error> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(failed("lock", &self.path, error)),
        }
    }

    /// Looks at the failure of a statement: one that tells of damage is told once, and the next
    /// start checks the file thoroughly.
    pub(in crate::store) fn look_at(&self, error: &sqlx::Error) {
        if is_corruption(error) && !self.is_told.swap(true, Ordering::Relaxed) {
            mark_suspect(&self.path);
            tell(&self.path, &error.to_string(), None);
            self.corrupted.cancel();
        }
    }

    pub(super) async fn corrupted(&self) {
        self.corrupted.cancelled().await;
    }

    pub(super) fn is_corrupted(&self) -> bool {
        self.corrupted.is_cancelled()
    }
}

fn failed(action: &'static str, path: &Path, error: std::io::Error) -> Error {
    IntegrityError::File { action, path: path.to_owned(), error }.into()
}
