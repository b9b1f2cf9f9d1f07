//! Tells the finished rows of the audit log, each until its record is known to be delivered.
//!
//! The table itself is the outbox: a row without `told_at` is still to be told, by the instance
//! that wrote it, or by the one that takes over the rows of a dead one. A record carries the uid of
//! its row, so that a destination which gets it twice (the process died between the delivery and
//! the mark) can tell the copy. Within one process a row is handed to the log once; see [`Handed`]
//! for when it is handed over again.

use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Level, Span};

use super::Audit;
use super::handed::Handed;
use crate::store::{Error, UntoldAudit, UntoldQuery};
use crate::telemetry::receipt::Receipt;
use crate::telemetry::{level, metrics, span};

/// How often rows are looked for that nobody woke us for: those of the command line, and those
/// that the store or the log refused.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// A receipt comes when the collector is back, however long that takes; only one that got lost
/// on the way does not come within a day.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// How long a stop waits for the last receipts: longer than the log's export usually pauses.
const LAST_CHANCE: Duration = Duration::from_secs(3);

/// Resolves when it is known whether a record was delivered.
pub(super) type Delivery = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A row that is on its way, and whether it arrived.
type Underway = Pin<Box<dyn Future<Output = (i64, bool)> + Send>>;

/// Which rows the level of the log lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of them.
    All,
    /// Those that failed, which are warnings.
    Failures,
    /// None.
    Nothing,
}

impl Shown {
    fn lets_through(self, audit: &UntoldAudit) -> bool {
        match self {
            Self::All => true,
            Self::Failures => is_failure(audit),
            Self::Nothing => false,
        }
    }
}

fn is_failure(audit: &UntoldAudit) -> bool {
    audit.entry.result == "failure"
}

/// What rows are told to.
pub(super) trait Tell: Send + 'static {
    /// Which rows it takes now. The others stay in the store until it does, so that nobody
    /// silences the audit log for good by turning the level up for a while.
    fn shown(&self) -> Shown;
    /// Tells a row.
    fn tell(&self, audit: &UntoldAudit) -> Delivery;
}

/// Tells rows to the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToLog;

impl Tell for ToLog {
    fn shown(&self) -> Shown {
        if level::shows(Level::INFO) {
            Shown::All
        } else if level::shows(Level::WARN) {
            Shown::Failures
        } else {
            Shown::Nothing
        }
    }

    fn tell(&self, audit: &UntoldAudit) -> Delivery {
        let receipt = Receipt::of(&audit.uid);
        log(audit);
        receipt.close();
        Box::pin(async { timeout(RECEIPT_TIMEOUT, receipt.is_delivered()).await.unwrap_or(false) })
    }
}

/// The record stands in the request's trace, not where it is told: the collecting layer takes uid
/// and trace context from the two control fields.
fn log(audit: &UntoldAudit) {
    let UntoldAudit { entry, uid, traceparent } = audit;
    macro_rules! recorded {
        ($level:ident) => {
            tracing::$level!(
                name: "audit_recorded",
                audit_id = entry.id,
                log.uid = uid.as_str(),
                log.traceparent = traceparent.as_deref(),
                action = entry.action.as_str(),
                actor = entry.actor.as_str(),
                client_ip = entry.client_ip.as_str(),
                jail = entry.jail.as_deref(),
                ip = entry.ip.as_deref(),
                reason = entry.reason.as_deref(),
                result = entry.result.as_str(),
                detail = entry.detail.as_deref(),
            )
        };
    }
    if is_failure(audit) {
        recorded!(warn);
    } else {
        recorded!(info);
    }
}

/// The outbox. One task of the process runs it.
pub(super) struct Outbox<T> {
    audit: Audit,
    log: T,
    handed: Handed,
    /// One for each row that waits in `handed`, whose limit is theirs.
    receipts: FuturesUnordered<Underway>,
    /// Whether there was no room for all rows of the store.
    has_more: bool,
    /// Whether the store failed when it was last asked, which was told then.
    is_failing: bool,
}

