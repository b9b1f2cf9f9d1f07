//! What the scheduler does about the history, in a real process beside a real fail2ban.

use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{Bangui, Client, Database, Fail2ban, SOON, eventually};

const DAY_SECONDS: i64 = 24 * 3600;

fn history(admin: &Client, ip: &str) -> Vec<Value> {
    let rows = admin.get("/api/history?limit=500").expect(200).json();
    let rows = rows["items"].as_array().unwrap().iter();
    rows.filter(|row| row["ip"] == ip).cloned().collect()
}

#[test]
fn what_is_old_enough_goes_and_all_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Bangui::builder().data_dir(folder.path()).start().stop().status.success());
    let mut database = Database::open(folder.path());
    // More than one step; a young one, one that began long ago, and one that lasts.
    database.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
         INSERT INTO bans (jail, ip, banned_at, unbanned_at, source) \
         SELECT 'sshd', i, 1, unixepoch() - 366 * 86400, 'log' FROM n",
    );
    database.run(
        "INSERT INTO bans (jail, ip, banned_at, unbanned_at, source) VALUES \
         ('sshd', 'young', unixepoch() - 99, unixepoch() - 9, 'log'), \
         ('sshd', 'long', 1, unixepoch() - 364 * 86400, 'log'), ('sshd', 'lasts', 1, NULL, 'log')",
    );
    database.run(
        "INSERT INTO audit (at, actor, client_ip, action, result, told_at) VALUES \
         (1, 'told', '', 'login', 'success', 2), (unixepoch(), 'young', '', 'login', 'success', 2)",
    );
    let bangui = Bangui::builder()
        .data_dir(folder.path())
        .env("BANGUI_AUDIT_RETENTION_DAYS", 30)
        .env("BANGUI_TASK_HISTORY_RETENTION_SCHEDULE", 1)
        .start();
    let found = bangui.wait_for_event("history_rows_removed");
    assert_eq!((&found["bans"], &found["audit_rows"]), (&json!(1200), &json!(1)));
    let is_it = |line: &Value| line["correlation_id"] == found["correlation_id"];
    let completed = bangui.wait_for("task_completed", is_it);
    assert_eq!(
        (&completed["task"], &completed["changes"]),
        (&json!("history_retention"), &json!(1201))
    );
    assert_eq!(database.number("SELECT count(*) FROM bans"), 3);
    assert_eq!(database.number("SELECT count(*) FROM audit WHERE actor = 'told'"), 0);
    assert_eq!(database.number("SELECT count(*) FROM audit WHERE actor = 'young'"), 1);
}

/// Writes bans into fail2ban's database as it does: address, time, seconds.
fn write(path: &Path, rows: &[(&str, i64, i64)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut own = SqliteConnection::connect_with(&options).await.unwrap();
        for (ip, at, seconds) in rows {
            let sql = "INSERT INTO bans (jail, ip, timeofban, bantime, bancount, data) \
                 VALUES ('sshd', $1, $2, $3, 1, '{}')";
            let query = sqlx::query(sql).bind(ip).bind(at).bind(seconds);
            query.execute(&mut own).await.unwrap();
        }
        own.close().await.unwrap();
    });
}

#[test]
fn bans_that_nobody_saw_are_fetched_and_none_is_doubled() {
    let server = Fail2ban::start();
    let folder = tempfile::tempdir().unwrap();
    let builder = || Bangui::builder().data_dir(folder.path()).fail2ban(&server);
    let start = || builder().env("BANGUI_TASK_HISTORY_SYNC_SCHEDULE", 1).start();
    let bangui = start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    server.attack("198.51.100.1");
    let seen = eventually(SOON, "the ban", || {
        let rows = history(&admin, "198.51.100.1");
        rows.first().cloned().ok_or_else(|| format!("{:#?}", bangui.log()))
    });
    bangui.stop();

    let now = Timestamp::now().as_second();
    let path = server.socket().with_file_name("fail2ban.sqlite3");
    write(
        &path,
        &[
            ("198.51.100.2", now - 1000, 600),
            ("198.51.100.2", now - 5000, 600),
            // Lasts, for ever or for now, or has ended just now: those are the watch's.
            ("198.51.100.3", now - 1000, -1),
            ("198.51.100.4", now - 1000, 5000),
            ("198.51.100.5", now - 1000, 990),
            // The retention would remove it at once.
            ("198.51.100.6", now - 400 * DAY_SECONDS, 600),
        ],
    );
    // As if the first one had ended while nobody watched, and had been seen a moment late.
    Database::open(folder.path()).run(
        "UPDATE bans SET unbanned_at = unixepoch() - 90, expires_at = unixepoch() - 90, \
         banned_at = banned_at - 1000 + 2",
    );
    let banned_at: Timestamp = seen["banned_at"].as_str().unwrap().parse().unwrap();
    write(&path, &[("198.51.100.1", banned_at.as_second() - 1000, 600)]);
    let bangui = start();
    let line = bangui.wait_for("history_synced", |line| line["added"] != 0);
    assert_eq!((&line["added"], &line["task"]), (&json!(2), &json!("history_sync")), "{line}");
    let admin = bangui.admin();
    let added = history(&admin, "198.51.100.2");
    let at = |row: &Value| row["banned_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let ages: Vec<i64> = added.iter().map(|row| now - at(row).as_second()).collect();
    assert_eq!(ages, [5000, 1000]);
    assert_eq!(added[0]["source"], "list");
    assert_eq!(added[0]["correlation_id"], line["correlation_id"]);
    for ip in ["198.51.100.3", "198.51.100.4", "198.51.100.5", "198.51.100.6"] {
        assert_eq!(history(&admin, ip), [] as [Value; 0], "{ip}");
    }
    let old = history(&admin, "198.51.100.1");
    let ended = old.iter().filter(|row| !row["unbanned_at"].is_null()).count();
    assert_eq!(ended, 1, "{old:#?}");
    bangui.stop();

    std::fs::remove_file(&path).unwrap();
    let bangui = start();
    let line = bangui.wait_for_event("history_sync_skipped");
    assert!(line["reason"].as_str().unwrap().contains("fail2ban.sqlite3"), "{line}");
    bangui.wait_for("task_completed", |line| line["task"] == "history_sync");
}
