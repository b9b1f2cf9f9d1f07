//! The document of the API, as it is served. That answers are what it says is held by every test:
//! the client of the tests looks at each (tests/support/contract.rs).

use serde_json::{Value, json};

use crate::support::{Bangui, Fail2ban};

#[test]
fn the_document_is_served_to_those_who_are_signed_in() {
    let bangui = Bangui::builder().start();
    bangui.stranger().get("/api/openapi.json").expect_problem(401);
    let document = bangui.admin().get("/api/openapi.json").expect(200).json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let ban = &document["paths"]["/api/bans/{jail}/{ip}"]["delete"];
    let parameters = json!([
        { "$ref": "#/components/parameters/jail" },
        { "$ref": "#/components/parameters/ip" },
    ]);
    assert_eq!(ban["parameters"], parameters);
    assert_eq!(ban["security"], json!([{ "session": [] }, { "token": [] }]));
    let statuses: Vec<_> = ban["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["204", "401", "403", "404", "422", "503", "default"]);
    let required = &document["components"]["schemas"]["Ban"]["required"];
    assert_eq!(required.as_array().map(Vec::len), Some(5));
}

/// The main routes with something in them; what others are asked for is checked on the way there.
#[test]
fn the_main_routes_answer_as_documented() {
    let fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.5", "reason": "for tests" });
    admin.post("/api/bans", &ban).expect(201);
    admin.post("/api/bans", &ban).expect(200);
    admin.post("/api/bans", &json!({ "jail": "sshd", "ip": "nowhere" })).expect(422);
    for path in [
        "/health",
        "/api/auth/session",
        "/api/dashboard/status",
        "/api/jails",
        "/api/jails/sshd",
        "/api/bans",
        "/api/history",
        "/api/addresses/203.0.113.5",
        "/api/audit",
        "/api/settings/log-level",
        "/api/scheduler/lock",
        "/api/scheduler/tasks",
        "/api/scheduler/tasks/session_cleanup/runs",
    ] {
        let answer = admin.get(path).expect(200).json();
        let has_items = answer["items"].as_array().is_none_or(|items| !items.is_empty());
        assert!(has_items, "{path} has nothing to check: {answer}");
    }
    admin.delete("/api/bans/sshd/203.0.113.5").expect(204);
    let level = json!({ "level": "debug", "for_seconds": 60 });
    let set: Value = admin.put("/api/settings/log-level", &level).expect(200).json();
    assert_eq!(set["level"], "debug");
}
