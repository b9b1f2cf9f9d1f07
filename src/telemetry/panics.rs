//! A panic becomes a line of the log, with its place. The default hook would print text.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

/// Sends panics to the log. It works before there is one, too: then they go to stdout as they are.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let (message, location) = (message(panic), panic.location().map(ToString::to_string));
        let backtrace = backtrace();
        if super::is_running() {
            tracing::error!(name: "panic", critical = true, message, location, backtrace);
            // The process may be about to end: a panic while another one unwinds aborts it.
            super::flush_stdout();
        } else {
            super::write_critical("panic", |fields| {
                fields.text("message", message);
                let more = [("location", location), ("backtrace", backtrace)];
                more.into_iter().for_each(|(key, text)| {
                    text.into_iter().for_each(|text| fields.text(key, &text));
                });
            });
        }
    }));
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}

/// The way to the panic, if `RUST_BACKTRACE` asks for it.
fn backtrace() -> Option<String> {
    let backtrace = Backtrace::capture();
    (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string())
}
