//! Delivers log records to the collector: each is kept until the collector has acknowledged it.
//!
//! Records wait in a bounded buffer. One thread sends the oldest of them as a batch and takes them
//! out only when they have arrived; else it tries again, with growing pauses, without end. The
//! one limit is the buffer: when it is full, the oldest record makes room, is counted, and told of
//! at most once a minute. Nobody who logs ever waits.
//!
//! A record may be given up while it is under way. If its batch arrives after all, it was
//! delivered and counts as that. If the answer gets lost, the batch is sent twice; the uid tells.
//!
//! Whatever is logged here has a target that stays on stdout, so nothing feeds itself.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord};

use super::export::{self, Signal};
use super::{counts, receipt};

/// What this process delivers to; what happens behind it, the collector tells.
const PROVIDER: &str = "collector";
/// What the records of the buffer may take, whatever their number.
const BUFFER_MAX_BYTES: usize = 64 * 1024 * 1024;
/// A batch larger than this would be refused by a collector with its default limit of 4 MiB.
const BATCH_MAX_BYTES: usize = 2 * 1024 * 1024;
/// The pause after a failure: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is told that sending fails, or that records were dropped.
const TELL_INTERVAL: Duration = Duration::from_secs(60);

/// How much is kept and sent at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Records in the buffer, those under way included.
    pub(super) buffer_records: usize,
    /// Records in a batch.
    pub(super) batch_records: usize,
    /// How long a record waits for others.
    pub(super) delay: Duration,
}

/// The buffer and its thread.
#[derive(Clone)]
pub(super) struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something is to be done before the thread's time.
    changed: Condvar,
    /// The thread has ended.
    ended: Condvar,
    limits: Limits,
}

#[derive(Default)]
struct Queue {
    /// Oldest first.
    waiting: VecDeque<Entry>,
    /// About how much that is on the wire.
    bytes: usize,
    /// How many of the oldest are under way.
    under_way: usize,
    /// Records that were given up while they were under way.
    given_up: Vec<Entry>,
    /// Records that were dropped and not told of yet.
    dropped: u64,
    is_idle: bool,
    is_stopping: bool,
    has_ended: bool,
}

/// A record with what the exporter needs beside it.
pub(super) struct Entry {
    pub(super) record: Arc<SdkLogRecord>,
    pub(super) scope: Arc<InstrumentationScope>,
    /// About how long it is on the wire.
    pub(super) bytes: usize,
    pub(super) receipt: Option<receipt::Pending>,
}

impl Delivery {
    /// Starts the thread. Its first step is the given one, which marks it as silent.
    pub(super) fn start(
        exporter: impl LogExporter + 'static,
        limits: Limits,
        silence: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Self> {
        counts::set_buffer_limit(limits.buffer_records);
        let (changed, ended) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { queue: Mutex::default(), changed, ended, limits });
        let own = Self { shared: shared.clone() };
        thread::Builder::new().name("log-delivery".into()).spawn(move || {
            // However the thread ends, nobody waits for it in vain.
            let _end = End(&shared);
            silence();
            Sender { shared: &shared, told: None, drops_told: None, failures: 0 }.run(&exporter);
        })?;
        Ok(own)
    }

    /// Adds a record; if there is no room, the oldest goes.
    pub(super) fn push(&self, entry: Entry) {
        let mut queue = self.shared.lock();
        let mut refused = Vec::new();
        if queue.has_ended {
            refused.push(entry);
        } else {
            let records_max = self.shared.limits.buffer_records;
            while queue.waiting.len() >= records_max
                || (queue.bytes + entry.bytes > BUFFER_MAX_BYTES && !queue.waiting.is_empty())
            {
                refused.extend(queue.make_room());
            }
            queue.bytes += entry.bytes;
            queue.waiting.push_back(entry);
        }
        queue.dropped += refused.len() as u64;
        let length = queue.waiting.len();
        let must_wake = queue.is_idle || length == self.shared.limits.batch_records;
        queue.is_idle = false;
        counts::set_buffered(length);
        drop(queue);
        if must_wake {
            self.shared.changed.notify_one();
        }
        give_up(refused);
    }

    /// Sends what can be sent within the time and ends; the rest is dropped, and told of.
    pub(super) fn stop(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut queue = self.shared.lock();
        queue.is_stopping = true;
        self.shared.changed.notify_one();
        while !queue.has_ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let result = self.shared.ended.wait_timeout(queue, left);
            queue = result.unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.has_ended = true;
        // If the last batch is still under way, it is not known to have arrived.
        queue.under_way = 0;
        queue.bytes = 0;
        let mut left: Vec<_> = queue.waiting.drain(..).collect();
        left.append(&mut queue.given_up);
        let dropped = std::mem::take(&mut queue.dropped) + left.len() as u64;
        counts::set_buffered(0);
        drop(queue);
        give_up(left);
        tell_dropped(dropped);
    }
}

impl Queue {
    /// Takes the oldest record out. One that is under way may still arrive, so it is only put
    /// aside.
    fn make_room(&mut self) -> Option<Entry> {
        let oldest = self.waiting.pop_front()?;
        self.bytes -= oldest.bytes;
        if self.under_way == 0 {
            return Some(oldest);
        }
        self.under_way -= 1;
        self.given_up.push(oldest);
        None
    }
}

impl Shared {
    /// Nothing that runs under the lock can panic, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>, limit: Duration) -> MutexGuard<'a, Queue> {
        self.changed.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Marks the thread as ended when it is dropped.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().has_ended = true;
        self.0.ended.notify_all();
    }
}

