//! Is the SQLite file whole? Looked at before it is opened to serve, and noticed while it is used.
//!
//! A damaged file is set aside beside its place, with its log, and a new database is begun: bans
//! are fail2ban's and go on, and whoever comes to look finds all that was left. That is done for
//! one cause alone: SQLite says that the content is damaged, or the content shows it. A file that
//! is busy, cannot be read, is on a full disk or is of a later version stays where it is.
//!
//! Only a process that is alone with the file moves it (see [`Guard`]): whoever had it open would
//! go on writing into the file that was set aside.

mod guard;
mod set_aside;
mod wal;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

pub(super) use guard::Guard;
use set_aside::{Extent, set_aside};

use super::sqlite::{BUSY_TIMEOUT, create_folder};
use super::{Error, Store};
use crate::telemetry::milliseconds;

/// How long the check at start may take. A gigabyte needs about so long; what is larger is served
/// without having been looked at whole, and that is told.
const QUICK_LIMIT: Duration = Duration::from_secs(10);
/// The same for a file in which damage was met before: there the question comes first.
const FULL_LIMIT: Duration = Duration::from_secs(600);
/// How long a person's check may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);
/// Between looks at the time; so many steps of SQLite's machine take well below a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// How many findings are told of a damaged file, and how long each may be.
const FINDINGS_MAX: usize = 100;
const FINDING_CHARS_MAX: usize = 300;

/// What to do about a damaged file at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCorruption {
    /// Set it aside and begin a new database.
    SetAside,
    /// Leave it, and do not start.
    Refuse,
}

/// Why a file could not be used, where SQLite has no words for it.
#[derive(Debug, thiserror::Error)]
pub enum IntegrityError {
    /// The file is damaged, and was left where it is.
    #[error("the database {path} is corrupted: {error}. {advice}")]
    Corrupted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The file beside it, which tells processes of each other, or one to be moved.
    #[error("cannot {action} {path}: {error}")]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another process is alone with the file.
    #[error("another process checks the database {path}, or brings it up to date")]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

const STOP_OTHERS: &str =
    "It was not set aside, because another process has it open: stop all of them, then start again";
const REFUSED: &str =
    "BANGUI_DATABASE_SET_ASIDE_CORRUPTED is false: restore a backup, or move the file away";
const AGAIN: &str = "A database that was set aside a moment ago was followed by another such one";

/// What is wrong with a file.
#[derive(Debug)]
struct Damage {
    error: String,
    extent: Extent,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Whole,
    /// What SQLite says of it.
    Damaged(Vec<String>),
    /// The time was over first.
    Unknown,
}

/// How thorough a check is.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// All pages and their order, which takes one pass.
    Quick,
    /// Each index against its table as well.
    Full,
}

impl Store {
    /// Opens the database for the service: it is looked at first, and set aside if it is damaged
    /// and that is wanted.
    pub async fn open_checked(path: &Path, on_corruption: OnCorruption) -> Result<Self, Error> {
        create_folder(path)?;
        let guard = guarded(path, on_corruption).await?;
        match Self::open_guarded(path, guard).await {
            // The check is not the whole truth, or was given up: the next one is thorough.
            Err(error) if error.is_corruption() => {
                mark_suspect(path);
                let guard = guarded(path, on_corruption).await?;
                Self::open_guarded(path, guard).await
            }
            result => result,
        }
    }

    /// Waits until SQLite has met damage in the file; for ever if there is no such file.
    pub async fn corrupted(&self) {
        match &self.guard {
            Some(guard) => guard.corrupted().await,
            None => std::future::pending().await,
        }
    }

    /// Whether SQLite has met damage in the file.
    pub fn is_corrupted(&self) -> bool {
        self.guard.as_ref().is_some_and(Guard::is_corrupted)
    }
}

impl Error {
    /// Whether it says that the content of the file is damaged.
    fn is_corruption(&self) -> bool {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        match self {
            Self::Statement { error, .. }
            | Self::Migration(Execute(error) | ExecuteMigration(error, _)) => is_corruption(error),
            _ => false,
        }
    }
}

/// Whether SQLite says that the content of the file is damaged: `SQLITE_CORRUPT` and
/// `SQLITE_NOTADB`, and nothing else.
fn is_corruption(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(11 | 26))
}

/// SQLite's result code without its extension.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// What a person finds wrong with a file: every page, every index, one finding a line.
pub async fn check_database(path: &Path) -> Result<Vec<String>, Error> {
    let _guard = Guard::take(path).await?;
    match check(path, Check::Full, COMMAND_LIMIT).await? {
        Found::Whole => Ok(Vec::new()),
        Found::Damaged(findings) => Ok(findings),
        Found::Unknown => {
            Ok(vec![format!("not checked whole within {} s", COMMAND_LIMIT.as_secs())])
        }
    }
}

/// Whether a file is a whole database, as far as one pass over its pages tells.
pub(super) async fn is_whole(path: &Path, limit: Duration) -> Result<bool, Error> {
    Ok(check(path, Check::Quick, limit).await? == Found::Whole)
}

