//! Lets instances that start at the same time open one file one after the other.
//!
//! SQLite settles who writes a row, but not who makes the file: switching a new one to a
//! write-ahead log fails at once when another has it open, and two that bring it up to date both
//! begin with the same table. So whoever opens it holds the lock of its folder meanwhile. The
//! kernel gives it up when a process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long another may take, which has a large database to bring up to date. Then we go on without
/// our turn: what is wrong with the file says it better than a lock.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Waits for our turn to open a file, which lasts until what is returned is dropped. There is none
/// in a folder that cannot be locked, such as one of some network file systems.
pub(super) async fn turn(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    let until = Instant::now() + TURN_TIMEOUT;
    while Instant::now() < until {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => sleep(LOOK_INTERVAL).await,
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[tokio::test]
    async fn one_has_its_turn_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bangui.db");
        let first = turn(&path).await.unwrap();
        let second = tokio::spawn(async move { turn(&path).await.is_some() });
        sleep(5 * LOOK_INTERVAL).await;
        assert!(!second.is_finished(), "it did not wait");
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn many_open_a_new_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let opens = (0..8).map(|_| {
            let path = folder.path().join("bangui.db");
            tokio::spawn(async move { Store::open(&path).await.map(drop) })
        });
        for open in opens.collect::<Vec<_>>() {
            open.await.unwrap().unwrap();
        }
    }
}
