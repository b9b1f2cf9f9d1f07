//! `bangui config`: the effective settings as text, one `NAME=value` a line, secrets masked, and
//! where telemetry goes.

use std::fmt::{Display, Formatter, Result};

use super::{ClientIpLogging, LogLevel, Sampler, Scope, Settings, destinations};

impl Display for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let unset = || "(unset)".to_owned();
        let protocol = |protocol: Option<super::Protocol>| match protocol {
            Some(protocol) => protocol.as_str().to_owned(),
            None => "off".to_owned(),
        };
        let masked = |is_set: bool| if is_set { "***".to_owned() } else { unset() };
        let shown = |path: Option<&std::path::Path>| {
            path.map_or_else(unset, |path| path.display().to_string())
        };
        let scope = match self.api_token.as_ref().map(|token| token.scope) {
            Some(Scope::Write) => "write",
            Some(Scope::Read) | None => "read",
        };
        let buffer = &self.export.log_buffer;
        let lines = [
            ("BANGUI_LISTEN", self.listen.to_string()),
            ("BANGUI_TRUSTED_PROXIES", self.trusted_proxies.to_string()),
            ("BANGUI_DATA_DIR", self.data_dir.display().to_string()),
            ("BANGUI_DATABASE_URL", self.database()),
            ("BANGUI_FAIL2BAN_SOCKET", self.fail2ban_socket.display().to_string()),
            ("BANGUI_ADMIN_PASSWORD", masked(self.admin_password.is_some())),
            ("BANGUI_API_TOKEN", masked(self.api_token.is_some())),
            ("BANGUI_API_TOKEN_SCOPE", scope.to_owned()),
            ("BANGUI_SCHEDULER_LEASE_SECONDS", self.scheduler_lease_seconds.to_string()),
            ("BANGUI_BLOCKLIST_DIR", shown(self.blocklists.dir.as_deref())),
            (
                "BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES",
                self.blocklists.allow_private_sources.to_string(),
            ),
            ("BANGUI_BLOCKLIST_SLOW_SECONDS", self.blocklists.slow_seconds.to_string()),
            ("BANGUI_LOG_LEVEL", self.log.level.as_str().to_owned()),
            ("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", self.log.suppress_third_party.to_string()),
            ("BANGUI_LOG_CLIENT_IP", self.log_client_ip.as_str().to_owned()),
            ("BANGUI_QUIET_ENDPOINTS", self.quiet_endpoints.to_string()),
            ("BANGUI_COLLECTOR_METRICS_URL", self.collector_metrics_url.clone()),
            ("BANGUI_COLLECTOR_LOG_URL", self.collector_log_url.clone()),
            ("BANGUI_METRICS_UPSTREAM_URL", self.metrics_upstream_url.clone()),
            ("BANGUI_JAEGER_QUERY_URL", self.jaeger_query_url.clone().unwrap_or_else(unset)),
            ("BANGUI_JAEGER_UI_URL", self.jaeger_ui_url.clone().unwrap_or_else(unset)),
            ("BANGUI_COLLECTOR_DIR", self.collector_dir.display().to_string()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.export.endpoint.clone().unwrap_or_else(unset)),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol(self.export.traces)),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", protocol(self.export.metrics)),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", protocol(self.export.logs)),
            ("OTEL_TRACES_SAMPLER", self.export.sampler.to_string()),
            ("OTEL_BLRP_SCHEDULE_DELAY", buffer.delay.as_millis().to_string()),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", buffer.batch_records.to_string()),
            ("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", buffer.buffer_records.to_string()),
        ];
        let mut lines =
            lines.into_iter().chain(self.schedules.lines()).chain(self.maintenance.lines());
        lines.try_for_each(|(name, value)| writeln!(f, "{name}={value}"))?;
        let summary = &self.export.summary;
        writeln!(f, "OTEL_EXPORTER_OTLP_HEADERS={}", masked(summary.has_headers))?;
        summary.files.iter().try_for_each(|(name, path)| writeln!(f, "{name}={path}"))?;
        let served = self.tls.iter().flat_map(|tls| tls.lines());
        served.into_iter().try_for_each(|(name, path)| writeln!(f, "{name}={path}"))?;
        self.external.write_variables(f)?;
        destinations::write(f, &self.export, &self.external)
    }
}

impl Settings {
    /// Where the database is, as far as it may be shown.
    pub fn database(&self) -> String {
        match &self.database_url {
            Some(url) => url.to_string(),
            None => format!("sqlite://{}", self.database_path.display()),
        }
    }
}

impl LogLevel {
    /// The level's name in the log record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl Display for Sampler {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::AlwaysOn => f.write_str("always_on"),
            Self::AlwaysOff => f.write_str("always_off"),
            Self::Ratio(share) => write!(f, "traceidratio (OTEL_TRACES_SAMPLER_ARG={share})"),
            Self::ParentAlwaysOn => f.write_str("parentbased_always_on"),
            Self::ParentAlwaysOff => f.write_str("parentbased_always_off"),
            Self::ParentRatio(share) => {
                write!(f, "parentbased_traceidratio (OTEL_TRACES_SAMPLER_ARG={share})")
            }
        }
    }
}

impl ClientIpLogging {
    /// The word that chooses it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Truncated => "truncated",
            Self::None => "none",
        }
    }
}
