//! Lines of libraries have the same shape, and none of them costs a span.

use serde_json::json;
use sqlx::Connection as _;
use tracing::Instrument as _;

use super::super::log_crate;
use super::*;

#[test]
fn users_of_the_log_crate_have_their_own_logger_and_our_record() {
    let path = LogPath::start();
    log_crate::install();
    path.run(|| {
        let span = tracing::info_span!("request", user.id = "admin");
        span.in_scope(|| log::warn!(target: "some_library::conn", "bad token={}", "hunter2"));
        log::info!(target: "some_library::conn", "libraries are held at warning");
        log::error!(target: "opentelemetry_http", "stays on stdout");
        let target = format!("token=hunter2 {}", "x".repeat(1 << 20));
        log::warn!(target: &target, "a name that is none");
    });
    let out = path.end();
    let [line, stays, none] = &out.lines[..] else { panic!("{:#?}", out.lines) };
    assert_eq!(line["event"], "library_log");
    assert_eq!(
        (&line["level"], &line["logger_name"]),
        (&json!("warning"), &json!("some_library::conn"))
    );
    assert_eq!((&line["message"], &line["user_id"]), (&json!("bad token=***"), &json!("admin")));
    assert_eq!(stays["logger_name"], "opentelemetry_http");
    assert_eq!(out.logs.len(), 2, "what carries the export does not travel by it");
    assert_eq!(out.logs[0].1.name(), "some_library::conn");
    let name = none["logger_name"].as_str().unwrap();
    assert!(name.starts_with("token=*** ") && name.len() < 300, "{} bytes", name.len());
}

/// The SDK warns of its context while it holds it, so the line must not ask for it.
#[test]
fn a_warning_about_the_context_does_not_ask_for_it() {
    let path = LogPath::start();
    path.run(|| {
        let attach = |_| opentelemetry::Context::new().attach();
        let mut guards: Vec<_> = (0..=u16::MAX).map(attach).collect();
        while guards.pop().is_some() {}
    });
    let out = path.end();
    assert!(!out.lines.is_empty(), "there was room for all of them");
    assert!(out.lines.iter().all(|line| line["logger_name"] == "opentelemetry"));
}

/// The bug of per-layer filters (tokio-rs/tracing #2519): somebody asks whether a line is enabled,
/// does not send it, and the next span is lost.
#[test]
fn no_span_is_lost_to_lines_that_are_not_shown() {
    const SPANS: usize = 500;
    let path = LogPath::start();
    log_crate::install();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    path.run(|| {
        runtime.block_on(async {
            // sqlx asks for the level of its lines before it makes them, for each statement.
            let mut database = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
            for number in 0..SPANS {
                log::debug!(target: "some_library::conn", "not shown");
                let _ = log::log_enabled!(target: "some_library::conn", log::Level::Info);
                let _ = level::shows(tracing::Level::DEBUG);
                let query = sqlx::query("SELECT ?").bind(number as i64).execute(&mut database);
                query.instrument(tracing::info_span!("db", number)).await.unwrap();
                tracing::debug!(name: "test_not_shown", number);
            }
        });
    });
    let out = path.end();
    assert_eq!(out.spans.len(), SPANS);
    assert!(out.lines.is_empty(), "{:#?}", out.lines);
}
