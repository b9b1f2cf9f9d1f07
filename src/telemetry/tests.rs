//! What holds for the log path as a whole, seen at both of its ends.

mod both_outputs;
mod context;
mod delivery;
mod libraries;
mod repeats;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::Value;
use tracing::Dispatch;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::collect::Collect;
use super::delivery::{Delivery, Limits};
use super::otlp_log::OtlpLog;
use super::outputs::Outputs;
use super::repeats::Repeats;
use super::stdout::Stdout;
use super::{is_our_span, level};
use crate::config::{Log, LogLevel};

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The whole log path, between a pipe in place of stdout and exporters that keep what they get.
struct LogPath {
    dispatch: Dispatch,
    delivery: Delivery,
    repeats: Repeats,
    traces: SdkTracerProvider,
    logs: Kept<(SdkLogRecord, InstrumentationScope)>,
    spans: Kept<SpanData>,
    lines: JoinHandle<Vec<Value>>,
}

/// What came out at both ends.
struct Out {
    lines: Vec<Value>,
    logs: Vec<(SdkLogRecord, InstrumentationScope)>,
    spans: Vec<SpanData>,
}

impl LogPath {
    fn start() -> Self {
        // The level is the process's, and every test here has the same. It is set once: a change
        // is made known by the thread's own subscriber, which a test's thread does not have yet.
        static LEVEL: Once = Once::new();
        LEVEL.call_once(|| level::start(Log { level: LogLevel::Info, suppress_third_party: true }));
        let (logs, spans) = (Kept::default(), Kept::default());
        let limits = Limits {
            buffer_records: 100_000,
            batch_records: 512,
            delay: Duration::from_millis(10),
        };
        let delivery = Delivery::start(logs.clone(), limits, super::silence).unwrap();
        let traces = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
        let (reader, writer) = std::io::pipe().unwrap();
        let stdout = Stdout::writing_to(File::from(OwnedFd::from(writer)), 0xab).unwrap();
        let otlp = OtlpLog::new(SdkLoggerProvider::builder().build(), delivery.clone());
        let outputs = Outputs::new(stdout, Some(otlp));
        let repeats = Repeats::new(outputs.clone());
        let spans_layer = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer("bangui"))
            .with_filter(FilterFn::new(is_our_span).with_max_level_hint(tracing::Level::INFO));
        let collect = Collect::new(outputs, repeats.clone()).with_filter(level::Shown);
        let registry = tracing_subscriber::registry().with(spans_layer).with(collect);
        let lines = std::thread::spawn(move || {
            let lines = BufReader::new(reader).lines().map(Result::unwrap);
            let lines = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap());
            lines.take_while(|line| line["event"] != "test_ended").collect()
        });
        let dispatch = Dispatch::new(registry);
        Self { dispatch, delivery, repeats, traces, logs, spans, lines }
    }

    /// Runs something with this log in place.
    fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// Flushes everything and gives what came out.
    fn end(self) -> Out {
        self.repeats.tell_all();
        self.delivery.stop(LIMIT);
        let _ = self.traces.shutdown();
        // An error is urgent, so it comes out at once, behind all other lines.
        tracing::dispatcher::with_default(&self.dispatch, || {
            tracing::error!(name: "test_ended", critical = true);
        });
        let lines = self.lines.join().unwrap();
        Out { lines, logs: self.logs.take(), spans: self.spans.take() }
    }
}

/// An exporter that keeps what it is given, and can be told to fail.
#[derive(Debug)]
struct Kept<T> {
    items: Arc<Mutex<Vec<T>>>,
    failures: Arc<Mutex<usize>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { items: Arc::default(), failures: Arc::default() }
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), failures: self.failures.clone() }
    }
}

impl<T> Kept<T> {
    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.items.lock().unwrap())
    }

    fn len(&self) -> usize {
        self.items.lock().unwrap().len()
    }

    /// The next exports fail.
    fn fail(&self, times: usize) {
        *self.failures.lock().unwrap() = times;
    }

    fn keep(&self, items: impl IntoIterator<Item = T>) -> OTelSdkResult {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(OTelSdkError::InternalFailure("refused: token=hunter2".into()));
        }
        self.items.lock().unwrap().extend(items);
        Ok(())
    }
}

impl LogExporter for Kept<(SdkLogRecord, InstrumentationScope)> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.keep(batch.iter().map(|(record, scope)| (record.clone(), scope.clone())))
    }
}

impl SpanExporter for Kept<SpanData> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.keep(batch)
    }
}

/// Waits for something, as long as anything may take.
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
