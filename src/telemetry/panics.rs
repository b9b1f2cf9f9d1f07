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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::Value;

    use crate::config::{Export, Log, LogLevel};
    use crate::telemetry::Telemetry;

    /// Set where `before` and `running` are to panic on behalf of the test below.
    const ON_BEHALF: &str = "BANGUI_TEST_PANICS";

    fn is_on_behalf() -> bool {
        std::env::var_os(ON_BEHALF).is_some()
    }

    /// Runs one of the tests that panic in a process of its own; gives the one line it wrote.
    fn line_of(name: &str, backtrace: &str) -> Value {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--nocapture", "--test-threads=1", "--exact", name]);
        let output = child.env("RUST_BACKTRACE", backtrace).env(ON_BEHALF, "1").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> =
            text.lines().filter_map(|line| line.find('{').map(|at| &line[at..])).collect();
        assert_eq!(lines.len(), 1, "{text}");
        serde_json::from_str(lines[0]).unwrap()
    }

    #[test]
    fn before() {
        if !is_on_behalf() {
            return;
        }
        super::install();
        panic!("token=hunter2 is wrong");
    }

    #[test]
    fn running() {
        if !is_on_behalf() {
            return;
        }
        super::install();
        let log = Log { level: LogLevel::Info, suppress_third_party: true };
        let _telemetry = Telemetry::start(log, &Export::default()).unwrap();
        let _entered = tracing::info_span!("request", user.id = "admin").entered();
        let _ = std::panic::catch_unwind(|| panic!("token=hunter2 is wrong"));
        // Nothing is flushed by an abort: the line is out when the hook returns.
        std::process::abort();
    }

    #[test]
    fn a_panic_is_one_line_with_its_place_before_telemetry_and_with_it() {
        for name in ["before", "running"] {
            let full = format!("telemetry::panics::tests::{name}");
            let line = line_of(&full, "0");
            assert_eq!((&line["event"], &line["level"]), (&"panic".into(), &"critical".into()));
            assert_eq!(line["message"], "token=*** is wrong");
            assert!(line["location"].as_str().unwrap().starts_with("src/telemetry/panics.rs:"));
            assert!(line.get("backtrace").is_none(), "{line}");
            assert_eq!(line.get("user_id").is_some(), name == "running", "{line}");
            let line = line_of(&full, "1");
            assert!(line["backtrace"].as_str().unwrap().contains("panics"), "{line}");
        }
    }
}
