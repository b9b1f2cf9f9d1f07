//! Live events: what a page hears, and how it resumes.

use std::time::Duration;

use serde_json::json;

use crate::support::{Bangui, Events, Fail2ban, SOON, eventually, expect};

#[test]
fn a_page_hears_the_state_then_the_news_and_resumes_where_it_was() {
    let fail2ban = Fail2ban::start();
    let bangui = Bangui::builder().fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let events = Events::open(&admin);
    eventually(SOON, "the first two events", || {
        let names: Vec<_> = events.so_far().into_iter().map(|event| event.name).collect();
        expect(names.starts_with(&["status".into(), "jail".into()]), format!("{names:?}"))
    });
    let ban = |ip: &str| {
        let answer = admin.post("/api/bans", &json!({ "jail": "sshd", "ip": ip })).expect(201);
        answer.correlation_id().to_owned()
    };
    let (first_id, _) = (ban("203.0.113.50"), ban("203.0.113.51"));
    let first = events.wait(SOON, "ban", |data| data["ip"] == "203.0.113.50");
    assert_eq!((&first.data["jail"], &first.data["source"]), (&json!("sshd"), &json!("operator")));
    assert_eq!(first.data["correlation_id"], first_id);
    events.wait(SOON, "ban", |data| data["ip"] == "203.0.113.51");

    let position = first.id.expect("a live event has an id");
    let resumed = Events::open(&admin.with("last-event-id", &position));
    resumed.wait(SOON, "ban", |data| data["ip"] == "203.0.113.51");
    let heard = resumed.so_far();
    assert!(!heard.iter().any(|event| event.data["ip"] == "203.0.113.50"), "{heard:?}");
    for unknown in ["dead-7", "garbage"] {
        let events = Events::open(&admin.with("last-event-id", unknown));
        events.wait(SOON, "jail", |_| true);
        // A position that is not ours means that something was missed; garbage is no position.
        if unknown == "dead-7" {
            events.wait(SOON, "reset", |_| true);
        }
    }
}

#[test]
fn a_stop_ends_the_streams_at_once() {
    let bangui = Bangui::builder().start();
    let events = Events::open(&bangui.admin());
    events.wait(SOON, "jail", |_| true);
    let started = std::time::Instant::now();
    let ended = bangui.stop();
    assert_eq!(ended.status.code(), Some(0));
    // Far below the limit of the drain, which would mean that the stream was cut off.
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert!(!ended.lines.iter().any(|line| line["event"] == "http_drain_timed_out"));
}
