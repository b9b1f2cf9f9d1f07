//! What the keeper of the lock asks of a database: four small statements. The store answers them;
//! so does a model of one in the simulation, with faults that no real database shows on demand.

use std::fmt::Display;

use tracing::{Instrument as _, Span};

use crate::store::{Claim, Error, Fence, LockRow, Renewal, Store};
use crate::telemetry::span;

/// A database with a lock in it. A statement may run although its future was dropped, much later
/// even; none of them does harm then.
pub(super) trait Database: Send + Sync {
    /// Why it did not answer.
    type Error: Display + Send;

    /// Reads the row.
    fn look(&self) -> impl Future<Output = Result<Option<LockRow>, Self::Error>> + Send;

    /// Takes the lock if it may be taken and still has the epoch that was seen.
    fn acquire(
        &self,
        claim: &Claim,
        seen: i64,
    ) -> impl Future<Output = Result<Option<i64>, Self::Error>> + Send;

    /// Says that the holder lives; nothing if it is the holder no longer.
    fn renew(
        &self,
        fence: &Fence,
    ) -> impl Future<Output = Result<Option<Renewal>, Self::Error>> + Send;

    /// Gives up whatever a process holds; false if it holds nothing.
    fn release(&self, claim: &Claim) -> impl Future<Output = Result<bool, Self::Error>> + Send;
}

impl Database for Store {
    type Error = Error;

    async fn look(&self) -> Result<Option<LockRow>, Error> {
        self.read_lock().instrument(quiet()).await
    }

    async fn acquire(&self, claim: &Claim, seen: i64) -> Result<Option<i64>, Error> {
        self.acquire_lock(claim, seen).instrument(quiet()).await
    }

    async fn renew(&self, fence: &Fence) -> Result<Option<Renewal>, Error> {
        self.renew_lock(fence).instrument(quiet()).await
    }

    async fn release(&self, claim: &Claim) -> Result<bool, Error> {
        self.release_lock(claim).instrument(quiet()).await
    }
}

/// It happens all day long: traces of it would drown what operators do.
fn quiet() -> Span {
    span::unsampled_root(tracing::info_span!("lock", bangui.task.name = "scheduler_lock"))
}
