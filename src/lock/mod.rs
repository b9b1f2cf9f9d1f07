//! The scheduler's lock: of all instances on one database, one runs the scheduled tasks.
//!
//! # What is promised
//! 1. **One writer in an epoch.** An epoch belongs to one acquisition by one process, for ever.
//! 2. **No write from an old epoch.** Once a later epoch was given, nothing that shows an earlier
//!    one is written, however late it arrives.
//! 3. **Tasks stop first.** A holder's tasks are cancelled before the database lets anybody else
//!    have its lease, unless a clock misbehaves (see below).
//! 4. **It goes on.** Within two lease times after the last fault, an instance that is up and
//!    reaches the database holds the lock: also when a holder died while the database's clock was
//!    set back or forth.
//!
//! # Why
//! The row of `scheduler_lock` is the only truth. It is changed by three statements, each of which
//! is atomic. SQLite has one writer at a time. Postgres locks the row for whoever changes it; who
//! waited for that looks at the row's newest version again before it changes anything (READ
//! COMMITTED, which is set for each connection), and the clock in its conditions goes on meanwhile
//! (`clock_timestamp()`, not the transaction's `now()`).
//!
//! *1.* Only `acquire` changes the epoch, to one more than the row's own; one trigger keeps it from
//! ever becoming less, and another keeps it beside the table when somebody deletes the row, so that
//! the next row goes on from there. So no epoch is given twice. `acquire` names
//! the epoch that its sender last saw and does nothing if the row has another: a statement whose
//! sender has given it up, and which the database runs much later all the same, cannot take the
//! lock from who has it by then, not even from a later acquisition of the same process.
//!
//! *2.* A scheduled write is a transaction that first looks whether the row still has the epoch and
//! the owner of its fence, and is not stale. Between that look and the commit nobody can run
//! `acquire`: in SQLite the transaction is the database's one writer from its begin (`BEGIN
//! IMMEDIATE`), in Postgres it has locked the row by its look (`FOR UPDATE`). So the write
//! comes before the end of its epoch or not at all. Nothing here depends on a clock. It is `FOR
//! UPDATE` and not `FOR SHARE`, although the holder's own heartbeats wait for it as well: whoever
//! waits for a row that is locked alone gets it in turn, while one lock that many share can be
//! prolonged by each newcomer, and the heartbeat would wait for ever. A fenced write that waited
//! for another may find the row stale by the time it has it, and writes all the same: nobody has
//! taken the lock, and nobody can.
//!
//! *3.* `acquire` needs a row that is released, the sender's own, or stale: more than
//! `heartbeat_timeout` whole seconds old by the database's clock, which is at least as long since
//! the last heartbeat **ran** (or, where it had to wait for the row, began to run, which is still
//! after it was sent). The holder counts from before that heartbeat was **sent**, by its
//! own monotonic clock, and stops its tasks after five sixths of the time. The answer's delay and
//! the heartbeat's way to the database only make its share shorter. The last sixth is for clocks
//! that run at different speeds, and for tasks to be cancelled. A process that was stopped
//! (SIGSTOP, a paused machine) wakes up behind its deadline: [`Lease::fence`] then gives no fence.
//!
//! *4.* Whoever waits asks three times in a lease time, and once more when the row is about to
//! become stale. A dead holder's row is stale one lease time and at most one second (whole seconds
//! are compared) after its last heartbeat. A clock that was set **forth** makes it stale earlier. A
//! clock that was set **back** leaves a heartbeat in the future; further away than a third of the
//! lease time it counts as stale at once, so that such a row lasts a third longer at most. A holder
//! that lives heartbeats with the new time long before that matters to it. An owner finds its own
//! row without waiting, which is how it recovers from an answer that was lost.
//!
//! # What is not promised
//! - If the database's clock jumps by more than a part of the lease time, in either direction, or
//!   an operator releases or deletes the row by hand, the lease can be taken while its holder's
//!   tasks still run, for as long as a heartbeat takes to tell it. Promises 1 and 2 stand: the
//!   first holder writes nothing more. But what it does **outside of this database** in that time,
//!   such as a command to fail2ban, is done twice. Only the local deadline protects that: the
//!   effects of such tasks must bear a repetition.
//! - The same holds for a process that is stopped in between its look at the lease and what it then
//!   does outside of the database, and for a machine that slept: `CLOCK_MONOTONIC` stands still
//!   meanwhile.
//! - A task that neither ends nor awaits (a loop without end) cannot be cancelled. Its writes are
//!   refused, its other effects are not.
//! - A process that is stopped in the midst of a transaction keeps SQLite's write lock. Until it
//!   goes on or is killed nobody writes anything, so nobody takes its lease either. Postgres ends
//!   such a transaction by itself after half a minute (`idle_in_transaction_session_timeout`), so
//!   that promise 4 holds half a minute later there.
//! - In Postgres all of this holds for one primary that acknowledges what is on its disk. A
//!   replica that is promoted without the last commits (asynchronous replication) may give an
//!   epoch twice; so may a backup that is restored, in either database. Sessions that a pooler
//!   shares between instances statement by statement are not supported.
//! - A database that answers nobody gives the lock to nobody. A single instance then runs no
//!   scheduled tasks either.

