//! No secret leaves: neither on stdout nor in any OTLP payload, wherever it was put.

use http::Method;
use serde_json::json;

use crate::support::{Bangui, Client, Fail2ban, OtlpReceiver, PASSWORD};

/// Texts with the part that must not be seen anywhere.
const PLANTED: [(&str, &str); 8] = [
    ("password=hunter2", "hunter2"),
    ("api_key=ka-5550", "ka-5550"),
    ("api-key=kb-5551", "kb-5551"),
    ("token=tk-5552", "tk-5552"),
    ("secret=sc-5553", "sc-5553"),
    ("Authorization: Bearer be-5554", "be-5554"),
    ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    ("-----BEGIN PRIVATE KEY-----\nMIIBVgIBADAN\n-----END PRIVATE KEY-----", "MIIBVgIBADAN"),
];

/// Puts one text wherever a caller can put one.
fn plant(bangui: &Bangui, admin: &Client, text: &str, host: usize) {
    let one_line = text.replace('\n', " ");
    let in_url: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    for client in [&bangui.stranger(), admin] {
        // What an address holds as it is; the rest has a test of its own.
        if !text.contains([' ', '\n']) {
            in_paths(client, text);
        }
        client.get(&format!("/api/bans?q={in_url}&cursor={in_url}"));
        client.with("user-agent", &one_line).get("/api/audit");
        client.with("traceparent", &one_line).with("baggage", &one_line).get("/api/audit");
        client.with("x-forwarded-for", &one_line).with("referer", &one_line).get("/api/audit");
        let body = Some(("application/json", format!("{{\"{one_line}\":1}}")));
        client.send(Method::POST, "/api/bans", body);
    }
    let ban = json!({ "jail": "sshd", "ip": format!("198.51.100.{host}"), "reason": text });
    admin.post("/api/bans", &ban).expect(201);
    let sign_in = json!({ "username": text, "password": text });
    // Its own address each time, or the sign-in would soon be throttled.
    let client = bangui.stranger().with("x-forwarded-for", &format!("203.0.113.{host}"));
    client.post("/api/auth/login", &sign_in).expect_problem(401);
}

/// Puts one text into the paths of several routes.
fn in_paths(client: &Client, text: &str) {
    client.get(&format!("/{text}"));
    client.get(&format!("/api/jails/{text}"));
    client.get(&format!("/api/traces/{text}"));
    client.delete(&format!("/api/bans/{text}/{text}"));
}

#[test]
fn no_planted_secret_is_seen_anywhere() {
    let fail2ban = Fail2ban::start();
    let receiver = OtlpReceiver::start();
    let resource = "deployment.note=password%3Dhunter2,api_key=ka-5550,team=web";
    let bangui = Bangui::builder()
        .fail2ban(&fail2ban)
        .env("BANGUI_LOG_LEVEL", "debug")
        .env("BANGUI_TRUSTED_PROXIES", "127.0.0.1")
        .env("BANGUI_API_TOKEN", "ap-5555-0123456789abcdef")
        .env("OTEL_RESOURCE_ATTRIBUTES", resource)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hd-5556")
        .export_to(&receiver, "grpc")
        .start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    for (host, (text, _)) in PLANTED.iter().enumerate() {
        plant(&bangui, &admin, text, host + 1);
    }
    bangui.stranger().with("authorization", "Bearer be-5554").get("/api/audit").expect_problem(401);
    let token = bangui.stranger().with("authorization", "Bearer ap-5555-0123456789abcdef");
    token.get("/api/audit").expect(200);
    let cookie = admin.headers()[0].1.split_once('=').unwrap().1.to_owned();

    let ended = bangui.stop();
    let stdout: Vec<_> = ended.lines.iter().map(ToString::to_string).collect();
    assert!(
        receiver.payload_with("password=***").is_some(),
        "nothing was redacted, or nothing came"
    );
    assert!(receiver.payload_with("team").is_some(), "the resource is missing");
    let secrets = PLANTED.iter().map(|(_, secret)| *secret);
    let own = ["ap-5555", "hd-5556", cookie.as_str(), PASSWORD];
    let mut seen = Vec::new();
    for secret in secrets.chain(own) {
        let line = stdout.iter().find(|line| line.contains(secret));
        seen.extend(line.map(|line| format!("{secret} on stdout: {line}")));
        let payload = receiver.payload_with(secret);
        seen.extend(payload.map(|text| format!("{secret} in OTLP: {}", around(&text, secret))));
    }
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

#[test]
fn a_secret_in_an_encoded_path_is_not_seen() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    for (text, _) in PLANTED {
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        in_paths(&bangui.stranger(), &encoded.replace('+', "%20"));
    }
    let ended = bangui.stop();
    let mut seen = Vec::new();
    for (text, secret) in PLANTED {
        let is_in_log = ended.lines.iter().any(|line| line.to_string().contains(secret));
        if is_in_log || receiver.payload_with(secret).is_some() {
            seen.push(text);
        }
    }
    assert_eq!(seen, [""; 0], "percent-encoded in a path");
}

/// The neighbourhood of a finding, without the rest of its payload.
fn around(text: &str, secret: &str) -> String {
    let at = text.find(secret).unwrap_or_default();
    let (from, to) = (at.saturating_sub(120), (at + 60).min(text.len()));
    text[text.floor_char_boundary(from)..text.floor_char_boundary(to)].to_owned()
}
