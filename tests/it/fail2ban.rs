//! Against a real fail2ban: what it does is seen, and what operators want is done.

use serde_json::{Value, json};

use crate::support::{Bangui, Client, Fail2ban, SOON, eventually, expect};

/// Looks at a list until one of its items fits.
fn wait_for_item(client: &Client, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(SOON, path, || {
        let answer = client.get(path);
        expect(answer.status == 200, &answer.body)?;
        let list = answer.json();
        let found = list["items"].as_array().unwrap().iter().find(|item| fits(item)).cloned();
        found.ok_or_else(|| list.to_string())
    })
}

#[test]
fn bans_in_two_jails_are_seen_through_the_log() {
    let fail2ban = Fail2ban::start_with(&[("FAIL2BAN_JAILS", "sshd web-1")]);
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    let status = bangui.wait_for_fail2ban(&admin);
    assert_eq!(status["fail2ban"]["connected"], true);
    assert!(status["fail2ban"]["version"].is_string(), "{status}");
    assert_eq!(admin.get("/health").expect(200).json()["status"], "ok");
    fail2ban.attack("203.0.113.1");
    fail2ban.attack_jail("web-1", "203.0.113.2");
    for (jail, ip) in [("sshd", "203.0.113.1"), ("web-1", "203.0.113.2")] {
        let line = bangui.wait_for("ban_observed", |line| line["ip"] == ip);
        assert_eq!((&line["jail"], &line["source"]), (&json!(jail), &json!("log")));
        let path = format!("/api/bans?jail={jail}");
        // fail2ban's list tells the times that its log does not.
        let ban = wait_for_item(&admin, &path, |ban| ban["expires_at"].is_string());
        assert_eq!((&ban["ip"], &ban["reason"]), (&json!(ip), &Value::Null));
        let row = wait_for_item(&admin, "/api/history", |row| row["ip"] == ip);
        assert_eq!((&row["jail"], &row["source"]), (&json!(jail), &json!("log")));
        assert_eq!(row["correlation_id"], line["correlation_id"]);
    }
    let counted = |jail: &Value| jail["name"] == "web-1" && jail["currently_banned"] == 1;
    wait_for_item(&admin, "/api/jails", counted);
    assert_eq!(bangui.events("ban_observed").len(), 2, "each ban is told once");
    let detail = admin.get("/api/jails/sshd").expect(200).json();
    let expected = json!([600, 600, 3]);
    assert_eq!(
        json!([detail["bantime_seconds"], detail["findtime_seconds"], detail["maxretry"]]),
        expected
    );
    assert!(detail["file_list"][0].as_str().unwrap().ends_with("/auth.log"), "{detail}");
    admin.get("/api/jails/nothing").expect_problem(404);
}

#[test]
fn bans_are_seen_through_the_list_when_the_log_is_no_file() {
    let fail2ban = Fail2ban::start();
    fail2ban.command(&["set", "logtarget", "STDOUT"]);
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let log = eventually(SOON, "the state of the log", || {
        let status = admin.get("/api/dashboard/status").expect(200).json();
        let log = status["fail2ban"]["sources"]["log"].clone();
        if log["error"].is_string() { Ok(log) } else { Err(status.to_string()) }
    });
    assert_eq!(log["healthy"], false);
    fail2ban.command(&["set", "sshd", "banip", "203.0.113.3"]);
    let line = bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.3");
    assert_eq!(line["source"], "list");
    let row = wait_for_item(&admin, "/api/history", |row| row["ip"] == "203.0.113.3");
    assert_eq!(row["source"], "list");
}

#[test]
fn an_expired_ban_is_seen_and_closed_in_the_history() {
    let fail2ban = Fail2ban::start_with(&[("FAIL2BAN_BANTIME", "3")]);
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    fail2ban.attack("203.0.113.4");
    bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.4");
    let line = bangui.wait_for("unban_observed", |line| line["ip"] == "203.0.113.4");
    assert_eq!((&line["jail"], &line["source"]), (&json!("sshd"), &json!("list")));
    let is_closed = |row: &Value| row["ip"] == "203.0.113.4" && row["unbanned_at"].is_string();
    let row = wait_for_item(&admin, "/api/history", is_closed);
    assert!(row["unbanned_at"].as_str() >= row["banned_at"].as_str(), "{row}");
    assert_eq!(admin.get("/api/bans").expect(200).json()["items"], json!([]));
    assert_eq!(bangui.events("ban_observed").len(), 1);
    assert_eq!(bangui.events("unban_observed").len(), 1);
}

