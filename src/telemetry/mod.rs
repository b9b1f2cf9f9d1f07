//! Telemetry: the JSON lines on stdout, and OTLP export of logs, metrics and traces.
//!
//! This is the only module that names the OpenTelemetry SDK and tracing-subscriber. The rest of
//! the product uses `tracing`'s macros, [`metrics`] for facts and [`span`] for correlation.
//!
//! An event takes one path: `level` decides whether it is shown, `collect` visits it once,
//! `record` takes every secret out, `repeats` leaves out what says the same again and again, and
//! `outputs` gives the same record to `stdout` and, by `otlp_log`, to `delivery`. Spans are
//! cleaned where they leave, in `export`.

mod collect;
mod counts;
mod delivery;
mod export;
mod http_client;
mod json;
pub mod level;
mod log_crate;
pub mod metrics;
mod otlp_log;
mod outputs;
pub mod page;
mod panics;
pub mod receipt;
mod record;
mod repeats;
mod resource;
mod sampler;
pub mod sanitize;
pub mod span;
mod stdout;
#[cfg(test)]
mod tests;
pub mod traceparent;
mod transport;

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogExporter as _, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub use counts::{Sent, sent};
pub use export::{is_healthy, last_log_export_error};
pub use panics::install as log_panics;

use crate::config::{Export, Log};
use collect::Collect;
use delivery::Delivery;
use otlp_log::OtlpLog;
use outputs::Outputs;
use repeats::Repeats;
use stdout::Stdout;
use transport::Transport;

/// Target of what export says about itself; it never travels by export.
pub(crate) const EXPORT_TARGET: &str = "bangui::telemetry::export";
/// The predecessor's metrics were scraped live; ten seconds keep the exposition as fresh without
/// making an idle service talk all the time.
const METRIC_INTERVAL: Duration = Duration::from_secs(10);
/// How long the end of the process, or a panic, waits for a stdout that nobody reads.
const STDOUT_TIMEOUT: Duration = Duration::from_millis(500);

/// The outputs of the running telemetry, for who must be sure that a line is out.
static OUTPUTS: OnceLock<Outputs> = OnceLock::new();

/// Where the JSON lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Standard output: the service's.
    Stdout,
    /// Standard error: a command's, whose standard output is its answer.
    Stderr,
    /// Nowhere; export has them all the same.
    Nowhere,
}

/// What the process is: the service, or a command that a person waits for.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// `service.name`, unless the environment says otherwise.
    pub service_name: &'static str,
    /// Where the lines go.
    pub lines: Lines,
    /// How long each signal may take to flush at the end. The SDK's reader of metrics takes five
    /// seconds, whatever it is given.
    pub flush_timeout: Duration,
}

impl Role {
    /// The service.
    pub const SERVICE: Self = Self {
        service_name: "bangui",
        lines: Lines::Stdout,
        flush_timeout: Duration::from_secs(3),
    };
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An exporter refused its settings.
    #[error("the OTLP exporter cannot be built: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The certificates cannot be used.
    #[error("OTLP over TLS cannot be prepared: {0}")]
    Tls(String),
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
    delivery: Option<Delivery>,
    outputs: Outputs,
    repeats: Repeats,
    instance_id: String,
    flush_timeout: Duration,
    // The exporters' connections live on this runtime until after the last flush.
    runtime: tokio::runtime::Runtime,
}

impl Telemetry {
    /// Starts the service's telemetry; see [`Telemetry::start_as`].
    pub fn start(log: Log, export: &Export) -> Result<Self, Error> {
        Self::start_as(Role::SERVICE, log, export)
    }