mod database;
mod keeper;
mod lease;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use crate::store::Error;
use crate::store::{Claim, Store};
use crate::telemetry::sanitize::sanitize_for_logging;
use keeper::Keeper;
pub use lease::{Beat, DatabaseTime, Fence, Lease};

/// Longer than any host's name; the rest would be an accident or a joke.
const HOSTNAME_CHARS_MAX: usize = 255;

/// The lock as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LockHealth {
    /// Whether an instance holds it, or held it when it died.
    pub locked: bool,
    /// Of the holder.
    pub pid: Option<i64>,
    /// Of the holder.
    pub hostname: Option<String>,
    /// Since the holder's last heartbeat, by the database's clock.
    pub age_seconds: Option<f64>,
    /// Whether the holder's time is over, so that another may take the lock.
    pub is_stale: bool,
    /// How many seconds are left of the holder's time if no heartbeat comes.
    pub ttl_remaining: Option<f64>,
}

/// A handle on the lock; cheap to clone.
#[derive(Debug, Clone)]
pub struct SchedulerLock {
    store: Store,
    claim: Arc<Claim>,
    lease_time: Duration,
    held: watch::Sender<Option<Lease>>,
}

impl SchedulerLock {
    /// The lock of a store, not held yet; see [`Self::keep`].
    pub fn new(store: Store, lease_seconds: u32) -> Result<Self, getrandom::Error> {
        // Not the instance's id, which an operator may set and then set twice.
        let mut owner = [0_u8; 16];
        getrandom::fill(&mut owner)?;
        let claim = Claim {
            owner: owner.iter().map(|byte| format!("{byte:02x}")).collect(),
            pid: std::process::id(),
            hostname: hostname(),
            heartbeat_timeout: i64::from(lease_seconds),
        };
        let lease_time = Duration::from_secs(lease_seconds.into());
        Ok(Self { store, claim: Arc::new(claim), lease_time, held: watch::Sender::new(None) })
    }

    /// Takes the lock whenever it can be had, and keeps it, until it is told to stop; then it is
    /// released. One task of the process runs this, and whatever needs the lock ends before.
    pub async fn keep(self, stop: CancellationToken) {
        let claim = Claim::clone(&self.claim);
        Keeper::new(self.store, claim, self.lease_time, self.held).run(stop).await;
    }

    /// Waits until this instance holds the lock.
    pub async fn held(&self) -> Lease {
        let mut held = self.held.subscribe();
        loop {
            let lease = held.borrow_and_update().clone();
            if let Some(lease) = lease.filter(Lease::is_held) {
                return lease;
            }
            // The sender is in `self`, so there is always somebody who may change it.
            let _ = held.changed().await;
        }
    }

    /// Whether this instance holds the lock now.
    pub fn is_held_here(&self) -> bool {
        self.held.borrow().as_ref().is_some_and(Lease::is_held)
    }

    /// Tells the tasks, if they run here, that a run was asked for; else the next heartbeat of
    /// whoever runs them does.
    pub fn tell_requested(&self) {
        if let Some(lease) = &*self.held.borrow() {
            lease.tell_requested();
        }
    }

    /// Who holds the lock, and for how long still, as the database says.
    pub async fn get_lock_health(&self) -> Result<LockHealth, Error> {
        let row = self.store.read_lock().await?.filter(|row| !row.is_free());
        Ok(row.map_or(LockHealth::FREE, |row| {
            // A whole-second heartbeat against a clock with fractions; no need to show them.
            let tenths = |seconds: f64| (seconds * 10.0).round().max(0.0) / 10.0;
            let limit = f64::from(i32::try_from(row.heartbeat_timeout).unwrap_or(i32::MAX));
            LockHealth {
                locked: true,
                pid: row.pid,
                // Another instance wrote it, or somebody by hand.
                hostname: row.hostname.map(|name| sanitize_for_logging(&name).into_owned()),
                age_seconds: Some(tenths(row.age_seconds)),
                is_stale: row.is_stale,
                ttl_remaining: Some(if row.is_stale {
                    0.0
                } else {
                    tenths(limit - row.age_seconds).min(limit)
                }),
            }
        }))
    }
}

impl LockHealth {
    const FREE: Self = Self {
        locked: false,
        pid: None,
        hostname: None,
        age_seconds: None,
        is_stale: false,
        ttl_remaining: None,
    };
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().take(HOSTNAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
