//! `bangui sanitize`: standard input to standard output through the sanitizer, line by line.

use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::process::ExitCode;

use crate::telemetry::sanitize;

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
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        if line.len() as u64 == LINE_MAX_BYTES && !line.ends_with(b"\n") {
            let error = format!("a line is longer than {LINE_MAX_BYTES} bytes");
            return Err(io::Error::other(error));
        }
        let has_newline = line.ends_with(b"\n");
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        if is_json {
            let mut value: serde_json::Value =
                serde_json::from_str(&text).map_err(io::Error::other)?;
            sanitize::sanitize_json(&mut value);
            serde_json::to_writer(&mut output, &value)?;
        } else {
            output.write_all(sanitize::sanitize_for_logging(&text).as_bytes())?;
        }
        if has_newline {
            output.write_all(b"\n")?;
        }
    }
}
