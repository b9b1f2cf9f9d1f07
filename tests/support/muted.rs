//! BanGUI with a stdout that the test holds in its hand, to leave it unread or to close it.

use std::io::PipeReader;
use std::process::Stdio;

use http::Method;
use tempfile::TempDir;

use super::lines::Lines;
use super::{Builder, Client, Process, SOON, eventually, free_port};

/// A running BanGUI whose stdout nobody reads.
pub(crate) struct Muted {
    pub(crate) process: Process,
    pub(crate) client: Client,
    stdout: Option<PipeReader>,
    _folder: TempDir,
}

impl Builder {
    /// Starts the service and waits until it answers, since it cannot be heard.
    pub(crate) fn start_muted(self) -> Muted {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = self.env("BANGUI_LISTEN", &address).command(folder.path());
        command.stdout(writer).stderr(Stdio::null());
        let mut process = Process::spawn("bangui", &mut command);
        // The command holds the writing end, which would keep the pipe open for ever.
        drop(command);
        let client = Client::new(format!("http://{address}"));
        eventually(SOON, "an answer", || {
            if let Some(status) = process.status() {
                panic!("bangui ended with {status}");
            }
            let answer = client.try_send(Method::GET, "/health", None);
            answer.map(drop).map_err(|error| error.to_string())
        });
        Muted { process, client, stdout: Some(reader), _folder: folder }
    }
}

impl Muted {
    /// Closes the end that nobody reads.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Begins to read. What the service says from now on is read at once.
    pub(crate) fn unmute(&mut self) -> Lines {
        Lines::of(self.stdout.take().expect("stdout is still unread"))
    }
}
