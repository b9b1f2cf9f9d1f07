//! The HTTP API seen by strangers, by browsers of other sites, and by clients that send nonsense.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use crate::support::{Answer, Bangui, FakeSocket, SOON, eventually, expect};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Everything that is not open to strangers.
const CLOSED: [(&str, &str); 17] = [
    ("GET", "/api/dashboard/status"),
    ("GET", "/api/jails"),
    ("GET", "/api/jails/sshd"),
    ("GET", "/api/bans"),
    ("POST", "/api/bans"),
    ("DELETE", "/api/bans/sshd/203.0.113.1"),
    ("GET", "/api/history"),
    ("GET", "/api/audit"),
    ("GET", "/api/traces/0af7651916cd43dd8448eb211c80319c"),
    ("GET", "/api/events"),
    ("GET", "/api/scheduler/lock"),
    ("GET", "/api/telemetry/collector-log"),
    ("GET", "/api/settings/log-level"),
    ("PUT", "/api/settings/log-level"),
    ("POST", "/v1/logs"),
    ("POST", "/v1/metrics"),
    ("POST", "/v1/traces"),
];

fn method(name: &str) -> Method {
    name.parse().unwrap()
}

#[test]
fn strangers_see_nothing_but_the_door() {
    let bangui = Bangui::builder().start();
    let stranger = bangui.stranger();
    let forged = stranger.with("cookie", "bangui_session=forged");
    for (name, path) in CLOSED {
        for client in [&stranger, &forged] {
            client.send(method(name), path, None).expect_problem(401);
        }
    }
    for path in ["/", "/health", "/api/auth/session"] {
        stranger.get(path).expect(200);
    }
    stranger.get("/metrics").expect_problem(503);
    stranger.send(Method::POST, "/api/auth/logout", None).expect(204);
}

#[test]
fn the_page_and_its_files_are_there() {
    let bangui = Bangui::builder().start();
    let stranger = bangui.stranger();
    let page = stranger.get("/").expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let marker = "/assets/";
    let start = page.body.find(marker).expect("the page names its files: build it with `make ui`");
    let path: String = page.body[start..].chars().take_while(|it| *it != '"').collect();
    let file = stranger.get(&path).expect(200);
    assert!(file.header("cache-control").contains("immutable"), "{:?}", file.headers);
    let known = stranger.with("if-none-match", file.header("etag"));
    known.get(&path).expect(304);
    stranger.get("/assets/none.js").expect_problem(404);
}

#[test]
fn other_sites_cannot_change_anything() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.20" });
    let own = format!("http://127.0.0.1:{}", bangui.port());
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://x.y"),
    ] {
        let other = admin.with(name, value);
        other.post("/api/bans", &ban).expect_problem(403);
        other.delete("/api/bans/sshd/203.0.113.20").expect_problem(403);
        other.post("/api/auth/login", &json!({})).expect_problem(403);
    }
    // fail2ban is away: a change that is let through ends there.
    for client in [admin.with("origin", &own), admin.with("sec-fetch-site", "same-origin")] {
        client.post("/api/bans", &ban).expect_problem(503);
    }
}

