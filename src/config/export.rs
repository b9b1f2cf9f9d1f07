//! Which telemetry signals leave the process over OTLP, and how.
//!
//! The variables are OpenTelemetry's own; endpoint, headers and compression are read by the
//! exporters themselves. What is decided here is *whether* a signal is exported and by which
//! protocol, because without any endpoint nothing may leave; `link` tells the rest of its way.

use std::time::Duration;

use super::Environment;
use super::link::{Link, Links, Place, Summary};

/// Where the exporters send to when external logging is on and no endpoint is named.
const DEFAULT_ENDPOINT: &str = "http://localhost:4317";

const DEFAULT_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The transport of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    HttpProtobuf,
}

impl Protocol {
    /// The name that `OTEL_EXPORTER_OTLP_PROTOCOL` uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
        }
    }
}

/// Which traces are exported (`OTEL_TRACES_SAMPLER`).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A share of them, from 0 to 1, by trace id.
    Ratio(f64),
    /// As the trusted caller decided; all of those that begin here. The default.
    #[default]
    ParentAlwaysOn,
    /// As the trusted caller decided; none of those that begin here.
    ParentAlwaysOff,
    /// As the trusted caller decided; a share of those that begin here.
    ParentRatio(f64),
}

/// The buffer between the log and the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBuffer {
    /// How many records it holds; when it is full, the oldest goes.
    pub buffer_records: usize,
    /// How many records are sent at once.
    pub batch_records: usize,
    /// How long a record waits for others.
    pub delay: Duration,
}

/// The export of each signal: its protocol, or nothing when it stays in the process.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// Spans.
    pub traces: Option<Protocol>,
    /// Metrics.
    pub metrics: Option<Protocol>,
    /// Log records.
    pub logs: Option<Protocol>,
    /// The ways of the signals, whether they leave or not.
    pub links: SignalLinks,
    /// What there is to tell of all ways together.
    pub summary: Summary,
    /// The general endpoint, or else the first signal's own, for people to read. Credentials never
    /// stand in it.
    pub endpoint: Option<String>,
    /// Whether `OTEL_METRIC_EXPORT_INTERVAL` is set; without it we export every ten seconds.
    pub metric_interval_is_set: bool,
    /// Which traces leave.
    pub sampler: Sampler,
    /// What waits for the collector.
    pub log_buffer: LogBuffer,
}

/// The way of each signal.
#[derive(Debug, Clone, Default)]
pub struct SignalLinks {
    /// Spans.
    pub traces: Link,
    /// Metrics.
    pub metrics: Link,
    /// Log records.
    pub logs: Link,
}

impl SignalLinks {
    /// When the first of the certificates expires that the collector is shown.
    pub fn certificate_not_after_unix_seconds(&self) -> Option<u64> {
        let links = [&self.traces, &self.metrics, &self.logs].into_iter();
        let shown =
            links.filter(|link| link.is_https).filter_map(|link| link.tls.identity.as_ref());
        shown.map(|identity| identity.not_after_unix_seconds).min()
    }
}

impl Default for LogBuffer {
    fn default() -> Self {
        Self { buffer_records: 1000, batch_records: 512, delay: Duration::from_secs(1) }
    }
}

impl LogBuffer {
    /// Records are at most 64 KiB, and usually a half; more would be a way to run out of memory.
    const RECORDS_MAX: usize = 100_000;
    const DELAY_MAX_MS: usize = 60_000;

    fn read(env: &mut Environment) -> Self {
        let default = Self::default();
        let buffer =
            env.number("OTEL_BLRP_MAX_QUEUE_SIZE", default.buffer_records, Self::RECORDS_MAX);
        let name = "BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE";
        let buffer_records = env.number(name, buffer, Self::RECORDS_MAX);
        let name = "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE";
        let batch_records = env.number(name, default.batch_records, Self::RECORDS_MAX);
        let delay_ms = default.delay.as_millis() as usize;
        let delay_ms = env.number("OTEL_BLRP_SCHEDULE_DELAY", delay_ms, Self::DELAY_MAX_MS);
        Self {
            buffer_records,
            batch_records: batch_records.min(buffer_records),
            delay: Duration::from_millis(delay_ms as u64),
        }
    }
}

/// What may leave at all: read once, because the service's export and the destinations behind the
/// collector both hang on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switches {
    /// `BANGUI_EXTERNAL_LOGGING_ENABLED`.
    pub(super) external_logging: bool,
    /// `BANGUI_METRICS_ENABLED`.
    pub(super) metrics: bool,
}

impl Switches {
    pub(super) fn read(env: &mut Environment) -> Self {
        Self {
            external_logging: env.boolean("BANGUI_EXTERNAL_LOGGING_ENABLED", false),
            metrics: env.boolean("BANGUI_METRICS_ENABLED", true),
        }
    }
}

