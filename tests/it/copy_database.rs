//! The way from the embedded database to Postgres, as docs/DATABASE.md tells it: nothing that a
//! person did or saw is lost, and nothing is half done.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::postgres::Postgres;
use crate::support::{Bangui, Client, Fail2ban};

const IP: &str = "203.0.113.62";

/// What a person finds again, without what a sign-in adds.
fn remembered(client: &Client) -> Vec<Value> {
    let rows =
        |path: &str| client.get(path).expect(200).json()["items"].as_array().unwrap().clone();
    let is_change = |row: &Value| row["action"] == "ban" || row["action"] == "blocklist_create";
    let audit = rows("/api/audit").into_iter().filter(is_change);
    let lists = rows("/api/blocklists").into_iter();
    audit.chain(rows("/api/history")).chain(lists.map(|list| list["name"].clone())).collect()
}

#[test]
fn a_service_that_changes_over_to_postgres_remembers_everything() {
    let (folder, fail2ban) = (tempdir().unwrap(), Fail2ban::start());
    let url = Postgres::shared().create_database();
    let builder = || Bangui::builder().fail2ban(&fail2ban).data_dir(folder.path());
    let copy = |words: &[&str]| {
        let words = [&["copy-database"], words].concat();
        Bangui::builder().env("BANGUI_DATABASE_URL", &url).run(folder.path(), &words, "")
    };
    let bangui = builder().start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let ban = json!({ "jail": "sshd", "ip": IP, "reason": "tried everything" });
    admin.post("/api/bans", &ban).expect(201);
    let list = json!({
        "name": "mine", "source": "https://lists.example.com/a", "jail": "sshd", "enabled": false
    });
    admin.post("/api/blocklists", &list).expect(201);
    let before = remembered(&admin);
    assert_eq!(before.len(), 4, "{before:?}");

    let output = copy(&[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr[0].contains("is in use"), "{output:?}");
    assert!(bangui.stop().status.success());
    let output = copy(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains(&"bans: 1 rows".to_owned()), "{output:?}");
    let last = output.stdout.last().unwrap();
    assert!(last.contains("was copied to postgres://127.0.0.1:"), "{output:?}");
    assert!(!format!("{output:?}").contains("bangui:bangui"), "{output:?}");

    let bangui = builder().env("BANGUI_DATABASE_URL", &url).start();
    // With the password of before, and the session of before holds as well.
    assert_eq!(remembered(&bangui.admin()), before);
    let again = Client::new(bangui.stranger().base());
    let again = admin.headers().iter().fold(again, |it, (name, value)| it.with(name, value));
    assert_eq!(remembered(&again), before);
    assert!(bangui.stop().status.success());

    let output = copy(&[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr[0].contains("is not empty"), "{output:?}");
    let output = copy(&["--from", "/nowhere.db"]);
    assert!(output.stderr[0].contains("there is no database at /nowhere.db"), "{output:?}");
    assert_eq!(copy(&["now"]).code, Some(64));
    let output = Bangui::builder().run(folder.path(), &["copy-database"], "");
    assert!(output.code == Some(1) && output.stderr[0].contains("BANGUI_DATABASE_URL"));
}
