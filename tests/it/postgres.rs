//! Several instances on one Postgres: the same behaviour as on SQLite, pages that hear of all, one
//! holder of the scheduler's lock, and a database that goes away and comes back.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::postgres::{self, Postgres};
use crate::support::{
    Bangui, Builder, Client, Events, Fail2ban, SOON, eventually, expect, free_port, throughout,
};

const IP: &str = "203.0.113.60";

fn builder(url: &str, fail2ban: &Fail2ban) -> Builder {
    Bangui::builder()
        .fail2ban(fail2ban)
        .env("BANGUI_DATABASE_URL", url)
        .env("BANGUI_SCHEDULER_LEASE_SECONDS", 3)
        .env("BANGUI_SESSION_CLEANUP_SECONDS", 1)
}

fn rows(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).expect(200).json()["items"].as_array().unwrap().clone()
}

/// The events of a page about an address, as name and source.
fn heard(events: &Events, ip: &str) -> Vec<(String, Value)> {
    let about = events.so_far().into_iter().filter(|event| event.data["ip"] == ip);
    let first = about.filter(|event| event.data["is_correction"] != true);
    first.map(|event| (event.name, event.data["source"].clone())).collect()
}

#[test]
fn two_instances_are_one_service() {
    let url = Postgres::shared().create_database();
    let fail2ban = Fail2ban::start();
    let first = builder(&url, &fail2ban).start();
    let second = builder(&url, &fail2ban).start();
    let shown = &first.wait_for_event("bangui_starting_up")["database_path"];
    assert!(shown.as_str().unwrap().starts_with("postgres://127.0.0.1:"), "{shown}");
    let admin = first.admin();
    // A session of one is a session of the other.
    let other = Client::new(second.stranger().base());
    let other = admin.headers().iter().fold(other, |it, (name, value)| it.with(name, value));
    second.wait_for_fail2ban(&other);
    first.wait_for_fail2ban(&admin);
    let pages = [Events::open(&admin), Events::open(&other)];
    pages.iter().for_each(|page| drop(page.wait(SOON, "jail", |_| true)));

    let ban = json!({ "jail": "sshd", "ip": IP, "reason": "tried everything" });
    let id = admin.post("/api/bans", &ban).expect(201).correlation_id().to_owned();
    for page in &pages {
        page.wait(SOON, "ban", |data| data["ip"] == IP);
    }
    // Whichever instance is asked: an operator's ban, once, with who made it.
    eventually(SOON, "the ban everywhere", || {
        let history: Vec<_> =
            rows(&other, "/api/history").into_iter().filter(|row| row["ip"] == IP).collect();
        let is_one = matches!(&history[..], [row] if row["source"] == "operator"
            && row["correlation_id"] == id && row["reason"] == "tried everything");
        let bans = rows(&other, "/api/bans");
        let is_banned = bans.iter().any(|it| it["ip"] == IP && it["reason"] == "tried everything");
        expect(is_one && is_banned, format!("{history:?} {bans:?}"))
    });
    other.delete(&format!("/api/bans/sshd/{IP}")).expect(204);
    for page in &pages {
        page.wait(SOON, "unban", |data| data["ip"] == IP);
    }
    // A ban of fail2ban's own, which both see.
    fail2ban.attack("203.0.113.61");
    for page in &pages {
        page.wait(SOON, "ban", |data| data["ip"] == "203.0.113.61");
    }
    throughout(Duration::from_secs(3), "each is told once", || {
        for page in &pages {
            let names: Vec<_> = heard(page, IP).into_iter().map(|(name, _)| name).collect();
            expect(names == ["ban", "unban"], format!("{names:?}"))?;
            let count = heard(page, "203.0.113.61").len();
            expect(count == 1, format!("{count} events"))?;
        }
        Ok(())
    });
    let observed = [&first, &second].map(|it| it.events("ban_observed"));
    let lines = observed.iter().flatten().filter(|line| line["ip"] == "203.0.113.61").count();
    assert_eq!(lines, 1, "{observed:#?}");

    let audit: Vec<Value> = rows(&other, "/api/audit");
    let of = |action| audit.iter().filter(move |row| row["action"] == action).count();
    assert_eq!((of("ban"), of("unban")), (1, 1), "{audit:?}");
    // Its record is told by who made the change, and by nobody else.
    first.wait_for("audit_recorded", |line| line["action"] == "ban");
    second.wait_for("audit_recorded", |line| line["action"] == "unban");
    let tells = |bangui: &Bangui, action| {
        bangui.events("audit_recorded").iter().filter(|line| line["action"] == action).count()
    };
    assert_eq!((tells(&first, "unban"), tells(&second, "ban")), (0, 0));

    the_lock_goes_over(first, &second, &other);
}

