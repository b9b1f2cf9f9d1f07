//! Blocklists in front of a real fail2ban: imports, whose bans are lifted and whose are not, and
//! an import that was broken off.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bangui, Builder, Client, Event, Events, Fail2ban, ListServer, Reply, SOON, eventually, expect,
};

pub(crate) fn builder(fail2ban: &Fail2ban) -> Builder {
    Bangui::builder().fail2ban(fail2ban).env("BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES", true)
}

/// Sets a list up that nobody imports by itself.
pub(crate) fn set_up(client: &Client, name: &str, source: &str) -> String {
    let body = json!({ "name": name, "source": source, "jail": "sshd", "enabled": false });
    let list = client.post("/api/blocklists", &body).expect(201).json();
    format!("/api/blocklists/{}", list["id"])
}

/// Imports a list and waits for the end.
pub(crate) fn import(client: &Client, path: &str, force: bool) -> Value {
    client.post(&format!("{path}/import"), &json!({ "force": force })).expect(202);
    eventually(SOON, "the end of an import", || {
        let list = client.get(path).expect(200).json();
        let is_over =
            list["is_importing"] == false && list["last_import"]["finished_at"] != json!(null);
        if is_over { Ok(list) } else { Err(list.to_string()) }
    })
}

/// Has one list imported and another one fail, so that all is told that can be.
pub(crate) fn use_blocklists(client: &Client, lists: &ListServer) {
    lists.set("/good", Reply::text("203.0.113.93\n10.0.0.1\n"));
    for (name, path, result) in [("good", "/good", "completed"), ("bad", "/bad", "failed")] {
        let body = json!({ "name": name, "source": lists.url(path), "jail": "sshd" });
        let list = client.post("/api/blocklists", &body).expect(201).json();
        let list = import(client, &format!("/api/blocklists/{}", list["id"]), false);
        assert_eq!(list["last_import"]["result"], result, "{list}");
    }
}

fn banned(fail2ban: &Fail2ban) -> BTreeSet<String> {
    fail2ban.banned("sshd").into_iter().collect()
}

fn set(entries: &[&str]) -> BTreeSet<String> {
    entries.iter().map(|entry| (*entry).to_owned()).collect()
}

#[test]
fn a_list_is_set_up_previewed_imported_changed_and_deleted() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let bangui = builder(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let events = Events::open(&admin);
    let text =
        "# a comment\n198.51.100.1\n198.51.100.2 ; x\n203.0.113.0/24\n203.0.113.9\n10.0.0.1\n";
    lists.set("/a?key=hunter2", Reply::text(text));
    let source = lists.url("/a?key=hunter2").replace("http://", "http://me:hunter3@");
    let path = set_up(&admin, "first", &source);

    let preview = admin.post(&format!("{path}/preview"), &json!({})).expect(200).json();
    assert_eq!(
        (&preview["entries"], &preview["add"], &preview["merged"], &preview["refused"]),
        (&json!(3), &json!(3), &json!(1), &json!(1)),
        "{preview}"
    );
    let example = json!({ "line": 6, "text": "10.0.0.1", "reason": "private" });
    assert_eq!(preview["refused_examples"], json!([example]));
    assert_eq!(banned(&fail2ban), set(&[]), "a preview bans nobody");

    let list = import(&admin, &path, false);
    assert_eq!(list["last_import"]["result"], "completed", "{list}");
    assert_eq!((&list["entries"], &list["last_import"]["added"]), (&json!(3), &json!(3)));
    assert_eq!(banned(&fail2ban), set(&["198.51.100.1", "198.51.100.2", "203.0.113.0/24"]));
    let completed = bangui.wait_for_event("blocklist_import_completed");
    assert_eq!((&completed["blocklist"], &completed["added"]), (&json!("first"), &json!(3)));
    assert_eq!(completed["correlation_id"], list["last_import"]["correlation_id"]);
    // The pages are told once, the log in one line, and the history says why.
    events.wait(SOON, "reset", |_| true);
    // fail2ban's list may correct a time by a second, which is told as such.
    let events = events.so_far();
    let is_ban = |event: &&Event| event.name == "ban" && event.data["is_correction"] == false;
    assert_eq!(events.iter().filter(is_ban).count(), 0);
    assert_eq!(bangui.events("ban_observed").len(), 0);
    let history = admin.get("/api/addresses/198.51.100.1").expect(200).json();
    assert_eq!(history["bans"][0]["reason"], "blocklist first", "{history}");

    lists.set("/b", Reply::text("198.51.100.2\n198.51.100.3\n"));
    let change = json!({ "name": "second", "source": lists.url("/b"), "jail": "sshd" });
    admin.put(&path, &change).expect(200);
    let list = import(&admin, &path, false);
    let last = &list["last_import"];
    assert_eq!((&last["added"], &last["removed"]), (&json!(1), &json!(2)), "{list}");
    assert_eq!(banned(&fail2ban), set(&["198.51.100.2", "198.51.100.3"]));

    let deleted = admin.delete(&path).expect(202).json();
    assert_eq!(deleted["is_being_deleted"], true);
    eventually(SOON, "the end of the list", || {
        let answer = admin.get(&path);
        expect(answer.status == 404, answer.body)
    });
    assert_eq!(banned(&fail2ban), set(&[]));

    let audit = admin.get("/api/audit").expect(200).json();
    let actions: Vec<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["action"].as_str())
        .collect();
    for action in ["blocklist_create", "blocklist_import", "blocklist_update", "blocklist_delete"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    let ended = bangui.stop();
    for line in &ended.lines {
        assert!(!line.to_string().contains("hunter"), "{line}");
    }
    assert!(!audit.to_string().contains("hunter") && !list.to_string().contains("hunter"));
    assert!(lists.requests()[0].contains("authorization: Basic bWU6aHVudGVyMw=="));
}