impl<T: Tell> Outbox<T> {
    /// An outbox that has not looked yet.
    pub(super) fn new(audit: Audit, log: T) -> Self {
        let (handed, receipts) = (Handed::default(), FuturesUnordered::new());
        Self { audit, log, handed, receipts, has_more: false, is_failing: false }
    }

    /// Tells rows until it is told to stop, and then what is left, within a limit.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let wake = self.audit.wake.clone();
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                // The first tick is at once, for what an earlier process left.
                _ = poll.tick() => self.poll(Instant::now()).await,
                () = wake.notified() => self.read().await,
                Some((id, is_delivered)) = self.receipts.next() => {
                    self.settle(id, is_delivered).await;
                }
            }
            metrics::set_audit_unconfirmed(self.handed.count());
        }
        // What has no receipt by then is told again by the next process.
        let _ = timeout(LAST_CHANCE, self.finish()).await;
    }

    async fn finish(&mut self) {
        self.mark().await;
        self.read().await;
        while let Some((id, is_delivered)) = self.receipts.next().await {
            self.settle(id, is_delivered).await;
        }
    }

    async fn poll(&mut self, now: Instant) {
        self.mark().await;
        let result = live(&self.audit).instrument(quiet()).await;
        self.check(result);
        let shown = self.log.shown();
        for audit in self.handed.again(now, |audit| shown.lets_through(audit)) {
            self.tell(&audit);
        }
        self.read().await;
    }

    /// Hands over the rows that were not yet.
    async fn read(&mut self) {
        let shown = self.log.shown();
        if shown == Shown::Nothing {
            return;
        }
        loop {
            let limit = self.handed.room();
            self.has_more = limit == 0;
            if self.has_more {
                return;
            }
            let except = &self.handed.ids()[..];
            let failures_only = shown == Shown::Failures;
            let wanted = UntoldQuery { except, failures_only, limit };
            let result = self.audit.store.untold_audit(wanted).instrument(quiet()).await;
            let Some(rows) = self.check(result) else { return };
            let is_last = rows.len() < limit;
            for audit in rows {
                self.tell(&audit);
                self.handed.add(audit);
            }
            if is_last {
                return;
            }
        }
    }

    fn tell(&self, audit: &UntoldAudit) {
        let (id, delivery) = (audit.entry.id, self.log.tell(audit));
        self.receipts.push(Box::pin(async move { (id, delivery.await) }));
    }

    /// Takes a receipt, and those that have come with it, since the collector takes batches.
    async fn settle(&mut self, id: i64, is_delivered: bool) {
        let mut next = Some((id, is_delivered));
        while let Some((id, is_delivered)) = next {
            self.handed.settle(id, is_delivered, Instant::now());
            next = self.receipts.next().now_or_never().flatten();
        }
        self.mark().await;
        if self.has_more {
            self.read().await;
        }
    }

    /// Marks delivered rows. Those that the store does not take are marked at the next occasion.
    async fn mark(&mut self) {
        let ids = self.handed.delivered();
        if ids.is_empty() {
            return;
        }
        let now = Timestamp::now().as_second();
        let result = self.audit.store.mark_audit_told(&ids, now).instrument(quiet()).await;
        if self.check(result).is_some() {
            self.handed.forget(&ids);
        }
    }

    /// A store that fails is told once until it works again.
    fn check<R>(&mut self, result: Result<R, Error>) -> Option<R> {
        let was_failing = std::mem::replace(&mut self.is_failing, result.is_err());
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if !was_failing {
                    tracing::error!(name: "audit_outbox_failed", error = %error);
                }
                None
            }
        }
    }
}

/// Says that this instance lives, which keeps its rows its own, and looks after those of instances
/// that do no longer.
async fn live(audit: &Audit) -> Result<(), Error> {
    audit.store.instance_lives().await?;
    audit.take_over().await
}

/// Nobody asked for it, and it happens with every change: a trace of it would be noise.
fn quiet() -> Span {
    span::unsampled_root(tracing::info_span!("outbox", bangui.task.name = "outbox"))
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
pub(super) mod tests;
