//! Follows fail2ban's log from its end, over rotation, truncation and absence.

use std::{
    fs::{File, Metadata},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::log_line::{self, LogEvent};

/// How much one poll reads: a thousand bans, and a moment's work.
const POLL_BYTES: usize = 256 * 1024;
/// The longest line that is looked at; the lines of events have some hundred bytes.
const LINE_BYTES: usize = 8 * 1024;

/// A reader of the log that is polled; it does plain file input, a little at a time.
#[derive(Debug)]
pub struct LogTail {
    path: PathBuf,
    open: Option<OpenLog>,
}

/// The file that is being read. It can be one that has lost its name to a rotation.
#[derive(Debug)]
struct OpenLog {
    file: File,
    device: u64,
    inode: u64,
    position: u64,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
    /// The line is too long, and is skipped until its end.
    is_skipping: bool,
}

impl LogTail {
    /// Starts at the present end of the log. A log that is absent is read from its beginning when
    /// it comes, since all of it is new then.
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let open = OpenLog::open(&path, true).ok();
        Self { path, open }
    }

    /// The path that is followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The events since the last poll; an error while there is no log that can be read.
    ///
    /// An error is no end: the next poll tries again.
    pub fn poll(&mut self) -> io::Result<Vec<LogEvent>> {
        let mut events = Vec::new();
        let mut budget = POLL_BYTES;
        if let Some(log) = &mut self.open {
            match log.read(budget, &mut events) {
                Ok(read) => budget -= read,
                Err(error) => {
                    self.open = None;
                    return Err(error);
                }
            }
        }
        // The old file is read to its end before a new one with the same name takes its place.
        if budget > 0 && self.is_replaced()? {
            let mut log = OpenLog::open(&self.path, false)?;
            let read = log.read(budget, &mut events);
            self.open = Some(log);
            read?;
        }
        Ok(events)
    }

    /// Whether the path now leads to another file than the one that is open.
    fn is_replaced(&self) -> io::Result<bool> {
        match (std::fs::metadata(&self.path), &self.open) {
            (Ok(metadata), Some(log)) => Ok(!log.is(&metadata)),
            (Ok(_), None) => Ok(true),
            // Amid a rotation the name is gone for a moment; fail2ban writes to the old file.
            (Err(_), Some(_)) => Ok(false),
            (Err(error), None) => Err(error),
        }
    }
}

impl OpenLog {
    fn open(path: &Path, at_end: bool) -> io::Result<Self> {
        // A pipe would block the reader for ever, so only a plain file is opened.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the log is not a plain file"));
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let position = if at_end { file.seek(SeekFrom::End(0))? } else { 0 };
        Ok(Self {
            file,
            device: metadata.dev(),
            inode: metadata.ino(),
            position,
            partial: Vec::new(),
            is_skipping: false,
        })
    }

    fn is(&self, metadata: &Metadata) -> bool {
        self.device == metadata.dev() && self.inode == metadata.ino()
    }

    /// Reads up to `budget` bytes and tells how many there were.
    fn read(&mut self, budget: usize, events: &mut Vec<LogEvent>) -> io::Result<usize> {
        if self.file.metadata()?.len() < self.position {
            // It was truncated (copytruncate): what is there now is new.
            self.position = self.file.seek(SeekFrom::Start(0))?;
            self.partial.clear();
            self.is_skipping = false;
        }
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(budget as u64).read_to_end(&mut bytes)?;
        self.position += read as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.take_piece(piece, events);
        }
        Ok(read)
    }

    /// Takes a line, or the part of one that lies at an edge of what was read.
    fn take_piece(&mut self, piece: &[u8], events: &mut Vec<LogEvent>) {
        if self.partial.len() + piece.len() > LINE_BYTES {
            self.is_skipping = true;
            self.partial.clear();
        }
        if !self.is_skipping {
            self.partial.extend_from_slice(piece);
        }
        if piece.ends_with(b"\n") {
            if !self.is_skipping {
                events.extend(log_line::parse(&String::from_utf8_lossy(&self.partial)));
            }
            self.partial.clear();
            self.is_skipping = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    const BAN: &str = "2026-11-23 22:56:43,123 fail2ban.actions        [8]: NOTICE  [sshd] Ban ";

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn poll(tail: &mut LogTail) -> Vec<String> {
        let shown = |event| match event {
            LogEvent::Ban(_, ip) => ip.to_string(),
            other => panic!("{other:?}"),
        };
        tail.poll().unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn starts_at_the_end_and_keeps_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, &format!("{BAN}192.0.2.1\n"));
        let mut tail = LogTail::open(&path);
        assert!(poll(&mut tail).is_empty());
        append(&path, &format!("{BAN}192.0."));
        assert!(poll(&mut tail).is_empty());
        append(&path, &format!("2.2\nrubbish\n{BAN}192.0.2.3\n"));
        assert_eq!(poll(&mut tail), ["192.0.2.2", "192.0.2.3"]);
    }

    #[test]
    fn survives_rotation_without_losing_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "");
        let mut tail = LogTail::open(&path);
        let old = folder.path().join("log.1");
        fs::rename(&path, &old).unwrap();
        append(&old, &format!("{BAN}192.0.2.1\n"));
        assert_eq!(poll(&mut tail), ["192.0.2.1"]);
        append(&old, &format!("{BAN}192.0.2.2\n"));
        append(&path, &format!("{BAN}192.0.2.3\n"));
        assert_eq!(poll(&mut tail), ["192.0.2.2", "192.0.2.3"]);
        append(&path, &format!("{BAN}192.0.2.4\n"));
        assert_eq!(poll(&mut tail), ["192.0.2.4"]);
    }

    #[test]
    fn survives_truncation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, &"x".repeat(1000));
        let mut tail = LogTail::open(&path);
        fs::write(&path, format!("{BAN}192.0.2.1\n")).unwrap();
        assert_eq!(poll(&mut tail), ["192.0.2.1"]);
    }

    #[test]
    fn an_absent_log_is_an_error_until_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut tail = LogTail::open(&path);
        assert_eq!(tail.poll().unwrap_err().kind(), io::ErrorKind::NotFound);
        append(&path, &format!("{BAN}192.0.2.1\n"));
        assert_eq!(poll(&mut tail), ["192.0.2.1"]);
        assert_eq!(tail.path(), path);
        let mut not_a_file = LogTail::open(folder.path());
        assert!(not_a_file.poll().is_err());
    }

    #[test]
    fn a_poll_is_bounded_and_overlong_lines_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "");
        let mut tail = LogTail::open(&path);
        append(&path, &format!("{}\n{BAN}192.0.2.1\n", "x".repeat(2 * POLL_BYTES)));
        assert!(poll(&mut tail).is_empty());
        assert!(poll(&mut tail).is_empty(), "the line is longer than two polls");
        assert_eq!(poll(&mut tail), ["192.0.2.1"]);
        assert!(tail.open.unwrap().partial.is_empty());
    }
}
