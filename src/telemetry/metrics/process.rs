//! What the process takes of its machine, in the terms of the conventions for processes.
//!
//! A task of the scheduler reads `/proc` from time to time; the instruments only read the numbers
//! that it leaves here, so that the export waits for nothing. Where there is no `/proc`, the
//! series are absent.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::definition::Definition;

/// User and system.
const CPU_MODES: usize = 2;
/// What the kernel counts CPU time in, on every architecture that it runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

const CPU_TIME: Definition =
    Definition::counter("process.cpu.time", "s", "CPU time that the process took, by mode.")
        .with(&["cpu.mode"], CPU_MODES);
const MEMORY: Definition =
    Definition::up_down("process.memory.usage", "By", "Memory of the process that is in RAM.");
const VIRTUAL_MEMORY: Definition =
    Definition::up_down("process.memory.virtual", "By", "Memory that the process has mapped.");
const THREADS: Definition =
    Definition::up_down("process.thread.count", "{thread}", "Threads of the process.");
const FILE_DESCRIPTORS: Definition = Definition::up_down(
    "process.unix.file_descriptor.count",
    "{file_descriptor}",
    "File descriptors that the process has open.",
);
const UPTIME: Definition =
    Definition::gauge("process.uptime", "s", "Time since the process started.");

pub(super) const DEFINITIONS: &[&Definition] =
    &[&CPU_TIME, &MEMORY, &VIRTUAL_MEMORY, &THREADS, &FILE_DESCRIPTORS, &UPTIME];

/// A number that is not known.
const UNKNOWN: u64 = u64::MAX;

/// The numbers as they were last read.
struct Sample {
    user_ticks: AtomicU64,
    system_ticks: AtomicU64,
    memory_bytes: AtomicU64,
    virtual_bytes: AtomicU64,
    threads: AtomicU64,
    file_descriptors: AtomicU64,
}

static SAMPLE: Sample = Sample {
    user_ticks: AtomicU64::new(UNKNOWN),
    system_ticks: AtomicU64::new(UNKNOWN),
    memory_bytes: AtomicU64::new(UNKNOWN),
    virtual_bytes: AtomicU64::new(UNKNOWN),
    threads: AtomicU64::new(UNKNOWN),
    file_descriptors: AtomicU64::new(UNKNOWN),
};

/// Telemetry is among the first things that the process begins.
static STARTED: OnceLock<Instant> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    let started = *STARTED.get_or_init(Instant::now);
    UPTIME.observe_seconds(meter, move |observer| {
        observer.observe(started.elapsed().as_secs_f64(), &[]);
    });
    CPU_TIME.observe_seconds(meter, |observer| {
        for (mode, ticks) in [("user", &SAMPLE.user_ticks), ("system", &SAMPLE.system_ticks)] {
            if let Some(ticks) = known(ticks) {
                let seconds = seconds_of(ticks);
                observer.observe(seconds, &[KeyValue::new("cpu.mode", mode)]);
            }
        }
    });
    for (definition, number) in [
        (MEMORY, &SAMPLE.memory_bytes),
        (VIRTUAL_MEMORY, &SAMPLE.virtual_bytes),
        (THREADS, &SAMPLE.threads),
        (FILE_DESCRIPTORS, &SAMPLE.file_descriptors),
    ] {
        definition.observe_sum(meter, |observer| {
            if let Some(number) = known(number).and_then(|it| i64::try_from(it).ok()) {
                observer.observe(number, &[]);
            }
        });
    }
}

fn known(number: &AtomicU64) -> Option<u64> {
    Some(number.load(Ordering::Relaxed)).filter(|number| *number != UNKNOWN)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ticks are millions of years")]
fn seconds_of(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

/// Reads the numbers afresh. It takes some ten microseconds and never waits for a disk.
pub fn sample_process() {
    let (user_ticks, system_ticks) =
        fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(ticks).unzip();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    // The folder itself is open while it is read.
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|all| (all.count() as u64).max(1) - 1);
    for (number, value) in [
        (&SAMPLE.user_ticks, user_ticks),
        (&SAMPLE.system_ticks, system_ticks),
        (&SAMPLE.memory_bytes, kibibytes(&status, "VmRSS:")),
        (&SAMPLE.virtual_bytes, kibibytes(&status, "VmSize:")),
        (&SAMPLE.threads, field(&status, "Threads:")),
        (&SAMPLE.file_descriptors, descriptors),
    ] {
        number.store(value.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }
}

/// The times in user and in system mode, out of `/proc/PID/stat`. What stands before the last
/// parenthesis is the command, which may hold anything.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    // proc(5) counts from one, and the state behind the parenthesis is its third field.
    let mut times = rest.split_ascii_whitespace().skip(14 - 3);
    Some((times.next()?.parse().ok()?, times.next()?.parse().ok()?))
}

/// A number out of `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    field(status, name)?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_parentheses_does_not_shift_the_times() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 900 0 3 0 117 38 0 0 20 0 9 0 5000 1 2";
        assert_eq!(ticks(stat), Some((117, 38)));
        assert_eq!(ticks("42 (short) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn numbers_are_found_by_their_names() {
        let status = "Name:\tVmRSS: 9\nVmSize:\t  2048 kB\nVmRSS:\t    12 kB\nThreads:\t7\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(12 * 1024));
        assert_eq!(kibibytes(status, "VmSize:"), Some(2048 * 1024));
        assert_eq!(field(status, "Threads:"), Some(7));
        assert_eq!(field(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_has_all_numbers() {
        sample_process();
        let open = || known(&SAMPLE.file_descriptors).unwrap();
        let files: Vec<_> = (0..100).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        sample_process();
        assert!(open() >= 100, "{}", open());
        drop(files);
        assert!(known(&SAMPLE.user_ticks).is_some() && known(&SAMPLE.system_ticks).is_some());
        assert!(known(&SAMPLE.memory_bytes).unwrap() > 1024 * 1024);
        assert!(known(&SAMPLE.virtual_bytes) >= known(&SAMPLE.memory_bytes));
        assert!(known(&SAMPLE.threads).unwrap() >= 2, "the test has a thread of its own");
    }
}
