//! An OTLP receiver inside the test: it keeps what it is sent, decoded on demand.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::otlp_server::{self, Sink};
use super::{SOON, eventually, hex, line_of_otlp};

/// One payload as it came.
#[derive(Clone)]
struct Payload {
    path: String,
    message: Bytes,
    came_at: SystemTime,
}

/// The receiver; it ends when it is dropped.
pub(crate) struct OtlpReceiver {
    address: SocketAddr,
    payloads: Arc<Mutex<Vec<Payload>>>,
    /// The status of HTTP that answers; anything but 200 refuses.
    status: Arc<AtomicU16>,
    refusals: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl OtlpReceiver {
    pub(crate) fn start() -> Self {
        Self::start_on(super::free_port())
    }

    /// Listens on a port that a test chose before.
    pub(crate) fn start_on(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let payloads: Arc<Mutex<Vec<Payload>>> = Arc::default();
        let status = Arc::new(AtomicU16::new(200));
        let (kept, answer) = (Arc::clone(&payloads), Arc::clone(&status));
        let refusals: Arc<AtomicUsize> = Arc::default();
        let refused = Arc::clone(&refusals);
        let sink: Sink = Arc::new(move |path, message| {
            let status = answer.load(Ordering::Relaxed);
            if status == 200 {
                kept.lock().unwrap().push(Payload {
                    path: path.to_owned(),
                    message,
                    came_at: SystemTime::now(),
                });
            } else {
                refused.fetch_add(1, Ordering::Relaxed);
            }
            status
        });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let listener = runtime.block_on(otlp_server::listen(address));
        runtime.spawn(otlp_server::serve(listener, sink));
        Self { address, payloads, status, refusals, runtime: Some(runtime) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every export is refused, or taken again.
    pub(crate) fn set_failing(&self, is_failing: bool) {
        self.set_status(if is_failing { 503 } else { 200 });
    }

    /// From now on every export is answered so; gRPC knows 200 and all the rest.
    pub(crate) fn set_status(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// How many exports were refused.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    /// The distinct paths that were called.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.all().into_iter().map(|payload| payload.path).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Whether any payload holds these bytes, wherever they stand.
    pub(crate) fn payload_with(&self, needle: &str) -> Option<String> {
        let found = self.all().into_iter().find(|payload| {
            payload.message.windows(needle.len()).any(|window| window == needle.as_bytes())
        });
        found.map(|payload| String::from_utf8_lossy(&payload.message).into_owned())
    }

    /// All payloads as text; words stand in protobuf as they are.
    pub(crate) fn payloads(&self) -> Vec<String> {
        let text = |it: Payload| String::from_utf8_lossy(&it.message).into_owned();
        self.all().into_iter().map(text).collect()
    }

    /// Waits for a record that fits, as a line.
    pub(crate) fn wait_for_line(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, what, || {
            let lines = self.lines();
            let found = lines.iter().find(|line| fits(line)).cloned();
            found.ok_or_else(|| format!("{lines:#?}"))
        })
    }

    /// All spans.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.decoded::<ExportTraceServiceRequest>("race");
        let resources = requests.into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|it| it.scope_spans).flat_map(|it| it.spans).collect()
    }

    /// Waits for a span of a trace.
    pub(crate) fn wait_for_span(&self, trace_id: &str, name: &str) -> Span {
        eventually(SOON, &format!("the span `{name}` of {trace_id}"), || {
            let spans = self.spans();
            let found = spans.iter().find(|it| it.name == name && hex(&it.trace_id) == trace_id);
            let names = || spans.iter().map(|it| (&it.name, hex(&it.trace_id))).collect::<Vec<_>>();
            found.cloned().ok_or_else(|| format!("{:?}", names()))
        })
    }

    /// All log records with the names of their scopes.
    pub(crate) fn logs(&self) -> Vec<(String, LogRecord)> {
        let requests = self.decoded::<ExportLogsServiceRequest>("ogs");
        let resources = requests.into_iter().flat_map(|request| request.resource_logs);
        let scopes = resources.flat_map(|it| it.scope_logs);
        scopes
            .flat_map(|it| {
                let name = it.scope.map(|scope| scope.name).unwrap_or_default();
                it.log_records.into_iter().map(move |record| (name.clone(), record))
            })
            .collect()
    }

    /// From what each log record tells of to its arrival.
    pub(crate) fn delays(&self) -> Vec<Duration> {
        let mut delays = Vec::new();
        for (came_at, request) in self.received::<ExportLogsServiceRequest>("ogs") {
            let came_at = came_at.duration_since(UNIX_EPOCH).unwrap();
            let scopes = request.resource_logs.into_iter().flat_map(|it| it.scope_logs);
            let records = scopes.flat_map(|it| it.log_records);
            let since = |record: LogRecord| Duration::from_nanos(record.time_unix_nano);
            delays.extend(records.map(|record| came_at.saturating_sub(since(record))));
        }
        delays
    }

    /// All log records as lines, in the order in which they came.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.logs().iter().map(|(scope, record)| line_of_otlp(scope, record)).collect()
    }

    /// All metrics, in the order in which they came.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let requests = self.decoded::<ExportMetricsServiceRequest>("etrics");
        let resources = requests.into_iter().flat_map(|request| request.resource_metrics);
        resources.flat_map(|it| it.scope_metrics).flat_map(|it| it.metrics).collect()
    }

    /// The newest sum of a counter's points.
    pub(crate) fn counter(&self, name: &str) -> Option<i64> {
        let newest = self.metrics().into_iter().rfind(|metric| metric.name == name)?;
        let Some(metric::Data::Sum(sum)) = newest.data else { panic!("{name} is no counter") };
        let values = sum.data_points.into_iter().map(|point| match point.value {
            Some(number_data_point::Value::AsInt(value)) => value,
            other => panic!("{name} is no integer: {other:?}"),
        });
        Some(values.sum())
    }

    fn all(&self) -> Vec<Payload> {
        self.payloads.lock().unwrap().clone()
    }

    /// The messages of one signal as they came, resources and scopes included.
    pub(crate) fn exports<T: Message + Default>(&self, signal: &str) -> Vec<T> {
        self.decoded(signal)
    }

    /// The messages of one signal.
    fn decoded<T: Message + Default>(&self, signal: &str) -> Vec<T> {
        self.received(signal).into_iter().map(|(_, message)| message).collect()
    }

    /// The same with when they came: both transports have the signal's name in the path.
    fn received<T: Message + Default>(&self, signal: &str) -> Vec<(SystemTime, T)> {
        let own = self.all().into_iter().filter(|payload| payload.path.contains(signal));
        own.map(|it| (it.came_at, T::decode(it.message).expect("an OTLP message"))).collect()
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