/// Also the end of a session's row is a write of the holder's.
fn the_lock_goes_over(first: Bangui, second: &Bangui, other: &Client) {
    first.wait_for_event("scheduler_lock_acquired");
    second.wait_for_event("scheduler_lock_held_by_other_instance");
    first.wait_for("task_completed", |line| line["task"] == "session_cleanup");
    assert_eq!(second.events("task_started").len(), 0);
    drop(first.stop());
    let acquired = second.wait_for_event("scheduler_lock_acquired");
    assert_eq!(acquired["epoch"], 2);
    second.wait_for("task_completed", |line| line["task"] == "session_cleanup");
    let lock = other.get("/api/scheduler/lock").expect(200).json();
    assert_eq!((&lock["locked"], &lock["is_stale"]), (&json!(true), &json!(false)));
}

#[test]
fn a_killed_instances_unfinished_change_is_failed_by_another() {
    let url = Postgres::shared().create_database();
    let fail2ban = Fail2ban::start();
    let mut first = builder(&url, &fail2ban).start();
    first.admin();
    first.process().kill();
    // As if it had been killed in the midst of a change, three minutes ago.
    for sql in [
        "UPDATE audit SET result = 'pending', told_at = NULL",
        "UPDATE instances SET heartbeat_at = heartbeat_at - 180",
    ] {
        postgres::run(&url, sql).unwrap();
    }
    let second = builder(&url, &fail2ban).start();
    let failed = second.wait_for("audit_recorded", |line| line["result"] == "failure");
    assert_eq!(failed["detail"], "interrupted by a stop", "{failed}");
    assert_eq!(second.events("audit_changes_interrupted").len(), 1);
}

#[test]
fn a_database_that_is_away_is_a_503_and_comes_back() {
    let mut server = Postgres::start();
    let url = server.create_database();
    let fail2ban = Fail2ban::start();
    let bangui = builder(&url, &fail2ban).start();
    let admin = bangui.admin();
    let page = Events::open(&admin);
    page.wait(SOON, "jail", |_| true);
    admin.get("/api/history").expect(200);
    server.kill();
    let problem = admin.get("/api/history").expect_problem(503);
    assert!(problem.json()["detail"].as_str().unwrap().contains("database"), "{problem:?}");
    assert_eq!(problem.header("retry-after"), "5");
    server.start_again();
    eventually(SOON, "the database again", || {
        let status = admin.get("/api/history").status;
        expect(status == 200, status.to_string())
    });
    // What was told meanwhile is unknown, so the page reads everything afresh.
    page.wait(SOON, "reset", |_| true);
    let log = format!("{:?}", bangui.stop().lines);
    assert!(!log.contains("bangui:bangui"), "the password is told");
}

#[test]
fn a_server_that_refuses_us_ends_the_start_and_one_that_is_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = |url: &str, folder: &Path| {
        Bangui::builder().env("BANGUI_DATABASE_URL", url).run(folder, &["serve"], "")
    };
    let wrong = Postgres::shared().url("postgres").replace("bangui:bangui@", "bangui:hunt2@");
    let output = run(&wrong, folder.path());
    let said = format!("{output:?}");
    assert_eq!(output.code, Some(1), "{said}");
    assert!(said.contains("startup_failed") && said.contains("authentication"), "{said}");
    assert!(!said.contains("hunt2"), "{said}");

    let away = format!("postgres://u:hunt2@127.0.0.1:{}/b", free_port());
    let mut command = Bangui::builder().env("BANGUI_DATABASE_URL", away).command(folder.path());
    let mut process = crate::support::Process::spawn("bangui", &mut command);
    let stdout = crate::support::Lines::of(process.child().stdout.take().unwrap());
    eventually(SOON, "database_unreachable", || {
        let lines = stdout.so_far().join("\n");
        expect(lines.contains("database_unreachable") && !lines.contains("hunt2"), lines.clone())
    });
    assert!(process.status().is_none(), "it waits");
}

#[test]
fn the_settings_do_not_show_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://u:hunt2@db.example.com/bangui?sslmode=verify-full";
    let output =
        Bangui::builder().env("BANGUI_DATABASE_URL", url).run(folder.path(), &["config"], "");
    assert_eq!(output.code, Some(0));
    let line = "BANGUI_DATABASE_URL=postgres://db.example.com/bangui";
    assert!(output.stdout.iter().any(|it| it == line), "{output:?}");
    assert!(!format!("{output:?}").contains("hunt2"), "{output:?}");
}
