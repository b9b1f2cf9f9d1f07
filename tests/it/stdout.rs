//! stdout: whoever reads it gets whole lines in order, and whoever does not stalls nobody.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{
    Bangui, Builder, Client, Lines, Muted, OtlpReceiver, PASSWORD, SOON, eventually, expect, heavy,
    parse,
};

/// So long `make run` waits for the service to end, and then kills it.
const STOP_TIMEOUT: Duration = Duration::from_secs(25);
/// Requests at once.
const CALLERS: usize = 3;
/// Many times what a pipe holds, and a fraction of what the service keeps.
const SOME: usize = 60;
/// More than pipe and service keep together.
const TOO_MANY: usize = 750;

/// A service that has much to say: a refused ban is some 6 KB with its statements.
fn loud() -> Builder {
    Bangui::builder()
        .env("BANGUI_LOG_LEVEL", "trace")
        .env("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", "false")
}

/// Many requests from each caller. A service that waits for its stdout would answer none.
fn make_lines(client: &Client, requests: usize) {
    let reason = &"\u{1}😀".repeat(250);
    thread::scope(|scope| {
        for caller in 0..CALLERS {
            scope.spawn(move || {
                for number in 0..requests {
                    let ip = format!("10.{caller}.{}.{}", number / 250, number % 250 + 1);
                    let ban = json!({ "jail": "sshd", "ip": ip, "reason": reason });
                    client.post("/api/bans", &ban).expect_problem(503);
                }
            });
        }
    });
}

/// The lines, each of which is whole.
fn whole(lines: &[String]) -> Vec<Value> {
    let values = parse(lines);
    assert_eq!(values.len(), lines.len(), "a line is no JSON object");
    values
}

/// The number of lines that are missing between the first and the last; fails if they are not in
/// order.
fn gaps(lines: &[Value]) -> u64 {
    let mut last = 0;
    let mut missing = 0;
    for line in lines {
        let seq = line["seq"].as_u64().unwrap();
        assert!(seq > last, "{seq} after {last}");
        missing += seq - last - 1;
        last = seq;
    }
    missing
}

/// The number of lines that were told of as dropped.
fn dropped(lines: &[Value]) -> u64 {
    let told = lines.iter().filter(|line| line["event"] == "log_stdout_lines_dropped");
    told.map(|line| line["dropped"].as_u64().unwrap()).sum()
}

fn wait_for(lines: &Lines, what: &str) {
    eventually(SOON, &format!("{what} on stdout"), || {
        let lines = lines.so_far();
        let is_there = lines.iter().any(|line| line.contains(what));
        expect(is_there, format!("{} lines", lines.len()))
    });
}

/// Ends the service and gives all that it said.
fn finish(mut muted: Muted, mut stdout: Lines) -> Vec<Value> {
    assert_eq!(muted.process.end("TERM").code(), Some(0));
    whole(&stdout.finish())
}

#[test]
fn lines_that_nobody_reads_are_kept() {
    let _turn = heavy();
    let mut muted = loud().start_muted();
    make_lines(&muted.client.signed_in(PASSWORD), SOME);
    let stdout = muted.unmute();
    let lines = finish(muted, stdout);
    assert!(lines.len() > CALLERS * SOME, "{} lines", lines.len());
    assert_eq!((gaps(&lines), dropped(&lines)), (0, 0));
    assert!(lines.iter().any(|line| line["event"] == "bangui_stopped"));
}

#[test]
fn what_is_too_much_to_keep_is_told_to_the_number() {
    let _turn = heavy();
    let mut muted = loud().start_muted();
    let admin = muted.client.signed_in(PASSWORD);
    make_lines(&admin, TOO_MANY);
    let stdout = muted.unmute();
    wait_for(&stdout, "log_stdout_lines_dropped");
    // Afterwards everything is as before.
    make_lines(&admin, 1);
    let lines = finish(muted, stdout);
    let bytes: usize = lines.iter().map(|line| line.to_string().len()).sum();
    println!("{} lines of {bytes} bytes, {} missing", lines.len(), gaps(&lines));
    assert!(gaps(&lines) > 0, "nothing was too much");
    assert_eq!(gaps(&lines), dropped(&lines));
    assert!(lines.iter().any(|line| line["event"] == "bangui_stopped"));
}

