//! The JSON lines on stdout.
//!
//! Whoever logs only adds its line to a buffer in memory, under a lock that is held for a copy of
//! some hundred bytes; one thread writes the buffer out. So lines of two threads never interleave,
//! many lines share one call of the system, and a reader that does not read (a full pipe, a
//! stopped terminal) stalls nobody: beyond the buffer's limit lines are dropped, counted, and
//! told of as soon as that is possible. A number is given to each line under the same lock, so
//! the numbers on stdout are in order, and a gap in them is a line that was dropped.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::record::Uid;
use super::{Lines, counts, json, receipt};

/// Lines below warning wait so long for others, to share a call with them. The documented limit
/// is 50 ms; the rest is for the thread to wake up on a busy machine.
const GATHER: Duration = Duration::from_millis(25);
/// So much is worth a call of its own.
const WRITE_BYTES: usize = 64 * 1024;
/// What may wait while nobody reads: some ten thousand lines.
const WAITING_MAX_BYTES: usize = 8 * 1024 * 1024;
/// How often it is told that lines were dropped.
const TELL_INTERVAL: Duration = Duration::from_secs(60);
/// A stdout that would block although it should not be asked again so soon.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Writes lines to the process's standard output.
#[derive(Clone)]
pub(super) struct Stdout {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    /// Something was added, or there is need to hurry.
    added: Condvar,
    /// Something was written or given up.
    written: Condvar,
    /// First half of the uids of this process; its last bit tells apart what stays.
    instance: u64,
}

/// What makes a record's own uid: the instance, and the record's number within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) instance: u64,
    pub(super) seq: u64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// The last numbers: of what stays on stdout, and of what travels. They are counted apart, so
    /// that what stays leaves no gap elsewhere.
    seq: [u64; 2],
    /// How many lines were added, and how many of them were written or given up.
    added: u64,
    done: u64,
    /// The thread is not to wait for further lines.
    is_urgent: bool,
    /// The thread waits without end.
    is_idle: bool,
    /// Lines that were dropped and not told of yet.
    dropped: u64,
    receipts: Vec<receipt::Pending>,
}

impl Stdout {
    /// Starts the thread that writes; a command's lines go elsewhere than to stdout.
    pub(super) fn start(lines: Lines, instance: u64) -> io::Result<Self> {
        match lines {
            Lines::Stdout => Self::writing_to(descriptor(io::stdout())?, instance),
            Lines::Stderr => Self::writing_to(descriptor(io::stderr())?, instance),
            Lines::Nowhere => Self::writing_to(io::sink(), instance),
        }
    }

    pub(super) fn writing_to(
        out: impl io::Write + Send + 'static,
        instance: u64,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            added: Condvar::new(),
            written: Condvar::new(),
            instance,
        });
        let own = Self { shared: shared.clone() };
        thread::Builder::new().name("stdout".into()).spawn(move || write_always(&shared, out))?;
        Ok(own)
    }

    /// Adds a line, given as what stands before and after its numbers; tells these.
    pub(super) fn push(
        &self,
        (head, tail): (&[u8], &[u8]),
        uid: Option<&Uid>,
        travels: bool,
        is_urgent: bool,
        receipt: Option<receipt::Pending>,
    ) -> Numbers {
        let mut waiting = self.shared.lock();
        waiting.added += 1;
        let seq = &mut waiting.seq[usize::from(travels)];
        *seq += 1;
        let instance = if travels { self.shared.instance } else { staying(self.shared.instance) };
        let numbers = Numbers { instance, seq: *seq };
        if waiting.lines.len() + head.len() + tail.len() > WAITING_MAX_BYTES {
            waiting.dropped += 1;
            drop(waiting);
            counts::stdout_dropped(1);
            receipt::answer(receipt, false);
            return numbers;
        }
        waiting.receipts.extend(receipt);
        waiting.lines.extend_from_slice(head);
        match uid {
            Some(uid) => json::push_numbers(&mut waiting.lines, uid.as_str(), numbers.seq),
            None => json::push_own_numbers(&mut waiting.lines, numbers),
        }
        waiting.lines.extend_from_slice(tail);
        let is_urgent = is_urgent || waiting.lines.len() >= WRITE_BYTES;
        let must_wake = waiting.is_idle || (is_urgent && !waiting.is_urgent);
        waiting.is_urgent |= is_urgent;
        waiting.is_idle = false;
        drop(waiting);
        if must_wake {
            self.shared.added.notify_one();
        }
        numbers
    }

    /// Tells how many lines were dropped since that was told last, for who cannot wait until it
    /// is time.
    pub(super) fn tell_dropped(&self) {
        let dropped = std::mem::take(&mut self.shared.lock().dropped);
        tell_dropped(dropped);
    }

    /// Waits until everything is written that was added before, or until the time is over.
    pub(super) fn flush(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let mut waiting = self.shared.lock();
        let last = waiting.added;
        while waiting.done < last {
            waiting.is_urgent = true;
            self.shared.added.notify_one();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = wait(&self.shared.written, waiting, left);
        }
    }
}

