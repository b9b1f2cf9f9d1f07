//! Whose request it is: the peer's address, or the one that a trusted proxy tells.

use serde_json::{Value, json};

use crate::support::{Bangui, Builder, Client};

#[test]
fn an_operator_cannot_ban_the_own_address() {
    let bangui = Bangui::builder().env("BANGUI_TRUSTED_PROXIES", "127.0.0.1").start();
    let admin = bangui.admin();
    let proxied = admin.with("x-forwarded-for", "203.0.113.30");
    let ban =
        |client: &Client, ip: &str| client.post("/api/bans", &json!({ "jail": "sshd", "ip": ip }));
    for (client, ip) in
        [(&admin, "127.0.0.1"), (&proxied, "203.0.113.30"), (&proxied, "::ffff:203.0.113.30")]
    {
        let problem = ban(client, ip).expect_problem(422).json();
        assert_eq!(problem["errors"][0]["field"], "ip", "{ip}");
    }
    // Another address gets as far as fail2ban, which is away.
    ban(&proxied, "203.0.113.31").expect_problem(503);
}

#[test]
fn the_client_address_is_believed_from_trusted_proxies_only() {
    let forwarded = "198.51.100.66, 203.0.113.40";
    let logged = |builder: Builder| {
        let bangui = builder.start();
        let client = bangui.stranger().with("x-forwarded-for", forwarded);
        let id = client.get("/api/audit").correlation_id().to_owned();
        let line = bangui.wait_for("http_request_completed", |line| line["correlation_id"] == id);
        line["client_ip"].clone()
    };
    let trusting = || Bangui::builder().env("BANGUI_TRUSTED_PROXIES", "127.0.0.1");
    assert_eq!(logged(Bangui::builder()), "127.0.0.1");
    assert_eq!(logged(trusting()), "203.0.113.40");
    let how = "BANGUI_LOG_CLIENT_IP";
    assert_eq!(logged(trusting().env(how, "truncated")), "203.0.113.0/24");
    assert_eq!(logged(trusting().env(how, "none")), Value::Null);
}
