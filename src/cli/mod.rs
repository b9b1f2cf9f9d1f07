//! Commands that ask a running service over gRPC: `bangui status`, `bans`, `ban`, `unban`,
//! `watch` and `why`.
//!
//! A command is a client like any other: it knows the contract and its own settings, and nothing
//! of the service's inside. It has a span of its own that the service's span continues, so that
//! one trace shows both processes. Its answer goes to standard output, one line about a failure
//! to standard error, and its log there too, if `--verbose` asks for it.

mod arguments;
mod call;
mod commands;
mod failure;
mod json;
mod output;
mod text;
mod values;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::config::{ClientSettings, Environment};
use crate::telemetry::sanitize::sanitize_for_logging;
use crate::telemetry::{Lines, Role, Telemetry, milliseconds, span};
use arguments::{Arguments, Command, Parsed, USAGE};
use call::Service;
use failure::{EXIT_CONFIG, EXIT_OK, EXIT_USAGE, Failure};
use output::{Out, tell, visible};

/// A person waits: a collector that does not answer must not hold up the prompt for long.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// What cannot be interrupted at the end, such as a write to a pipe that nobody reads.
const THREADS_TIMEOUT: Duration = Duration::from_millis(100);

/// Runs the command that the words after the program's name ask for; nothing if it is none of
/// these.
pub fn run(words: &[String]) -> Option<ExitCode> {
    let exit = match arguments::parse(words)? {
        Ok(Parsed::Run(arguments)) => start(arguments),
        Ok(Parsed::Help) => help(),
        Err(wrong) => {
            tell(&wrong);
            EXIT_USAGE
        }
    };
    Some(ExitCode::from(exit))
}

fn help() -> u8 {
    let mut out = Out::new();
    let written = out.raw(USAGE).and_then(|()| out.raw("\n")).and_then(|()| out.flush());
    written.map_or_else(|error| Failure::from(error).exit, |()| EXIT_OK)
}

/// Reads the settings, then runs the command between the start and the end of telemetry.
fn start(arguments: Arguments) -> u8 {
    let settings = match ClientSettings::read(Environment::of_process()) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| tell(&sanitize_for_logging(&problem.to_string())));
            return EXIT_CONFIG;
        }
    };
    let role = Role {
        service_name: "bangui-cli",
        lines: if arguments.is_verbose { Lines::Stderr } else { Lines::Nowhere },
        flush_timeout: FLUSH_TIMEOUT,
    };
    let telemetry = match Telemetry::start_as(role, settings.log, &settings.export) {
        Ok(telemetry) => telemetry,
        Err(error) => {
            tell(&format!("bangui {}: {error}", arguments.name));
            return EXIT_CONFIG;
        }
    };
    let exit = traced(arguments, &settings);
    telemetry.shutdown();
    exit
}

/// Runs the command in its span and tells how it ended.
fn traced(arguments: Arguments, settings: &ClientSettings) -> u8 {
    let Arguments { name, is_verbose, .. } = arguments;
    let started = Instant::now();
    let span = span::root(tracing::info_span!(
        "command",
        otel.name = format!("bangui {name}"),
        otel.status_code = Empty,
        process.executable.name = "bangui",
        process.exit.code = Empty,
        error.type = Empty,
    ));
    let is_traced = is_verbose || settings.export.traces.is_some();
    let result = Service::new(settings, arguments.wait, is_traced)
        .and_then(|service| on_a_runtime(service, arguments, &span));
    let exit = match result {
        Ok(()) => EXIT_OK,
        Err(failure) if failure.is_quiet => failure.exit,
        Err(failure) => {
            // What never reached the service is found under the command's own id.
            let own_id = span::correlation_id_of(&span).filter(|_| is_traced);
            let failure =
                Failure { correlation_id: failure.correlation_id.clone().or(own_id), ..failure };
            tell(&failure.line(name));
            ended(&span, name, started, Some(&failure));
            return failure.exit;
        }
    };
    ended(&span, name, started, None);
    exit
}

/// Tells the trace and the log how the command ended.
fn ended(span: &Span, command: &'static str, started: Instant, failure: Option<&Failure>) {
    let exit_code = failure.map_or(EXIT_OK, |failure| failure.exit);
    span.record("process.exit.code", i64::from(exit_code));
    let duration_ms = milliseconds(started.elapsed());
    let exit_code = u64::from(exit_code);
    span.in_scope(|| match failure {
        None => tracing::info!(name: "command_completed", command, exit_code, duration_ms),
        Some(Failure { message: error, error_type, .. }) => {
            span.record("otel.status_code", "ERROR").record("error.type", *error_type);
            tracing::warn!(
                name: "command_completed",
                command,
                exit_code,
                duration_ms,
                error = error.as_str(),
            );
        }
    });
}

/// Runs the command's work on a thread of its own, so that a signal ends a watch even while
/// nobody reads what it writes.
fn on_a_runtime(service: Service, arguments: Arguments, span: &Span) -> Result<(), Failure> {
    let Arguments { command, is_json, .. } = arguments;
    let is_watch = matches!(command, Command::Watch { .. });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|_| Failure::inside())?;
    let result = runtime.block_on(async {
        // The other commands are ended by a signal as every process is.
        let interrupted = is_watch.then(interruption).transpose().map_err(|_| Failure::inside())?;
        let work = async move { commands::run(&service, command, is_json).await };
        let work = tokio::spawn(work.instrument(span.clone()));
        tokio::select! {
            done = work => done.unwrap_or_else(|_| Err(Failure::inside())),
            () = async {
                match interrupted {
                    Some(interrupted) => interrupted.await,
                    None => std::future::pending().await,
                }
            } => Ok(()),
        }
    });
    runtime.shutdown_timeout(THREADS_TIMEOUT);
    result
}

/// Resolves when a person or the system asks for the end.
fn interruption() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
