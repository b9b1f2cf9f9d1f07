//! The three OTLP exporters, sanitized and counted at the boundary where data leaves.
//!
//! The exporters live on a runtime of their own whose threads carry the telemetry suppression
//! mark: hyper, h2 and tonic do not pass that mark on, and without it every export would log
//! itself and so feed the next one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol as OtlpProtocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as LogExporterTrait};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as SpanExporterTrait};

use super::transport::{Explain, Transport};
use super::{Error, counts, sanitize};
use crate::config::Protocol;

/// The kinds of data that leave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub(super) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// A failure that has not come again for so long, while other signals arrive, is over: a signal
/// that has nothing to send cannot say so itself.
const FAILURE_FADES_AFTER_SECONDS: u64 = 60;

/// More of an error's text helps nobody.
const ERROR_MAX_CHARS: usize = 500;

static LAST_LOG_ERROR: Mutex<Option<String>> = Mutex::new(None);
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
/// When each signal last failed, in seconds of this process counted from one; zero is never.
static FAILED_AT: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static HAS_SUCCEEDED: AtomicBool = AtomicBool::new(false);
static IS_FAILING: AtomicBool = AtomicBool::new(false);
/// Whether it was told that traces or metrics fail, and not yet that they arrive again.
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// Whether telemetry reaches its destination; nothing before the first export was answered.
pub fn is_healthy() -> Option<bool> {
    let is_failing = IS_FAILING.load(Ordering::Relaxed);
    (is_failing || HAS_SUCCEEDED.load(Ordering::Relaxed)).then_some(!is_failing)
}

/// Why the last attempt to send log records failed, unless one has succeeded since; as the log
/// would tell it.
pub fn last_log_export_error() -> Option<String> {
    LAST_LOG_ERROR.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn note_log_error(result: &OTelSdkResult) {
    let error = result.as_ref().err().map(|error| {
        let text = sanitize::sanitize_for_logging(&error.to_string()).into_owned();
        text.chars().take(ERROR_MAX_CHARS).collect()
    });
    *LAST_LOG_ERROR.lock().unwrap_or_else(PoisonError::into_inner) = error;
}

/// Notes how an export ended. Only the first failure and the recovery are told: a collector that
/// is away must not fill the log.
pub(super) fn note(signal: Signal, result: &OTelSdkResult) {
    let now_seconds = STARTED.elapsed().as_secs() + 1;
    let failed_at = &FAILED_AT[signal as usize];
    counts::export(signal, result.is_ok());
    if matches!(signal, Signal::Logs) {
        note_log_error(result);
    }
    match result {
        Ok(()) => {
            HAS_SUCCEEDED.store(true, Ordering::Relaxed);
            failed_at.store(0, Ordering::Relaxed);
            let is_over = FAILED_AT.iter().all(|at| match at.load(Ordering::Relaxed) {
                0 => true,
                at => now_seconds.saturating_sub(at) >= FAILURE_FADES_AFTER_SECONDS,
            });
            if is_over && IS_FAILING.swap(false, Ordering::Relaxed) {
                IS_TOLD.store(false, Ordering::Relaxed);
                tracing::info!(
                    name: "telemetry_export_recovered",
                    target: super::EXPORT_TARGET,
                    signal = signal.as_str(),
                );
            }
        }
        Err(error) => {
            failed_at.store(now_seconds, Ordering::Relaxed);
            IS_FAILING.store(true, Ordering::Relaxed);
            // Failures of the log are told by its delivery.
            if !matches!(signal, Signal::Logs) && !IS_TOLD.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    name: "telemetry_export_failed",
                    target: super::EXPORT_TARGET,
                    signal = signal.as_str(),
                    error = %error,
                );
            }
        }
    }
}

/// Builds an exporter; endpoint, headers and compression come from the environment.
macro_rules! exporter {
    ($exporter:ident, $transport:expr) => {{
        let transport: &Transport<'_> = $transport;
        let timeout = transport.link.timeout;
        match transport.protocol {
            Protocol::Grpc => {
                let builder = $exporter::builder().with_tonic().with_timeout(timeout);
                let builder = builder.with_metadata(transport.grpc_headers());
                match transport.grpc_tls()? {
                    Some(tls) => builder.with_tls_config(tls).build(),
                    None => builder.build(),
                }
            }
            Protocol::HttpProtobuf => $exporter::builder()
                .with_http()
                .with_timeout(timeout)
                .with_protocol(OtlpProtocol::HttpBinary)
                .with_headers(transport.http_headers())
                .with_http_client(transport.http_client()?)
                .build(),
        }
        .map_err(Error::Exporter)
    }};
}

