//! Which telemetry signals leave the process over OTLP, and how.
//!
//! The variables are OpenTelemetry's own; endpoint, headers, timeout and compression are read by
//! the exporters themselves. What is decided here is *whether* a signal is exported and by which
//! protocol, because without any endpoint nothing may leave.

use super::Environment;

/// Where the exporters send to when external logging is on and no endpoint is named.
const DEFAULT_ENDPOINT: &str = "http://localhost:4317";

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

/// The export of each signal: its protocol, or nothing when it stays in the process.
#[derive(Debug, Clone, Default)]
pub struct Export {
    /// Spans.
    pub traces: Option<Protocol>,
    /// Metrics.
    pub metrics: Option<Protocol>,
    /// Log records.
    pub logs: Option<Protocol>,
    /// The general endpoint, or else the first signal's own, for people to read. Credentials never
    /// stand in it.
    pub endpoint: Option<String>,
    /// Whether `OTEL_METRIC_EXPORT_INTERVAL` is set; without it we export every ten seconds.
    pub metric_interval_is_set: bool,
}

impl Export {
    pub(super) fn read(env: &mut Environment) -> Self {
        let disabled = env.boolean("OTEL_SDK_DISABLED", false);
        let external = env.boolean("BANGUI_EXTERNAL_LOGGING_ENABLED", false);
        let metrics_enabled = env.boolean("BANGUI_METRICS_ENABLED", true);
        let general = endpoint(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
        let mut own = None;
        let mut signal = |name: &str| {
            let protocol = protocol(env, name);
            let endpoint = endpoint(env, &format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"));
            let wanted = endpoint.is_some() || general.is_some() || external;
            own = own.take().or(endpoint);
            (wanted && !disabled).then_some(protocol)
        };
        let (traces, metrics, logs) = (signal("TRACES"), signal("METRICS"), signal("LOGS"));
        let metrics = metrics.filter(|_| metrics_enabled);
        let any = traces.or(metrics).or(logs).is_some();
        Self {
            traces,
            metrics,
            logs,
            endpoint: general.or(own).or(external.then(|| DEFAULT_ENDPOINT.into())).filter(|_| any),
            metric_interval_is_set: env.any(&["OTEL_METRIC_EXPORT_INTERVAL"]),
        }
    }

    /// Whether any signal leaves.
    pub fn is_on(&self) -> bool {
        self.traces.or(self.metrics).or(self.logs).is_some()
    }
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

fn endpoint(env: &mut Environment, name: &str) -> Option<String> {
    let uri: http::Uri = env.optional(name)?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        env.problem(name, "must not contain credentials; use OTEL_EXPORTER_OTLP_HEADERS");
        return None;
    }
    if matches!(uri.scheme_str(), Some("http" | "https")) {
        return env.text(name);
    }
    env.problem(name, "must start with http:// or https://");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Export {
        Export::read(&mut Environment::from_pairs(pairs.iter().copied()))
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
    fn external_logging_without_an_endpoint_uses_the_default() {
        let export = read(&[("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")]);
        assert_eq!(export.endpoint.as_deref(), Some(DEFAULT_ENDPOINT));
        assert!(export.is_on());
    }
}
