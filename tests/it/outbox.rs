//! The audit log leaves the process: each change is one record, whatever happens in between.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bangui, Client, Fail2ban, Lines, OtlpReceiver, PASSWORD, Process, SOON, eventually, expect,
    free_port, line_of_otlp, throughout,
};

/// A row of the audit table: its id, uid, and whether it is marked as told.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: i64,
    action: String,
    uid: String,
    correlation_id: Option<String>,
    told_at: Option<i64>,
}

/// Reads the table beside the running service.
fn rows(data_dir: &Path) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let path = data_dir.join("bangui.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let query = "SELECT id, action, uid, correlation_id, told_at FROM audit ORDER BY id";
        let rows = sqlx::query_as(query).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    })
}

fn row_of(data_dir: &Path, action: &str) -> Row {
    let mut found: Vec<_> = rows(data_dir).into_iter().filter(|row| row.action == action).collect();
    let row = found.pop();
    assert!(found.is_empty(), "more than one {action}");
    row.unwrap_or_else(|| panic!("no {action}"))
}

fn sign_in(bangui: &Bangui) -> (Client, String) {
    let body = json!({ "username": "admin", "password": PASSWORD });
    let stranger = bangui.stranger();
    let answer = stranger.post("/api/auth/login", &body).expect(204);
    (stranger.with_cookie_of(&answer), answer.correlation_id().to_owned())
}

fn of_action(action: &str) -> impl Fn(&Value) -> bool {
    move |line| line["action"] == action
}

#[test]
fn each_change_is_one_record_in_the_trace_of_its_request() {
    let fail2ban = Fail2ban::start();
    let folder = tempfile::tempdir().unwrap();
    let bangui = Bangui::builder().data_dir(folder.path()).fail2ban(&fail2ban).start();
    let (admin, login_id) = sign_in(&bangui);
    bangui.wait_for_fail2ban(&admin);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.91", "reason": "by hand" });
    let banned = admin.post("/api/bans", &ban).expect(201);
    let unknown = json!({ "jail": "nothing", "ip": "203.0.113.92" });
    let failed = admin.post("/api/bans", &unknown).expect_problem(404);
    let told = bangui.wait_for("audit_recorded", of_action("ban"));
    let fields = ["level", "actor", "client_ip", "jail", "ip", "reason", "result"];
    let values = fields.map(|field| told[field].as_str().unwrap_or_default());
    let ip = "203.0.113.91";
    assert_eq!(values, ["info", "admin", "127.0.0.1", "sshd", ip, "by hand", "success"], "{told}");
    let is_failure = |line: &Value| line["result"] == "failure";
    let failure = bangui.wait_for("audit_recorded", is_failure);
    assert_eq!((&failure["level"], &failure["ip"]), (&json!("warning"), &json!("203.0.113.92")));
    assert!(failure["detail"].as_str().unwrap().contains("nothing"), "{failure}");

    let ended = bangui.stop();
    let lines: Vec<_> =
        ended.lines.iter().filter(|line| line["event"] == "audit_recorded").collect();
    let rows = rows(folder.path());
    assert_eq!((lines.len(), rows.len()), (3, 3), "{lines:?} {rows:?}");
    let ids = [login_id, banned.correlation_id().to_owned(), failed.correlation_id().to_owned()];
    for ((row, line), id) in rows.iter().zip(lines).zip(ids) {
        assert_eq!((&line["audit_id"], &line["uid"]), (&json!(row.id), &json!(row.uid)));
        assert_eq!((&line["correlation_id"], &line["trace_id"]), (&json!(id), &json!(id)));
        assert_eq!(row.correlation_id.as_deref(), Some(id.as_str()));
        let request = ended.lines.iter().find(|line| {
            line["event"] == "http_request_completed" && line["correlation_id"] == id.as_str()
        });
        assert_eq!(line["span_id"], request.unwrap()["span_id"]);
        assert!(row.told_at.is_some(), "{row:?}");
        assert!(line.get("task").is_none() && line.get("log.uid").is_none(), "{line}");
    }
}

#[test]
fn the_command_lines_change_is_told_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Bangui::builder().data_dir(folder.path());
    let input = "another long password\n";
    let done = builder().run(folder.path(), &["admin", "reset-password"], input);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!format!("{done:?}").contains("audit_recorded"), "{done:?}");
    let row = row_of(folder.path(), "password_reset");
    assert_eq!(row.told_at, None);
    let bangui = builder().start();
    let line = bangui.wait_for("audit_recorded", of_action("password_reset"));
    let expected = (json!(row.uid), json!("command line"), json!("local"));
    assert_eq!((&line["uid"], &line["actor"], &line["client_ip"]), {
        let (uid, actor, client_ip) = &expected;
        (uid, actor, client_ip)
    });
    assert!(line.get("correlation_id").is_none(), "no request asked for it: {line}");
    bangui.stop();
    assert!(row_of(folder.path(), "password_reset").told_at.is_some());
    // Whatever was told once is not told by a later process.
    let bangui = builder().start();
    let body = json!({ "username": "admin", "password": input.trim() });
    bangui.stranger().post("/api/auth/login", &body).expect(204);
    bangui.wait_for("audit_recorded", of_action("login"));
    assert_eq!(bangui.events("audit_recorded").len(), 1);
}

