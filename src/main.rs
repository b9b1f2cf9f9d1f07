//! The `bangui` binary: choose the command, read the settings, run.

use std::process::ExitCode;

use bangui::app::{self, Command};
use bangui::config::{Environment, Settings};

/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;

#[allow(clippy::print_stderr)] // Commands talk to a person; the service talks in JSON lines.
fn main() -> ExitCode {
    app::log_panics();
    let command = match Command::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if let Some(exit) = app::without_settings(&command) {
        return exit;
    }
    match Settings::read(Environment::of_process()) {
        Ok(settings) => app::run(&command, settings),
        Err(problems) => {
            app::report_startup_failure(&command, &problems);
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            ExitCode::from(EXIT_CONFIG)
        }
    }
}
