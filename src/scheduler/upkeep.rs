//! The tasks that look after the history and the audit log.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::task::{Outcome, Run, Task};
use crate::audit::Audit;
use crate::domain::Schedule;
use crate::history::{History, Synced};
use crate::lock::Fence;
use crate::telemetry::span;

/// A first run behind years of history has many steps.
const LIMIT: Duration = Duration::from_secs(600);
/// Rows of one transaction: some ten milliseconds of the database.
const STEP_ROWS: i64 = 500;
/// Others write in between.
const STEP_PAUSE: Duration = Duration::from_millis(20);
/// One run removes a million rows at most; the rest is the next one's.
const STEPS_MAX: usize = 2000;
const DAY_SECONDS: i64 = 24 * 3600;

/// How long rows are kept, in days; 0 is for ever.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Bans, from their end.
    pub history_days: u32,
    /// Rows of the audit log.
    pub audit_days: u32,
}

impl Retention {
    /// Rows from before this time may go; nothing if all are kept.
    fn before(days: u32) -> Option<i64> {
        (days > 0).then(|| Timestamp::now().as_second() - i64::from(days) * DAY_SECONDS)
    }
}

/// The task that removes what is older than it has to be kept.
pub fn remove_old_rows(
    history: History,
    audit: Audit,
    retention: Retention,
    schedule: Schedule,
) -> Task {
    Task::new("history_retention", schedule, LIMIT, move |run| {
        let (history, audit) = (history.clone(), audit.clone());
        async move {
            let (mut bans, mut audit_rows) = (0, 0);
            if let Some(before) = Retention::before(retention.history_days) {
                let step = |fence: Fence| {
                    let history = history.clone();
                    async move { history.remove_ended(&fence, before, STEP_ROWS).await }
                };
                bans = in_steps(&run, step).await?;
            }
            if let Some(before) = Retention::before(retention.audit_days) {
                let step = |fence: Fence| {
                    let audit = audit.clone();
                    async move { audit.remove_told(&fence, before, STEP_ROWS).await }
                };
                audit_rows = in_steps(&run, step).await?;
            }
            if bans + audit_rows > 0 {
                tracing::info!(name: "history_rows_removed", bans, audit_rows);
            }
            Ok(bans + audit_rows)
        }
    })
}

/// Removes rows until a step finds less than it may take.
async fn in_steps<F, E>(run: &Run, step: impl Fn(Fence) -> F) -> Outcome
where
    F: Future<Output = Result<u64, E>> + Send,
    E: std::fmt::Display,
{
    let mut removed = 0;
    for _ in 0..STEPS_MAX {
        let fence = run.fence()?.clone();
        let rows = step(fence).await.map_err(|error| error.to_string())?;
        removed += rows;
        if rows < STEP_ROWS.unsigned_abs() {
            break;
        }
        sleep(STEP_PAUSE).await;
    }
    Ok(removed)
}

/// The task that fetches what happened while nobody watched. What the retention would remove at
/// once is not fetched.
pub fn sync_history(history: History, retention: Retention, schedule: Schedule) -> Task {
    Task::new("history_sync", schedule, LIMIT, move |run| {
        let history = history.clone();
        async move {
            let after = Retention::before(retention.history_days).unwrap_or_default();
            let fence = || run.fence().ok().cloned();
            let correlation_id = span::correlation_id();
            let synced = history.sync(fence, after, correlation_id.as_deref()).await;
            match synced.map_err(|error| error.to_string())? {
                Synced::Done { read, added } => {
                    tracing::info!(name: "history_synced", bans = read, added);
                    Ok(added)
                }
                Synced::Skipped(reason) => {
                    tracing::info!(name: "history_sync_skipped", reason);
                    Ok(0)
                }
            }
        }
    })
}