impl Export {
    pub(super) fn read(env: &mut Environment, switches: Switches) -> Self {
        let disabled = env.boolean("OTEL_SDK_DISABLED", false);
        let general = Place::read(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
        let default =
            || Place { variable: DEFAULT_VARIABLE.into(), endpoint: DEFAULT_ENDPOINT.into() };
        let general = general.or_else(|| switches.external_logging.then(default));
        let mut links = Links::read(env);
        let mut first = general.clone();
        let mut signal = |name: &str, is_wanted: bool| {
            let protocol = protocol(env, name);
            let own = Place::read(env, &format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"));
            let place = own.or_else(|| general.clone()).filter(|_| is_wanted && !disabled);
            first = first.take().or_else(|| place.clone());
            let link = links.of(env, name, place.as_ref());
            (place.map(|_| protocol), link)
        };
        let (traces, of_traces) = signal("TRACES", true);
        let (metrics, of_metrics) = signal("METRICS", switches.metrics);
        let (logs, of_logs) = signal("LOGS", true);
        let any = traces.or(metrics).or(logs).is_some();
        Self {
            traces,
            metrics,
            logs,
            links: SignalLinks { traces: of_traces, metrics: of_metrics, logs: of_logs },
            endpoint: first.map(|place| place.endpoint).filter(|_| any),
            summary: links.finish(env),
            metric_interval_is_set: env.any(&["OTEL_METRIC_EXPORT_INTERVAL"]),
            sampler: sampler(env),
            log_buffer: LogBuffer::read(env),
        }
    }

    /// Whether any signal leaves.
    pub fn is_on(&self) -> bool {
        self.traces.or(self.metrics).or(self.logs).is_some()
    }
}

fn sampler(env: &mut Environment) -> Sampler {
    const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    let share = env.parse(ARGUMENT, 1.0);
    if !(0.0..=1.0).contains(&share) {
        env.problem(ARGUMENT, "must be a share from 0 to 1");
    }
    let choices = [
        ("always_on", Sampler::AlwaysOn),
        ("always_off", Sampler::AlwaysOff),
        ("traceidratio", Sampler::Ratio(share)),
        ("parentbased_always_on", Sampler::ParentAlwaysOn),
        ("parentbased_always_off", Sampler::ParentAlwaysOff),
        ("parentbased_traceidratio", Sampler::ParentRatio(share)),
    ];
    env.choice("OTEL_TRACES_SAMPLER", Sampler::default(), &choices)
}

fn protocol(env: &mut Environment, signal: &str) -> Protocol {
    let choices = [("grpc", Protocol::Grpc), ("http/protobuf", Protocol::HttpProtobuf)];
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_PROTOCOL");
    if env.any(&[&own]) {
        return env.choice(&own, Protocol::Grpc, &choices);
    }
    // The general variable is asked for by three signals; it is reported as wrong only once.
    let general = "OTEL_EXPORTER_OTLP_PROTOCOL";
    match env.text(general).as_deref() {
        None | Some("grpc") => Protocol::Grpc,
        Some("http/protobuf") => Protocol::HttpProtobuf,
        Some(_) if signal == "TRACES" => env.choice(general, Protocol::Grpc, &choices),
        Some(_) => Protocol::Grpc,
    }
}

impl Place {
    fn read(env: &mut Environment, name: &str) -> Option<Self> {
        let uri: http::Uri = env.optional(name)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            env.problem(name, "must not contain credentials; use OTEL_EXPORTER_OTLP_HEADERS");
            return None;
        }
        if matches!(uri.scheme_str(), Some("http" | "https")) {
            let endpoint = env.text(name)?;
            return Some(Self { variable: name.to_owned(), endpoint });
        }
        env.problem(name, "must start with http:// or https://");
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Export {
        read_from(&mut Environment::from_pairs(pairs.iter().copied()))
    }

    fn read_from(env: &mut Environment) -> Export {
        let switches = Switches::read(env);
        Export::read(env, switches)
    }

    #[test]
    fn one_endpoint_exports_all_signals() {
        let export = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        assert_eq!(export.traces, Some(Protocol::HttpProtobuf));
        assert_eq!(export.logs, Some(Protocol::HttpProtobuf));
    }

    #[test]
    fn a_signal_of_its_own_exports_alone() {
        let export = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317")]);
        assert_eq!((export.traces, export.metrics), (Some(Protocol::Grpc), None));
    }

    #[test]
    fn the_sdk_can_be_disabled_and_metrics_left_out() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        assert!(!read(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).is_on());
        let export = read(&[endpoint, ("BANGUI_METRICS_ENABLED", "false")]);
        assert_eq!((export.metrics, export.logs), (None, Some(Protocol::Grpc)));
    }

    #[test]
    fn samplers_have_their_standard_names() {
        let ratio = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        assert_eq!(read(&[]).sampler, Sampler::ParentAlwaysOn);
        assert_eq!(read(&[ratio]).sampler, Sampler::ParentRatio(1.0));
        let share = ("OTEL_TRACES_SAMPLER_ARG", "0.25");
        assert_eq!(read(&[ratio, share]).sampler, Sampler::ParentRatio(0.25));
        let wrong = [("OTEL_TRACES_SAMPLER", "sometimes"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        let mut env = Environment::from_pairs(wrong);
        read_from(&mut env);
        assert_eq!(env.into_problems().len(), 2);
    }

    #[test]
    fn a_batch_is_no_larger_than_the_buffer() {
        let buffer = ("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", "100");
        let read = read(&[buffer, ("OTEL_BLRP_SCHEDULE_DELAY", "200")]).log_buffer;
        assert_eq!((read.buffer_records, read.batch_records), (100, 100));
        assert_eq!(read.delay, Duration::from_millis(200));
        let mut env = Environment::from_pairs([(buffer.0, "0")]);
        read_from(&mut env);
        assert!(env.into_problems()[0].reason.contains("from 1 to"));
    }

    #[test]
    fn external_logging_without_an_endpoint_uses_the_default() {
        let export = read(&[("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")]);
        assert_eq!(export.endpoint.as_deref(), Some(DEFAULT_ENDPOINT));
        assert!(export.is_on());
    }
}
