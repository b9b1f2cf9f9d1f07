//! What the holder of the lock has in hand: a time limit, and the fence for its writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use crate::store::Fence;

/// The lock, held by this process since one acquisition. It ends by itself unless its keeper
/// extends it; clones end together.
#[derive(Debug, Clone)]
pub struct Lease {
    fence: Arc<Fence>,
    until: Arc<Mutex<Instant>>,
    lost: CancellationToken,
}

impl Lease {
    pub(crate) fn new(fence: Fence, until: Instant) -> Self {
        let until = Arc::new(Mutex::new(until));
        Self { fence: Arc::new(fence), until, lost: CancellationToken::new() }
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