impl Shared {
    /// Nothing that runs under the lock can panic, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines, or until it is time to tell what was dropped, and takes all of them; the
    /// buffer that was written before is used again.
    fn take(&self, empty: Vec<u8>, tell_at: Instant) -> Taken {
        let mut waiting = self.lock();
        while waiting.lines.is_empty() {
            // What was dropped at the very end of the lines is done, too.
            waiting.done = waiting.added;
            let left = tell_at.saturating_duration_since(Instant::now());
            if waiting.dropped > 0 && left.is_zero() {
                break;
            }
            waiting.is_idle = true;
            let left = if waiting.dropped > 0 { left } else { Duration::MAX };
            waiting = wait(&self.added, waiting, left);
        }
        waiting.is_idle = false;
        let until = Instant::now() + GATHER;
        while !waiting.is_urgent && !waiting.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = wait(&self.added, waiting, left);
        }
        waiting.is_urgent = false;
        let is_time = Instant::now() >= tell_at;
        Taken {
            dropped: if is_time { std::mem::take(&mut waiting.dropped) } else { 0 },
            lines: std::mem::replace(&mut waiting.lines, empty),
            last: waiting.added,
            receipts: std::mem::take(&mut waiting.receipts),
        }
    }

    /// Notes what became of the lines that were taken.
    fn finish(&self, last: u64, lost: u64) {
        counts::stdout_dropped(lost);
        let mut waiting = self.lock();
        waiting.done = waiting.done.max(last);
        waiting.dropped += lost;
        drop(waiting);
        self.written.notify_all();
    }
}

/// What the thread has taken out of the buffer.
struct Taken {
    lines: Vec<u8>,
    /// How many lines were added until now.
    last: u64,
    /// How many lines are to be told of as dropped.
    dropped: u64,
    receipts: Vec<receipt::Pending>,
}

/// If stdout is closed for good, the other output still tells it.
fn tell_dropped(dropped: u64) {
    if dropped > 0 {
        tracing::warn!(name: "log_stdout_lines_dropped", dropped);
    }
}

fn wait<'a>(
    condition: &Condvar,
    waiting: MutexGuard<'a, Waiting>,
    limit: Duration,
) -> MutexGuard<'a, Waiting> {
    condition.wait_timeout(waiting, limit).unwrap_or_else(PoisonError::into_inner).0
}

/// A descriptor of its own: what it writes passes no buffer and no lock of the library.
fn descriptor(of: impl AsFd) -> io::Result<File> {
    Ok(File::from(of.as_fd().try_clone_to_owned()?))
}

