//! A Unix socket that is no fail2ban: it records what it is sent and answers as it is told.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

/// The listening socket. Its threads end with the connections, which end with BanGUI.
pub(crate) struct FakeSocket {
    folder: TempDir,
    received: Arc<Mutex<Vec<u8>>>,
}

impl FakeSocket {
    /// Answers everything with these bytes and hangs up.
    pub(crate) fn answering(answer: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let answer = answer.to_vec();
        let listener = UnixListener::bind(path_in(folder.path())).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut buffer = [0; 4096];
                // A client that hangs up first is as good as one that was answered.
                let count = stream.read(&mut buffer).unwrap_or(0);
                own.lock().unwrap().extend_from_slice(&buffer[..count]);
                let _ = stream.write_all(&answer);
            }
        });
        Self { folder, received }
    }

    pub(crate) fn path(&self) -> PathBuf {
        path_in(self.folder.path())
    }

    /// Everything that was sent, as text; words stand in a pickle as they are.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("fail2ban.sock")
}
