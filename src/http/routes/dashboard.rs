//! Is everything working? `/health` for machines, the status for the page.

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::super::Services;
use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::scheduler::LockDocument;
use crate::telemetry;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    degraded: Vec<&'static str>,
    version: &'static str,
}

#[derive(Serialize)]
pub(super) struct Status {
    fail2ban: Fail2ban,
    jails: usize,
    bans: usize,
    bans_24h: Option<i64>,
    telemetry: Telemetry,
    scheduler: Option<Scheduler>,
    links: Links,
    version: &'static str,
    started_at: Timestamp,
    uptime_seconds: u64,
}

#[derive(Serialize)]
struct Fail2ban {
    connected: bool,
    version: Option<String>,
    since: Timestamp,
    error: Option<String>,
    sources: Sources,
}

#[derive(Serialize)]
struct Sources {
    list: ListSource,
    log: LogSource,
}

#[derive(Serialize)]
struct ListSource {
    healthy: bool,
    age_seconds: Option<f64>,
}

#[derive(Serialize)]
struct LogSource {
    healthy: bool,
    path: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Telemetry {
    export: &'static str,
    endpoint: Option<String>,
    healthy: Option<bool>,
}

#[derive(Serialize)]
struct Scheduler {
    /// Whether this instance runs the scheduled tasks.
    held_here: bool,
    #[serde(flatten)]
    lock: LockDocument,
}

#[derive(Serialize)]
struct Links {
    jaeger: Option<String>,
}

/// The state of everything, as the page shows it; also sent as an event.
pub(super) async fn state(services: &Services) -> Status {
    let link = services.history.link();
    let (jails, bans) = services.history.totals();
    let log = services.history.log_source();
    let age = services.history.last_poll().map(|at| at.elapsed().as_secs_f64());
    // The status must be had even when the store fails; that failure has its own signs.
    let bans_24h = services.history.bans_24h().await.ok();
    let lock = services.lock.get_lock_health().await.ok();
    let site = &services.site;
    Status {
        fail2ban: Fail2ban {
            connected: link.connected,
            version: link.version,
            since: link.since,
            error: link.last_error.map(body::clean),
            sources: Sources {
                list: ListSource {
                    healthy: link.connected && age.is_some(),
                    age_seconds: age.map(|age| (age * 10.0).round() / 10.0),
                },
                log: LogSource {
                    healthy: log.path.is_some() && log.error.is_none(),
                    path: log.path.map(body::clean),
                    error: log.error.map(body::clean),
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
        scheduler: lock.map(|lock| Scheduler {
            held_here: services.lock.is_held_here(),
            lock: LockDocument::from(lock),
        }),
        links: Links { jaeger: site.jaeger_ui_url.clone() },
        version: env!("CARGO_PKG_VERSION"),
        started_at: site.started_at,
        uptime_seconds: site.started.elapsed().as_secs(),
    }
}

/// `GET /api/dashboard/status`
pub(in crate::http) async fn status(call: Call) -> Result<Response<Body>, Problem> {
    body::json(StatusCode::OK, &state(&call.services).await)
}

/// `GET /health`: 200 while the process serves; what does not work is named.
pub(in crate::http) async fn health(call: Call) -> Result<Response<Body>, Problem> {
    let mut degraded = Vec::new();
    if !call.services.history.link().connected {
        degraded.push("fail2ban");
    }
    if call.services.site.export.is_some() && telemetry::is_healthy() == Some(false) {
        degraded.push("telemetry_export");
    }
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    let health = Health { status, degraded, version: env!("CARGO_PKG_VERSION") };
    body::json(StatusCode::OK, &health)
}
