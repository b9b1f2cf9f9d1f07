//! The handlers. Each one parses, calls a use case and answers.

pub(super) mod auth;
pub(super) mod bans;
pub(super) mod blocklists;
pub(super) mod browser;
pub(super) mod collector_log;
pub(super) mod dashboard;
pub(super) mod events;
pub(super) mod jails;
pub(super) mod lists;
pub(super) mod metrics;
pub(super) mod openapi;
pub(super) mod page;
pub(super) mod scheduler;
pub(super) mod settings;
pub(super) mod tasks;
pub(super) mod traces;
