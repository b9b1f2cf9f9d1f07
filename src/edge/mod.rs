//! What both doors share, the JSON API of `http` and the calls of `grpc`: the use cases at hand,
//! the calls themselves, who may make them, and what a failure is called on either side.
//!
//! A door reads a request, makes one of the calls of [`calls`], and writes the answer in its own
//! words. What is checked, and what an error means, is decided here, so that the two cannot drift.

pub mod access;
pub mod calls;
pub mod collector_log;
pub mod failure;
pub mod listeners;
pub mod status;

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use failure::{Failure, Kind};

use crate::auth::Auth;
use crate::collector::{Collector, OwnLog};
use crate::config::{ClientIpLogging, Protocol, QuietEndpoints, TrustedProxies};
use crate::history::History;
use crate::jails::Jails;
use crate::lock::SchedulerLock;
use crate::settings::LogSettings;
use crate::tasks::Tasks;
use crate::telemetry::sanitize::sanitize_for_logging;

/// What the handlers work with. The composition root fills it.
#[derive(Debug)]
pub struct Services {
    /// Sign-in and sessions.
    pub auth: Auth,
    /// Jails and changes to them.
    pub jails: Jails,
    /// What is and was banned.
    pub history: History,
    /// The level of the log.
    pub log_settings: LogSettings,
    /// Which instance runs the scheduled tasks.
    pub lock: SchedulerLock,
    /// What they are, and how they went.
    pub tasks: Tasks,
    /// What the collector tells of itself.
    pub collector: Arc<Collector>,
    /// What its own log said last.
    pub collector_log: OwnLog,
    /// How the service was set up, as far as the page shows or needs it.
    pub site: Site,
    /// Ends long answers when the service stops.
    pub stop: CancellationToken,
}

/// Settings of the doors.
#[derive(Debug)]
pub struct Site {
    /// Whether browsers reach us over https.
    pub https: bool,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// How client addresses appear in the log.
    pub log_client_ip: ClientIpLogging,
    /// Endpoints whose requests are told only when they fail.
    pub quiet_endpoints: QuietEndpoints,
    /// What `GET /metrics` passes through.
    pub metrics_upstream_url: String,
    /// Which instance's metrics those are.
    pub instance_id: String,
    /// Jaeger's query API.
    pub jaeger_query_url: Option<String>,
    /// Jaeger's page.
    pub jaeger_ui_url: Option<String>,
    /// How spans leave, if they do.
    pub export: Option<Protocol>,
    /// Where to.
    pub export_endpoint: Option<String>,
    /// When the process started.
    pub started_at: Timestamp,
    /// The same, for durations.
    pub started: Instant,
}

/// Somebody else's text as an answer may hold it: rows of an older version and what fail2ban or
/// Jaeger say were not all cleaned when they were written.
pub fn clean(text: String) -> String {
    sanitize_for_logging(&text).into_owned()
}
