//! BanGUI: a web service in front of fail2ban that can be seen: every request, job and fail2ban
//! command is a log line, a metric and a span that share one id.
//!
//! `ARCHITECTURE.md` walks through the code. Dependencies go one way: main → app → http → grpc →
//! edge → auth, jails, blocklists, tasks, settings → audit, history, lock → fail2ban, fetch,
//! store → domain, with the scheduler beside http and `collector` above fetch; the edges report to
//! `telemetry`. `cli` is a client of all this and stands beside app.

pub mod app;
pub mod audit;
pub mod auth;
pub mod blocklists;
pub mod cli;
pub mod collector;
pub mod config;
pub mod domain;
pub mod edge;
pub mod fail2ban;
pub mod fetch;
pub mod grpc;
pub mod history;
pub mod http;
pub mod jails;
pub mod lock;
pub mod proto;
pub mod scheduler;
pub mod settings;
pub mod store;
pub mod tasks;
pub mod telemetry;
