//! `bangui backup` and `bangui check-database`: for who looks after the database, while the service
//! runs or not.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Settings;
use crate::store;

/// Beside the database, where `--to` does not say otherwise.
const FOLDER: &str = "backups";

/// What `bangui backup` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The file, or an existing folder for it.
    pub to: Option<String>,
    /// Whether a file may be replaced.
    pub is_forced: bool,
}

impl Backup {
    /// Reads what follows the command's name.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let (mut to, mut is_forced) = (None, false);
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            match *word {
                "--to" if to.is_none() => {
                    let path = rest.next().filter(|path| !path.is_empty())?;
                    to = Some((*path).to_owned());
                }
                "--force" if !is_forced => is_forced = true,
                _ => return None,
            }
        }
        Some(Self { to, is_forced })
    }
}

/// A server has its own tools, which know more than we could.
fn is_refused(settings: &Settings, tool: &str) -> bool {
    let is_on_server = settings.database_url.is_some();
    if is_on_server {
        super::fail(&format_args!("BANGUI_DATABASE_URL names a Postgres server: use {tool}"));
    }
    is_on_server
}

/// Copies the database, and tells where to.
pub(super) fn run(options: &Backup, settings: &Settings) -> ExitCode {
    if is_refused(settings, "pg_dump") {
        return ExitCode::FAILURE;
    }
    let from = &settings.database_path;
    let to = match target(options.to.as_deref(), from) {
        Ok(to) => to,
        Err(error) => return super::fail(&error),
    };
    let work = async {
        tokio::select! {
            copied = store::backup(from, &to, options.is_forced) => {
                copied.map_err(|error| error.to_string())
            }
            // What was begun is removed with the future above.
            () = stopped() => Err("interrupted".to_owned()),
        }
    };
    match super::blocking(work) {
        Ok(Ok(bytes)) => super::print(&format!("{} ({bytes} bytes, checked)", to.display())),
        Ok(Err(error)) => super::fail(&format_args!("no backup was made: {error}")),
        Err(error) => super::fail(&error),
    }
}

/// Checks all of the database.
pub(super) fn check(settings: &Settings) -> ExitCode {
    if is_refused(settings, "pg_amcheck") {
        return ExitCode::FAILURE;
    }
    let path = &settings.database_path;
    if !path.is_file() {
        return super::fail(&format_args!("there is no database at {}", path.display()));
    }
    match super::blocking(store::check_database(path)) {
        Ok(Ok(findings)) if findings.is_empty() => super::print("ok"),
        Ok(Ok(findings)) => super::fail(&findings.join("\n")),
        Ok(Err(error)) => super::fail(&error),
        Err(error) => super::fail(&error),
    }
}

fn target(to: Option<&str>, database: &Path) -> Result<PathBuf, String> {
    let name = Timestamp::now().strftime("bangui-%Y%m%dT%H%M%SZ.db").to_string();
    let Some(to) = to else {
        let folder = database.parent().unwrap_or(Path::new("")).join(FOLDER);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        return Ok(folder.join(name));
    };
    let to = PathBuf::from(to);
    Ok(if to.is_dir() { to.join(name) } else { to })
}

/// Without signals to wait for, there is nothing that could interrupt.
pub(super) async fn stopped() {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
