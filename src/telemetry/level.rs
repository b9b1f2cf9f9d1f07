//! The level of the log, which can be changed while the service runs.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::config::LogLevel;

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

/// The least severe level that is written now.
pub fn current() -> LogLevel {
    LEVELS[usize::from(CURRENT.load(Ordering::Relaxed)).min(LEVELS.len() - 1)]
}

/// Changes the level for the whole process, at once and for every thread.
pub fn set(level: LogLevel) {
    CURRENT.store(level as u8, Ordering::Relaxed);
}