fn write_always(shared: &Shared, mut out: impl io::Write) {
    let mut tell_at = Instant::now();
    let mut empty = Vec::with_capacity(WRITE_BYTES);
    let mut is_torn = false;
    loop {
        let Taken { mut lines, last, dropped, receipts } = shared.take(empty, tell_at);
        if dropped > 0 {
            // Told before the lines are written: right after they were taken, there is room for
            // one more, and nowhere else is that certain.
            tell_at = Instant::now() + TELL_INTERVAL;
            tell_dropped(dropped);
        }
        // A line that was cut off (a full disk) must not swallow the next one.
        is_torn = is_torn && write_all(&mut out, b"\n") == 0;
        let written = if is_torn { 0 } else { write_all(&mut out, &lines) };
        is_torn |= lines[..written].last().is_some_and(|byte| *byte != b'\n');
        for receipt in receipts {
            receipt::answer(Some(receipt), written == lines.len());
        }
        let lost = lines[written..].iter().filter(|byte| **byte == b'\n').count() as u64;
        lines.clear();
        lines.shrink_to(2 * WRITE_BYTES);
        empty = lines;
        shared.finish(last, lost);
    }
}

/// Writes what can be written; tells how many bytes that were.
fn write_all(out: &mut impl io::Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever shares the terminal may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(BUSY_PAUSE),
            Err(_) => break,
        }
    }
    written
}

/// The first half of the uids of what stays on stdout.
fn staying(instance: u64) -> u64 {
    instance ^ 1
}

