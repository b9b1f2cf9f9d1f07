//! Is everything working? The state of everything, as the page and the callers of the gRPC API see
//! it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Services, clean};
use crate::collector;
pub use crate::lock::LockHealth;
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
    /// Which instance runs the scheduled tasks; nothing while the store fails.
    pub scheduler: Option<Scheduler>,
    /// Pages of neighbours.
    pub links: Links,
    /// BanGUI's version.
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
    /// fail2ban's version, as it told last.
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
    /// What happens behind it; nothing while nothing leaves.
    pub collector: Option<Collector>,
}

/// The collector, by what it tells of itself.
#[derive(Debug, Serialize)]
pub struct Collector {
    /// Whether it tells anything.
    pub reachable: bool,
    /// Why it is not as it should be.
    pub error: Option<String>,
    /// Where it sends logs on to; those that were last known while it is not reachable.
    pub destinations: Vec<Destination>,
}

/// A destination of logs.
#[derive(Debug, Serialize)]
pub struct Destination {
    /// What the collector has counted.
    #[serde(flatten)]
    pub counts: collector::Destination,
    /// Whether the last attempts failed.
    pub failing: bool,
    /// Why, in one word, as far as the collector tells.
    pub error_type: Option<String>,
}

impl From<collector::State> for Collector {
    fn from(state: collector::State) -> Self {
        let destination = |known: collector::Known| Destination {
            // The collector's word, and a collector is whoever answers.
            counts: collector::Destination { name: clean(known.counts.name), ..known.counts },
            failing: known.is_failing,
            error_type: known.error_type,
        };
        Self {
            reachable: state.error.is_none(),
            error: state.error,
            destinations: state.destinations.into_iter().map(destination).collect(),
        }
    }
}

/// The scheduler's lock, seen from this instance.
#[derive(Debug, Serialize)]
pub struct Scheduler {
    /// Whether this instance runs the scheduled tasks.
    pub held_here: bool,
    /// What the database says.
    #[serde(flatten)]
    pub lock: LockHealth,
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
    let lock = services.lock.get_lock_health().await.ok();
    let site = &services.site;
    let collector = match site.export {
        Some(_) => Some(services.collector.state().await.into()),
        None => None,
    };
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
            collector,
        },
        scheduler: lock.map(|lock| Scheduler { held_here: services.lock.is_held_here(), lock }),
        links: Links { jaeger: site.jaeger_ui_url.clone() },
        version: env!("CARGO_PKG_VERSION"),
        started_at: site.started_at,
        uptime_seconds: site.started.elapsed().as_secs(),
    }
}
