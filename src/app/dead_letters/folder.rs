//! The folder in which the collector lays what a destination has refused for too long:
//! `dead-letters/<destination>/<unix-ms>-<8 hex>.jsonl`, and what it shall send once more in
//! `dead-letters/<destination>/replay/`.
//!
//! Its names come from another process, so each is validated before it is used; symbolic links are
//! never followed, and whatever is not the collector's is left alone.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

const FOLDER: &str = "dead-letters";
const REPLAY: &str = "replay";
/// What one command lists or moves; it can be run again.
pub(super) const FILES_MAX: usize = 10_000;
/// Entries of one folder that are looked at, foreign ones too.
const ENTRIES_MAX: usize = 100_000;
const DESTINATION_MAX_BYTES: usize = 64;
/// The header stands first in a file; a longer one is none of the collector's.
const HEADER_MAX_BYTES: u64 = 64 * 1024;

/// Where a file waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// For somebody to decide.
    Dead,
    /// For the collector, which will send it once more.
    Replay,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Replay => "replay",
        }
    }
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Header {
    pub(super) signal: String,
    pub(super) records: u64,
    pub(super) reason: String,
    pub(super) first_refused_at: String,
    pub(super) given_up_at: String,
}

/// One file of dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) destination: String,
    pub(super) name: String,
    pub(super) state: State,
    pub(super) bytes: u64,
    /// Nothing if it cannot be read.
    pub(super) header: Option<Header>,
}

/// Some dead letters.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By destination, the oldest first.
    pub(super) letters: Vec<Letter>,
    /// Whether there are more.
    pub(super) is_cut: bool,
}

/// The collector's dead letters.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The dead letters below the collector's folder.
    pub(super) fn of(collector_dir: &Path) -> Self {
        Self(collector_dir.join(FOLDER))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The files of one destination or of all, in the given states.
    pub(super) fn find(&self, destination: Option<&str>, states: &[State]) -> io::Result<Found> {
        let destinations = self.destinations()?;
        if let Some(name) = destination.filter(|name| !destinations.iter().any(|it| it == name)) {
            let reason = match destinations.is_empty() {
                true => "there are none for any".to_owned(),
                false => format!("there are some for {}", destinations.join(", ")),
            };
            return Err(io::Error::other(format!("no dead letters for {name:?}; {reason}")));
        }
        let mut found = Found::default();
        let is_wanted = |name: &&String| destination.is_none_or(|wanted| *name == wanted);
        for name in destinations.iter().filter(is_wanted) {
            for state in states {
                let letters = self.letters(name, *state)?;
                let room = FILES_MAX - found.letters.len();
                found.is_cut |= letters.len() > room;
                found.letters.extend(letters.into_iter().take(room));
            }
        }
        for letter in &mut found.letters {
            letter.header = read_header(&self.path_of(letter));
        }
        Ok(found)
    }

    fn destinations(&self) -> io::Result<Vec<String>> {
        let mut names = entries(&self.0, |name, meta| is_destination(name) && meta.is_dir())?;
        names.sort_unstable();
        Ok(names.into_iter().map(|(name, _)| name).collect())
    }

    fn letters(&self, destination: &str, state: State) -> io::Result<Vec<Letter>> {
        let folder = self.folder_of(destination, state);
        let mut files = entries(&folder, |name, meta| order(name).is_some() && meta.is_file())?;
        files.sort_unstable_by(|(one, _), (other, _)| order(one).cmp(&order(other)));
        let letter = |(name, bytes)| Letter {
            destination: destination.to_owned(),
            name,
            state,
            bytes,
            header: None,
        };
        Ok(files.into_iter().map(letter).collect())
    }

    fn folder_of(&self, destination: &str, state: State) -> PathBuf {
        let folder = self.0.join(destination);
        match state {
            State::Dead => folder,
            State::Replay => folder.join(REPLAY),
        }
    }

    fn path_of(&self, letter: &Letter) -> PathBuf {
        self.folder_of(&letter.destination, letter.state).join(&letter.name)
    }

    /// Gives a file to the collector once more.
    pub(super) fn replay(&self, letter: &Letter) -> io::Result<()> {
        let folder = self.folder_of(&letter.destination, State::Replay);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !fs::symlink_metadata(&folder)?.is_dir() {
            return Err(io::Error::other(format!("{} is no folder", folder.display())));
        }
        let target = folder.join(&letter.name);
        if fs::symlink_metadata(&target).is_ok() {
            return Err(io::Error::other(format!("{} is there already", target.display())));
        }
        fs::rename(self.path_of(letter), target)
    }

    /// Removes a file for good.
    pub(super) fn drop(&self, letter: &Letter) -> io::Result<()> {
        fs::remove_file(self.path_of(letter))
    }
}

