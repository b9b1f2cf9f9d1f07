//! A server that follows a script, one list of steps for each connection, and records commands.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    time::sleep,
};

use super::fixture;
use crate::fail2ban::{
    Client, Limits,
    frame::{self, END_MARKER},
    pickle::{Value, decode},
};

/// What the fake does next on a connection.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads a command and answers with these bytes and the marker.
    Reply(&'static [u8]),
    /// Reads a command, waits, then answers.
    SlowReply(Duration, &'static [u8]),
    /// Reads a command and writes these bytes as they are.
    Raw(Vec<u8>),
    /// Reads a command and hangs up.
    ReadThenClose,
    /// Reads a command and is silent.
    Hang,
    /// Reads a command and writes without an end.
    Flood,
    /// Writes a while later without having been asked.
    Speak(&'static [u8]),
    /// Hangs up a while later.
    Close,
}

/// The greeting that every connection begins with.
pub(super) const GREETING: Step = Step::Reply(fixture!("version"));

/// How long a connection is idle before the server does something unasked.
const IDLE: Duration = Duration::from_secs(1);

pub(super) struct FakeServer {
    folder: TempDir,
    commands: Arc<Mutex<Vec<String>>>,
}

impl FakeServer {
    pub(super) fn start(scripts: Vec<Vec<Step>>) -> Self {
        let server = Self::absent();
        server.serve(scripts);
        server
    }

    /// A folder without a socket.
    pub(super) fn absent() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), commands: Arc::default() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("fail2ban.sock")
    }

    pub(super) fn client(&self) -> Client {
        Client::spawn(self.path(), Limits::default())
    }

    /// Serves the scripts, one connection after the other, then no more.
    pub(super) fn serve(&self, scripts: Vec<Vec<Step>>) {
        let listener = UnixListener::bind(self.path()).unwrap();
        let commands = Arc::clone(&self.commands);
        tokio::spawn(async move {
            for script in scripts {
                let Ok((stream, _)) = listener.accept().await else { return };
                play(stream, script, &commands).await;
            }
        });
    }

    pub(super) fn remove_socket(path: &Path) {
        std::fs::remove_file(path).unwrap();
    }

    /// The commands so far, without the greetings.
    pub(super) fn commands(&self) -> Vec<String> {
        let commands = self.commands.lock().unwrap();
        commands.iter().filter(|command| *command != "version").cloned().collect()
    }
}

async fn play(mut stream: UnixStream, script: Vec<Step>, commands: &Mutex<Vec<String>>) {
    for step in script {
        match step {
            Step::Speak(bytes) => {
                sleep(IDLE).await;
                answer(&mut stream, bytes).await;
                continue;
            }
            Step::Close => return sleep(IDLE).await,
            _ => {}
        }
        // The client may hang up in the middle of a script.
        let Ok(command) = frame::read(&mut stream, 100_000).await else { return };
        let Ok(Value::List(words)) = decode(&command) else { panic!("{command:?}") };
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        commands.lock().unwrap().push(words.join(" "));
        match step {
            Step::Reply(reply) => answer(&mut stream, &[reply, END_MARKER].concat()).await,
            Step::SlowReply(pause, reply) => {
                sleep(pause).await;
                answer(&mut stream, &[reply, END_MARKER].concat()).await;
            }
            Step::Raw(bytes) => answer(&mut stream, &bytes).await,
            Step::ReadThenClose | Step::Speak(_) | Step::Close => return,
            Step::Hang => while frame::read(&mut stream, 100_000).await.is_ok() {},
            Step::Flood => while stream.write_all(&[b'x'; 1 << 16]).await.is_ok() {},
        }
    }
    // Silent until the client leaves.
    let _ = frame::read(&mut stream, 100_000).await;
}

async fn answer(stream: &mut UnixStream, bytes: &[u8]) {
    // A client that ran out of patience is gone by now.
    let _ = stream.write_all(bytes).await;
}
