//! `bangui sanitize`: standard input to standard output through the sanitizer, line by line.
//!
//! A private key over many lines becomes one line; all other lines stay lines.

use std::borrow::Cow;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::process::ExitCode;

use crate::telemetry::sanitize::{self, LineSanitizer};

/// A longer line is no log line; it ends the command instead of filling the memory.
const LINE_MAX_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn run(is_json: bool) -> ExitCode {
    match copy(is_json) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has gone: `bangui sanitize | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => super::fail(&error),
    }
}

fn copy(is_json: bool) -> io::Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    let mut lines = LineSanitizer::default();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() as u64 == LINE_MAX_BYTES && !line.ends_with(b"\n") {
            let error = format!("line {number} is longer than {LINE_MAX_BYTES} bytes");
            return Err(io::Error::other(error));
        }
        let content = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = String::from_utf8_lossy(content);
        let clean = match is_json {
            true => Some(clean_json(&text).map_err(|reason| {
                // What is done stays done: the lines before are good.
                io::Error::other(format!("line {number} is not one JSON value: {reason}"))
            })),
            false => lines.line(&text).map(Ok),
        };
        match clean {
            Some(Ok(clean)) => output.write_all(clean.as_bytes())?,
            Some(Err(error)) => {
                output.flush()?;
                return Err(error);
            }
            None => continue,
        }
        if content.len() < line.len() {
            output.write_all(b"\n")?;
        }
    }
    output.flush()
}

/// One JSON value, written as it was but for its secrets. A blank line stays one.
fn clean_json(text: &str) -> Result<Cow<'_, str>, String> {
    if text.trim().is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    sanitize::sanitize_json_text(text).map_err(|error| {
        // Each line is a document, so its own count of lines would only mislead.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        format!("{reason} at column {}", error.column())
    })
}
