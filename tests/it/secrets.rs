//! No secret leaves or stays: wherever it is put in, it is searched for on stdout, in every OTLP
//! payload, in every answer and live event, and in all bytes of the database.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    Answers, Bangui, Client, Events, Fail2ban, FakeSocket, OtlpReceiver, PASSWORD,
};

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

/// What the database says when a trigger of the test refuses a row.
const OF_DATABASE: (&str, &str) = ("token=sq-5557", "sq-5557");

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
        client.get(&format!("/api/audit?limit={in_url}&cursor={in_url}"));
        client.with("user-agent", &one_line).get("/api/audit");
        client.with("traceparent", &one_line).with("baggage", &one_line).get("/api/audit");
        client.with("x-forwarded-for", &one_line).with("referer", &one_line).get("/api/audit");
        client.with("forwarded", &one_line).with("origin", &one_line).get("/api/audit");
        let body = Some(("application/json", format!("{{\"{one_line}\":1}}")));
        client.send(Method::POST, "/api/bans", body);
        client.put("/api/settings/log-level", &json!({ "level": text }));
        client.post("/v1/logs", &browser_logs(text));
        client.post("/v1/traces", &browser_spans(text));
        client.post("/v1/metrics", &browser_metrics(text));
    }
    let ban = json!({ "jail": "sshd", "ip": format!("198.51.100.{host}"), "reason": text });
    admin.post("/api/bans", &ban).expect(201);
    admin.post("/api/bans", &json!({ "jail": text, "ip": "198.51.100.250", "reason": text }));
    admin.post("/api/bans", &json!({ "jail": "sshd", "ip": text, "reason": text }));
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

/// A page's report that has the text in all its places, known and unknown.
fn browser_logs(text: &str) -> Value {
    let value = json!({ "stringValue": text });
    let keys = ["exception.type", "exception.message", "exception.stacktrace", "url.path", "note"];
    let mut attributes: Vec<_> =
        keys.iter().map(|key| json!({ "key": key, "value": value })).collect();
    attributes.push(json!({ "key": text, "value": value }));
    attributes.push(json!({ "key": "url.path", "value": { "stringValue": format!("/{text}") } }));
    let record = json!({ "eventName": text, "body": value, "attributes": attributes });
    let in_body = json!({ "severityNumber": 17, "body": value });
    json!({ "resourceLogs": [{ "resource": { "attributes": attributes },
        "scopeLogs": [{ "scope": { "name": text }, "logRecords": [record, in_body] }] }] })
}

/// A page's call that is taken, with the text wherever else there is room for one.
fn browser_call(text: &str) -> Value {
    let attribute = |key, value| json!({ "key": key, "value": { "stringValue": value } });
    json!([
        attribute("http.request.method", "GET"),
        attribute("url.template", "/api/audit"),
        attribute("error.type", text),
        attribute("browser.web_vital.name", "LCP"),
        attribute("browser.web_vital.navigation_type", text),
        attribute(text, text),
    ])
}

/// A page's spans: of a call, and of an action that has the text for a name.
fn browser_spans(text: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string();
    let action = json!([{ "key": "bangui.page.action", "value": { "stringValue": text } }]);
    let span = |attributes| {
        json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7",
            "startTimeUnixNano": now, "endTimeUnixNano": now, "name": text,
            "traceState": text, "status": { "code": 2, "message": text },
            "attributes": attributes, "events": [{ "name": text }],
        })
    };
    let spans = [span(browser_call(text)), span(action)];
    let resource = json!({ "attributes": browser_call(text) });
    json!({ "resourceSpans": [{ "resource": resource,
        "scopeSpans": [{ "scope": { "name": text }, "spans": spans }] }] })
}

/// A page's measurements, and one that nobody knows.
fn browser_metrics(text: &str) -> Value {
    let metric = |name: &str, unit: &str| {
        let point = json!({ "asDouble": 1.0, "attributes": browser_call(text) });
        json!({ "name": name, "unit": unit, "description": text,
            "gauge": { "dataPoints": [point] } })
    };
    let call = metric("bangui.frontend.api.duration", "s");
    let metrics = [metric("browser.web_vital", "ms"), call, metric(text, text)];
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] })
}

/// Reads everything that an operator reads.
fn read_all(admin: &Client) {
    for path in ["bans", "history", "audit", "jails", "dashboard/status", "settings/log-level"] {
        admin.get(&format!("/api/{path}?limit=1000"));
    }
    admin.get("/api/jails/sshd");
}

/// Lets the database of a running BanGUI refuse new rows, in words that hold a secret.
fn refuse_rows(data_dir: &Path) {
    let script = "import sqlite3, sys\n\
        db = sqlite3.connect(sys.argv[1], timeout=10)\n\
        for table in ('audit', 'bans'):\n    \
            db.execute(f\"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN \"\n               \
                       f\"SELECT RAISE(ABORT, '{sys.argv[2]}'); END\")\n\
        db.commit()\n";
    let database = data_dir.join("bangui.db");
    let mut command = Command::new("python3");
    let status = command.args(["-c", script]).arg(database).arg(OF_DATABASE.0).status().unwrap();
    assert!(status.success(), "{status}");
}

/// All bytes of the database's files, as text.
fn database(data_dir: &Path) -> String {
    let mut text = String::new();
    for file in std::fs::read_dir(data_dir).unwrap().flatten() {
        if file.file_name().to_string_lossy().starts_with("bangui.db") {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()));
        }
    }
    assert!(text.contains("CREATE TABLE audit"), "the database is not in {data_dir:?}");
    text
}

