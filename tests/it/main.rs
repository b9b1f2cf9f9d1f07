//! Integration tests: the built binary against real servers, seen only from the outside.
//!
//! Every test starts its own processes on free ports of 127.0.0.1 with folders of their own, and
//! ends them by their ids. No test depends on another one.

// Helpers outside of `#[test]` functions are test code too, where a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

// The tests of the destinations use the rest of it.
#[allow(dead_code, unused_imports)]
#[path = "../support/mod.rs"]
mod support;

mod alerting;
mod api;
mod blocklist_sources;
mod blocklists;
mod browser_logs;
mod browser_telemetry;
mod canary;
mod cardinality;
mod cli;
mod cli_trace;
mod client_address;
mod copy_database;
mod dashboards;
mod database;
mod dead_letters;
mod delivery;
mod events;
mod external_settings;
mod facts;
mod fail2ban;
mod fail2ban_outages;
mod floods;
mod grpc;
mod grpc_alike;
mod grpc_watch;
mod grpcurl;
mod history_speed;
mod instances;
mod instruments;
mod loops;
mod openapi;
mod otlp_settings;
mod outbox;
mod own_process;
mod postgres;
mod process;
mod prometheus;
mod promql;
mod quiet;
mod sampling;
mod scheduler_lock;
mod scrapes;
mod secrets;
mod self_check;
mod send_test;
mod settings;
mod sign_in;
mod stdout;
mod story;
mod tasks;
mod telemetry;
mod tls;
mod trace_context;
mod upkeep;
