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

#[test]
fn both_forwarding_headers_are_read_and_must_agree() {
    let bangui = Bangui::builder().env("BANGUI_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8").start();
    let logged = |headers: &[(&str, &str)]| {
        let add = |client: Client, (name, value): &(&str, &str)| client.with(name, value);
        let client = headers.iter().fold(bangui.stranger(), add);
        let id = client.get("/api/audit").correlation_id().to_owned();
        let line = bangui.wait_for("http_request_completed", |line| line["correlation_id"] == id);
        line["client_ip"].clone()
    };
    let (standard, usual) = ("forwarded", "x-forwarded-for");
    let v6 = "for=198.51.100.66, for=\"[2001:db8::7]:4711\";proto=https, for=10.1.2.3";
    assert_eq!(logged(&[(standard, v6)]), "2001:db8::7");
    assert_eq!(logged(&[(standard, "for=203.0.113.40")]), "203.0.113.40");
    assert_eq!(logged(&[(standard, "for=unknown")]), "127.0.0.1");
    assert_eq!(logged(&[(standard, "for=203.0.113.40, for=_hidden, for=10.1.2.3")]), "10.1.2.3");
    assert_eq!(logged(&[(usual, "203.0.113.40:5000")]), "203.0.113.40");
    assert_eq!(logged(&[(usual, "[2001:db8::7]:443, 10.1.2.3")]), "2001:db8::7");
    let both = [(standard, "for=203.0.113.40"), (usual, "203.0.113.40")];
    assert_eq!(logged(&both), "203.0.113.40");
    let forged = [(standard, "for=198.51.100.66"), (usual, "203.0.113.40")];
    assert_eq!(logged(&forged), "127.0.0.1");
}
