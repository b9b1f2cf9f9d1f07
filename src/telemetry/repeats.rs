//! A limit for lines that say the same again and again: the first ten of them, then one a minute
//! with the number of those that were left out.
//!
//! Lines are the same if logger, event, level and all of the event's own fields are. Only what
//! can go round in circles is limited: warnings and errors, and libraries. What stands for a fact
//! (a request, a ban, a sign-in, an audit row) is told each time, however often it happens.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::counts;
use super::outputs::Outputs;
use super::record::{Fields, Record, Severity, Value};

/// Events that are facts.
const FACTS: [&str; 3] = ["user_login_attempt", "auth_token_validation_failed", "audit_recorded"];
/// So many lines are written before the first is left out.
const FIRST: u32 = 10;
/// A line that did not come again for so long is new when it does.
const INTERVAL: Duration = Duration::from_secs(60);
/// Different lines that are remembered; further ones are not limited while there are so many.
const LINES_MAX: usize = 1024;

/// Whether lines of this kind are limited.
pub(super) fn is_limited(severity: Severity, is_ours: bool, event: &str) -> bool {
    let may_loop = !is_ours || matches!(severity, Severity::Warning | Severity::Error);
    may_loop && !FACTS.contains(&event)
}

/// What identifies a line beside its fields.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct Line<'a> {
    pub(super) severity: Severity,
    pub(super) logger_name: &'a str,
    pub(super) event: &'static str,
    pub(super) travels: bool,
}

/// Remembers lines and tells of those that were left out; cheap to clone.
#[derive(Clone)]
pub(super) struct Repeats {
    shared: Arc<Shared>,
    hasher: RandomState,
}

struct Shared {
    lines: Mutex<HashMap<u64, Seen>>,
    /// A line was left out, and so must be told of.
    left_out: Condvar,
    interval: Duration,
    outputs: Outputs,
}

/// A line that was seen.
struct Seen {
    /// When it was first seen, or last told of.
    since: Instant,
    count: u32,
    left_out: u64,
    /// What is told then. It has no context: it stands for lines of many requests.
    kept: Option<Kept>,
}

struct Kept {
    severity: Severity,
    logger_name: String,
    event: &'static str,
    travels: bool,
    fields: Fields,
}

impl Repeats {
    pub(super) fn new(outputs: Outputs) -> Self {
        Self::with_interval(outputs, INTERVAL)
    }

    pub(super) fn with_interval(outputs: Outputs, interval: Duration) -> Self {
        let (lines, left_out) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { lines, left_out, interval, outputs });
        let own = shared.clone();
        // Without the thread, what was left out is told when the service stops.
        let _ = thread::Builder::new().name("log-repeats".into()).spawn(move || own.tell_always());
        Self { shared, hasher: RandomState::new() }
    }

    /// Whether a line is to be written now.
    pub(super) fn admit(&self, line: Line<'_>, fields: &Fields) -> bool {
        let key = self.key(line, fields);
        let now = Instant::now();
        let mut lines = self.shared.lock();
        if let Some(seen) = lines.get_mut(&key) {
            if seen.left_out == 0 && now.duration_since(seen.since) >= self.shared.interval {
                *seen = Seen::new(now);
                return true;
            }
            if seen.count < FIRST {
                seen.count += 1;
                return true;
            }
            seen.left_out += 1;
            counts::repeat();
            if seen.kept.is_none() {
                seen.kept = Some(Kept::of(line, fields));
                drop(lines);
                self.shared.left_out.notify_one();
            }
            return false;
        }
        if lines.len() >= LINES_MAX {
            let interval = self.shared.interval;
            lines.retain(|_, it| it.left_out > 0 || now.duration_since(it.since) < interval);
        }
        if lines.len() < LINES_MAX {
            lines.insert(key, Seen::new(now));
        }
        true
    }

    /// Tells of everything that was left out, due or not.
    pub(super) fn tell_all(&self) {
        let all = take(&mut self.shared.lock(), |_| true);
        all.into_iter().for_each(|(kept, left_out)| self.shared.tell(kept, left_out));
    }

    fn key(&self, line: Line<'_>, fields: &Fields) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        line.hash(&mut hasher);
        for (key, value) in fields.iter() {
            key.hash(&mut hasher);
            match value {
                Value::Text(text) => text.hash(&mut hasher),
                Value::Int(number) => number.hash(&mut hasher),
                Value::Float(number) => number.to_bits().hash(&mut hasher),
                Value::Bool(flag) => flag.hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Seen>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_always(&self) {
        loop {
            let due = self.wait_for_due();
            due.into_iter().for_each(|(kept, left_out)| self.tell(kept, left_out));
        }
    }

    /// Waits until a line that was left out is due.
    fn wait_for_due(&self) -> Vec<(Kept, u64)> {
        let mut lines = self.lock();
        loop {
            let waiting = lines.values().filter(|seen| seen.left_out > 0);
            let left = match waiting.map(|seen| seen.since + self.interval).min() {
                None => Duration::MAX,
                Some(at) => at.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return take(&mut lines, |seen| seen.since.elapsed() >= self.interval);
            }
            let result = self.left_out.wait_timeout(lines, left);
            lines = result.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn tell(&self, mut kept: Kept, left_out: u64) {
        let mut record = Record {
            at: SystemTime::now(),
            severity: kept.severity,
            logger_name: kept.logger_name.as_str().into(),
            event: kept.event,
            trace: None,
            uid: None,
            fields: &mut kept.fields,
            repeats: left_out,
        };
        self.outputs.emit(&mut record, kept.travels);
    }
}

impl Seen {
    fn new(now: Instant) -> Self {
        Self { since: now, count: 1, left_out: 0, kept: None }
    }
}

impl Kept {
    fn of(line: Line<'_>, fields: &Fields) -> Self {
        Self {
            severity: line.severity,
            logger_name: line.logger_name.to_owned(),
            event: line.event,
            travels: line.travels,
            fields: fields.compact(),
        }
    }
}

/// Takes the lines that were left out and are due; from now on they are due after an interval.
fn take(lines: &mut HashMap<u64, Seen>, is_due: impl Fn(&Seen) -> bool) -> Vec<(Kept, u64)> {
    let due = lines.values_mut().filter(|seen| seen.left_out > 0 && is_due(seen));
    due.filter_map(|seen| {
        seen.since = Instant::now();
        Some((seen.kept.take()?, std::mem::take(&mut seen.left_out)))
    })
    .collect()
}