#[test]
fn bad_input_is_told_and_nothing_reaches_fail2ban() {
    let socket = FakeSocket::answering(b"nonsense");
    let bangui = Bangui::builder().socket(&socket.path()).start();
    let admin = bangui.admin();
    let json_type = "application/json";
    let send = |media_type: &str, body: &str| {
        admin.send(Method::POST, "/api/bans", Some((media_type, body.to_owned())))
    };
    for body in
        ["", "{", "[]", "null", "{\"jail\":1,\"ip\":\"203.0.113.1\"}", "{\"jail\":\"sshd\"}"]
    {
        send(json_type, body).expect_problem(400);
    }
    send(json_type, "{\"jail\":\"sshd\",\"ip\":\"203.0.113.1\",\"x\":1}").expect_problem(400);
    for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
        send(media_type, "{\"jail\":\"sshd\",\"ip\":\"203.0.113.1\"}").expect_problem(415);
    }
    admin.send(Method::POST, "/api/bans", None).expect_problem(415);
    send(json_type, &format!("\"{}\"", "x".repeat(64 * 1024))).expect_problem(413);

    let field = |answer: Answer| answer.expect_problem(422).json()["errors"][0]["field"].clone();
    let ban = |jail: &str, ip: &str| admin.post("/api/bans", &json!({ "jail": jail, "ip": ip }));
    for ip in
        ["", "nowhere", "203.0.113.256", "203.0.113.1/99", "203.0.113.1\n2", "1.2.3.4 5.6.7.8"]
    {
        assert_eq!(field(ban("sshd", ip)), "ip", "{ip:?}");
    }
    for jail in ["", "a b", "../sshd", "sshd\n", "--all", &"x".repeat(300)] {
        assert_eq!(field(ban(jail, "203.0.113.1")), "jail", "{jail:?}");
    }
    let reason = "x".repeat(501);
    let long = json!({ "jail": "sshd", "ip": "203.0.113.1", "reason": reason });
    assert_eq!(field(admin.post("/api/bans", &long)), "reason");
    assert_eq!(field(admin.delete("/api/bans/sshd/nowhere")), "ip");
    assert_eq!(field(admin.delete("/api/bans/a%20b/203.0.113.1")), "jail");
    assert_eq!(field(admin.get("/api/jails/a%20b")), "jail");
    assert_eq!(field(admin.get("/api/traces/xyz")), "trace_id");
    for (path, name) in [("history", "limit"), ("audit", "limit"), ("audit", "cursor")] {
        assert_eq!(field(admin.get(&format!("/api/{path}?{name}=many"))), name);
    }
    // The watch asks who is there, which shows that the record would have held more.
    eventually(SOON, "the greeting at the socket", || {
        expect(socket.received().contains("version"), socket.received())
    });
    for word in ["banip", "unbanip", "sshd", "bantime"] {
        assert!(!socket.received().contains(word), "`{word}` was sent: {}", socket.received());
    }
    let audit = admin.get("/api/audit").expect(200).json();
    let has_ban = |row: &Value| row["action"] == "ban" || row["action"] == "unban";
    assert!(!audit["items"].as_array().unwrap().iter().any(has_ban), "{audit}");
}

#[test]
fn every_answer_has_its_headers() {
    let bangui = Bangui::builder().start();
    let (stranger, admin) = (bangui.stranger(), bangui.admin());
    let answers = [
        stranger.get("/").expect(200),
        stranger.get("/health").expect(200),
        stranger.get("/metrics").expect_problem(503),
        stranger.get("/nothing").expect_problem(404),
        stranger.get("/api/audit").expect_problem(401),
        admin.get("/api/audit").expect(200),
        admin
            .with("sec-fetch-site", "cross-site")
            .post("/api/bans", &json!({}))
            .expect_problem(403),
        admin.send(Method::PUT, "/api/bans", None).expect_problem(405),
        admin.send(Method::POST, "/api/bans", None).expect_problem(415),
        admin.get("/api/bans").expect_problem(503),
    ];
    for answer in answers {
        assert_eq!(answer.header("content-security-policy"), POLICY);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.header("cache-control").is_empty(), "{:?}", answer.headers);
        let id = answer.correlation_id();
        assert_eq!(id.len(), 32);
        assert!(answer.header("traceresponse").contains(id), "{:?}", answer.headers);
        assert_eq!(answer.header("strict-transport-security"), "", "over plain http");
    }
}

#[test]
fn other_methods_are_refused_and_head_has_no_body() {
    let bangui = Bangui::builder().start();
    let client = bangui.stranger();
    let allow = |name: &str, path: &str| {
        client.send(method(name), path, None).expect_problem(405).header("allow").to_owned()
    };
    assert_eq!(allow("POST", "/api/jails"), "GET");
    assert_eq!(allow("PUT", "/api/bans"), "GET, POST");
    assert_eq!(allow("GET", "/api/bans/sshd/203.0.113.1"), "DELETE");
    assert_eq!(allow("DELETE", "/"), "GET");
    assert_eq!(allow("POST", "/api/settings/log-level"), "GET, PUT");
    assert_eq!(allow("BREW", "/health"), "GET");
    for path in ["/health", "/"] {
        let (head, get) = (client.send(Method::HEAD, path, None), client.get(path));
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
    client.get("/api/nothing").expect_problem(404);
    client.get("/api/jails/a/b").expect_problem(404);
}

#[test]
fn http2_without_tls_is_spoken_on_the_same_port() {
    let bangui = Bangui::builder().start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", bangui.port())).await.unwrap();
        let io = TokioIo::new(stream);
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let calls = ["/health", "/api/audit", "/nothing"].map(|path| {
            let mut sender = sender.clone();
            async move {
                let uri = format!("http://127.0.0.1{path}");
                let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.version(), http::Version::HTTP_2);
                assert!(response.headers().contains_key("x-correlation-id"));
                let status = response.status().as_u16();
                response.into_body().collect().await.unwrap();
                status
            }
        });
        futures_util::future::join_all(calls).await
    });
    assert_eq!(statuses, [200, 401, 404]);
}