/// A guard of a file that is whole as far as is known, or not there.
async fn guarded(path: &Path, on_corruption: OnCorruption) -> Result<Guard, Error> {
    // The log can be damaged and the file behind it, too; a new one is neither.
    const ROUNDS_MAX: usize = 3;
    let mut guard = Guard::take(path).await?;
    let mut damage = None;
    for _ in 0..ROUNDS_MAX {
        damage = examine(path, guard.is_alone()).await?;
        let Some(found) = &damage else { return Ok(guard) };
        if !guard.is_alone() {
            // What was seen is looked at again, since another may have mended it meanwhile.
            guard = match guard.wait_until_alone().await? {
                Some(alone) => alone,
                None => return Err(left(path, found, STOP_OTHERS)),
            };
            continue;
        }
        if on_corruption == OnCorruption::Refuse {
            return Err(left(path, found, REFUSED));
        }
        let aside = set_aside(path, found.extent)?;
        let _ = std::fs::remove_file(suspect_path(path));
        tell(path, &found.error, Some(&aside));
    }
    let Some(found) = damage else { return Ok(guard) };
    Err(left(path, &found, AGAIN))
}

/// A damaged file stays where it is, and nothing starts.
fn left(path: &Path, damage: &Damage, advice: &'static str) -> Error {
    tell(path, &damage.error, None);
    let (path, error) = (path.to_owned(), damage.error.clone());
    IntegrityError::Corrupted { path, error, advice }.into()
}

fn tell(path: &Path, error: &str, set_aside: Option<&Path>) {
    let set_aside = set_aside.map(|path| path.display().to_string());
    tracing::error!(
        name: "database_corrupted",
        critical = true,
        database_path = %path.display(),
        set_aside = set_aside.as_deref(),
        error,
    );
}

/// Looks at a file and its log. The log is looked at by who is alone with it only: others change
/// it all the time.
async fn examine(path: &Path, is_alone: bool) -> Result<Option<Damage>, Error> {
    let damage = |error: String, extent| Ok(Some(Damage { error, extent }));
    if set_aside::size(path) == 0 {
        // SQLite would take it for a new database and delete what stands in the log.
        return match set_aside::size(&set_aside::wal_path(path)) {
            0 => Ok(None),
            _ => damage("the file is missing or empty, its log is not".into(), Extent::All),
        };
    }
    if is_alone && wal::is_header_damaged(&set_aside::wal_path(path)) {
        return damage("the header of the write-ahead log is damaged".into(), Extent::Wal);
    }
    let is_suspect = suspect_path(path).exists();
    let (kind, limit) =
        if is_suspect { (Check::Full, FULL_LIMIT) } else { (Check::Quick, QUICK_LIMIT) };
    let begun = Instant::now();
    match check(path, kind, limit).await? {
        Found::Damaged(findings) => damage(findings.join("; "), Extent::All),
        Found::Whole => {
            if is_suspect {
                let _ = std::fs::remove_file(suspect_path(path));
                tracing::info!(
                    name: "database_checked",
                    database_path = %path.display(),
                    duration_ms = milliseconds(begun.elapsed()),
                );
            }
            Ok(None)
        }
        Found::Unknown => {
            tracing::warn!(
                name: "database_check_incomplete",
                database_path = %path.display(),
                timeout_seconds = limit.as_secs(),
            );
            Ok(None)
        }
    }
}

/// Lets SQLite check a file. It is opened to read, so that a damaged one stays as it is.
async fn check(path: &Path, kind: Check, limit: Duration) -> Result<Found, Error> {
    let result = async {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = options.busy_timeout(BUSY_TIMEOUT).connect().await?;
        let findings = findings(&mut connection, kind, limit).await;
        // It was read only, so there is nothing that could fail to be kept.
        let _ = connection.close().await;
        findings
    };
    match result.await {
        Ok(found) => Ok(found),
        Err(error) if is_corruption(&error) => Ok(Found::Damaged(vec![error.to_string()])),
        Err(error) => Err(Error::Statement { operation: "CHECK", collection: "database", error }),
    }
}

async fn findings(
    connection: &mut SqliteConnection,
    kind: Check,
    limit: Duration,
) -> Result<Found, sqlx::Error> {
    const INTERRUPTED: i32 = 9;
    let deadline = Instant::now() + limit;
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || Instant::now() < deadline);
    drop(handle);
    let statement = match kind {
        Check::Quick => "PRAGMA quick_check(100)",
        Check::Full => "PRAGMA integrity_check(100)",
    };
    let rows: Vec<String> = match sqlx::query_scalar(statement).fetch_all(connection).await {
        Err(error) if primary_code(&error) == Some(INTERRUPTED) => return Ok(Found::Unknown),
        rows => rows?,
    };
    if rows == ["ok"] {
        return Ok(Found::Whole);
    }
    // One finding can have several lines; a time that is over is one of them, too.
    let lines = rows.iter().flat_map(|row| row.lines());
    let lines = lines.map(|line| line.chars().take(FINDING_CHARS_MAX).collect::<String>());
    let lines: Vec<String> = lines.take(FINDINGS_MAX).collect();
    let is_over = Instant::now() >= deadline && lines.iter().all(|line| line.contains("interrupt"));
    Ok(if is_over { Found::Unknown } else { Found::Damaged(lines) })
}

/// Beside a file in which SQLite has met damage, until a thorough check has passed.
fn suspect_path(path: &Path) -> PathBuf {
    set_aside::with_ending(path, ".suspect")
}

/// Without the mark the next check is a quick one, which is no reason to fail.
fn mark_suspect(path: &Path) {
    let _ = std::fs::write(suspect_path(path), b"");
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
