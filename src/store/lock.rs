//! The row of the scheduler's lock, and transactions that only its holder can make.
//!
//! Every statement here decides by the database's own clock; no instance's clock is ever bound to
//! one. `src/lock/mod.rs` argues why that, and these conditions, are right.

use super::backend::{Transaction, on};
use super::{Error, Store};

/// Whether the lock may be taken from its holder. Whole seconds are compared, so a heartbeat is
/// at least `heartbeat_timeout` old, and at most one second more, when its age passes that number.
/// A heartbeat from the future tells that the clock was set back; one further away than holders
/// send them apart would keep a dead holder in office for as long as the clock was set back.
macro_rules! is_stale {
    () => {
        "(unixepoch() - scheduler_lock.heartbeat_at \
         NOT BETWEEN -(scheduler_lock.heartbeat_timeout / 3) \
         AND scheduler_lock.heartbeat_timeout)"
    };
}

/// The row, if it is still the fence's.
macro_rules! fence {
    () => {
        concat!(
            "SELECT 1 FROM scheduler_lock \
             WHERE id = 1 AND epoch = $1 AND pid = $2 AND owner = $3 AND NOT ",
            is_stale!()
        )
    };
}

/// The lock as it stands in the database.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct LockRow {
    /// Of the holder; nothing when the lock was released.
    pub pid: Option<i64>,
    /// The same.
    pub hostname: Option<String>,
    /// The same; random for each process. A row that another program wrote has none.
    pub owner: Option<String>,
    /// How often the lock was taken.
    pub epoch: i64,
    /// Since the last heartbeat; negative after the clock was set back.
    pub age_seconds: f64,
    /// After how many seconds without a heartbeat the lock may be taken.
    pub heartbeat_timeout: i64,
    /// Whether the holder's time is over.
    pub is_stale: bool,
}

/// Who wants the lock.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Random for each process: what the database knows it by.
    pub owner: String,
    /// For people.
    pub pid: u32,
    /// For people.
    pub hostname: String,
    /// After how many seconds without a heartbeat others may take it.
    pub heartbeat_timeout: i64,
}

/// What the database answers to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The database's clock, in unix seconds.
    pub time: i64,
    /// Whether somebody asked for a run of a task that has not begun.
    pub has_requests: bool,
}

/// What a scheduled write must prove: that the lock is still held as it was when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The process.
    pub owner: String,
    /// Its number. Whoever takes the lock by hand writes the documented columns and may leave the
    /// owner as it was.
    pub pid: u32,
    /// Its acquisition.
    pub epoch: i64,
}

impl LockRow {
    /// Whether nobody holds it.
    pub fn is_free(&self) -> bool {
        self.pid.is_none() && self.owner.is_none()
    }

    /// Whether it is the claimant's.
    pub fn is_of(&self, claim: &Claim) -> bool {
        self.owner.as_ref() == Some(&claim.owner) && self.pid == Some(claim.pid.into())
    }
}