    /// Starts telemetry and installs it for the whole process. Must not be called from within a
    /// runtime, because it has one of its own.
    pub fn start_as(role: Role, log: Log, export: &Export) -> Result<Self, Error> {
        let runtime = suppressed_runtime()?;
        let (resource, instance_id) = resource::detect(role.service_name);
        let (traces, metrics, delivery) = {
            let _context = runtime.enter();
            page::install(export, &resource)?;
            (
                tracer_provider(export, resource.clone())?,
                meter_provider(export, resource.clone())?,
                log_delivery(export, &resource)?,
            )
        };
        metrics::install(&metrics);
        let stdout = Stdout::start(role.lines, instance())?;
        let otlp =
            delivery.clone().map(|it| OtlpLog::new(SdkLoggerProvider::builder().build(), it));
        let outputs = Outputs::new(stdout, otlp);
        level::start(log);
        // The layer of spans comes first, so that its context is current when events are seen.
        let spans = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer("bangui"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(FilterFn::new(is_our_span).with_max_level_hint(LevelFilter::INFO));
        let repeats = Repeats::new(outputs.clone());
        let collect = Collect::new(outputs.clone(), repeats.clone()).with_filter(level::Shown);
        tracing_subscriber::registry()
            .with(spans)
            .with(collect)
            .try_init()
            .map_err(|_| Error::Twice)?;
        log_crate::install();
        let _ = OUTPUTS.set(outputs.clone());
        let flush_timeout = role.flush_timeout;
        Ok(Self {
            traces,
            metrics,
            delivery,
            outputs,
            repeats,
            instance_id,
            flush_timeout,
            runtime,
        })
    }

    /// `service.instance.id` of this process, as the collector sees it.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// Flushes and ends export, all signals at once, since each may have to wait for a collector
    /// that does not answer; at last the lines, which tell what was lost on the way.
    pub fn shutdown(self) {
        self.repeats.tell_all();
        self.outputs.tell_dropped(STDOUT_TIMEOUT);
        std::thread::scope(|scope| {
            // A failure was already told when its export failed.
            scope.spawn(|| self.traces.shutdown_with_timeout(self.flush_timeout));
            scope.spawn(|| page::shutdown(self.flush_timeout));
            scope.spawn(|| self.metrics.shutdown_with_timeout(self.flush_timeout));
            if let Some(delivery) = &self.delivery {
                delivery.stop(self.flush_timeout);
            }
        });
        self.outputs.flush(STDOUT_TIMEOUT);
        // A look-up of the collector's name may still hang, and the end must not wait for it.
        self.runtime.shutdown_background();
    }
}

/// A duration as log lines tell it. Microseconds are what things cost here; more digits would be
/// noise.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Writes one `startup_failed` line when there is no telemetry yet.
pub fn startup_failed(reason: &str) {
    write_critical("startup_failed", |fields| fields.text("error", reason));
}

fn is_running() -> bool {
    OUTPUTS.get().is_some()
}

fn flush_stdout() {
    if let Some(outputs) = OUTPUTS.get() {
        outputs.flush(STDOUT_TIMEOUT);
    }
}

/// Writes a line without any of the machinery.
fn write_critical(event: &'static str, fill: impl FnOnce(&mut record::Fields)) {
    let mut fields = record::Fields::default();
    fill(&mut fields);
    fields.clean();
    let mut line = json::Line::default();
    let mut record = record::Record {
        at: SystemTime::now(),
        severity: record::Severity::Critical,
        logger_name: "app.main".into(),
        event,
        trace: None,
        uid: None,
        fields: &mut fields,
        repeats: 0,
    };
    line.write(&mut record, &TimeZone::system());
    stdout::write_now(line.parts(), instance());
}

/// What makes the uids of this process differ from those of all others.
fn instance() -> u64 {
    static INSTANCE: OnceLock<u64> = OnceLock::new();
    *INSTANCE.get_or_init(|| getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())))
}

/// A runtime on whose threads nothing is recorded: see `export`.
fn suppressed_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp")
        .enable_all()
        .on_thread_start(silence)
        .build()
}

/// Marks this thread, for as long as it lives, as one on which nothing is recorded.
fn silence() {
    std::mem::forget(opentelemetry::Context::enter_telemetry_suppressed_scope());
}

fn tracer_provider(export: &Export, resource: Resource) -> Result<SdkTracerProvider, Error> {
    let builder = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler::OurSampler::new(export.sampler));
    Ok(match export.traces {
        Some(protocol) => {
            let transport = Transport::new(protocol, &export.links.traces);
            let exporter = export::Spans::build(&transport)?;
            builder.with_span_processor(BatchSpanProcessor::builder(exporter).build()).build()
        }
        // Without export there are still trace ids, because every log line carries one.
        None => builder.build(),
    })
}

fn meter_provider(export: &Export, resource: Resource) -> Result<SdkMeterProvider, Error> {
    let builder = SdkMeterProvider::builder().with_resource(resource).with_view(metrics::view);
    let Some(protocol) = export.metrics else { return Ok(builder.build()) };
    let transport = Transport::new(protocol, &export.links.metrics);
    let reader = PeriodicReader::builder(export::Metrics::build(&transport)?);
    let reader = match export.metric_interval_is_set {
        true => reader.build(),
        false => reader.with_interval(METRIC_INTERVAL).build(),
    };
    Ok(builder.with_reader(reader).build())
}

fn log_delivery(export: &Export, resource: &Resource) -> Result<Option<Delivery>, Error> {
    let Some(protocol) = export.logs else { return Ok(None) };
    let transport = Transport::new(protocol, &export.links.logs);
    let mut exporter = export::Logs::build(&transport)?;
    exporter.set_resource(resource);
    let limits = delivery::Limits {
        buffer_records: export.log_buffer.buffer_records,
        batch_records: export.log_buffer.batch_records,
        delay: export.log_buffer.delay,
    };
    Ok(Some(Delivery::start(exporter, limits, silence)?))
}

fn is_our_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && level::is_ours(metadata.target())
}
