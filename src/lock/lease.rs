//! What the holder of the lock has in hand: a time limit, and the fence for its writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use crate::store::Fence;
use crate::store::Renewal;

/// The database's clock, read at one moment and counted on from there.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseTime {
    /// Unix seconds.
    seconds: i64,
    /// When the answer came.
    at: Instant,
}

/// What the last heartbeat brought along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beat {
    /// The database's time; nothing before the first heartbeat.
    pub time: Option<DatabaseTime>,
    /// Whether somebody asked for a run of a task that has not begun.
    pub has_requests: bool,
}

/// The lock, held by this process since one acquisition. It ends by itself unless its keeper
/// extends it; clones end together.
#[derive(Debug, Clone)]
pub struct Lease {
    fence: Arc<Fence>,
    until: Arc<Mutex<Instant>>,
    lost: CancellationToken,
    beat: watch::Sender<Beat>,
}

impl DatabaseTime {
    /// The database said so just now.
    pub fn told(seconds: i64) -> Self {
        Self { seconds, at: Instant::now() }
    }

    /// What its clock shows now; a little less, since it tells whole seconds and its answers
    /// take a while.
    pub fn now(&self) -> f64 {
        // Unix seconds are exact in a float until long after everything here.
        self.seconds as f64 + self.at.elapsed().as_secs_f64()
    }
}

impl Lease {
    pub(crate) fn new(fence: Fence, until: Instant) -> Self {
        let until = Arc::new(Mutex::new(until));
        let (lost, beat) = (CancellationToken::new(), watch::Sender::default());
        Self { fence: Arc::new(fence), until, lost, beat }
    }

    /// Which acquisition this is, over all instances.
    pub fn epoch(&self) -> i64 {
        self.fence.epoch
    }

    /// What a scheduled write must show; nothing once it is too late for one.
    pub fn fence(&self) -> Option<&Fence> {
        self.is_held().then_some(&*self.fence)
    }

    /// Whether the time is not over yet. Asked of the clock and not of the keeper, which may wake
    /// up after a task that asks.
    pub fn is_held(&self) -> bool {
        !self.lost.is_cancelled() && Instant::now() < self.until()
    }

    /// Resolves when the lock is no longer held.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// What the heartbeats bring along, from now on.
    pub fn beats(&self) -> watch::Receiver<Beat> {
        self.beat.subscribe()
    }

    /// A run was asked for here, which need not wait for the next heartbeat.
    pub(super) fn tell_requested(&self) {
        self.beat.send_modify(|beat| beat.has_requests = true);
    }

    pub(crate) fn tell_renewed(&self, renewal: Renewal) {
        let time = Some(DatabaseTime::told(renewal.time));
        self.beat.send_replace(Beat { time, has_requests: renewal.has_requests });
    }

    pub(super) fn until(&self) -> Instant {
        *self.lock()
    }

    pub(super) fn extend(&self, until: Instant) {
        *self.lock() = until;
    }

    /// Ends it for everybody who has a clone.
    pub(crate) fn end(&self) {
        self.lost.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
