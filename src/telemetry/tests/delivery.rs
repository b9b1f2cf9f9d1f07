//! The buffer: nothing leaves it before it is acknowledged, and the oldest makes room.

use std::sync::mpsc;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _};

use super::super::delivery::Entry;
use super::super::receipt;
use super::*;

/// An exporter whose answers the test gives.
#[derive(Debug)]
struct Asked {
    batches: mpsc::Sender<Vec<String>>,
    answers: Mutex<mpsc::Receiver<bool>>,
}

impl LogExporter for Asked {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let names = batch.iter().map(|(record, _)| name(record)).collect();
        self.batches.send(names).unwrap();
        match self.answers.lock().unwrap().recv().unwrap_or(true) {
            true => Ok(()),
            false => Err(OTelSdkError::Timeout(LIMIT)),
        }
    }
}

fn name(record: &SdkLogRecord) -> String {
    match record.body() {
        Some(AnyValue::String(text)) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

struct Buffer {
    delivery: Delivery,
    batches: mpsc::Receiver<Vec<String>>,
    answers: mpsc::Sender<bool>,
}

impl Buffer {
    fn of(buffer_records: usize, batch_records: usize) -> Self {
        Self::with(buffer_records, batch_records, super::super::silence)
    }

    fn with(
        buffer_records: usize,
        batch_records: usize,
        first_step: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (batches_in, batches) = mpsc::channel();
        let (answers, answers_out) = mpsc::channel();
        let asked = Asked { batches: batches_in, answers: Mutex::new(answers_out) };
        let limits = Limits { buffer_records, batch_records, delay: Duration::from_millis(1) };
        let delivery = Delivery::start(asked, limits, first_step).unwrap();
        Self { delivery, batches, answers }
    }

    fn push(&self, name: &str) -> tokio::sync::oneshot::Receiver<bool> {
        let mut record = SdkLoggerProvider::builder().build().logger("test").create_log_record();
        record.set_body(AnyValue::String(name.to_owned().into()));
        let (pending, receipt) = tokio::sync::oneshot::channel::<bool>();
        let scope = Arc::new(InstrumentationScope::builder("test").build());
        let pending: Option<receipt::Pending> = Some(pending);
        self.delivery.push(Entry {
            record: Arc::new(record),
            scope,
            bytes: name.len(),
            receipt: pending,
        });
        receipt
    }

    #[track_caller]
    fn expect_batch(&self, names: &[&str]) {
        assert_eq!(self.batches.recv_timeout(LIMIT).unwrap(), names);
    }
}

#[test]
fn a_batch_is_sent_again_until_it_is_acknowledged() {
    let buffer = Buffer::of(10, 2);
    let receipt = buffer.push("a");
    buffer.expect_batch(&["a"]);
    buffer.push("b");
    buffer.push("c");
    buffer.answers.send(false).unwrap();
    buffer.expect_batch(&["a", "b"]);
    buffer.answers.send(false).unwrap();
    buffer.expect_batch(&["a", "b"]);
    buffer.answers.send(true).unwrap();
    assert!(receipt.blocking_recv().unwrap());
    buffer.expect_batch(&["c"]);
    buffer.answers.send(true).unwrap();
    buffer.delivery.stop(LIMIT);
}

#[test]
fn the_oldest_makes_room_and_one_under_way_may_still_arrive() {
    let buffer = Buffer::of(3, 2);
    let first = buffer.push("a");
    buffer.expect_batch(&["a"]);
    // Four more than fit: "a" is given up while it is under way, then "b".
    let second = buffer.push("b");
    ["c", "d", "e"].iter().for_each(|name| drop(buffer.push(name)));
    assert!(!second.blocking_recv().unwrap());
    buffer.answers.send(true).unwrap();
    assert!(first.blocking_recv().unwrap(), "it has arrived after all");
    buffer.expect_batch(&["c", "d"]);
    buffer.answers.send(false).unwrap();
    buffer.expect_batch(&["c", "d"]);
    buffer.answers.send(true).unwrap();
    buffer.expect_batch(&["e"]);
    buffer.answers.send(true).unwrap();
    buffer.delivery.stop(LIMIT);
}

#[test]
fn one_given_up_under_way_is_lost_if_its_batch_fails() {
    let buffer = Buffer::of(2, 1);
    let first = buffer.push("a");
    buffer.expect_batch(&["a"]);
    ["b", "c"].iter().for_each(|name| drop(buffer.push(name)));
    buffer.answers.send(false).unwrap();
    assert!(!first.blocking_recv().unwrap());
    buffer.expect_batch(&["b"]);
    drop(buffer.answers);
    buffer.delivery.stop(LIMIT);
}

#[test]
fn a_stop_does_not_wait_for_who_does_not_answer() {
    let buffer = Buffer::of(10, 10);
    let receipt = buffer.push("a");
    buffer.expect_batch(&["a"]);
    buffer.delivery.stop(Duration::from_millis(20));
    assert!(!receipt.blocking_recv().unwrap());
    assert!(!buffer.push("b").blocking_recv().unwrap(), "nothing is taken after the end");
    // The answer that comes too late meets an empty buffer.
    buffer.answers.send(true).unwrap();
}

#[test]
fn a_collector_that_comes_and_goes_is_told_of_once_a_minute() {
    let path = LogPath::start();
    let dispatch = path.dispatch.clone();
    let buffer = Buffer::with(10, 10, move || {
        std::mem::forget(tracing::dispatcher::set_default(&dispatch));
    });
    for _ in 0..3 {
        let receipt = buffer.push("a");
        buffer.expect_batch(&["a"]);
        buffer.answers.send(false).unwrap();
        buffer.expect_batch(&["a"]);
        buffer.answers.send(true).unwrap();
        assert!(receipt.blocking_recv().unwrap());
    }
    buffer.delivery.stop(LIMIT);
    let lines = path.end().lines;
    let failures = lines.iter().filter(|line| line["event"] == "external_log_batch_failed");
    assert_eq!(failures.count(), 1);
}

#[test]
fn large_records_go_in_small_batches() {
    let buffer = Buffer::of(10, 10);
    let large = "x".repeat(1_500_000);
    buffer.push("a");
    buffer.expect_batch(&["a"]);
    [&large, &large].iter().for_each(|name| drop(buffer.push(name)));
    buffer.answers.send(true).unwrap();
    buffer.expect_batch(&[&large]);
    buffer.answers.send(true).unwrap();
    buffer.expect_batch(&[&large]);
    drop(buffer.answers);
    buffer.delivery.stop(LIMIT);
}

#[test]
fn what_failed_at_first_arrives_in_order() {
    let path = LogPath::start();
    path.logs.fail(3);
    path.run(|| (0..100).for_each(|number| tracing::info!(name: "test_number", number)));
    wait_until("all of it arrives", || path.logs.len() == 100);
    let out = path.end();
    let numbers = out.logs.iter().map(|(record, _)| {
        let found = record.attributes_iter().find(|(key, _)| key.as_str() == "number");
        found.map(|(_, value)| value.clone())
    });
    let expected = (0..100).map(|number| Some(AnyValue::Int(number)));
    assert!(numbers.eq(expected), "in order, and once each");
}
