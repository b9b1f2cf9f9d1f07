//! A Unix socket that is no fail2ban: it records what it is sent and answers as it is told.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

/// What ends each message in both directions.
const END_MARKER: &str = "<F2B_END_COMMAND>";

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

    /// Speaks fail2ban's protocol well enough to be greeted and to name one jail, `sshd`, and
    /// refuses everything else with this message.
    pub(crate) fn refusing(message: &str) -> Self {
        let message = message.replace('\n', "\\u000a");
        Self::conversing(move |command| {
            let has = |word: &str| command.contains(word);
            if has("version") {
                "(I0\nV1.1.0\nt.".into()
            } else if has("status") && !has("sshd") {
                "(I0\n((VNumber of jail\nI1\nt(VJail list\nVsshd\ntlt.".into()
            } else {
                format!("(I1\ncbuiltins\nValueError\n(V{message}\ntRt.")
            }
        })
    }

    /// Greets, names one jail, `sshd`, and a file as its log; refuses everything else.
    pub(crate) fn logging_to(log: &Path) -> Self {
        let log = log.display().to_string();
        Self::conversing(move |command| {
            let has = |word: &str| command.contains(word);
            if has("version") {
                "(I0\nV1.1.0\nt.".into()
            } else if has("logtarget") {
                format!("(I0\nV{log}\nt.")
            } else if has("status") && !has("sshd") {
                "(I0\n((VNumber of jail\nI1\nt(VJail list\nVsshd\ntlt.".into()
            } else {
                "(I1\ncbuiltins\nValueError\n(Vnot here\ntRt.".into()
            }
        })
    }

    /// Answers each command on each connection with a pickle in protocol 0.
    fn conversing(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(path_in(folder.path())).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (answer, own) = (answer.clone(), Arc::clone(&own));
                std::thread::spawn(move || {
                    while let Some(command) = read_command(&mut stream) {
                        own.lock().unwrap().extend_from_slice(command.as_bytes());
                        let reply = format!("{}{END_MARKER}", answer(&command));
                        if stream.write_all(reply.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
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

/// The next command, as text; nothing when the client hangs up.
fn read_command(stream: &mut UnixStream) -> Option<String> {
    let (mut command, mut buffer) = (Vec::new(), [0; 4096]);
    while !command.ends_with(END_MARKER.as_bytes()) {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        command.extend_from_slice(&buffer[..count]);
    }
    Some(String::from_utf8_lossy(&command).into_owned())
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("fail2ban.sock")
}
