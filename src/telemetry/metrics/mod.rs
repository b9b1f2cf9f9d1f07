//! The instruments, and one plain function for each fact that an edge reports.
//!
//! Edges name facts, not instruments: they call these functions, which do nothing before
//! telemetry is initialised (in unit tests, in one-shot commands). Names and units follow the
//! semantic conventions where there is one; `telemetry/metrics*.yaml` declares the rest.
//!
//! Each file holds the instruments of one subject, with their [`Definition`]s beside the
//! functions that fill them.

mod attributes;
mod blocklists;
mod browser;
mod business;
mod certificate;
mod database;
mod definition;
mod export;
mod fact;
mod fail2ban;
mod http;
mod jails;
mod log;
mod process;
mod rpc;
mod runtime;
mod scheduled;
mod scheduler;
mod self_check;
mod series;
mod state;
#[cfg(test)]
mod tests;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};

pub use blocklists::{BlocklistState, set_blocklists};
pub use browser::{BrowserAnswer, WebVital, browser_call, web_vital};
pub use business::{
    AUDIT_ROWS, BANS_EXECUTED, BANS_OBSERVED, BLOCKLIST_IMPORTS, CALLERS_REJECTED, SIGN_INS,
    UNBANS_EXECUTED, UNBANS_OBSERVED, blocklist_refused,
};
pub use certificate::{Certificate, set_certificate_not_after};
pub use database::db_operation;
pub use definition::{Definition, Kind};
pub(crate) use fact::report;
pub use fact::{Fact, Word};
pub use fail2ban::{fail2ban_command, fail2ban_connection_error, set_counts};
pub use http::{HttpRequest, http_active_requests, http_bodies, http_error_type, http_request};
pub use jails::{JailCounts, set_jails};
pub use process::sample_process;
pub use rpc::rpc_call;
pub use runtime::watch_runtime;
pub use scheduler::{
    scheduler_lock_heartbeat_lost, scheduler_lock_held_by_other, scheduler_lock_taken_over,
    set_scheduler_lock, task, task_left, task_taken_up,
};
pub use self_check::telemetry_self_checked;
pub use state::{
    Listener, history_waits_since, listener_came, listener_left, set_audit_unconfirmed,
    set_history_waits_since,
};

const ALL: [&[&Definition]; 15] = [
    blocklists::DEFINITIONS,
    http::DEFINITIONS,
    rpc::DEFINITIONS,
    fail2ban::DEFINITIONS,
    jails::DEFINITIONS,
    state::DEFINITIONS,
    database::DEFINITIONS,
    scheduler::DEFINITIONS,
    log::DEFINITIONS,
    export::DEFINITIONS,
    self_check::DEFINITIONS,
    process::DEFINITIONS,
    runtime::DEFINITIONS,
    browser::DEFINITIONS,
    certificate::DEFINITIONS,
];

/// Every instrument of the process.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    ALL.into_iter().flatten().copied().chain(business::definitions())
}

/// Creates the instruments. Called once, by telemetry's start.
pub(super) fn install(provider: &SdkMeterProvider) {
    let meter = provider.meter("bangui");
    http::install(&meter);
    blocklists::install(&meter);
    rpc::install(&meter);
    fail2ban::install(&meter);
    jails::install(&meter);
    business::install(&meter);
    state::install(&meter);
    database::install(&meter);
    scheduler::install(&meter);
    log::install(&meter);
    export::install(&meter);
    self_check::install(&meter);
    process::install(&meter);
    runtime::install(&meter);
    browser::install(&meter);
    certificate::install(&meter);
}

/// Gives every instrument its attributes, its limit and its bounds; one without a definition tells
/// nothing.
pub(super) fn view(instrument: &Instrument) -> Option<Stream> {
    match definitions().find(|definition| definition.name == instrument.name()) {
        Some(definition) => definition.view(),
        None => Stream::builder().with_aggregation(Aggregation::Drop).build().ok(),
    }
}
