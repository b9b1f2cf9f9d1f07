//! A child process that is ended by its own id, whatever becomes of the test.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long an ended process may take before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(15);

/// A running child.
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts a program; a missing one fails the test with its name.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{name}: {:?} cannot be started: {error}", command.get_program())
        });
        Self { name: name.to_owned(), child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if the process has ended.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal. The child was not waited for yet, so the id is still its own.
    pub(crate) fn signal(&mut self, signal: &str) {
        if self.status().is_none() {
            signal_process(signal, self.id());
        }
    }

    /// Waits for the end; nothing when it does not come in time.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            match self.status() {
                None if Instant::now() < until => std::thread::sleep(super::LOOK_INTERVAL),
                status => return status,
            }
        }
    }

    /// Asks the process to end and waits for it; fails when it does not.
    pub(crate) fn end(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        let name = self.name.clone();
        self.wait(END_TIMEOUT).unwrap_or_else(|| panic!("{name} does not end after SIG{signal}"))
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("TERM");
        if self.wait(END_TIMEOUT).is_none() {
            self.kill();
        }
    }
}

/// Sends a signal to one process. The shell's own `kill` is always there.
pub(crate) fn signal_process(signal: &str, id: u32) {
    let command = format!("kill -s {signal} {id} 2>/dev/null");
    let _ = Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).status();
}