impl Store {
    /// Reads the lock; nothing when nobody ever held it.
    pub async fn read_lock(&self) -> Result<Option<LockRow>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(concat!(
                "SELECT pid, hostname, owner, epoch, heartbeat_timeout, \
                 unixepoch('subsec') - heartbeat_at AS age_seconds, ",
                is_stale!(),
                " AS is_stale FROM scheduler_lock WHERE id = 1"
            ))
            .fetch_optional(pool)
            .await?
        });
        self.run("SELECT", "scheduler_lock", query).await
    }

    /// Takes the lock if it is free, stale or our own, and if nobody has taken it since epoch
    /// `seen` (0: there was no row). Answers with the new epoch, or nothing.
    pub async fn acquire_lock(&self, claim: &Claim, seen: i64) -> Result<Option<i64>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar(concat!(
                "INSERT INTO scheduler_lock \
                 (id, pid, hostname, heartbeat_at, heartbeat_timeout, epoch, owner) \
                 VALUES (1, $1, $2, unixepoch(), $3, 1 + (SELECT max(epoch) FROM \
                 (SELECT $4 AS epoch UNION ALL SELECT epoch FROM scheduler_lock_epoch) AS known), \
                 $5) \
                 ON CONFLICT (id) DO UPDATE SET pid = excluded.pid, hostname = excluded.hostname, \
                 heartbeat_at = excluded.heartbeat_at, \
                 heartbeat_timeout = excluded.heartbeat_timeout, \
                 epoch = excluded.epoch, owner = excluded.owner \
                 WHERE scheduler_lock.epoch = excluded.epoch - 1 \
                 AND ((scheduler_lock.pid IS NULL AND scheduler_lock.owner IS NULL) \
                 OR (scheduler_lock.pid = excluded.pid \
                 AND scheduler_lock.owner = excluded.owner) OR ",
                is_stale!(),
                ") RETURNING epoch"
            ))
            .bind(i64::from(claim.pid))
            .bind(&claim.hostname)
            .bind(claim.heartbeat_timeout)
            .bind(seen)
            .bind(&claim.owner)
            .fetch_all(pool)
            .await?
            .pop()
        });
        self.run("INSERT", "scheduler_lock", query).await
    }

    /// Says that the holder lives; nothing when it no longer is the holder. A stale lock that
    /// nobody has taken becomes fresh again. The answer brings along what else the holder has to
    /// know, so that it need not ask for it.
    pub async fn renew_lock(&self, fence: &Fence) -> Result<Option<Renewal>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as::<_, (i64, i64)>(concat!(
                "UPDATE scheduler_lock SET heartbeat_at = unixepoch() \
                 WHERE id = 1 AND epoch = $1 AND pid = $2 AND owner = $3 \
                 RETURNING heartbeat_at, (SELECT count(*) FROM task_requests WHERE ",
                super::tasks::request_stands!(),
                ")"
            ))
            .bind(fence.epoch)
            .bind(i64::from(fence.pid))
            .bind(&fence.owner)
            .fetch_all(pool)
            .await?
            .pop()
        });
        let row = self.run("UPDATE", "scheduler_lock", query).await?;
        Ok(row.map(|(time, requests)| Renewal { time, has_requests: requests > 0 }))
    }

    /// Gives up what a process holds, whatever the epoch; false when it holds nothing. The row
    /// stays, because the epoch must go on from where it is.
    pub async fn release_lock(&self, claim: &Claim) -> Result<bool, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
                "UPDATE scheduler_lock SET owner = NULL, pid = NULL, hostname = NULL \
                 WHERE id = 1 AND pid = $1 AND owner = $2",
            )
            .bind(i64::from(claim.pid))
            .bind(&claim.owner)
            .execute(pool)
            .await?
            .rows_affected()
        });
        Ok(self.run("UPDATE", "scheduler_lock", query).await? == 1)
    }

    /// Begins a transaction for a scheduled write, if the fence still stands. Nobody can take the
    /// lock before it ends. In SQLite it is the database's one writer from the start; in Postgres
    /// it has locked the lock's row (`FOR UPDATE`, behind which heartbeats and acquisitions queue
    /// up in order; with `FOR SHARE` a crowd of tasks could keep their own heartbeat out).
    pub(super) async fn fenced(&self, fence: &Fence) -> Result<Transaction, Error> {
        let begin = async {
            let mut transaction = self.begin().await?;
            let lock_row = match &transaction {
                Transaction::Sqlite(_) => fence!(),
                Transaction::Postgres(_) => concat!(fence!(), " FOR UPDATE"),
            };
            let stands = on!(mut transaction, connection => {
                sqlx::query(lock_row)
                    .bind(fence.epoch)
                    .bind(i64::from(fence.pid))
                    .bind(&fence.owner)
                    .fetch_optional(connection)
                    .await?
                    .is_some()
            })
            .await?;
            Ok(stands.then_some(transaction))
        };
        let transaction = self.run("SELECT", "scheduler_lock", begin).await?;
        transaction.ok_or(Error::Fenced { epoch: fence.epoch })
    }
}

#[cfg(test)]
#[path = "lock_tests.rs"]
mod tests;
