//! The composition root: the only place that knows all parts, and the commands that use them.

mod backup;
mod command;
mod copy_database;
mod dead_letters;
mod healthcheck;
mod ready;
mod sanitize;
mod send_test;
mod serve;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

pub use crate::telemetry::log_panics;
pub use command::Command;
use zeroize::Zeroizing;

use crate::auth;
use crate::config::{Problem, Settings};
use crate::domain::Secret;
use crate::store::{self, Store};
use crate::telemetry;
use crate::telemetry::sanitize::sanitize_for_logging;

/// Runs the commands that need no settings of the service, or few.
pub fn without_settings(command: &Command) -> Option<ExitCode> {
    match command {
        Command::Sanitize { is_json } => Some(sanitize::run(*is_json)),
        Command::Healthcheck => Some(healthcheck::run()),
        Command::Help => Some(print(command::USAGE)),
        Command::Version => Some(print(concat!("bangui ", env!("CARGO_PKG_VERSION")))),
        _ => None,
    }
}

/// Runs a command with its settings.
pub fn run(command: &Command, settings: Settings) -> ExitCode {
    match command {
        Command::Serve => serve::run(settings),
        Command::Config => print(settings.to_string().trim_end()),
        Command::SendTest => send_test::run(&settings),
        Command::SetupCode => setup_code(&settings),
        Command::ResetPassword => reset_password(&settings),
        Command::DeadLetters(command) => dead_letters::run(command, &settings.collector_dir),
        Command::Backup(options) => backup::run(options, &settings),
        Command::CopyDatabase(options) => copy_database::run(options, &settings),
        Command::CheckDatabase => backup::check(&settings),
        // The others need no settings and were run before.
        Command::Sanitize { .. } | Command::Healthcheck | Command::Help | Command::Version => {
            ExitCode::SUCCESS
        }
    }
}

/// Says on stderr what is wrong with the settings. A wrong value is quoted, which may be a URL with
/// a password that was meant for another variable.
#[allow(clippy::print_stderr)] // Where a person looks who has just set them.
pub fn tell_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{}", sanitize_for_logging(&problem.to_string()));
    }
}

/// A service that cannot start says so in its log too, where a container's user looks first.
pub fn report_startup_failure(command: &Command, problems: &[Problem]) {
    if matches!(command, Command::Serve) {
        let reasons: Vec<_> = problems.iter().map(ToString::to_string).collect();
        telemetry::startup_failed(&reasons.join("; "));
    }
}

#[allow(clippy::print_stdout)] // What a person asked for on the command line.
fn print(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[allow(clippy::print_stderr)] // What a person asked for on the command line.
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn setup_code(settings: &Settings) -> ExitCode {
    match auth::setup_code(&settings.data_dir) {
        Ok(code) => print(code.expose()),
        Err(error) => fail(&format_args!(
            "no set-up code in {}: {error} (it is there while no account exists)",
            settings.data_dir.display()
        )),
    }
}

/// Reads the new password from standard input, so that it stands in no process list.
#[allow(clippy::print_stderr)] // A prompt for a person.
fn reset_password(settings: &Settings) -> ExitCode {
    if std::io::stdin().is_terminal() {
        eprintln!("new password of {} (it is shown as you type), then Enter:", auth::ADMIN);
    }
    let mut line = Zeroizing::new(String::new());
    if let Err(error) = std::io::stdin().lock().read_line(&mut line) {
        return fail(&error);
    }
    let password = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
    let result = blocking(async {
        let store = open_store(settings).await.map_err(|error| error.to_string())?;
        let result = auth::reset_password(&store, password).await;
        store.close().await;
        result.map_err(|error| error.to_string())
    });
    match result {
        Ok(Ok(true)) => print("the password was changed, and all sessions were ended"),
        Ok(Ok(false)) => fail(&"there is no such account"),
        Ok(Err(error)) => fail(&error),
        Err(error) => fail(&error),
    }
}

/// Opens the database that the settings name.
async fn open_store(settings: &Settings) -> Result<Store, store::Error> {
    match &settings.database_url {
        Some(database) => Store::open_postgres(&database.url).await,
        None => Store::open(&settings.database_path).await,
    }
}

/// Runs a short command's future on a runtime of its own.
fn blocking<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}