#[test]
fn nobody_elses_ban_is_lifted_and_an_operators_word_holds() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let bangui = builder(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    // The jail's own, and an operator's.
    fail2ban.attack("198.51.100.1");
    let ban = |ip: &str| json!({ "jail": "sshd", "ip": ip });
    admin.post("/api/bans", &ban("198.51.100.2")).expect(201);
    eventually(SOON, "the jail's own ban", || {
        let banned = banned(&fail2ban);
        expect(banned.contains("198.51.100.1"), format!("{banned:?}"))
    });
    fail2ban.command(&["set", "sshd", "addignoreip", "198.51.100.64/28"]);
    let entries = |numbers: &[u8]| -> String {
        numbers.iter().map(|number| format!("198.51.100.{number}\n")).collect()
    };
    lists.set("/a", Reply::text(entries(&[1, 2, 3, 4, 5, 6, 70])));
    lists.set("/b", Reply::text(entries(&[5, 7])));
    let (a, b) = (set_up(&admin, "a", &lists.url("/a")), set_up(&admin, "b", &lists.url("/b")));
    let list = import(&admin, &a, false);
    assert_eq!(list["last_import"]["added"], 4, "{list}");
    assert_eq!(list["last_import"]["refused"], 1, "{list}");
    import(&admin, &b, false);
    // Judged after the list had placed them: one is to stay, one is to go.
    admin.post("/api/bans", &ban("198.51.100.3")).expect(200);
    admin.delete("/api/bans/sshd/198.51.100.4").expect(204);

    lists.set("/a", Reply::text(entries(&[4, 9])));
    let list = import(&admin, &a, true);
    // 6 is lifted; 1, 2, 3 are others', 5 is now the other list's, and 4 is not banned again.
    assert_eq!(list["last_import"]["removed"], 1, "{list}");
    assert_eq!(list["last_import"]["refused"], 1, "{list}");
    let numbers = [1, 2, 3, 5, 7, 9].map(|number| format!("198.51.100.{number}"));
    assert_eq!(banned(&fail2ban), BTreeSet::from(numbers));
    admin.delete(&b).expect(202);
    eventually(SOON, "the end of the other list's bans", || {
        let banned = banned(&fail2ban);
        let is_gone = |number: u8| !banned.contains(&format!("198.51.100.{number}"));
        expect(is_gone(5) && is_gone(7), format!("{banned:?}"))
    });
    // What fail2ban lost comes back with the next import, although the list is the same.
    fail2ban.command(&["set", "sshd", "unbanip", "198.51.100.9"]);
    let list = import(&admin, &a, false);
    assert_eq!(list["last_import"]["added"], 1, "{list}");
    assert!(banned(&fail2ban).contains("198.51.100.9"));
}

