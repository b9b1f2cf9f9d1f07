//! The set-up code: proof that whoever makes the first account can read the server's files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::tokens::{self, TokenHash};
use crate::domain::Secret;

const FILE_NAME: &str = "setup-code";

/// The file that holds the code while there is no account.
#[derive(Debug)]
pub(crate) struct SetupCode {
    path: PathBuf,
}

impl SetupCode {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { path: folder.join(FILE_NAME) }
    }

    /// Writes a new code, readable by its owner only; an older one stops to work. Instances that
    /// start together in one folder each do so; the code of the last is everybody's.
    pub(super) fn write(&self) -> io::Result<PathBuf> {
        let code = tokens::random().map_err(io::Error::other)?;
        // Not the process's id, which is 1 in every container.
        let name = tokens::random().map_err(io::Error::other)?;
        let own = self.path.with_extension(TokenHash::of(name.expose()).short());
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&own)?;
        writeln!(file, "{}", code.expose())?;
        fs::rename(own, &self.path)?;
        Ok(self.path.clone())
    }

    /// The code, for `bangui admin setup-code`.
    pub(crate) fn read(&self) -> io::Result<Secret<String>> {
        let text = Secret::new(fs::read_to_string(&self.path)?);
        Ok(Secret::new(text.expose().trim().to_owned()))
    }

    pub(super) fn fits(&self, code: &str) -> bool {
        // Hashes are compared, so that time tells nothing of the code.
        let hash = self.read().map(|own| (!own.expose().is_empty(), TokenHash::of(own.expose())));
        hash.is_ok_and(|(is_set, own)| is_set && own == TokenHash::of(code))
    }

    pub(super) fn remove(&self) {
        // A file that is not there is as good as one removed.
        let _ = fs::remove_file(&self.path);
    }
}
