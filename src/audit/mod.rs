//! The audit log: every change by a user is a row, and every row becomes a record of the log.
//!
//! A row is written before the change is made and finished after it. From then on it waits in the
//! store until its record is known to have left the process (see `outbox`): a crash, or a
//! collector that is away, delays the record and does not lose it.

mod changes;
mod handed;
mod outbox;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::domain::AuditEntry;
use crate::store::{AuditResult, Error, Fence, NewAudit, Store};
use crate::telemetry::metrics::AUDIT_ROWS;
use crate::telemetry::span;
pub use changes::{Changes, Interrupted};
use outbox::{Outbox, ToLog};

/// A handle on the audit log; cheap to clone.
#[derive(Debug, Clone)]
pub struct Audit {
    store: Store,
    /// Wakes the outbox.
    wake: Arc<Notify>,
}

impl Audit {
    /// The audit log of a store.
    pub fn new(store: Store) -> Self {
        Self { store, wake: Arc::default() }
    }

    /// Writes that a change is about to be made; returns the row's id. The record that is told of
    /// it one day will stand where the caller's span stands now.
    pub async fn begin(&self, audit: NewAudit) -> Result<i64, Error> {
        let traceparent = span::response_header(&Span::current());
        self.store.begin_audit(&NewAudit { traceparent, ..audit }).await
    }

    /// Writes how a change ended, after which it is told.
    pub async fn finish(
        &self,
        id: i64,
        result: AuditResult,
        detail: Option<&str>,
    ) -> Result<(), Error> {
        self.store.finish_audit(id, result, detail).await?;
        AUDIT_ROWS.count(&[Some(result.as_str())]);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes over what dead instances, or an earlier process, left unfinished and untold.
    pub async fn take_over(&self) -> Result<(), Error> {
        let interrupted = self.store.take_over_audit("interrupted by a stop").await?;
        if interrupted > 0 {
            tracing::warn!(name: "audit_changes_interrupted", changes = interrupted);
        }
        Ok(())
    }

    /// Tells finished rows to the log until it is told to stop. One task of the process runs it.
    pub async fn empty_outbox(self, stop: CancellationToken) {
        Outbox::new(self, ToLog).run(stop).await;
    }

    /// Removes told rows from before a time, at most so many; returns how many. A scheduled write.
    pub async fn remove_told(&self, fence: &Fence, before: i64, limit: i64) -> Result<u64, Error> {
        self.store.delete_told_audit(fence, before, limit).await
    }

    /// The newest rows before an id.
    pub async fn list(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, Error> {
        self.store.list_audit(before, limit).await
    }
}