#[test]
fn a_source_that_fails_is_left_alone_and_asked_at_once_when_the_list_is_changed() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let bangui = builder(&fail2ban).env("BANGUI_TASK_BLOCKLIST_REFRESH_SCHEDULE", 1).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let body = json!({ "name": "bad", "source": lists.url("/bad"), "jail": "sshd" });
    let list = admin.post("/api/blocklists", &body).expect(201).json();
    let path = format!("/api/blocklists/{}", list["id"]);
    bangui.wait_for_event("blocklist_import_failed");
    let list = eventually(SOON, "the end of the import", || {
        let list = admin.get(&path).expect(200).json();
        let is_over = list["last_import"]["result"] == "failed";
        if is_over { Ok(list) } else { Err(list.to_string()) }
    });
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let pause = time(&list["due_at"]).duration_since(time(&list["last_import"]["finished_at"]));
    assert_eq!(pause.as_secs(), 300, "{list}");
    // The task looks each second, and finds nothing that is due.
    let runs = || {
        let completed = bangui.events("task_completed");
        completed.iter().filter(|event| event["task"] == "blocklist_refresh").count()
    };
    let before = runs();
    eventually(SOON, "runs that leave the list alone", || {
        expect(runs() >= before + 2, runs().to_string())
    });
    assert_eq!(bangui.events("blocklist_import_started").len(), 1);
    lists.set("/good", Reply::text("203.0.113.93\n"));
    let change = json!({ "name": "bad", "source": lists.url("/good"), "jail": "sshd" });
    admin.put(&path, &change).expect(200);
    bangui.wait_for_event("blocklist_import_completed");
}

/// An action takes some milliseconds where the machine is idle, and many more beside compilers.
const LONG: Duration = Duration::from_secs(60);
/// Enough for an import of some seconds: each ban runs an action.
const MANY: usize = 160;

#[test]
fn an_import_that_was_killed_is_taken_up_by_the_scheduler_and_nothing_is_doubled() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        builder(&fail2ban)
            .data_dir(folder.path())
            .env("BANGUI_SCHEDULER_LEASE_SECONDS", 2)
            .env("BANGUI_TASK_BLOCKLIST_REFRESH_SCHEDULE", 1)
            .start()
    };
    let entries: Vec<String> =
        (0..MANY).map(|number| format!("45.0.{}.{}", number / 250, number % 250)).collect();
    lists.set("/a", Reply::text(entries.join("\n")));
    let mut bangui = start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let body = json!({ "name": "many", "source": lists.url("/a"), "jail": "sshd" });
    admin.post("/api/blocklists", &body).expect(201);
    bangui.wait_for_event("blocklist_import_started");
    eventually(SOON, "some bans", || {
        let count = fail2ban.banned("sshd").len();
        expect(count >= 40, count.to_string())
    });
    bangui.process().signal("KILL");
    bangui.process().wait(Duration::from_secs(5)).expect("it is dead");
    drop(bangui);
    assert!(fail2ban.banned("sshd").len() < MANY, "it was killed in the midst");

    let bangui = start();
    let completed = eventually(LONG, "the rest of the import", || {
        let completed = bangui.events("blocklist_import_completed").pop();
        completed.ok_or_else(|| format!("{} bans", fail2ban.banned("sshd").len()))
    });
    assert_eq!(completed["task"], "blocklist_refresh", "{completed}");
    let added = completed["added"].as_u64().unwrap();
    assert!(added > 0 && added < MANY as u64, "{completed}");
    assert_eq!(banned(&fail2ban), entries.iter().cloned().collect());
    let admin = bangui.admin();
    let mut database = crate::support::Database::open(folder.path());
    let placed = "SELECT count(*) FROM blocklist_entries WHERE state = 'placed'";
    assert_eq!(database.number(placed), MANY as i64);
    let rows = "SELECT count(*) FROM bans WHERE unbanned_at IS NULL";
    assert_eq!(database.number(rows), MANY as i64);
    // All of them are the list's, those of the broken step too: without the list they go.
    let list = admin.get("/api/blocklists").expect(200).json()["items"][0].clone();
    admin.delete(&format!("/api/blocklists/{}", list["id"])).expect(202);
    eventually(LONG, "the end of all bans", || {
        let count = fail2ban.banned("sshd").len();
        expect(count == 0, count.to_string())
    });
}
