//! Telemetry: the JSON lines on stdout, and OTLP export of logs, metrics and traces.
//!
//! This is the only module that names the OpenTelemetry SDK and tracing-subscriber. The rest of
//! the product uses `tracing`'s macros, [`metrics`] for facts and [`span`] for correlation.
//!
//! An event takes one path: `collect` visits it once, `sanitize` cleans every text in it, and the
//! same record goes to `stdout` and `otlp_log`. Spans are cleaned where they leave, in `export`.

mod collect;
mod export;
mod json;
pub mod level;
pub mod metrics;
mod otlp_log;
pub mod receipt;
mod record;
mod resource;
pub mod sanitize;
pub mod span;
mod stdout;
pub mod traceparent;

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use export::is_healthy;

use crate::config::{Export, Log, LogLevel};
use collect::Collect;
use otlp_log::OtlpLog;
use stdout::Stdout;

/// Target of what export says about itself; it never travels by export.
pub(crate) const EXPORT_TARGET: &str = "bangui::telemetry::export";
/// The predecessor's metrics were scraped live; ten seconds keep the exposition as fresh without
/// making an idle service talk all the time.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);
/// How long each signal may take to flush when the service stops.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An exporter refused its settings.
    #[error("the OTLP exporter cannot be built: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The runtime of the exporters could not start.
    #[error("the telemetry runtime cannot start: {0}")]
    Runtime(#[from] std::io::Error),
    /// A subscriber was installed before.
    #[error("telemetry was initialised twice")]
    Twice,
}

/// Running telemetry. [`Telemetry::shutdown`] flushes what is still in its queues.
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
    instance_id: String,
    // The exporters' connections live on this runtime until after the last flush.
    _runtime: tokio::runtime::Runtime,
}

impl Telemetry {
    /// Starts telemetry and installs it for the whole process. Must not be called from within a
    /// runtime, because the http exporter blocks while it is built.
    pub fn start(log: Log, export: &Export) -> Result<Self, Error> {
        let runtime = suppressed_runtime()?;
        let (resource, instance_id) = resource::detect();
        let (traces, metrics, logs) = {
            let _context = runtime.enter();
            (
                tracer_provider(export, resource.clone())?,
                meter_provider(export, resource.clone())?,
                logger_provider(export, resource)?,
            )
        };
        metrics::install(&metrics);
        let instance = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        let otlp = export.logs.map(|_| OtlpLog::new(logs.clone()));
        // The layer of spans comes first, so that its context is current when events are seen.
        let spans = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer("bangui"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(
                FilterFn::new(|metadata| metadata.is_span() && is_ours(metadata))
                    .with_max_level_hint(LevelFilter::INFO),
            );
        let collect = Collect::new(Stdout::new(), otlp, instance, log.level == LogLevel::Critical)
            .with_filter(
                FilterFn::new(move |metadata| is_logged(metadata, log))
                    .with_max_level_hint(LevelFilter::TRACE),
            );
        tracing_subscriber::registry()
            .with(spans)
            .with(collect)
            .try_init()
            .map_err(|_| Error::Twice)?;
        log_panics();
        Ok(Self { traces, metrics, logs, instance_id, _runtime: runtime })
    }

    /// `service.instance.id` of this process, as the collector sees it.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Flushes and ends export: spans first, then logs, then the metrics that counted both.
    pub fn shutdown(self) {
        // A failure was already told when its export failed.
        let _ = self.traces.shutdown_with_timeout(FLUSH_TIMEOUT);
        let _ = self.logs.shutdown_with_timeout(FLUSH_TIMEOUT);
        let _ = self.metrics.shutdown_with_timeout(FLUSH_TIMEOUT);
    }
}

/// Writes one `startup_failed` line when there is no telemetry yet.
pub fn startup_failed(reason: &str) {
    let mut fields = record::Fields::default();
    fields.text("error", reason);
    Stdout::new().write(&record::Record {
        timestamp: std::time::SystemTime::now(),
        severity: record::Severity::Critical,
        logger_name: "app.main".into(),
        event: "startup_failed".into(),
        trace: None,
        uid: format!("{:016x}{:016x}", getrandom::u64().unwrap_or_default(), 1),
        seq: 1,
        fields,
    });
}

/// A panic becomes a line of the log, with its place. The default hook would print text.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("(no message)");
        let location = panic.location().map(ToString::to_string);
        tracing::error!(name: "panic", critical = true, message, location);
    }));
}

/// A runtime on whose threads nothing is recorded: see `export`.
fn suppressed_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp")
        .enable_all()
        .on_thread_start(|| {
            std::mem::forget(opentelemetry::Context::enter_telemetry_suppressed_scope());
        })
        .build()
}

fn tracer_provider(export: &Export, resource: Resource) -> Result<SdkTracerProvider, Error> {
    let builder = SdkTracerProvider::builder().with_resource(resource);
    Ok(match export.traces {
        Some(protocol) => {
            let exporter = export::Spans::build(protocol)?;
            builder.with_span_processor(BatchSpanProcessor::builder(exporter).build()).build()
        }
        // Without export there are still trace ids, because every log line carries one.
        None => builder.build(),
    })
}

fn meter_provider(export: &Export, resource: Resource) -> Result<SdkMeterProvider, Error> {
    let builder = SdkMeterProvider::builder().with_resource(resource).with_view(metrics::view);
    let Some(protocol) = export.metrics else { return Ok(builder.build()) };
    let reader = PeriodicReader::builder(export::Metrics::build(protocol)?);
    let reader = match export.metric_interval_is_set {
        true => reader.build(),
        false => reader.with_interval(METRIC_INTERVAL).build(),
    };
    Ok(builder.with_reader(reader).build())
}

fn logger_provider(export: &Export, resource: Resource) -> Result<SdkLoggerProvider, Error> {
    let builder = SdkLoggerProvider::builder().with_resource(resource);
    let Some(protocol) = export.logs else { return Ok(builder.build()) };
    let exporter = export::Logs::build(protocol)?;
    Ok(builder.with_log_processor(BatchLogProcessor::builder(exporter).build()).build())
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("bangui")
}

/// Whether the log shows an event, and whether it needs a span for its context.
fn is_logged(metadata: &Metadata<'_>, log: Log) -> bool {
    if metadata.is_span() {
        return is_ours(metadata);
    }
    let ours = max_level(log.level);
    if is_ours(metadata) {
        return *metadata.level() <= ours;
    }
    if is_repeated_by_us(metadata) {
        return false;
    }
    let theirs = if log.suppress_third_party { ours.min(LevelFilter::WARN) } else { ours };
    *metadata.level() <= theirs
}

/// The SDK tells of every failed export; `export` tells once that they fail.
fn is_repeated_by_us(metadata: &Metadata<'_>) -> bool {
    let name = metadata.name();
    metadata.target().starts_with("opentelemetry")
        && (name.contains("Export") || name.contains("Shutdown"))
}

fn max_level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => Level::TRACE.into(),
        LogLevel::Debug => Level::DEBUG.into(),
        LogLevel::Info => Level::INFO.into(),
        LogLevel::Warning => Level::WARN.into(),
        // A critical event is an error with a mark, which `collect` looks at.
        LogLevel::Error | LogLevel::Critical => Level::ERROR.into(),
    }
}