/// The names of a folder's own entries that are wanted, with their sizes. A folder that is not
/// there has none; one that is a link has none either.
fn entries(
    folder: &Path,
    is_wanted: impl Fn(&str, &Metadata) -> bool,
) -> io::Result<Vec<(String, u64)>> {
    let place = |error: io::Error| {
        io::Error::new(error.kind(), format!("{} cannot be read: {error}", folder.display()))
    };
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(place(error)),
        Ok(meta) if !meta.is_dir() => return Err(place(io::ErrorKind::NotADirectory.into())),
        Ok(_) => {}
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(place)?.take(ENTRIES_MAX) {
        let entry = entry.map_err(place)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Of the entry itself and not of what it may link to; the collector may have taken it.
        let Ok(meta) = entry.metadata() else { continue };
        if is_wanted(&name, &meta) {
            found.push((name, meta.len()));
        }
    }
    Ok(found)
}

/// Whether a name can be a destination's: it leads nowhere else and is no option.
pub(super) fn is_destination(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=DESTINATION_MAX_BYTES).contains(&name.len())
        && name.bytes().all(is_allowed)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// The order of a file among others, from its name; nothing if the name is not the collector's.
fn order(name: &str) -> Option<(u64, &str)> {
    let (milliseconds, id) = name.strip_suffix(".jsonl")?.split_once('-')?;
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_number = milliseconds.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = is_number && id.len() == 8 && id.bytes().all(is_hex);
    Some((milliseconds.parse().ok()?, id)).filter(|_| is_name)
}

/// Reads the leading member of a file, whose rest may be large.
fn read_header(path: &Path) -> Option<Header> {
    let expected = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
    let file = File::open(path).ok()?;
    // Between the two calls a link could have taken its place.
    let opened = file.metadata().ok()?;
    if (opened.dev(), opened.ino()) != (expected.dev(), expected.ino()) {
        return None;
    }
    let mut begin = Vec::new();
    file.take(HEADER_MAX_BYTES).read_to_end(&mut begin).ok()?;
    let rest = skip(skip(skip(&begin, b"{")?, b"\"bangui\"")?, b":")?;
    serde_json::Deserializer::from_slice(rest).into_iter().next()?.ok()
}

fn skip<'a>(text: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    text.trim_ascii_start().strip_prefix(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["datadog", "otlp_http-1", "a.b"] {
            assert!(is_destination(name), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "--json", "a/b", "a b", "é", &"a".repeat(65)] {
            assert!(!is_destination(name), "{name}");
        }
    }

    #[test]
    fn files_are_ordered_by_their_time() {
        assert_eq!(order("1764093600123-0a1b2c3d.jsonl"), Some((1_764_093_600_123, "0a1b2c3d")));
        assert!(order("9-00000000.jsonl") < order("10-00000000.jsonl"));
        for name in [
            "1764093600123-0a1b2c3d.jsonl.tmp",
            "1764093600123-0A1B2C3D.jsonl",
            "1764093600123-0a1b2c3.jsonl",
            "-0a1b2c3d.jsonl",
            "+1-0a1b2c3d.jsonl",
            "99999999999999999999-0a1b2c3d.jsonl",
            "../1-0a1b2c3d.jsonl",
        ] {
            assert_eq!(order(name), None, "{name}");
        }
    }

    #[test]
    fn a_header_is_the_leading_member() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let header = |text: &str| {
            fs::write(file.path(), text).unwrap();
            read_header(file.path()).map(|header| header.records)
        };
        let own = r#"{"destination":"d","signal":"logs","records":7,"reason":"r","#.to_owned()
            + r#""first_refused_at":"a","given_up_at":"b","new":[1]}"#;
        assert_eq!(header(&format!("{{\"bangui\":{own},\"resourceLogs\":[")), Some(7));
        assert_eq!(header(&format!(" {{ \"bangui\" : {own} }}")), Some(7));
        assert_eq!(header(&format!("{{\"other\":1,\"bangui\":{own}}}")), None);
        assert_eq!(header("{\"bangui\":{}}"), None);
        assert_eq!(header(""), None);
        let padding = " ".repeat(64 * 1024);
        assert_eq!(header(&format!("{{\"bangui\":{padding}{own}}}")), None);
        assert_eq!(read_header(Path::new("/")), None);
    }
}
