//! Moves a damaged database out of the way, within its folder, and deletes nothing.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::Error;
use super::IntegrityError;

/// Damage that comes again and again is the disk's, and each copy takes room on it. Beyond this
/// somebody has to look.
const SET_ASIDE_MAX: usize = 10;
const MARK: &str = ".corrupted-";

/// How much is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// The file and what belongs to it.
    All,
    /// The write-ahead log alone; the file behind it may be whole.
    Wal,
}

/// A path with something after its name.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

pub(super) fn wal_path(path: &Path) -> PathBuf {
    with_ending(path, "-wal")
}

/// 0 for what is not there.
pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Moves the file, its log and its index; answers with where it is now. If it ends midway, the log
/// without its file is what the next start finds damaged.
pub(super) fn set_aside(path: &Path, extent: Extent) -> Result<PathBuf, Error> {
    let failed = |error| {
        let action = "set aside";
        Error::from(IntegrityError::File { action, path: path.to_owned(), error })
    };
    if count(path).map_err(failed)? >= SET_ASIDE_MAX {
        let text = format!("{SET_ASIDE_MAX} damaged databases lie beside it already");
        return Err(failed(std::io::Error::other(text)));
    }
    let from = match extent {
        Extent::All => path.to_owned(),
        Extent::Wal => wal_path(path),
    };
    let to = free_name(&from).map_err(failed)?;
    move_if_there(&from, &to).map_err(failed)?;
    if extent == Extent::All {
        for ending in ["-wal", "-shm"] {
            let (from, to) = (with_ending(path, ending), with_ending(&to, ending));
            move_if_there(&from, &to).map_err(failed)?;
        }
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let sync = || fs::File::open(folder)?.sync_all();
        sync().map_err(failed)?;
    }
    Ok(to)
}

/// A name that nothing has, neither itself nor with the endings of what belongs to a database.
fn free_name(path: &Path) -> std::io::Result<PathBuf> {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let names = std::iter::once(String::new()).chain((1..=SET_ASIDE_MAX).map(|n| format!("-{n}")));
    for number in names {
        let name = with_ending(path, &format!("{MARK}{time}{number}"));
        let taken = |ending: &str| fs::symlink_metadata(with_ending(&name, ending)).is_ok();
        if !["", "-wal", "-shm"].into_iter().any(taken) {
            return Ok(name);
        }
    }
    Err(std::io::Error::other("no name is free"))
}

/// Under the lock nobody else makes files of these names, so that nothing is overwritten.
fn move_if_there(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// How many databases, or logs alone, lie beside the file already.
fn count(path: &Path) -> std::io::Result<usize> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(0) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let name = name.to_string_lossy();
    let (all, wal) = (format!("{name}{MARK}"), format!("{name}-wal{MARK}"));
    let entries = fs::read_dir(folder)?.flatten();
    let is_one = |name: &str| {
        let is_side = name.ends_with("-wal") || name.ends_with("-shm");
        (name.starts_with(&all) && !is_side) || name.starts_with(&wal)
    };
    Ok(entries.filter(|entry| is_one(&entry.file_name().to_string_lossy())).count())
}
