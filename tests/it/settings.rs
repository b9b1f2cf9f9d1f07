//! What can be changed while the service runs: the level of the log.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Bangui, Client, SOON, eventually, expect};

const PATH: &str = "/api/settings/log-level";

fn level(client: &Client) -> Value {
    client.get(PATH).expect(200).json()
}

#[test]
fn the_level_is_changed_audited_and_told() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    let default = json!({ "level": "info", "default": "info", "reverts_at": null });
    assert_eq!(level(&admin), default);
    let answer = admin.put(PATH, &json!({ "level": "debug" })).expect(200);
    let changed = json!({ "level": "debug", "default": "info", "reverts_at": null });
    assert_eq!((answer.json(), level(&admin)), (changed.clone(), changed));
    let line = bangui.wait_for_event("log_level_changed");
    assert_eq!((&line["level_from"], &line["level_to"]), (&json!("info"), &json!("debug")));
    assert_eq!((&line["level"], &line["user_id"]), (&json!("info"), &json!("admin")));
    assert_eq!(line["correlation_id"], answer.correlation_id());
    let audit = admin.get("/api/audit").expect(200).json();
    let row = &audit["items"][0];
    assert_eq!((&row["action"], &row["result"]), (&json!("set_log_level"), &json!("success")));
    assert_eq!((&row["reason"], &row["actor"]), (&json!("info to debug"), &json!("admin")));
    assert_eq!(row["correlation_id"], answer.correlation_id());
    admin.put(PATH, &json!({ "level": "info" })).expect(200);
    assert_eq!(level(&admin), default);
}

#[test]
fn a_changed_level_is_in_force_at_once() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    let opened = || bangui.events("auth_session_opened").len();
    admin.put(PATH, &json!({ "level": "debug" })).expect(200);
    bangui.admin();
    bangui.wait_for_event("auth_session_opened");
    admin.put(PATH, &json!({ "level": "warning" })).expect(200);
    let before = opened();
    bangui.admin();
    let stranger = bangui.stranger().get("/api/audit");
    let id = stranger.correlation_id();
    let cookie = bangui.stranger().with("authorization", "Bearer no-such-token");
    cookie.get("/api/audit").expect_problem(401);
    // A warning still comes, and nothing below it has come before.
    bangui.wait_for_event("auth_token_validation_failed");
    assert_eq!(opened(), before);
    let is_told = bangui.log().iter().any(|line| line["correlation_id"] == id);
    assert!(!is_told, "an access line although the level is warning");
}

#[test]
fn the_configured_level_comes_back_after_its_time() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    // The second change replaces the first one and its time.
    admin.put(PATH, &json!({ "level": "error", "for_seconds": 1 })).expect(200);
    let before = Timestamp::now();
    let change = json!({ "level": "debug", "for_seconds": 3 });
    let changed = admin.put(PATH, &change).expect(200).json();
    let reverts_at: Timestamp = changed["reverts_at"].as_str().unwrap().parse().unwrap();
    let seconds = reverts_at.duration_since(before).as_secs();
    assert!((1..=3).contains(&seconds), "{changed}");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(level(&admin)["level"], "debug", "the first change's time does not end this one");
    eventually(SOON, "the configured level", || {
        let now = level(&admin);
        expect(now["level"] == "info" && now["reverts_at"] == Value::Null, now.to_string())
    });
    let line = bangui.wait_for_event("log_level_reverted");
    assert_eq!((&line["level_from"], &line["level_to"]), (&json!("debug"), &json!("info")));
    assert_eq!(line["correlation_id"].as_str().map(str::len), Some(32), "{line}");
    assert_eq!(bangui.events("log_level_reverted").len(), 1, "the replaced change has no end");
    // Both are told while the more detailed of their levels is in force.
    let lines = bangui.events("log_level_changed");
    let told: Vec<_> = lines.iter().map(|line| (&line["level_to"], &line["level"])).collect();
    assert_eq!(told[0], (&json!("error"), &json!("info")), "{lines:?}");
    assert_eq!(lines[0]["reverts_after_seconds"], 1);
}

#[test]
fn a_wrong_change_is_refused_and_changes_nothing() {
    let token = "0123456789abcdef0123";
    let bangui = Bangui::builder().env("BANGUI_API_TOKEN", token).start();
    let admin = bangui.admin();
    let field = |body: Value| {
        let problem = admin.put(PATH, &body).expect_problem(422).json();
        problem["errors"][0]["field"].clone()
    };
    for level in ["loud", "", "off"] {
        assert_eq!(field(json!({ "level": level })), "level");
    }
    for seconds in [0, -1, 86_401] {
        let body = json!({ "level": "debug", "for_seconds": seconds });
        assert_eq!(field(body), "for_seconds", "{seconds}");
    }
    for body in [
        json!({}),
        json!({ "level": 1 }),
        json!({ "level": "debug", "for_seconds": 1.5 }),
        json!({ "level": "debug", "for": 1 }),
    ] {
        admin.put(PATH, &body).expect_problem(400);
    }
    let reader = bangui.stranger().with("authorization", &format!("Bearer {token}"));
    reader.get(PATH).expect(200);
    reader.put(PATH, &json!({ "level": "debug" })).expect_problem(403);
    bangui.stranger().put(PATH, &json!({ "level": "debug" })).expect_problem(401);
    let other = admin.with("sec-fetch-site", "cross-site");
    other.put(PATH, &json!({ "level": "debug" })).expect_problem(403);
    assert_eq!(level(&admin)["level"], "info");
    let audit = admin.get("/api/audit").expect(200).body;
    assert!(!audit.contains("set_log_level"), "{audit}");
}
