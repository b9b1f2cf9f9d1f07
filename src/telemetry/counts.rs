//! What the log path counts about itself. Instruments read these numbers when they are asked;
//! counting is one addition, so nothing waits for a metric.

use std::sync::atomic::{AtomicU64, Ordering};

use super::export::Signal;
use super::record::Severity;

/// Numbers since the process started.
static LINES: [AtomicU64; Severity::ALL.len()] = [const { AtomicU64::new(0) }; Severity::ALL.len()];
static REPEATS: AtomicU64 = AtomicU64::new(0);
static STDOUT_DROPPED: AtomicU64 = AtomicU64::new(0);
static DELIVERED: AtomicU64 = AtomicU64::new(0);
static DELIVERY_DROPPED: AtomicU64 = AtomicU64::new(0);
static BUFFERED: AtomicU64 = AtomicU64::new(0);
static BUFFER_LIMIT: AtomicU64 = AtomicU64::new(0);
/// By signal, those that succeeded and those that failed.
static EXPORTS: [[AtomicU64; 2]; Signal::ALL.len()] =
    [const { [const { AtomicU64::new(0) }; 2] }; Signal::ALL.len()];
/// How an export ended, in the order of the counts.
const RESULTS: [&str; 2] = ["success", "failure"];

/// What has become of what was sent, since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Exports that failed, of all signals.
    pub exports_failed: u64,
    /// Log records that were given up before the collector had them.
    pub records_lost: u64,
    /// Log records that wait for the collector now.
    pub buffered: u64,
    /// How many may; nothing where none are sent.
    pub buffer_limit: Option<u64>,
}

/// The numbers of now.
pub fn sent() -> Sent {
    let failures = exports().filter(|(_, result, _)| *result == RESULTS[1]);
    Sent {
        exports_failed: failures.map(|(_, _, count)| count).sum(),
        records_lost: DELIVERY_DROPPED.load(Ordering::Relaxed),
        buffered: buffered(),
        buffer_limit: buffer_limit(),
    }
}

/// A record was given to the outputs.
pub(super) fn line(severity: Severity) {
    LINES[severity as usize].fetch_add(1, Ordering::Relaxed);
}

/// A record was left out because it says the same as others before it.
pub(super) fn repeat() {
    REPEATS.fetch_add(1, Ordering::Relaxed);
}

/// Lines did not reach stdout.
pub(super) fn stdout_dropped(lines: u64) {
    STDOUT_DROPPED.fetch_add(lines, Ordering::Relaxed);
}

/// The collector has acknowledged records.
pub(super) fn delivered(records: u64) {
    DELIVERED.fetch_add(records, Ordering::Relaxed);
}

/// Records were given up before the collector had them.
pub(super) fn delivery_dropped(records: u64) {
    DELIVERY_DROPPED.fetch_add(records, Ordering::Relaxed);
}

/// An export of a signal was answered, or failed.
pub(super) fn export(signal: Signal, is_success: bool) {
    EXPORTS[signal as usize][usize::from(!is_success)].fetch_add(1, Ordering::Relaxed);
}

/// So many records may wait for the collector.
pub(super) fn set_buffer_limit(records: usize) {
    BUFFER_LIMIT.store(records as u64, Ordering::Relaxed);
}

/// So many records wait for the collector now.
pub(super) fn set_buffered(records: usize) {
    BUFFERED.store(records as u64, Ordering::Relaxed);
}

/// Records by severity.
pub(super) fn lines() -> impl Iterator<Item = (&'static str, u64)> {
    Severity::ALL
        .into_iter()
        .map(|severity| (severity.as_str(), LINES[severity as usize].load(Ordering::Relaxed)))
}

/// Records that never reached an output, by the reason.
pub(super) fn lost() -> [(&'static str, u64); 3] {
    [
        ("repeated", REPEATS.load(Ordering::Relaxed)),
        ("stdout_full", STDOUT_DROPPED.load(Ordering::Relaxed)),
        ("buffer_full", DELIVERY_DROPPED.load(Ordering::Relaxed)),
    ]
}

/// Records that the collector has acknowledged.
pub(super) fn all_delivered() -> u64 {
    DELIVERED.load(Ordering::Relaxed)
}

/// Records that wait for the collector.
pub(super) fn buffered() -> u64 {
    BUFFERED.load(Ordering::Relaxed)
}

/// Records that may wait for the collector; nothing where none are sent.
pub(super) fn buffer_limit() -> Option<u64> {
    Some(BUFFER_LIMIT.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
}

/// Exports by signal and result.
pub(super) fn exports() -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    Signal::ALL.into_iter().flat_map(|signal| {
        let both = RESULTS.into_iter().zip(&EXPORTS[signal as usize]);
        both.map(move |(result, count)| (signal.as_str(), result, count.load(Ordering::Relaxed)))
    })
}
