//! fail2ban absent, stopped, restarted or talking nonsense: the service stays up, says so, and
//! recovers by itself.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    Bangui, Client, Fail2ban, FakeSocket, OtlpReceiver, SOON, eventually, expect, heavy, throughout,
};

/// The counter of failures to reach fail2ban.
const ERRORS: &str = "bangui.fail2ban.connection.errors";
/// Longer than BanGUI waits after a connection before it believes that a ban is over.
const SETTLED: Duration = Duration::from_secs(13);

/// Fails unless the service is up and says everywhere that fail2ban is away.
fn assert_degraded(admin: &Client) {
    let health = admin.get("/health").expect(200).json();
    assert_eq!(
        (&health["status"], &health["degraded"]),
        (&json!("degraded"), &json!(["fail2ban"]))
    );
    let status = admin.get("/api/dashboard/status").expect(200).json();
    assert_eq!(status["fail2ban"]["connected"], false);
    assert!(!status["fail2ban"]["error"].as_str().unwrap_or_default().is_empty(), "{status}");
    admin.get("/api/bans").expect_problem(503);
    admin.get("/api/jails").expect_problem(503);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.10" });
    let answer = admin.post("/api/bans", &ban);
    assert!([502, 503].contains(&answer.status), "{answer:?}");
}

#[test]
fn an_absent_server_is_told_and_its_coming_is_noticed() {
    let receiver = OtlpReceiver::start();
    let mut fail2ban = Fail2ban::new(&[]);
    let bangui = Bangui::builder().fail2ban(&fail2ban).export_to(&receiver, "grpc").start();
    let admin = bangui.admin();
    bangui.wait_for_event("fail2ban_connection_lost");
    assert_degraded(&admin);
    eventually(SOON, "the counter of connection errors", || {
        let count = receiver.counter(ERRORS);
        expect(count.is_some_and(|count| count > 0), format!("{count:?}"))
    });
    let names = |name: &str| receiver.metrics().iter().any(|metric| metric.name == name);
    assert!(!names("bangui.bans.total"), "a count of bans while nobody knows");

    fail2ban.run();
    let connected = bangui.wait_for_event("fail2ban_connected");
    assert!(connected["version"].is_string(), "{connected}");
    bangui.wait_for_fail2ban(&admin);
    eventually(SOON, "a healthy state", || {
        let health = admin.get("/health").expect(200).json();
        expect(health["status"] == "ok", health.to_string())
    });
    assert_eq!(admin.get("/api/bans").expect(200).json()["items"], json!([]));
    eventually(SOON, "the count of bans", || expect(names("bangui.bans.total"), "absent"));
    assert_eq!(bangui.events("fail2ban_connection_lost").len(), 1, "an outage is told once");
}

#[test]
fn a_restart_is_no_end_of_bans() {
    let _turn = heavy();
    let mut fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    for ip in ["203.0.113.11", "203.0.113.12"] {
        fail2ban.attack(ip);
        bangui.wait_for("ban_observed", |line| line["ip"] == ip);
    }
    for is_killed in [false, true] {
        let before = bangui.events("fail2ban_connected").len();
        if is_killed {
            fail2ban.kill();
            fail2ban.run();
        } else {
            fail2ban.restart();
        }
        eventually(SETTLED * 3, "the next connection", || {
            let count = bangui.events("fail2ban_connected").len();
            expect(count > before, count.to_string())
        });
        throughout(SETTLED, "a restart ended bans", || {
            expect(bangui.events("unban_observed").is_empty(), "unban_observed")
        });
        let bans = admin.get("/api/bans").expect(200).json();
        assert_eq!(bans["items"].as_array().unwrap().len(), 2, "killed: {is_killed}; {bans}");
    }
    // It was not deaf meanwhile: a real unban is noticed.
    fail2ban.command(&["set", "sshd", "unbanip", "203.0.113.11"]);
    bangui.wait_for("unban_observed", |line| line["ip"] == "203.0.113.11");
    assert_eq!(bangui.events("ban_observed").len(), 2, "no ban is told again");
    bangui.assert_every_line_is_json();
}

