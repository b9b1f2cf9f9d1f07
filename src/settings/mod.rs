//! Settings that can be changed while the service runs: the level of the log.
//!
//! A change lasts until the next one, until its time is over, or until the service stops; what is
//! configured by the environment is never overwritten.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::Instrument as _;

use crate::audit::{Changes, Interrupted};
use crate::auth::Origin;
use crate::config::LogLevel;
use crate::store::{self, NewAudit};
use crate::telemetry::{level, span};

/// A day: who needs another level for longer configures it.
pub const FOR_SECONDS_MAX: u32 = 24 * 3600;

/// Why a setting was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The change could not be written to the audit log, so it was not made.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The task that made the change was lost.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// The level of the log as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLevelState {
    /// What is written now.
    pub level: LogLevel,
    /// What is configured.
    pub default: LogLevel,
    /// When it goes back to what is configured by itself.
    pub reverts_at: Option<Timestamp>,
}

/// The level of the log; cheap to clone.
#[derive(Debug, Clone)]
pub struct LogSettings {
    changes: Changes,
    default: LogLevel,
    timer: Arc<Mutex<Option<Timer>>>,
}

/// The way back to the configured level.
#[derive(Debug)]
struct Timer {
    reverts_at: Timestamp,
    task: AbortHandle,
}

impl LogSettings {
    /// Begins with the configured level, which telemetry was started with.
    pub fn start(changes: Changes, default: LogLevel) -> Self {
        Self { changes, default, timer: Arc::default() }
    }

    /// The level now.
    pub fn log_level(&self) -> LogLevelState {
        let timer = self.timer();
        self.state(&timer)
    }

    /// Changes the level, for a time or until the service stops.
    pub async fn set_log_level(
        &self,
        origin: Origin,
        level: LogLevel,
        for_seconds: Option<u32>,
    ) -> Result<LogLevelState, Error> {
        let row = row(&origin, level::current(), level, for_seconds);
        let this = self.clone();
        self.changes.make(row, async move { Ok(this.change(level, for_seconds)) }).await
    }

    /// Changes the level and replaces the way back. Both happen under one lock, so that the end
    /// of an earlier change cannot undo this one.
    fn change(&self, to: LogLevel, for_seconds: Option<u32>) -> LogLevelState {
        let mut timer = self.timer();
        if let Some(old) = timer.take() {
            old.task.abort();
        }
        // There is no way back from the configured level.
        let for_seconds = for_seconds.filter(|_| to != self.default);
        let from = level::current();
        switch(from, to, || tell_changed(from, to, for_seconds));
        *timer = for_seconds.map(|seconds| self.begin_timer(seconds));
        self.state(&timer)
    }

    fn begin_timer(&self, seconds: u32) -> Timer {
        let now = Timestamp::now().as_second();
        let reverts_at = Timestamp::from_second(now.saturating_add(i64::from(seconds)));
        let reverts_at = reverts_at.unwrap_or(Timestamp::MAX);
        let this = self.clone();
        let revert = async move {
            sleep(Duration::from_secs(u64::from(seconds))).await;
            let span = span::root(tracing::info_span!("revert", bangui.task.name = "log_level"));
            async { this.revert() }.instrument(span).await;
        };
        Timer { reverts_at, task: tokio::spawn(revert).abort_handle() }
    }

    /// Goes back to the configured level, unless a later change has taken this one's place. An
    /// aborted task may be past its last wait, so the timer says which change is in force.
    fn revert(&self) {
        let mut timer = self.timer();
        let own = tokio::task::try_id();
        let is_in_force = timer.as_ref().is_some_and(|timer| own == Some(timer.task.id()));
        if !is_in_force {
            return;
        }
        *timer = None;
        let (from, to) = (level::current(), self.default);
        switch(from, to, || tell_reverted(from, to));
    }

    fn state(&self, timer: &Option<Timer>) -> LogLevelState {
        let reverts_at = timer.as_ref().map(|timer| timer.reverts_at);
        LogLevelState { level: level::current(), default: self.default, reverts_at }
    }

    fn timer(&self) -> MutexGuard<'_, Option<Timer>> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes the level and tells of it while the more detailed of both levels is in force.
fn switch(from: LogLevel, to: LogLevel, tell: impl FnOnce()) {
    if to < from {
        level::set(to);
        tell();
    } else {
        tell();
        level::set(to);
    }
}

/// The event is as severe as it must be to be seen at the more detailed of both levels: who reads
/// the log must learn why it became quiet.
fn tell_changed(from: LogLevel, to: LogLevel, reverts_after_seconds: Option<u32>) {
    let (level_from, level_to) = (from.as_str(), to.as_str());
    macro_rules! changed {
        ($level:ident $(, $mark:ident)?) => {
            tracing::$level!(
                name: "log_level_changed",
                level_from,
                level_to,
                reverts_after_seconds,
                $($mark = true)?
            )
        };
    }
    match from.min(to) {
        LogLevel::Trace | LogLevel::Debug | LogLevel::Info => changed!(info),
        LogLevel::Warning => changed!(warn),
        LogLevel::Error => changed!(error),
        LogLevel::Critical => changed!(error, critical),
    }
}

fn tell_reverted(from: LogLevel, to: LogLevel) {
    let (level_from, level_to) = (from.as_str(), to.as_str());
    match from.min(to) {
        LogLevel::Trace | LogLevel::Debug | LogLevel::Info => {
            tracing::info!(name: "log_level_reverted", level_from, level_to);
        }
        LogLevel::Warning => tracing::warn!(name: "log_level_reverted", level_from, level_to),
        // A way back is from another level, so the more detailed one is error at most.
        LogLevel::Error | LogLevel::Critical => {
            tracing::error!(name: "log_level_reverted", level_from, level_to);
        }
    }
}

fn row(origin: &Origin, from: LogLevel, to: LogLevel, for_seconds: Option<u32>) -> NewAudit {
    let time = for_seconds.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
    let reason = Some(format!("{} to {}{time}", from.as_str(), to.as_str()));
    NewAudit { reason, ..origin.row("set_log_level") }
}
