//! Collects the lines that a child writes, on a thread of its own.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The lines so far. They end when every holder of the pipe has closed it.
pub(crate) struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&lines);
        let thread = std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { return };
                own.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self { lines, thread: Some(thread) }
    }

    /// What was written so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Everything; to be called when the writer has ended.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        self.so_far()
    }
}