/// Texts that went out, each under the name of its exit.
#[derive(Default)]
struct Exits(Vec<(&'static str, String)>);

impl Exits {
    fn add(&mut self, exit: &'static str, texts: impl IntoIterator<Item = impl ToString>) {
        self.0.extend(texts.into_iter().map(|text| (exit, text.to_string())));
    }

    fn answers(&mut self, answers: &Answers) {
        let answers = answers.lock().unwrap();
        assert!(answers.len() > 10, "answers were not kept: {answers:?}");
        // The client's own words before the answer are no exit.
        self.add("in an answer", answers.iter().map(|it| it.split_once(": ").unwrap().1));
    }

    /// Where a secret is seen.
    fn seen(&self, secret: &str) -> Vec<String> {
        let found = self.0.iter().filter(|(_, text)| text.contains(secret));
        found.map(|(exit, text)| format!("{secret} {exit}: {}", around(text, secret))).collect()
    }
}

#[test]
fn no_planted_secret_is_seen_anywhere() {
    let fail2ban = Fail2ban::start();
    let receiver = OtlpReceiver::start();
    let folder = tempfile::tempdir().unwrap();
    let resource = "deployment.note=password%3Dhunter2,api_key=ka-5550,team=web";
    let mut bangui = Bangui::builder()
        .fail2ban(&fail2ban)
        .data_dir(folder.path())
        .env("BANGUI_LOG_LEVEL", "debug")
        .env("BANGUI_TRUSTED_PROXIES", "127.0.0.1")
        .env("BANGUI_API_TOKEN", "ap-5555-0123456789abcdef")
        .env("OTEL_RESOURCE_ATTRIBUTES", resource)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hd-5556")
        .export_to(&receiver, "grpc")
        .start();
    let admin = bangui.admin();
    let cookie = admin.headers()[0].1.split_once('=').unwrap().1.to_owned();
    // After the sign-in, whose answer holds the session's token by design.
    let answers = bangui.keep_answers();
    let admin = bangui.stranger().with("cookie", &admin.headers()[0].1);
    bangui.wait_for_fail2ban(&admin);
    let events = Events::open(&admin);
    for (host, (text, _)) in PLANTED.iter().enumerate() {
        plant(&bangui, &admin, text, host + 1);
    }
    bangui.stranger().with("authorization", "Bearer be-5554").get("/api/audit").expect_problem(401);
    let token = bangui.stranger().with("authorization", "Bearer ap-5555-0123456789abcdef");
    token.get("/api/audit").expect(200);
    read_all(&admin);
    let before = database(folder.path());
    refuse_rows(folder.path());
    provoke_the_database(&bangui, &admin, &fail2ban);
    let ended = bangui.stop();

    let mut exits = Exits::default();
    exits.add("on stdout", &ended.lines);
    exits.add("on stderr", &ended.stderr);
    exits.add("in OTLP", receiver.payloads());
    exits.add("in an event", events.so_far().iter().map(|event| event.data.to_string()));
    exits.answers(&answers);
    assert!(exits.seen("password=***").len() > 3, "nothing was redacted, or nothing came");
    assert!(!exits.seen("code: 1811) token=***").is_empty(), "the database's words are missing");
    assert!(!exits.seen("team").is_empty(), "the resource is missing");
    let mut seen = exits.seen(OF_DATABASE.1);
    // The trigger's own text stands in the database, so only the others are searched for there.
    exits.add("in the database", [before, database(folder.path())]);
    let own = ["ap-5555", "hd-5556", cookie.as_str(), PASSWORD];
    let secrets = PLANTED.iter().map(|(_, secret)| *secret).chain(own);
    seen.extend(secrets.flat_map(|secret| exits.seen(secret)));
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

/// Makes the database say its words: to a change by an operator, and to an observation.
fn provoke_the_database(bangui: &Bangui, admin: &Client, fail2ban: &Fail2ban) {
    let ban = json!({ "jail": "sshd", "ip": "198.51.100.200" });
    admin.post("/api/bans", &ban).expect_problem(500);
    admin.put("/api/settings/log-level", &json!({ "level": "info" })).expect_problem(500);
    fail2ban.command(&["set", "sshd", "banip", "198.51.100.201"]);
    bangui.wait_for_event("history_write_failed");
    read_all(admin);
}

#[test]
fn what_fail2ban_says_in_its_errors_is_not_seen() {
    for (text, secret) in PLANTED {
        let socket = FakeSocket::refusing(&format!("{} {text}", "x".repeat(480)));
        let receiver = OtlpReceiver::start();
        let folder = tempfile::tempdir().unwrap();
        let builder = Bangui::builder().socket(&socket.path()).data_dir(folder.path());
        let mut bangui = builder.export_to(&receiver, "grpc").start();
        let answers = bangui.keep_answers();
        let admin = bangui.admin();
        bangui.wait_for_event("fail2ban_command_failed");
        let ban = json!({ "jail": "sshd", "ip": "198.51.100.7" });
        let refused = admin.post("/api/bans", &ban).expect_problem(502).json();
        assert!(refused["detail"].as_str().unwrap().contains("refused"), "{refused}");
        admin.get("/api/jails/sshd").expect_problem(502);
        admin.delete("/api/bans/sshd/198.51.100.7").expect_problem(502);
        for _ in 0..3 {
            read_all(&admin);
        }
        let mut exits = Exits::default();
        exits.add("in the database", [database(folder.path())]);
        exits.add("on stdout", bangui.stop().lines);
        exits.add("in OTLP", receiver.payloads());
        exits.add("in the database", [database(folder.path())]);
        exits.answers(&answers);
        let seen = exits.seen(secret);
        assert!(seen.is_empty(), "{}", seen.join("\n"));
    }
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
