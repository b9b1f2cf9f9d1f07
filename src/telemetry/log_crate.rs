//! Lines of libraries that log through the `log` crate become records like all others.
//!
//! The usual bridge asks the subscriber whether a line is enabled and then may not send it, which
//! leaves the per-layer filters in a state that loses the next span (tokio-rs/tracing #2519). This
//! one makes an ordinary event, whose place in the source is here; whose line it is stands in the
//! field `log.target`, which the collecting layer takes for the logger's name.

use tracing::Level;

use super::level;

/// The bridge.
struct Bridge;

static BRIDGE: Bridge = Bridge;

/// Installs the bridge for the whole process.
pub(super) fn install() {
    // Whoever installed a logger of its own before, in a test, keeps it.
    let _ = log::set_logger(&BRIDGE);
}

macro_rules! library_line {
    ($level:ident, $target:ident, $message:ident) => {
        tracing::$level!(
            name: "library_log",
            target: level::LOG_CRATE_TARGET,
            message = %$message,
            log.target = $target,
        )
    };
}

impl log::Log for Bridge {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        let level = match metadata.level() {
            log::Level::Error => Level::ERROR,
            log::Level::Warn => Level::WARN,
            log::Level::Info => Level::INFO,
            log::Level::Debug => Level::DEBUG,
            log::Level::Trace => Level::TRACE,
        };
        level::is_shown(metadata.target(), level)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (target, message) = (record.target(), record.args());
        match record.level() {
            log::Level::Error => library_line!(error, target, message),
            log::Level::Warn => library_line!(warn, target, message),
            log::Level::Info => library_line!(info, target, message),
            log::Level::Debug => library_line!(debug, target, message),
            log::Level::Trace => library_line!(trace, target, message),
        }
    }

    fn flush(&self) {}
}
