//! Where blocklists come from: servers that answer badly, addresses that are not asked, files, and
//! settings that make no sense. A list that cannot be had or believed changes nothing.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::blocklists::{builder, import, set_up};
use crate::support::{Bangui, Client, Fail2ban, ListServer, Reply, TlsProxy};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Entries as a list has them.
fn entries(count: u8) -> String {
    (1..=count).map(|number| format!("198.51.100.{number}\n")).collect()
}

/// Points a list elsewhere, imports it, and gives the word for why that failed.
fn failure(client: &Client, path: &str, source: &str) -> Value {
    let change = json!({ "name": "a", "source": source, "jail": "sshd", "enabled": false });
    client.put(path, &change).expect(200);
    let list = import(client, path, false);
    assert_eq!(list["last_import"]["result"], "failed", "{source}: {list}");
    assert_eq!(list["entries"], 20, "what is in force stays: {list}");
    list["last_import"]["error_type"].clone()
}

#[test]
fn what_is_no_believable_list_changes_nothing() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let tls = TlsProxy::to(lists.port());
    let bangui = builder(&fail2ban).env("BANGUI_BLOCKLIST_SLOW_SECONDS", 1).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    lists
        .set("/good", Reply::text(packed(entries(20).as_bytes())).with("content-encoding", "gzip"));
    lists.set("/moved", Reply::status(301).with("location", "/good"));
    let path = set_up(&admin, "a", &lists.url("/moved"));
    let list = import(&admin, &path, false);
    assert_eq!(
        (&list["entries"], list["last_import"]["result"].as_str()),
        (&json!(20), Some("completed"))
    );

    lists.set("/page", Reply::text("<html>gone</html>"));
    lists.set("/html", Reply::text(entries(20)).with("content-type", "text/html; charset=x"));
    lists.set("/loop", Reply::status(302).with("location", "/loop"));
    lists.set("/away", Reply::status(302).with("location", "file:///etc/passwd"));
    lists.set("/cloud", Reply::status(302).with("location", "http://169.254.169.254/latest"));
    lists.set("/error", Reply::status(500));
    lists.set("/bomb", Reply::text(packed(&vec![b'\n'; 40_000_000])));
    lists.set("/endless", Reply { is_endless: true, ..Reply::text("") });
    lists.set("/prose", Reply::text("please pay first\n".repeat(20)));
    lists.set("/short", Reply::text(entries(9)));
    lists.set("/empty", Reply::text("# nothing\n"));
    lists.set("/binary", Reply::text(vec![0, 1, 2]));
    lists.set("/brotli", Reply::text(entries(20)).with("content-encoding", "br"));
    for (source, word) in [
        ("/page", "web_page"),
        ("/html", "web_page"),
        ("/loop", "redirect"),
        ("/away", "redirect"),
        ("/cloud", "forbidden_address"),
        ("/error", "status"),
        ("/none", "status"),
        ("/bomb", "too_large"),
        ("/endless", "too_large"),
        ("/prose", "not_a_list"),
        ("/short", "shrunk"),
        ("/empty", "empty"),
        ("/binary", "binary"),
        ("/brotli", "packed"),
    ] {
        assert_eq!(failure(&admin, &path, &lists.url(source)), word, "{source}");
    }
    let wrong = format!("{}/good", tls.address());
    assert_eq!(failure(&admin, &path, &wrong), "tls");
    assert_eq!(failure(&admin, &path, "http://127.0.0.1:1/a"), "unreachable");
    assert_eq!(failure(&admin, &path, "http://nobody.invalid/a"), "unknown_host");
    assert_eq!(fail2ban.banned("sshd").len(), 20);
    let failed = bangui.events("blocklist_import_failed");
    assert_eq!(failed.len(), 17);
    assert!(failed.iter().all(|line| line["level"] == "error" && line["blocklist"] == "a"));
    // An operator may insist on a short list; a slow one is told of.
    let mut slow = Reply::text(entries(9));
    slow.wait = Duration::from_millis(1200);
    lists.set("/short", slow.with("etag", "\"9\""));
    let change = json!({ "name": "a", "source": lists.url("/short"), "jail": "sshd" });
    admin.put(&path, &change).expect(200);
    let list = import(&admin, &path, true);
    assert_eq!(list["last_import"]["removed"], 11, "{list}");
    let is_slow = |line: &Value| line["duration_ms"].as_u64().is_some_and(|it| it >= 1200);
    bangui.wait_for("blocklist_import_slow", is_slow);
    assert_eq!(fail2ban.banned("sshd").len(), 9);
    let list = import(&admin, &path, false);
    assert_eq!(
        (&list["last_import"]["result"], &list["entries"]),
        (&json!("unchanged"), &json!(9))
    );
}

