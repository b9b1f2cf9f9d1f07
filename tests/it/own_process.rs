//! What a service cannot be asked to do from outside: to panic, to log through a library, to carry
//! a secret in a field. Each test runs itself once more as a process of its own and reads what
//! that writes to stdout and sends by OTLP.

use std::process::{Command, Stdio};

use bangui::config::{Environment, Settings};
use bangui::telemetry::{self, Telemetry};
use serde_json::{Value, json};

use crate::support::{OtlpReceiver, inherited, parse};

/// Says to a test that it is the child.
const CHILD: &str = "BANGUI_TEST_CHILD";
/// Planted wherever telemetry has an entrance.
const SECRET: &str = "hunter2hunter2";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the named test as a child; gives the JSON lines of its stdout.
fn run(test: &str, receiver: &OtlpReceiver, backtrace: &str) -> Vec<Value> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("own_process::{test}"), "--nocapture", "--test-threads=1"])
        .env_clear()
        .envs(inherited())
        .env(CHILD, "1")
        .env("RUST_BACKTRACE", backtrace)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_RESOURCE_ATTRIBUTES", format!("note=token%3D{SECRET}"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!stdout.contains(SECRET), "a secret on stdout: {stdout}");
    // The test harness writes its own lines between ours, and sometimes before one.
    let lines = stdout.lines().filter_map(|line| line.find('{').map(|at| line[at..].to_owned()));
    parse(&lines.collect::<Vec<_>>())
}

/// Starts telemetry as the service does.
fn start() -> Telemetry {
    let settings = Settings::read(Environment::of_process()).unwrap();
    telemetry::log_panics();
    Telemetry::start(settings.log, &settings.export).unwrap()
}

fn panic_elsewhere(message: String) {
    let thread = std::thread::spawn(move || {
        let span = tracing::info_span!(target: "bangui::test", "request", user.id = "admin");
        span.in_scope(|| panic!("{message}"));
    });
    assert!(thread.join().is_err());
}

#[test]
fn a_panic_is_a_critical_line_with_its_place() {
    if is_child() {
        let telemetry = start();
        panic_elsewhere(format!("lost token={SECRET}"));
        return telemetry.shutdown();
    }
    let receiver = OtlpReceiver::start();
    for backtrace in ["0", "1"] {
        let lines = run("a_panic_is_a_critical_line_with_its_place", &receiver, backtrace);
        let [line] = &lines[..] else { panic!("{lines:#?}") };
        assert_eq!((&line["event"], &line["level"]), (&json!("panic"), &json!("critical")));
        assert_eq!(
            (&line["message"], &line["user_id"]),
            (&json!("lost token=***"), &json!("admin"))
        );
        assert!(line["location"].as_str().unwrap().contains("own_process.rs:"), "{line}");
        let has_way = line["backtrace"].as_str().is_some_and(|it| it.contains("panic_elsewhere"));
        assert_eq!(has_way, backtrace == "1", "{line}");
        assert_eq!(line["correlation_id"].as_str().map(str::len), Some(32));
    }
    assert!(receiver.payload_with("lost token=***").is_some(), "the record did not arrive");
    assert!(receiver.payload_with(SECRET).is_none(), "a secret in OTLP");
}

#[test]
fn a_panic_before_the_start_is_a_line_all_the_same() {
    if is_child() {
        telemetry::log_panics();
        return panic_elsewhere(format!("lost token={SECRET}"));
    }
    let receiver = OtlpReceiver::start();
    let lines = run("a_panic_before_the_start_is_a_line_all_the_same", &receiver, "0");
    let [line] = &lines[..] else { panic!("{lines:#?}") };
    assert_eq!((&line["event"], &line["level"]), (&json!("panic"), &json!("critical")));
    assert_eq!((&line["logger_name"], &line["seq"]), (&json!("app.main"), &json!(1)));
    assert_eq!(line["message"], "lost token=***");
}

#[test]
fn no_planted_secret_passes_any_entrance_of_telemetry() {
    if is_child() {
        let telemetry = start();
        log::log!(target: "some_library", log::Level::Warn, "sent token={SECRET}");
        let span = tracing::info_span!(
            target: "bangui::test",
            "request",
            otel.name = format!("GET /?token={SECRET}"),
            url.full = format!("http://bob:{SECRET}@host/?token={SECRET}"),
            url.path = format!("/reset/password={SECRET}"),
            user.id = format!("api_key={SECRET}"),
            db_password = SECRET,
            error.message = format!("Authorization: Bearer {SECRET}"),
        );
        span.in_scope(|| {
            let error = std::io::Error::other(format!("secret={SECRET}"));
            tracing::error!(name: "test_failed", target: "bangui::test", error = %error);
            let printed = format!("Some(\"password={SECRET}\")");
            tracing::warn!(target: "some_library", db_password = SECRET, printed, "token={SECRET}");
        });
        drop(span);
        return telemetry.shutdown();
    }
    let receiver = OtlpReceiver::start();
    let lines = run("no_planted_secret_passes_any_entrance_of_telemetry", &receiver, "0");
    assert_eq!(lines.len(), 3, "{lines:#?}");
    // Something was redacted in each of them, so the search below looks at the right things.
    assert!(lines.iter().all(|line| line.to_string().contains("***")), "{lines:#?}");
    for place in ["note", "token=***", "Authorization: ***", "secret=***", "REDACTED"] {
        assert!(receiver.payload_with(place).is_some(), "{place} did not arrive");
    }
    let seen = receiver.payload_with(SECRET);
    assert!(seen.is_none(), "a secret in OTLP: {seen:?}");
}
