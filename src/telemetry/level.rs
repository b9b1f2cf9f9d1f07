//! What the log shows: ours from the chosen level up, libraries from warning up.
//!
//! The decision is made once for each place in the source that logs, and kept there until the
//! level changes, so a line that is not shown costs a nanosecond.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

use crate::config::{Log, LogLevel};

/// Libraries whose lines start elsewhere than at warning, by the start of their logger's name;
/// the first that fits counts. **To quieten a new library, or to hear more of it, add a line.** Use
/// warning unless its warnings ask nobody to do anything. `BANGUI_SUPPRESS_THIRD_PARTY_LOGS=false`
/// puts the whole list out of force.
const OVERRIDES: [(&str, LogLevel); 2] = [
    // Every statement at debug, slow ones at warning; the store's own spans tell the rest.
    ("sqlx", LogLevel::Warning),
    // Below warning, the steps of every single export.
    ("opentelemetry", LogLevel::Warning),
];

/// Events of ours that are shown whatever the level is: their absence is an alarm.
const ALWAYS_SHOWN: [&str; 1] = ["telemetry_canary"];

/// Target of the lines that come through the `log` crate; which library speaks is told apart
/// before an event is made.
pub(super) const LOG_CRATE_TARGET: &str = "log";

/// From most to least detailed; a level is kept as its place in this list.
const LEVELS: [LogLevel; 6] = [
    LogLevel::Trace,
    LogLevel::Debug,
    LogLevel::Info,
    LogLevel::Warning,
    LogLevel::Error,
    LogLevel::Critical,
];

static CURRENT: AtomicU8 = AtomicU8::new(LogLevel::Info as u8);
static HOLDS_LIBRARIES: AtomicBool = AtomicBool::new(true);

/// The least severe level that is written now.
pub fn current() -> LogLevel {
    LEVELS[usize::from(CURRENT.load(Ordering::Relaxed)).min(LEVELS.len() - 1)]
}

/// Whether our own lines of a level are shown now. `tracing::enabled!` would ask the filters and
/// leave them in a state that loses the next span (tokio-rs/tracing #2519).
pub fn shows(level: Level) -> bool {
    level <= max_level(current()) && current() != LogLevel::Critical
}

/// Changes the level for the whole process, at once and for every thread.
pub fn set(level: LogLevel) {
    CURRENT.store(level as u8, Ordering::Relaxed);
    log::set_max_level(match level {
        LogLevel::Trace => log::LevelFilter::Trace,
        LogLevel::Debug => log::LevelFilter::Debug,
        LogLevel::Info => log::LevelFilter::Info,
        LogLevel::Warning => log::LevelFilter::Warn,
        LogLevel::Error | LogLevel::Critical => log::LevelFilter::Error,
    });
    tracing::callsite::rebuild_interest_cache();
}

/// Takes over the settings of the start.
pub(super) fn start(log: Log) {
    HOLDS_LIBRARIES.store(log.suppress_third_party, Ordering::Relaxed);
    set(log.level);
}

/// Whether code of ours speaks.
pub(super) fn is_ours(target: &str) -> bool {
    target.strip_prefix("bangui").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a line is shown whatever the level is.
pub(super) fn is_always_shown(metadata: &Metadata<'_>) -> bool {
    ALWAYS_SHOWN.contains(&metadata.name()) && is_ours(metadata.target())
}

/// Whether a line is shown.
pub(super) fn is_shown(target: &str, level: Level) -> bool {
    let least = max_level(current());
    if level > least {
        return false;
    }
    if is_ours(target) || !HOLDS_LIBRARIES.load(Ordering::Relaxed) {
        return true;
    }
    let own = OVERRIDES.iter().find(|(start, _)| target.starts_with(start));
    level <= max_level(own.map_or(LogLevel::Warning, |(_, level)| *level))
}

/// The filter of the layer that makes records. It needs our spans for their context.
pub(super) struct Shown;

impl Shown {
    fn decide(metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            return is_ours(metadata.target());
        }
        let target = metadata.target();
        is_always_shown(metadata)
            || target == LOG_CRATE_TARGET
            || (is_shown(target, *metadata.level()) && !is_repeated_by_us(metadata))
    }
}

impl<S> Filter<S> for Shown {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        Self::decide(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Self::decide(metadata) { Interest::always() } else { Interest::never() }
    }

    /// Spans are made at info, and the context of a line must be there whatever is shown.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(max_level(current())).max(LevelFilter::INFO))
    }
}

/// The SDK tells of every failed export; `export` and `delivery` tell once that they fail.
fn is_repeated_by_us(metadata: &Metadata<'_>) -> bool {
    let name = metadata.name();
    metadata.target().starts_with("opentelemetry")
        && (name.contains("Export") || name.contains("Shutdown"))
}

fn max_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Trace => Level::TRACE,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warning => Level::WARN,
        // A critical event is an error with a mark, which `collect` looks at.
        LogLevel::Error | LogLevel::Critical => Level::ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_modules_are_ours() {
        assert!(is_ours("bangui") && is_ours("bangui::http"));
        assert!(!is_ours("banguinette::http") && !is_ours("sqlx::query"));
    }

    #[test]
    fn levels_are_in_the_order_of_their_list() {
        for (place, level) in LEVELS.into_iter().enumerate() {
            assert_eq!(level as usize, place);
        }
    }
}