#[test]
fn by_default_no_private_address_is_asked_and_no_file_is_read() {
    let (fail2ban, lists) = (Fail2ban::start(), ListServer::start());
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    lists.set("/a", Reply::text(entries(3)));
    let path = set_up(&admin, "a", &lists.url("/a"));
    for source in [
        lists.url("/a"),
        format!("http://localhost:{}/a", lists.port()),
        format!("http://[::ffff:127.0.0.1]:{}/a", lists.port()),
        format!("http://2130706433:{}/a", lists.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.0.0.1/a".to_owned(),
    ] {
        let change = json!({ "name": "a", "source": source, "jail": "sshd", "enabled": false });
        admin.put(&path, &change).expect(200);
        let problem = admin.post(&format!("{path}/preview"), &json!({})).expect_problem(422).json();
        assert!(problem.to_string().contains("no public address"), "{source}: {problem}");
    }
    assert_eq!(lists.requests().len(), 0);
    let change = json!({ "name": "a", "source": "/etc/passwd", "jail": "sshd" });
    admin.put(&path, &change).expect(200);
    let problem = admin.post(&format!("{path}/preview"), &json!({})).expect_problem(422).json();
    assert!(problem["detail"].as_str().unwrap().contains("BANGUI_BLOCKLIST_DIR"), "{problem}");
}

#[test]
fn files_below_the_allowed_folder_and_trusted_servers_are_sources() {
    let (fail2ban, folder) = (Fail2ban::start(), tempfile::tempdir().unwrap());
    let lists = ListServer::start();
    let tls = TlsProxy::to(lists.port());
    let file = folder.path().join("own.netset");
    std::fs::write(&file, "198.51.100.7\n203.0.113.0/24\n127.0.0.1\n").unwrap();
    let bangui = builder(&fail2ban)
        .env("BANGUI_BLOCKLIST_DIR", folder.path().display())
        .env("SSL_CERT_FILE", tls.certificate().display())
        .start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let body = json!({
        "name": "own", "source": file.display().to_string(), "jail": "sshd", "enabled": false,
        "networks": false,
    });
    let list = admin.post("/api/blocklists", &body).expect(201).json();
    let list = import(&admin, &format!("/api/blocklists/{}", list["id"]), false);
    assert_eq!((&list["entries"], &list["last_import"]["refused"]), (&json!(1), &json!(2)));
    assert_eq!(fail2ban.banned("sshd"), ["198.51.100.7"]);
    lists.set("/a", Reply::text(entries(3)));
    let path = set_up(&admin, "far", &format!("{}/a", tls.address()));
    assert_eq!(import(&admin, &path, false)["entries"], 3);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let fail2ban = Fail2ban::start();
    let bangui = builder(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let good = json!({
        "name": "a", "source": "https://lists.example.com/a", "jail": "sshd", "enabled": false,
        "interval_seconds": 3600,
    });
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("A b")),
        ("name", json!("x".repeat(41))),
        ("source", json!("ftp://lists.example.com/a")),
        ("source", json!("lists/a")),
        ("source", json!("https://")),
        ("source", json!(format!("https://x/{}", "a".repeat(2000)))),
        ("jail", json!("--all")),
        ("jail", json!("nobody")),
        ("interval_seconds", json!(299)),
        ("interval_seconds", json!(-1)),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let problem = admin.post("/api/blocklists", &body).expect_problem(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    admin.post("/api/blocklists", &json!({ "name": "a" })).expect_problem(400);
    let list = admin.post("/api/blocklists", &good).expect(201).json();
    let path = format!("/api/blocklists/{}", list["id"]);
    admin.post("/api/blocklists", &good).expect_problem(422);
    let mut other = good.clone();
    other["jail"] = json!("other");
    admin.put(&path, &other).expect_problem(422);
    // A source that is left out stays.
    let change = json!({ "name": "b", "jail": "sshd", "enabled": false });
    let changed = admin.put(&path, &change).expect(200).json();
    assert_eq!(changed["source"], "https://lists.example.com/a");
    for number in 1..20 {
        let mut body = good.clone();
        body["name"] = json!(format!("list-{number}"));
        admin.post("/api/blocklists", &body).expect(201);
    }
    admin.post("/api/blocklists", &good).expect_problem(409);
    admin.get("/api/blocklists/999").expect_problem(404);
    admin.get("/api/blocklists/x").expect_problem(404);
    admin.post("/api/blocklists/999/import", &json!({})).expect_problem(404);
    bangui.stranger().get("/api/blocklists").expect_problem(401);
}
