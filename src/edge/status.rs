//! Is everything working? The state of everything, as the page and the callers of the gRPC API see
//! it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Services, clean};
use crate::telemetry;

/// The state of the service.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The connection to fail2ban.
    pub fail2ban: Fail2ban,
    /// Jails, at the last look.
    pub jails: usize,
    /// Bans in force, at the last look.
    pub bans: usize,
    /// Bans that began within a day; nothing while the store fails.
    pub bans_24h: Option<i64>,
    /// How telemetry leaves.
    pub telemetry: Telemetry,
    /// Pages of neighbours.
    pub links: Links,
    /// The version, of BanGUI or of fail2ban.
    pub version: &'static str,
    /// When the process started.
    pub started_at: Timestamp,
    /// How long ago that was.
    pub uptime_seconds: u64,
}

/// The connection to fail2ban.
#[derive(Debug, Serialize)]
pub struct Fail2ban {
    /// Whether fail2ban answers.
    pub connected: bool,
    /// The version, of BanGUI or of fail2ban.
    pub version: Option<String>,
    /// Since when it is so.
    pub since: Timestamp,
    /// Why it is not as it should be.
    pub error: Option<String>,
    /// Where bans are told from.
    pub sources: Sources,
}

/// Where bans are told from.
#[derive(Debug, Serialize)]
pub struct Sources {
    /// fail2ban's lists.
    pub list: ListSource,
    /// fail2ban's log.
    pub log: LogSource,
}

/// How asking fail2ban for its lists goes.
#[derive(Debug, Serialize)]
pub struct ListSource {
    /// Whether it works.
    pub healthy: bool,
    /// How old the last look is.
    pub age_seconds: Option<f64>,
}

/// How reading fail2ban's log goes.
#[derive(Debug, Serialize)]
pub struct LogSource {
    /// Whether it works.
    pub healthy: bool,
    /// The file.
    pub path: Option<String>,
    /// Why it is not as it should be.
    pub error: Option<String>,
}

/// How telemetry leaves.
#[derive(Debug, Serialize)]
pub struct Telemetry {
    /// The protocol, or `off`.
    pub export: &'static str,
    /// Where to.
    pub endpoint: Option<String>,
    /// Whether it works.
    pub healthy: Option<bool>,
}

/// Pages of neighbours.
#[derive(Debug, Serialize)]
pub struct Links {
    /// Jaeger's page.
    pub jaeger: Option<String>,
}

/// The state of everything, as the page shows it; also sent as an event.
pub async fn state(services: &Services) -> Status {
    let link = services.history.link();
    let (jails, bans) = services.history.totals();
    let log = services.history.log_source();
    let age = services.history.last_poll().map(|at| at.elapsed().as_secs_f64());
    // The status must be had even when the store fails; that failure has its own signs.
    let bans_24h = services.history.bans_24h().await.ok();
    let site = &services.site;
    Status {
        fail2ban: Fail2ban {
            connected: link.connected,
            version: link.version,
            since: link.since,
            error: link.last_error.map(clean),
            sources: Sources {
                list: ListSource {
                    healthy: link.connected && age.is_some(),
                    age_seconds: age.map(|age| (age * 10.0).round() / 10.0),
                },
                log: LogSource {
                    healthy: log.path.is_some() && log.error.is_none(),
                    path: log.path.map(clean),
                    error: log.error.map(clean),
                },
            },
        },
        jails,
        bans,
        bans_24h,
        telemetry: Telemetry {
            export: site.export.map_or("off", |protocol| protocol.as_str()),
            endpoint: site.export_endpoint.clone(),
            healthy: site.export.and_then(|_| telemetry::is_healthy()),
        },
        links: Links { jaeger: site.jaeger_ui_url.clone() },
        version: env!("CARGO_PKG_VERSION"),
        started_at: site.started_at,
        uptime_seconds: site.started.elapsed().as_secs(),
    }
}
