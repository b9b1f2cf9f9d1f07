//! Runs a command of the binary to its end.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::bangui::Builder;
use super::lines::Lines;
use super::{Process, SOON};

/// What a command left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Builder {
    /// Runs `bangui ARGUMENTS` in a folder, with a text as its standard input.
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(folder);
        command.args(arguments).stdin(Stdio::piped());
        let mut process = Process::spawn("bangui", &mut command);
        let mut stdout = Lines::of(process.child().stdout.take().unwrap());
        let mut stderr = Lines::of(process.child().stderr.take().unwrap());
        // A command that does not read its input may have ended by now.
        let _ = process.child().stdin.take().unwrap().write_all(input.as_bytes());
        let status = process.wait(SOON);
        let status = status.unwrap_or_else(|| panic!("bangui {arguments:?} does not end"));
        let (stdout, stderr) = (stdout.finish(), stderr.finish());
        Output { code: status.code(), stdout, stderr }
    }
}