/// Writes one line at once, for who has no thread yet.
pub(super) fn write_now((head, tail): (&[u8], &[u8]), instance: u64) {
    let mut line = head.to_vec();
    // Whoever has no thread has no sequence either; this is not the only line of that kind.
    static SEQ: AtomicU64 = AtomicU64::new(0);
    let seq = SEQ.fetch_add(1, Ordering::Relaxed) + 1;
    json::push_own_numbers(&mut line, Numbers { instance: staying(instance), seq });
    line.extend_from_slice(tail);
    // There is nobody left to be told that stdout is closed.
    let _ = descriptor(io::stdout()).map(|mut out| write_all(&mut out, &line));
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, PipeReader, Read as _};

    use super::*;

    fn piped() -> (Stdout, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let out = File::from(std::os::fd::OwnedFd::from(writer));
        (Stdout::writing_to(out, 0xab).unwrap(), reader)
    }

    fn seq(line: &str) -> u64 {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        json["seq"].as_u64().unwrap()
    }

    #[test]
    fn lines_of_many_threads_are_whole_and_in_order() {
        const THREADS: u64 = 8;
        const LINES: u64 = 2_000;
        let (stdout, reader) = piped();
        let lines = thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map(Result::unwrap);
            lines.take((THREADS * LINES) as usize).collect::<Vec<_>>()
        });
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    (0..LINES).for_each(|n| {
                        stdout.push((b"{\"a\":1", b",\"b\":2}\n"), None, true, n % 100 == 0, None);
                    });
                });
            }
        });
        let numbers: Vec<_> = lines.join().unwrap().iter().map(|line| seq(line)).collect();
        assert_eq!(numbers, (1..=THREADS * LINES).collect::<Vec<_>>());
    }

    #[test]
    fn a_full_pipe_stalls_nobody_and_the_loss_is_a_gap_in_the_numbers() {
        let (stdout, reader) = piped();
        let tail = format!(",\"b\":\"{}\"}}\n", "x".repeat(1000)).into_bytes();
        const LINES: u64 = 20_000;
        // More than the pipe takes: once the thread has these, it waits for a reader, and does not
        // come for more nor for what was dropped meanwhile.
        const FIRST: u64 = 200;
        let push = || _ = stdout.push((b"{\"a\":1", &tail), None, true, true, None);
        (0..FIRST).for_each(|_| push());
        let is_taken = || stdout.shared.lock().lines.is_empty();
        assert!((0..10_000).any(|_| is_taken() || {
            thread::sleep(Duration::from_millis(1));
            false
        }));
        (FIRST..LINES).for_each(|_| push());
        stdout.flush(Duration::from_millis(50));
        let dropped = stdout.shared.lock().dropped;
        assert!(dropped > 5_000, "{dropped} dropped");
        let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
        let kept: Vec<_> = lines.by_ref().take((LINES - dropped) as usize).collect();
        assert_eq!(seq(&kept[0]), 1);
        stdout.push((b"{\"a\":1", b"}\n"), None, true, true, None);
        assert_eq!(seq(&lines.next().unwrap()), LINES + 1);
    }

    #[test]
    fn drops_are_told_when_there_is_room_for_it() {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            added: Condvar::new(),
            written: Condvar::new(),
            instance: 0xab,
        });
        let stdout = Stdout { shared: shared.clone() };
        while shared.lock().dropped == 0 {
            stdout.push((b"{\"a\":1", b"}\n"), None, true, true, None);
        }
        let now = Instant::now();
        let taken = shared.take(Vec::new(), now + TELL_INTERVAL);
        assert_eq!((taken.dropped, shared.lock().dropped), (0, 1), "it is not time yet");
        stdout.push((b"{\"a\":1", b"}\n"), None, true, true, None);
        let taken = shared.take(Vec::new(), now);
        assert_eq!((taken.dropped, shared.lock().dropped), (1, 0));
        assert!(shared.lock().lines.is_empty(), "no room for the line that tells it");
    }

    #[test]
    fn a_closed_stdout_is_survived_and_counted() {
        let (stdout, reader) = piped();
        drop(reader);
        (0..3).for_each(|_| _ = stdout.push((b"{\"a\":1", b"}\n"), None, true, true, None));
        stdout.flush(Duration::from_secs(5));
        assert_eq!(stdout.shared.lock().done, 3);
    }

    /// A disk that is full for a while, in the middle of a line.
    struct Full(Arc<Mutex<Vec<u8>>>, u32);

    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            match self.1 {
                1 => self.0.lock().unwrap().extend_from_slice(&bytes[..10]),
                2 | 3 => return Err(io::ErrorKind::StorageFull.into()),
                _ => self.0.lock().unwrap().extend_from_slice(bytes),
            }
            Ok(if self.1 == 1 { 10 } else { bytes.len() })
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_cut_off_does_not_swallow_the_next() {
        let written = Arc::new(Mutex::default());
        let stdout = Stdout::writing_to(Full(written.clone(), 0), 0xab).unwrap();
        for _ in 0..4 {
            stdout.push((b"{\"a\":1", b"}\n"), None, true, true, None);
            stdout.flush(Duration::from_secs(5));
        }
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].len(), 10, "{text}");
        // The second line may come too early or just in time; those that come are whole.
        let numbers: Vec<_> = lines[1..].iter().map(|line| seq(line)).collect();
        assert!(numbers == [3, 4] || numbers == [2, 3, 4], "{text}");
    }

    #[test]
    fn a_line_that_waits_for_others_is_out_within_the_documented_time() {
        let (stdout, reader) = piped();
        let mut lines = BufReader::new(reader).lines();
        let mut times: Vec<_> = (0..20)
            .map(|_| {
                let started = Instant::now();
                stdout.push((b"{\"a\":1", b"}\n"), None, true, false, None);
                lines.next().unwrap().unwrap();
                started.elapsed()
            })
            .collect();
        // The median, because other tests run beside this one.
        times.sort();
        assert!(times[10] < Duration::from_millis(50), "{times:?}");
    }

    #[test]
    fn an_urgent_line_takes_the_others_with_it() {
        let (stdout, mut reader) = piped();
        stdout.push((b"{\"a\":1", b"}\n"), None, true, false, None);
        stdout.push((b"{\"a\":2", b"}\n"), None, true, true, None);
        stdout.flush(Duration::from_secs(5));
        let mut bytes = [0; 4096];
        let count = reader.read(&mut bytes).unwrap();
        assert_eq!(bytes[..count].iter().filter(|byte| **byte == b'\n').count(), 2);
    }
}