/// Spans leave through here.
#[derive(Debug)]
pub(super) struct Spans(SpanExporter, Explain);

impl Spans {
    pub(super) fn build(transport: &Transport<'_>) -> Result<Self, Error> {
        Ok(Self(exporter!(SpanExporter, transport)?, transport.explain()))
    }
}

impl SpanExporterTrait for Spans {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(sanitize_span);
        let result = self.1.result(self.0.export(batch).await);
        note(Signal::Traces, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn sanitize_span(span: &mut SpanData) {
    span.name = sanitize::sanitize_for_logging(&span.name).into_owned().into();
    span.attributes.iter_mut().for_each(sanitize_attribute);
    for event in &mut span.events.events {
        event.name = sanitize::sanitize_for_logging(&event.name).into_owned().into();
        event.attributes.iter_mut().for_each(sanitize_attribute);
    }
    for link in &mut span.links.links {
        link.attributes.iter_mut().for_each(sanitize_attribute);
    }
    if let Status::Error { description } = &mut span.status {
        *description = sanitize::sanitize_for_logging(description).into_owned().into();
    }
}

/// Redacts one attribute in place, by its key and by its text.
pub(super) fn sanitize_attribute(attribute: &mut KeyValue) {
    let key = attribute.key.as_str();
    match &mut attribute.value {
        Value::String(text) => {
            let clean = sanitize::sanitize_field(key, text.as_str());
            if clean != text.as_str() {
                attribute.value = Value::String(clean.into_owned().into());
            }
        }
        Value::Array(Array::String(texts)) => {
            for text in texts.iter_mut() {
                let clean = sanitize::sanitize_field(key, text.as_str()).into_owned();
                *text = StringValue::from(clean);
            }
        }
        // Whether there is a secret may be told.
        Value::Bool(_) => {}
        value => {
            if let Some(mask) = sanitize::mask_of_number(key) {
                *value = Value::String(mask.into());
            }
        }
    }
}

/// Log records leave through this; they were sanitized when they were collected, and `delivery`
/// decides when and how often they are sent.
#[derive(Debug)]
pub(super) struct Logs(LogExporter, Explain);

impl Logs {
    pub(super) fn build(transport: &Transport<'_>) -> Result<Self, Error> {
        Ok(Self(exporter!(LogExporter, transport)?, transport.explain()))
    }
}

impl LogExporterTrait for Logs {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.1.result(self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Metrics leave through here; their attributes are bounded by views.
pub(super) struct Metrics(MetricExporter, Explain);

impl Metrics {
    pub(super) fn build(transport: &Transport<'_>) -> Result<Self, Error> {
        Ok(Self(exporter!(MetricExporter, transport)?, transport.explain()))
    }
}

impl PushMetricExporter for Metrics {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.1.result(self.0.export(metrics).await);
        note(Signal::Metrics, &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.0.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&'static str]) -> Value {
        Value::Array(Array::String(texts.iter().map(|text| StringValue::from(*text)).collect()))
    }

    #[test]
    fn attributes_are_redacted_by_key_and_by_text() {
        let mut by_key = KeyValue::new("db.password", "hunter2");
        let mut by_text = KeyValue::new("error", "refused: token=hunter2");
        let mut array = KeyValue::new("argv", texts(&["password=hunter2"]));
        let mut number = KeyValue::new("pin_token", 4711);
        for attribute in [&mut by_key, &mut by_text, &mut array, &mut number] {
            sanitize_attribute(attribute);
            let text = format!("{attribute:?}");
            assert!(!text.contains("hunter2") && !text.contains("4711"), "{text}");
        }
        let mut plain = KeyValue::new("http.response.status_code", 200);
        sanitize_attribute(&mut plain);
        assert_eq!(plain.value, Value::I64(200));
    }
}
