//! Reads a document from a folder that the settings allow, within limits.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::download::{DOCUMENT_MAX_BYTES, DownloadError};
use super::inflate;

/// Why a file is not read. The texts are made to be shown to an operator.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No folder is allowed.
    #[error("files are not read: BANGUI_BLOCKLIST_DIR is not set")]
    NotAllowed,
    /// It leads out of the folder.
    #[error("the file does not lie in BANGUI_BLOCKLIST_DIR")]
    Outside,
    /// It is a folder, a pipe or a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// The system says no.
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// Too large, or broken.
    #[error(transparent)]
    Document(#[from] DownloadError),
}

impl FileError {
    /// A word for metrics and spans.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotAllowed | Self::Outside => "forbidden_file",
            Self::NotRegular | Self::Unreadable(_) => "unreadable_file",
            Self::Document(error) => error.kind(),
        }
    }
}

/// Reads a file that lies below a folder, wherever links lead. It may wait for a disk.
pub fn read_file(path: &Path, folder: Option<&Path>) -> Result<Vec<u8>, FileError> {
    let named = folder.ok_or(FileError::NotAllowed)?;
    let folder: PathBuf = fs::canonicalize(named).map_err(FileError::Unreadable)?;
    let path = match fs::canonicalize(path) {
        Ok(real) if real.starts_with(&folder) => real,
        Err(error) if path.starts_with(named) || path.starts_with(&folder) => {
            return Err(FileError::Unreadable(error));
        }
        // Whether there is such a file elsewhere is nobody's business.
        Ok(_) | Err(_) => return Err(FileError::Outside),
    };
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(&path).map_err(FileError::Unreadable)?.is_file() {
        return Err(FileError::NotRegular);
    }
    let file = File::open(&path).map_err(FileError::Unreadable)?;
    let mut document = Vec::new();
    // One byte more tells that it is larger than it may be.
    let max = DOCUMENT_MAX_BYTES as u64 + 1;
    file.take(max).read_to_end(&mut document).map_err(FileError::Unreadable)?;
    Ok(inflate::unpack(document, DOCUMENT_MAX_BYTES)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_below_the_folder_are_read() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (own, other) = (inside.path().join("a.txt"), outside.path().join("b.txt"));
        fs::write(&own, "198.51.100.7\n").unwrap();
        fs::write(&other, "198.51.100.8\n").unwrap();
        std::os::unix::fs::symlink(&other, inside.path().join("link.txt")).unwrap();
        let read = |path: &Path| read_file(path, Some(inside.path())).map_err(|it| it.kind());
        assert_eq!(read(&own), Ok(b"198.51.100.7\n".to_vec()));
        assert_eq!(read(&other), Err("forbidden_file"));
        assert_eq!(read(&inside.path().join("link.txt")), Err("forbidden_file"));
        assert_eq!(read(inside.path()), Err("unreadable_file"));
        assert_eq!(read(&inside.path().join("none")), Err("unreadable_file"));
        let nowhere = outside.path().join("none");
        assert_eq!(read(&nowhere), Err("forbidden_file"), "it is not told that there is none");
        assert!(matches!(read_file(&own, None), Err(FileError::NotAllowed)));
        let large = File::create(inside.path().join("large")).unwrap();
        large.set_len(DOCUMENT_MAX_BYTES as u64 + 1).unwrap();
        assert_eq!(read(&inside.path().join("large")), Err("too_large"));
    }
}
