//! Changes by users: each has its row in the audit log, and is made to its end.
//!
//! The row is written before the change is made and finished after it. All of that happens in a
//! task of its own, so that a client who hangs up leaves nothing half done.

use std::fmt::Display;

use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::Audit;
use crate::store::{AuditResult, Error, NewAudit};
use crate::telemetry::sanitize::sanitize_for_logging;

/// The task that made a change was lost.
#[derive(Debug, thiserror::Error)]
#[error("the change was interrupted")]
pub struct Interrupted;

/// Makes changes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Changes {
    audit: Audit,
    /// Those that are under way, so that the service does not stop in the middle of one.
    running: TaskTracker,
}

impl Changes {
    /// None is under way.
    pub fn new(audit: Audit) -> Self {
        Self { audit, running: TaskTracker::new() }
    }

    /// Where their rows are.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Waits for the changes that are under way; further ones must not begin.
    pub async fn finish(&self) {
        self.running.close();
        self.running.wait().await;
    }

    /// Makes a change. Without its row it is not made; if the row cannot be finished, the change
    /// has still happened: the row stays pending, and the log says why.
    pub fn make<T, E, F>(&self, row: NewAudit, change: F) -> impl Future<Output = F::Output>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + From<Error> + From<Interrupted> + Send + 'static,
    {
        let audit = self.audit.clone();
        let work = async move {
            let id = audit.begin(row).await?;
            let result = change.await;
            let outcome = if result.is_ok() { AuditResult::Success } else { AuditResult::Failure };
            // What is written for good holds no secret.
            let detail = result.as_ref().err().map(ToString::to_string);
            let detail = detail.as_deref().map(sanitize_for_logging);
            if let Err(error) = audit.finish(id, outcome, detail.as_deref()).await {
                tracing::error!(name: "audit_write_failed", audit_id = id, error = %error);
            }
            result
        };
        let task = self.running.spawn(work.in_current_span());
        async { task.await.unwrap_or_else(|_| Err(Interrupted.into())) }
    }
}
