//! What the scheduler does about the history: rows that are old enough are removed, and bans that
//! began and ended while nobody watched are fetched from fail2ban's own database.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{Error, History};
use crate::store::{self, EndedBans, Fail2banRows, Fence};

/// Rows of fail2ban's that are read, and at most written, in one go.
const STEP_ROWS: i64 = 500;
/// fail2ban keeps a day, of which this is more than a hundred bans a minute.
const ROWS_MAX: usize = 200_000;
/// A ban that ended just now may still be on its way into the history.
const MARGIN_SECONDS: i64 = 60;
/// How long fail2ban is waited for: a start comes here as soon as it connects. One that comes later
/// than that is asked the next time, well before it forgets.
const LINK_TIMEOUT: Duration = Duration::from_secs(2);

/// What a comparison with fail2ban's database gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    /// It was read.
    Done {
        /// Bans that fail2ban knows and that are over.
        read: u64,
        /// Those that history lacked.
        added: u64,
    },
    /// There was nothing to read, which is no failure of ours.
    Skipped(String),
}

/// Why a comparison did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Our own store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The lock was lost meanwhile.
    #[error("the scheduler lock was lost")]
    NotHeld,
}

impl History {
    /// Removes bans that ended before a time, at most so many; returns how many. A scheduled write.
    pub async fn remove_ended(&self, fence: &Fence, before: i64, limit: i64) -> Result<u64, Error> {
        Ok(self.store.delete_ended_bans(fence, before, limit).await?)
    }

    /// Adds what fail2ban knows of bans that are over and history lacks, but for those that ended
    /// before a time. `fence` gives the fence of each write, as long as there is one.
    pub async fn sync(
        &self,
        fence: impl Fn() -> Option<Fence>,
        ended_after: i64,
        correlation_id: Option<&str>,
    ) -> Result<Synced, SyncError> {
        let path = match self.fail2ban_database().await {
            Ok(path) => path,
            Err(reason) => return Ok(Synced::Skipped(reason)),
        };
        let unreadable = |error: store::Unreadable| {
            Ok(Synced::Skipped(format!("{path} cannot be read: {error}")))
        };
        let mut rows = match Fail2banRows::open(Path::new(&path)).await {
            Ok(rows) => rows,
            Err(error) => return unreadable(error),
        };
        let span = (ended_after, Timestamp::now().as_second() - MARGIN_SECONDS);
        let (mut read, mut added, mut last) = (0, 0, 0);
        while read < ROWS_MAX {
            let step = match rows.ended(last, span, STEP_ROWS).await {
                Ok(step) => step,
                Err(error) => return unreadable(error),
            };
            let EndedBans { bans, rows: count, last_row } = step;
            (read, last) = (read + count, last_row);
            let missing = self.store.missing_bans(bans).await?;
            if !missing.is_empty() {
                let fence = fence().ok_or(SyncError::NotHeld)?;
                added += self.store.add_ended_bans(&fence, &missing, correlation_id).await?;
            }
            if count < usize::try_from(STEP_ROWS).unwrap_or(usize::MAX) {
                break;
            }
        }
        rows.close().await;
        Ok(Synced::Done { read: u64::try_from(read).unwrap_or(u64::MAX), added })
    }

    /// The path of fail2ban's database, as fail2ban names it; or why there is none.
    async fn fail2ban_database(&self) -> Result<String, String> {
        let mut link = self.client.link();
        let connected = link.wait_for(|link| link.connected);
        if timeout(LINK_TIMEOUT, connected).await.is_err() {
            return Err("fail2ban cannot be reached".to_owned());
        }
        let path = self.client.database_file().await.map_err(|error| error.to_string())?;
        let path = path.ok_or("fail2ban keeps no database (dbfile = None)")?;
        match Path::new(&path) {
            file if !file.is_absolute() => Err(format!("fail2ban's database {path} is no file")),
            file => match std::fs::File::open(file) {
                Ok(_) => Ok(path),
                Err(error) => Err(format!("{path} cannot be read: {error}")),
            },
        }
    }
}
