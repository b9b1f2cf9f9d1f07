//! The HTTP side: one stack of layers, one table of routes, small handlers.
//!
//! `stack` lists the layers in the order in which a request meets them; `table` lists the routes;
//! a handler in `routes` parses, calls a use case and answers. Routes see neither the store nor
//! fail2ban, only use cases.

mod access;
mod assets;
mod body;
mod call;
mod client_address;
mod cookie;
mod forwarded;
mod headers;
mod observe;
mod problem;
mod rate;
mod recover;
mod router;
mod routes;
mod server;
mod stack;
mod table;

use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub use server::{Server, serve};

use crate::auth::Auth;
use crate::config::{ClientIpLogging, Protocol, QuietEndpoints, TrustedProxies};
use crate::history::History;
use crate::jails::Jails;
use crate::lock::SchedulerLock;
use crate::settings::LogSettings;

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
    /// How the service was set up, as far as the page shows or needs it.
    pub site: Site,
    /// Ends long answers when the service stops.
    pub stop: CancellationToken,
}

/// Settings of the HTTP side.
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