#[test]
fn operators_ban_and_unban() {
    let fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let ban = |jail: &str, ip: &str| admin.post("/api/bans", &json!({ "jail": jail, "ip": ip }));
    let made = ban("sshd", "203.0.113.5").expect(201);
    assert_eq!((&made.json()["jail"], &made.json()["ip"]), (&json!("sshd"), &json!("203.0.113.5")));
    ban("sshd", "203.0.113.5").expect(200);
    ban("nothing", "203.0.113.5").expect_problem(404);
    // One spelling for every way to write an address.
    let v6 = ban("sshd", "2001:DB8:0:0::0006").expect(201).json();
    assert_eq!(v6["ip"], "2001:db8::6");
    let mut banned = fail2ban.banned("sshd");
    banned.sort();
    assert_eq!(banned, ["2001:db8::6", "203.0.113.5"]);

    admin.delete("/api/bans/sshd/203.0.113.99").expect_problem(404);
    admin.delete("/api/bans/nothing/203.0.113.5").expect_problem(404);
    admin.delete("/api/bans/sshd/2001%3Adb8%3A%3A6").expect(204);
    admin.delete("/api/bans/sshd/203.0.113.5").expect(204);
    assert_eq!(fail2ban.banned("sshd"), [""; 0]);
    admin.delete("/api/bans/sshd/203.0.113.5").expect_problem(404);

    // The operator's changes are told once, as such, and audited with how they ended.
    assert_eq!(bangui.events("ban_executed").len(), 2);
    assert_eq!(bangui.events("unban_executed").len(), 2);
    let audit = admin.get("/api/audit").expect(200).json();
    let rows = audit["items"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .filter(|row| row["action"] == "ban" || row["action"] == "unban")
        .map(|row| format!("{} {}", row["action"], row["result"]).replace('"', ""))
        .rev()
        .collect();
    let expected = [
        "ban success",
        "ban success",
        "ban failure",
        "ban success",
        "unban failure",
        "unban failure",
        "unban success",
        "unban success",
        "unban failure",
    ];
    assert_eq!(rows, expected);
    let history = admin.get("/api/history").expect(200).json();
    for row in history["items"].as_array().unwrap() {
        assert_eq!((&row["source"], row["unbanned_at"].is_string()), (&json!("operator"), true));
    }
}

#[test]
fn lists_have_pages_and_filters() {
    let fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    for host in 1..=5 {
        let ban = json!({ "jail": "sshd", "ip": format!("198.51.100.{host}"), "reason": "page" });
        admin.post("/api/bans", &ban).expect(201);
    }
    for path in ["/api/bans", "/api/history", "/api/audit"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("{path}?limit=2&cursor={cursor}")).expect(200).json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2, "{page}");
            seen.extend(items.iter().map(|item| item["ip"].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = next.to_owned();
        }
        seen.retain(|ip| ip != "null");
        seen.sort();
        let expected: Vec<_> = (1..=5).map(|host| format!("\"198.51.100.{host}\"")).collect();
        assert_eq!(seen, expected, "{path}");
        for bad in ["limit=0", "limit=1001", "limit=many", "cursor=%00garbage"] {
            admin.get(&format!("{path}?{bad}")).expect_problem(422);
        }
    }
    let found = admin.get("/api/bans?q=100.4").expect(200).json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["reason"], "page");
    assert_eq!(admin.get("/api/bans?jail=other").expect(200).json()["items"], json!([]));
    let problem = admin.get("/api/bans?jail=no%20name").expect_problem(422).json();
    assert_eq!(problem["errors"][0]["field"], "jail");
}
