//! What the simulation holds the lock to, checked at each step of the world and not of a process.
//!
//! It keeps a record of its own of who was given which epoch, apart from the table's row, and
//! compares each lease with what the row is worth whenever one begins, goes on or ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::lease::Lease;
use super::model::World;
use crate::store::Fence;

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Which process was given an epoch.
    given: BTreeMap<i64, String>,
    /// The epoch that nobody has ended yet: the last one, unless it was released or deleted.
    holder: Option<i64>,
    last_written: i64,
    /// Epochs whose holder has read that it lost them.
    told_lost: BTreeSet<i64>,
}

impl Record {
    fn last(&self) -> Option<i64> {
        self.given.last_key_value().map(|(epoch, _)| *epoch)
    }

    fn is_holder(&self, fence: &Fence) -> bool {
        self.holder == Some(fence.epoch) && self.given.get(&fence.epoch) == Some(&fence.owner)
    }

    /// The epoch of the last write that was made.
    pub(super) fn last_written(&self) -> i64 {
        self.last_written
    }
}

impl World {
    /// The lock was acquired.
    pub(super) fn given(&mut self, epoch: i64, owner: &str) {
        let before = self.record.given.insert(epoch, owner.to_owned());
        assert_eq!(before, None, "seed {}: epoch {epoch} was given twice", self.seed);
        let last = self.record.last();
        assert_eq!(last, Some(epoch), "seed {}: an epoch of the past was given", self.seed);
        self.record.holder = Some(epoch);
        self.seen.epochs += 1;
    }

    /// A heartbeat was confirmed: whoever is the holder no longer is told so by its next one.
    pub(super) fn renewed(&mut self, fence: &Fence) {
        let seed = self.seed;
        assert!(
            self.record.is_holder(fence),
            "seed {seed}: a heartbeat of no holder was confirmed"
        );
    }

    /// A process has read that it is the holder no longer.
    pub(super) fn told_lost(&mut self, epoch: i64) {
        self.record.told_lost.insert(epoch);
    }

    /// A process gave up what it had.
    pub(super) fn released(&mut self, owner: &str) {
        let epoch = self.record.holder.take();
        let holder = epoch.and_then(|epoch| self.record.given.get(&epoch));
        let seed = self.seed;
        assert_eq!(holder.map(String::as_str), Some(owner), "seed {seed}: another's was released");
    }

    /// An operator took the lock away.
    pub(super) fn delete(&mut self) {
        self.table.delete();
        self.record.holder = None;
    }

    /// A scheduled write begins, if its fence stands.
    pub(super) fn begin_write(&mut self, fence: &Fence) -> bool {
        let admits = self.table.admits(fence, self.now_ms());
        self.seen.refused += u64::from(!admits);
        admits
    }

    /// It ends, and what it wrote stands.
    pub(super) fn commit_write(&mut self, fence: &Fence) {
        let (seed, owner) = (self.seed, self.record.given.get(&fence.epoch));
        assert_eq!(owner, Some(&fence.owner), "seed {seed}: two writers in an epoch");
        let last = self.record.last();
        assert_eq!(last, Some(fence.epoch), "seed {seed}: a write from an old epoch");
        let written = self.record.last_written;
        assert!(written <= fence.epoch, "seed {seed}: writes out of order");
        self.record.last_written = fence.epoch;
        self.seen.written += 1;
    }

    /// A task does something outside of the database, where no fence is asked for. Nobody may have
    /// taken the lease by then, and nobody could have.
    pub(super) fn effect(&mut self, fence: &Fence) {
        self.seen.effects += 1;
        let is_stale = self.table.look(self.now_ms()).is_none_or(|row| row.is_stale);
        let seed = self.seed;
        assert!(self.has_jumped || !is_stale, "seed {seed}: the tasks outlived the lease");
        let is_told = self.record.told_lost.contains(&fence.epoch);
        assert!(!is_told, "seed {seed}: the tasks go on although the loss was told");
        if self.record.last() != Some(fence.epoch) {
            self.seen.late_effects += 1;
            assert!(self.has_jumped, "seed {seed}: the lease was taken before the tasks ended");
        }
    }

    /// A lease begins or goes on: its tasks may run until its deadline. By then at least a sixth of
    /// its time must be left before anybody can take it, however late the answer came.
    fn check_deadline(&self, lease: &Lease, lease_time: Duration) {
        // After a jump the database's time is another, which `mod.rs` names as not promised.
        let Some(fence) = lease.fence().filter(|_| !self.has_jumped) else { return };
        let seed = self.seed;
        assert!(self.record.is_holder(fence), "seed {seed}: a lease without the lock");
        let left = lease.until().saturating_duration_since(Instant::now()) + lease_time / 6;
        let taken_ms = self.table.stale_at_ms().unwrap() - self.now_ms();
        assert!(left.as_millis() as i64 <= taken_ms, "seed {seed}: the deadline comes too late");
    }

    /// The keeper says that a lease is over: then nobody may go on with it.
    fn check_end(&self, lease: &Lease) {
        let (seed, told) = (self.seed, lease.lost().now_or_never());
        assert!(
            told.is_some() && !lease.is_held(),
            "seed {seed}: the tasks were not told of the end"
        );
    }
}

/// Watches the leases of one process, from outside: it looks also while the process is paused.
pub(super) async fn watch(
    world: Arc<Mutex<World>>,
    mut held: watch::Receiver<Option<Lease>>,
    lease_time: Duration,
) {
    let mut last: Option<Lease> = None;
    loop {
        let lease = held.borrow_and_update().clone();
        // What fails here fails under the world's lock, and with it the simulation.
        let check = |lease: &Lease| world.lock().unwrap().check_deadline(lease, lease_time);
        if let Some(last) = last.take() {
            world.lock().unwrap().check_end(&last);
        }
        let Some(lease) = lease else {
            match held.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            }
        };
        check(&lease);
        let mut beats = lease.beats();
        loop {
            tokio::select! {
                changed = held.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                Ok(()) = beats.changed() => check(&lease),
            }
        }
        last = Some(lease);
    }
}