#[test]
fn a_killed_server_that_is_back_is_found_soon() {
    let mut fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    // It leaves its socket behind, on which nobody listens.
    fail2ban.kill();
    bangui.wait_for_event("fail2ban_connection_lost");
    eventually(SOON, "the state of the page", || {
        let status = admin.get("/api/dashboard/status").expect(200).json();
        let error = status["fail2ban"]["error"].as_str().unwrap_or_default();
        expect(error.contains("nobody listens"), status.to_string())
    });
    fail2ban.run();
    eventually(Duration::from_secs(8), "the next connection", || {
        let count = bangui.events("fail2ban_connected").len();
        expect(count == 2, format!("{count} connections"))
    });
}

#[test]
fn a_stopped_server_is_told_and_recovered_from() {
    let mut fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    fail2ban.stop();
    bangui.wait_for_event("fail2ban_connection_lost");
    assert_degraded(&admin);
    fail2ban.run();
    bangui.wait_for_fail2ban(&admin);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.13" });
    admin.post("/api/bans", &ban).expect(201);
    assert_eq!(fail2ban.banned("sshd"), ["203.0.113.13"]);
}

#[test]
fn a_server_that_hangs_holds_up_nobody_and_a_change_runs_to_its_end() {
    let mut fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    fail2ban.signal("STOP");
    // The operator loses patience before fail2ban answers.
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.16", "reason": "hangs" });
    admin.give_up(Duration::from_secs(1), "/api/bans", &ban);
    let line = bangui.wait_for("http_request_completed", |line| {
        line["method"] == "POST" && line["endpoint"] == "/api/bans"
    });
    assert_eq!(line["status_code"], 499, "a request that was given up is told, too");
    let started = Instant::now();
    for path in ["/health", "/api/dashboard/status", "/api/history", "/api/audit"] {
        admin.get(path).expect(200);
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    fail2ban.signal("CONT");
    let executed = bangui.wait_for("ban_executed", |line| line["ip"] == "203.0.113.16");
    assert_eq!(executed["correlation_id"], line["correlation_id"]);
    assert_eq!(fail2ban.banned("sshd"), ["203.0.113.16"]);
    eventually(SOON, "the audit row", || {
        let audit = admin.get("/api/audit").expect(200).json();
        let row = audit["items"].as_array().unwrap().iter().find(|row| row["action"] == "ban");
        expect(row.is_some_and(|row| row["result"] == "success"), audit.to_string())
    });
    bangui.wait_for_fail2ban(&admin);
}

#[test]
fn a_restarted_bangui_finds_what_happened_meanwhile() {
    let fail2ban = Fail2ban::start();
    let folder = tempfile::tempdir().unwrap();
    let start = || Bangui::builder().fail2ban(&fail2ban).data_dir(folder.path()).start();
    let bangui = start();
    bangui.wait_for_fail2ban(&bangui.admin());
    fail2ban.attack("203.0.113.14");
    bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.14");
    bangui.stop();
    fail2ban.command(&["set", "sshd", "unbanip", "203.0.113.14"]);
    fail2ban.command(&["set", "sshd", "banip", "203.0.113.15"]);
    let bangui = start();
    let line = bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.15");
    assert_eq!(line["source"], "list");
    bangui.wait_for("unban_observed", |line| line["ip"] == "203.0.113.14");
    assert_eq!(bangui.events("ban_observed").len(), 1);
}

#[test]
fn a_socket_that_talks_nonsense_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    // What a hostile server would send: loading this with Python's pickle runs a command.
    let pickle = format!("cos\nsystem\n(S'touch {}'\ntR.<F2B_END_COMMAND>", mark.display());
    let answers: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"<F2B_END_COMMAND>",
        b"\x80\x05\xff\xff\xff\xff<F2B_END_COMMAND>",
        b"",
        pickle.as_bytes(),
    ];
    for answer in answers {
        let socket = FakeSocket::answering(answer);
        let receiver = OtlpReceiver::start();
        let builder = Bangui::builder().socket(&socket.path()).export_to(&receiver, "grpc");
        let bangui = builder.start();
        bangui.wait_for_event("fail2ban_connection_lost");
        assert_degraded(&bangui.admin());
        eventually(SOON, "the counter of connection errors", || {
            let count = receiver.counter(ERRORS);
            expect(count.is_some_and(|count| count > 0), format!("{count:?}"))
        });
        assert_eq!(bangui.stop().status.code(), Some(0));
    }
    assert!(!mark.exists(), "a pickle was executed");
}