#[test]
fn what_the_level_hides_is_told_once_it_no_longer_does() {
    let folder = tempfile::tempdir().unwrap();
    let builder =
        |level: &str| Bangui::builder().data_dir(folder.path()).env("BANGUI_LOG_LEVEL", level);
    // At this level nobody says when the service is ready, nor on which port.
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let quiet = builder("warning").env("BANGUI_LISTEN", &address);
    let mut process = Process::spawn("bangui", &mut quiet.command(folder.path()));
    let mut stdout = Lines::of(process.child().stdout.take().unwrap());
    let client = Client::new(format!("http://{address}"));
    eventually(SOON, "an answer", || {
        let answer = client.try_send(http::Method::GET, "/health", None);
        answer.map(drop).map_err(|error| error.to_string())
    });
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.93" });
    client.signed_in(PASSWORD).post("/api/bans", &ban).expect_problem(503);
    eventually(SOON, "the failure on stdout", || {
        let lines = stdout.so_far();
        let is_there = lines.iter().any(|line| line.contains("audit_recorded"));
        expect(is_there, format!("{lines:#?}"))
    });
    process.end("TERM");
    let lines = stdout.finish();
    let told = lines.iter().filter(|line| line.contains("audit_recorded")).count();
    assert_eq!(told, 1, "{lines:#?}");
    assert!(row_of(folder.path(), "ban").told_at.is_some());
    assert_eq!(row_of(folder.path(), "login").told_at, None);

    let bangui = builder("info").start();
    bangui.wait_for("audit_recorded", of_action("login"));
    bangui.stop();
    assert!(row_of(folder.path(), "login").told_at.is_some());
}

/// The records `audit_recorded` that a receiver holds, as lines.
fn received(receiver: &OtlpReceiver) -> Vec<Value> {
    let lines = receiver.logs().into_iter().map(|(scope, record)| line_of_otlp(&scope, &record));
    lines.filter(|line| line["event"] == "audit_recorded").collect()
}

#[test]
fn what_a_killed_process_could_not_deliver_arrives_from_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Bangui::builder().data_dir(folder.path());
    let away = OtlpReceiver::start();
    away.set_failing(true);
    let mut bangui = builder().export_to(&away, "grpc").start();
    let (admin, _) = sign_in(&bangui);
    for ip in ["203.0.113.94", "203.0.113.95"] {
        admin.post("/api/bans", &json!({ "jail": "sshd", "ip": ip })).expect_problem(503);
    }
    bangui.wait_for("audit_recorded", |line| line["ip"] == "203.0.113.95");
    bangui.wait_for_event("telemetry_export_failed");
    // Many exports fail meanwhile.
    throughout(Duration::from_secs(2), "each row is one line", || {
        let count = bangui.events("audit_recorded").len();
        expect(count == 3, format!("{count} lines"))
    });
    assert!(rows(folder.path()).iter().all(|row| row.told_at.is_none()), "nothing has arrived");
    let lost = bangui.events("audit_recorded");
    bangui.process().kill();
    drop(bangui);
    assert!(received(&away).is_empty());

    let receiver = OtlpReceiver::start();
    let bangui = builder().export_to(&receiver, "grpc").start();
    let arrived = eventually(SOON, "the records of the killed process", || {
        let records = received(&receiver);
        if records.len() >= lost.len() { Ok(records) } else { Err(format!("{records:#?}")) }
    });
    eventually(SOON, "the marks", || {
        let rows = rows(folder.path());
        expect(rows.iter().all(|row| row.told_at.is_some()), format!("{rows:?}"))
    });
    bangui.stop();
    assert_eq!(received(&receiver).len(), lost.len(), "each arrives once");
    for line in &lost {
        let record = arrived.iter().find(|record| record["uid"] == line["uid"]);
        let record = record.unwrap_or_else(|| panic!("not arrived: {line}"));
        // Only when it was told, and by whom, differs.
        let told = |line: &Value| {
            let mut line = line.clone();
            let own = line.as_object_mut().unwrap();
            own.retain(|key, _| key != "timestamp" && key != "seq");
            line
        };
        assert_eq!(told(line), told(record));
    }
}