#[test]
fn an_unread_stdout_does_not_hold_up_the_end() {
    let _turn = heavy();
    let mut muted = loud().start_muted();
    make_lines(&muted.client.signed_in(PASSWORD), SOME);
    muted.process.signal("TERM");
    let status = muted.process.wait(STOP_TIMEOUT).expect("the service does not end");
    assert_eq!(status.code(), Some(0));
    let mut left = muted.unmute().finish();
    // The pipe was full, so its last line may be cut off.
    left.pop();
    let left = whole(&left);
    assert!(!left.is_empty());
    assert_eq!(gaps(&left), 0);
}

#[test]
fn a_closed_stdout_is_survived_and_told_elsewhere() {
    let receiver = OtlpReceiver::start();
    let mut muted = Bangui::builder().export_to(&receiver, "grpc").start_muted();
    muted.close_stdout();
    let admin = muted.client.signed_in(PASSWORD);
    let told = eventually(SOON, "log_stdout_lines_dropped", || {
        admin.get("/api/audit").expect(200);
        let lines = receiver.lines();
        let told = lines.iter().find(|line| line["event"] == "log_stdout_lines_dropped");
        told.cloned().ok_or_else(|| format!("{lines:?}"))
    });
    assert!(told["dropped"].as_u64() > Some(0) && told["level"] == "warning", "{told}");
    // What is lost after that is told when the service ends.
    (0..30).for_each(|_| _ = admin.get("/nothing").expect_problem(404));
    assert_eq!(muted.process.end("TERM").code(), Some(0));
    let lines = receiver.lines();
    let missed = |line: &&Value| line["endpoint"] == "other" && line["status_code"] == 404;
    assert_eq!(lines.iter().filter(missed).count(), 30, "{lines:?}");
    let after = dropped(&lines) - told["dropped"].as_u64().unwrap();
    assert!(after >= 30, "{after} lines told of as dropped");
}

#[test]
fn a_warning_is_out_although_nothing_follows_and_survives_a_kill() {
    // At this level the warning is the only line.
    let mut muted = Bangui::builder().env("BANGUI_LOG_LEVEL", "warning").start_muted();
    let mut stdout = muted.unmute();
    let wrong = json!({ "username": "admin", "password": "wrong password" });
    muted.client.post("/api/auth/login", &wrong).expect_problem(401);
    wait_for(&stdout, "user_login_attempt");
    muted.process.kill();
    let lines = whole(&stdout.finish());
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["success"]), (&json!("user_login_attempt"), &json!(false)));
    assert_eq!(gaps(&lines), 0);
}

#[test]
fn the_last_lines_before_the_end_are_out() {
    let bangui = Bangui::builder().start();
    let id = bangui.stranger().get("/api/audit").expect_problem(401).correlation_id().to_owned();
    let lines = bangui.stop().lines;
    let is_told = |line: &Value| line["correlation_id"] == id.as_str() && line["level"] == "info";
    assert!(lines.iter().any(is_told), "{lines:?}");
    assert_eq!(lines.last().unwrap()["event"], "bangui_stopped");
    assert_eq!(gaps(&lines), 0);
}

#[test]
fn a_failed_start_is_one_line_that_is_like_any_other() {
    let folder = tempdir().unwrap();
    let builder = Bangui::builder().env("BANGUI_LISTEN", "nowhere").env("RUST_BACKTRACE", "1");
    let starts = [(); 2].map(|()| builder.run(folder.path(), &["serve"], ""));
    let uids = starts.map(|output| {
        let [line] = &whole(&output.stdout)[..] else { panic!("not one line: {output:?}") };
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["error", "event", "level", "logger_name", "seq", "timestamp", "uid"];
        assert_eq!(keys, expected, "{line}");
        let values = ["event", "level", "logger_name"].map(|key| line[key].as_str().unwrap());
        assert_eq!(values, ["startup_failed", "critical", "app.main"]);
        assert_eq!(line["seq"], 1);
        line["uid"].as_str().unwrap().to_owned()
    });
    assert_ne!(uids[0], uids[1], "a uid is that of one record");
}