fn give_up(entries: impl IntoIterator<Item = Entry>) {
    let mut count = 0;
    for entry in entries {
        receipt::answer(entry.receipt, false);
        count += 1;
    }
    counts::delivery_dropped(count);
}

fn tell_dropped(dropped: u64) {
    if dropped > 0 {
        tracing::warn!(
            name: "external_log_batch_dropped",
            target: super::EXPORT_TARGET,
            provider = PROVIDER,
            dropped,
        );
    }
}

/// The longest pause after so many failures in a row.
fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(8)).min(LONGEST_PAUSE)
}

/// What the thread keeps between two batches.
struct Sender<'a> {
    shared: &'a Shared,
    /// When a failure was told last.
    told: Option<Instant>,
    drops_told: Option<Instant>,
    /// Failures in a row.
    failures: u32,
}

impl Sender<'_> {
    fn run(mut self, exporter: &impl LogExporter) {
        while let Some(batch) = self.next_batch() {
            self.tell_dropped_in_time();
            if batch.is_empty() {
                continue;
            }
            let borrowed: Vec<_> =
                batch.iter().map(|(record, scope)| (record.as_ref(), scope.as_ref())).collect();
            let started = Instant::now();
            let export = exporter.export(LogBatch::new(&borrowed));
            let result = futures_executor::block_on(export);
            export::note(Signal::Logs, &result);
            match result {
                Ok(()) => self.arrived(batch.len(), started.elapsed()),
                Err(_) => self.failed(&result, batch.len()),
            }
        }
    }

    /// Waits for records and marks the oldest as under way; nothing when it is time to end, and no
    /// records when it is time to tell that some were dropped.
    fn next_batch(&self) -> Option<Vec<(Arc<SdkLogRecord>, Arc<InstrumentationScope>)>> {
        let limits = &self.shared.limits;
        let mut queue = self.shared.lock();
        while queue.waiting.is_empty() {
            if queue.is_stopping {
                return None;
            }
            let left = if queue.dropped > 0 { self.until_told() } else { Duration::MAX };
            if left.is_zero() {
                return Some(Vec::new());
            }
            queue.is_idle = true;
            queue = self.shared.wait(queue, left);
        }
        queue.is_idle = false;
        let until = Instant::now() + limits.delay;
        while !queue.is_stopping && self.failures == 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || queue.waiting.len() >= limits.batch_records {
                break;
            }
            queue = self.shared.wait(queue, left);
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.bytes;
            bytes <= BATCH_MAX_BYTES || bytes == entry.bytes
        };
        let oldest = queue.waiting.iter().take(limits.batch_records).take_while(fits);
        let batch: Vec<_> = oldest.map(|it| (it.record.clone(), it.scope.clone())).collect();
        queue.under_way = batch.len();
        Some(batch)
    }

    fn arrived(&mut self, size: usize, duration: Duration) {
        let mut queue = self.shared.lock();
        let count = std::mem::take(&mut queue.under_way);
        let mut arrived: Vec<_> = queue.waiting.drain(..count).collect();
        queue.bytes -= arrived.iter().map(|entry| entry.bytes).sum::<usize>();
        arrived.append(&mut queue.given_up);
        counts::set_buffered(queue.waiting.len());
        drop(queue);
        arrived.into_iter().for_each(|entry| receipt::answer(entry.receipt, true));
        counts::delivered(size as u64);
        tracing::debug!(
            name: "external_log_batch_sent",
            target: super::EXPORT_TARGET,
            provider = PROVIDER,
            batch_size = size,
            duration_ms = super::milliseconds(duration),
            attempts = self.failures + 1,
        );
        self.failures = 0;
    }

    fn failed(&mut self, result: &OTelSdkResult, size: usize) {
        self.failures += 1;
        let mut queue = self.shared.lock();
        queue.under_way = 0;
        let given_up = std::mem::take(&mut queue.given_up);
        queue.dropped += given_up.len() as u64;
        drop(queue);
        give_up(given_up);
        if let Err(error) = result
            && self.told.is_none_or(|at| at.elapsed() >= TELL_INTERVAL)
        {
            self.told = Some(Instant::now());
            tracing::warn!(
                name: "external_log_batch_failed",
                target: super::EXPORT_TARGET,
                provider = PROVIDER,
                batch_size = size,
                attempts = self.failures,
                error = %error,
            );
        }
        self.pause();
    }

    /// Waits before the next attempt. A stop ends the wait once; whoever stops the service decides
    /// how many attempts there is time for.
    fn pause(&self) {
        // Instances that lost the same collector must not come back in step.
        let jitter = 0.5 + f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX) / 2.0;
        let until = Instant::now() + pause_after(self.failures).mul_f64(jitter);
        let mut queue = self.shared.lock();
        let was_stopping = queue.is_stopping;
        while queue.is_stopping == was_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            queue = self.shared.wait(queue, left);
        }
    }

    /// How long it takes until drops may be told again.
    fn until_told(&self) -> Duration {
        let passed = self.drops_told.map_or(Duration::MAX, |at| at.elapsed());
        TELL_INTERVAL.saturating_sub(passed)
    }

    fn tell_dropped_in_time(&mut self) {
        if self.until_told().is_zero() {
            let dropped = std::mem::take(&mut self.shared.lock().dropped);
            if dropped > 0 {
                self.drops_told = Some(Instant::now());
            }
            tell_dropped(dropped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [1, 2, 3, 4, 5, 6, 7, 1000].map(|failures| pause_after(failures).as_millis());
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]);
    }
}
