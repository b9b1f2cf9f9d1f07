//! What arrives where the collector sends it: the built binary, the real collector and the real
//! or protocol-true destination behind it, seen only from the outside.
//!
//! Part of `make test-all`: some destinations take minutes to fetch the first time.

// Helpers outside of `#[test]` functions are test code too, where a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

// The integration tests use the rest of it.
#[allow(dead_code, unused_imports)]
#[path = "../support/mod.rs"]
mod support;

mod collector_log;
mod delivery;
mod elasticsearch;
mod fields;
mod figures;
mod inputs;
mod ledger;
mod otlp;
mod otlp_tls;
mod outages;
mod papertrail;
mod reasons;
mod send_test;
mod settings;
mod status;
mod tls;
mod vendors;
