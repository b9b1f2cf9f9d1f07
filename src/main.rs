//! The `bangui` binary: choose the command, read the settings, run.

use std::process::ExitCode;

use bangui::app::{self, Command};
use bangui::cli;
use bangui::config::{Environment, Settings};

/// `EX_USAGE` of sysexits.h.
const EXIT_USAGE: u8 = 64;
/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;

#[allow(clippy::print_stderr)] // Commands talk to a person; the service talks in JSON lines.
fn main() -> ExitCode {
    app::log_panics();
    // What is no text is no command and no address either; it must not end in a panic.
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.collect();
    if let Some(exit) = cli::run(&words) {
        return exit;
    }
    let command = match Command::parse(words.into_iter()) {
        Ok(command) => command,
        Err(problem) => {
            eprintln!("{problem}");
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
            app::tell_problems(&problems);
            ExitCode::from(EXIT_CONFIG)
        }
    }
}
