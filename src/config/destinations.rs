//! The end of `bangui config`: where telemetry goes, in words. Its lines begin with `#`, so that
//! what stands before them stays a list of variables.

use std::fmt::{Display, Formatter, Result};

use super::external::{Delivery, Shown};
use super::providers::Provider;
use super::{Export, External};

const NOTHING: &str = "nothing leaves";
const FIELDS: &str = "BANGUI_EXTERNAL_LOGGING_FIELDS";

impl Delivery {
    /// The word that chooses it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Bounded => "bounded",
        }
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Plain(value) => f.write_str(value),
            Self::Masked => f.write_str("***"),
        }
    }
}

impl External {
    /// Its variables, one `NAME=value` a line.
    pub(super) fn write_variables(&self, f: &mut Formatter<'_>) -> Result {
        let words: Vec<_> = self.providers.iter().map(|provider| provider.word).collect();
        let words = if words.is_empty() { "otlp".to_owned() } else { words.join(",") };
        let metrics = self.metrics_provider().map_or("prometheus", |provider| provider.word);
        writeln!(f, "BANGUI_EXTERNAL_LOGGING_ENABLED={}", self.is_enabled)?;
        writeln!(f, "BANGUI_EXTERNAL_LOGGING_PROVIDER={words}")?;
        writeln!(f, "BANGUI_EXTERNAL_LOGGING_DELIVERY={}", self.delivery.as_str())?;
        writeln!(f, "BANGUI_METRICS_ENABLED={}", self.metrics_enabled)?;
        writeln!(f, "BANGUI_METRICS_PROVIDER={metrics}")?;
        self.values.iter().try_for_each(|(name, value)| writeln!(f, "{name}={value}"))
    }

    fn described(&self, provider: &Provider) -> String {
        let value = |name: &str| self.value(name);
        let note = match provider.unencrypted(value) {
            Some(name) => format!("; not encrypted, by {name}"),
            None => String::new(),
        };
        format!("{} ({}{note})", provider.word, provider.place(value))
    }

    fn logs(&self) -> String {
        if !self.is_enabled {
            return format!("{NOTHING}: BANGUI_EXTERNAL_LOGGING_ENABLED is false");
        }
        let providers = self.log_providers();
        if providers.is_empty() {
            return format!("{NOTHING}: no provider is named, and BANGUI_OTLP_ENDPOINT is unset");
        }
        let places: Vec<_> = providers.iter().map(|provider| self.described(provider)).collect();
        let fields = match self.value(FIELDS) {
            Some(_) => format!("; of fields, those of {FIELDS} alone"),
            None => String::new(),
        };
        format!("{}, {} delivery{fields}", places.join(", "), self.delivery.as_str())
    }

    fn metrics(&self) -> String {
        match self.metrics_provider() {
            _ if !self.metrics_enabled => format!("{NOTHING}: BANGUI_METRICS_ENABLED is false"),
            None => format!("{NOTHING}; Prometheus asks for them"),
            Some(provider) => format!("{}; Prometheus asks too", self.described(provider)),
        }
    }
}

impl Export {
    fn signals(&self) -> String {
        let signals = [("logs", self.logs), ("metrics", self.metrics), ("traces", self.traces)];
        let on = signals.iter().filter(|(_, protocol)| protocol.is_some());
        on.map(|(signal, _)| *signal).collect::<Vec<_>>().join(", ")
    }

    fn note(&self) -> String {
        match self.summary.unencrypted.is_empty() {
            true => String::new(),
            false => format!(" (not encrypted, by {})", self.summary.unencrypted.join(", ")),
        }
    }
}

/// Writes where telemetry goes.
pub(super) fn write(f: &mut Formatter<'_>, export: &Export, external: &External) -> Result {
    let from_service = match &export.endpoint {
        Some(endpoint) => format!("{} to {endpoint}{}", export.signals(), export.note()),
        None => NOTHING.to_owned(),
    };
    writeln!(f, "# Where telemetry goes")?;
    writeln!(f, "#   from this service:               {from_service}")?;
    writeln!(f, "#   logs, on from the collector:     {}", external.logs())?;
    writeln!(f, "#   metrics, on from the collector:  {}", external.metrics())
}
