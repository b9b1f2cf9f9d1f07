//! Hands a record to stdout and, if it may leave by export, to OTLP: the same record, once each.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::json::Line;
use super::otlp_log::OtlpLog;
use super::record::{Record, Severity};
use super::stdout::Stdout;
use super::{counts, receipt};

thread_local! {
    /// The memory of the last line, for the next one.
    static LINE: RefCell<Line> = RefCell::default();
}

/// Both outputs; cheap to clone.
#[derive(Clone)]
pub(super) struct Outputs {
    stdout: Stdout,
    otlp: Option<Arc<OtlpLog>>,
    zone: TimeZone,
}

impl Outputs {
    pub(super) fn new(stdout: Stdout, otlp: Option<OtlpLog>) -> Self {
        Self { stdout, otlp: otlp.map(Arc::new), zone: TimeZone::system() }
    }

    /// Writes a record that was cleaned.
    pub(super) fn emit(&self, record: &mut Record<'_>, travels: bool) {
        counts::line(record.severity);
        let otlp = self.otlp.as_ref().filter(|_| travels);
        // The output that delivers answers for the record: OTLP if it goes there.
        let uid = record.uid.filter(|_| otlp.is_none());
        let mut receipt = uid.and_then(|uid| receipt::take(uid.as_str()));
        // At once from warning up; what waits with it goes along.
        let is_urgent = record.severity >= Severity::Warning;
        let mut write = |line: &mut Line, receipt| {
            line.write(record, &self.zone);
            self.stdout.push(line.parts(), record.uid.as_ref(), travels, is_urgent, receipt)
        };
        let numbers = LINE.try_with(|line| write(&mut line.borrow_mut(), receipt.take()));
        // The thread is ending, and its memory is gone already.
        let numbers = numbers.unwrap_or_else(|_| write(&mut Line::default(), receipt.take()));
        if let Some(otlp) = otlp {
            otlp.emit(record, numbers);
        }
    }

    /// Tells how many lines stdout has not got, those included that it does not get in time.
    pub(super) fn tell_dropped(&self, limit: Duration) {
        self.stdout.flush(limit);
        self.stdout.tell_dropped();
    }

    /// Waits until stdout has what was written so far, or until the time is over.
    pub(super) fn flush(&self, limit: Duration) {
        self.stdout.flush(limit);
    }
}
