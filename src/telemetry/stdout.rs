//! The JSON lines on stdout.
//!
//! A line is built in a buffer of its own and written with one call under the lock, so lines of
//! two threads never interleave. A closed stdout must not end the service: errors are dropped.

use std::io::Write as _;

use jiff::tz::TimeZone;

use super::json;
use super::record::Record;

/// The usual length of a line; a longer one costs one more allocation.
const LINE_USUAL_BYTES: usize = 512;

/// Writes records to the process's standard output.
pub(super) struct Stdout {
    zone: TimeZone,
}

impl Stdout {
    pub(super) fn new() -> Self {
        Self { zone: TimeZone::system() }
    }

    pub(super) fn write(&self, record: &Record) {
        let mut line = String::with_capacity(LINE_USUAL_BYTES);
        json::write_line(record, &self.zone, &mut line);
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}
