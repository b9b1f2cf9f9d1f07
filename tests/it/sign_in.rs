//! Signing in and out, tokens, the set-up code, and a new password.

use std::os::unix::fs::PermissionsExt as _;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Bangui, Client, PASSWORD};

fn sign_in(client: &Client, password: &str) -> Answer {
    client.post("/api/auth/login", &json!({ "username": "admin", "password": password }))
}

#[test]
fn a_session_begins_and_ends() {
    let bangui = Bangui::builder().start();
    let stranger = bangui.stranger();
    let session = stranger.get("/api/auth/session").expect(200).json();
    assert_eq!((&session["user"], &session["setup_required"]), (&Value::Null, &json!(false)));
    sign_in(&stranger, "wrong password").expect_problem(401);
    let unknown = json!({ "username": "root", "password": PASSWORD });
    stranger.post("/api/auth/login", &unknown).expect_problem(401);
    let answer = sign_in(&stranger, PASSWORD).expect(204);
    let cookie = answer.header("set-cookie");
    let parts: Vec<_> = cookie.split("; ").collect();
    assert!(parts.contains(&"HttpOnly") && parts.contains(&"SameSite=Strict"), "{cookie}");
    assert!(parts.contains(&"Path=/") && !parts.contains(&"Secure"), "{cookie}");
    let admin = stranger.with_cookie_of(&answer);
    assert_eq!(admin.get("/api/auth/session").json()["user"]["username"], "admin");
    admin.get("/api/audit").expect(200);
    let audit = admin.get("/api/audit").expect(200).json();
    let row = &audit["items"][0];
    assert_eq!((&row["action"], &row["result"]), (&json!("login"), &json!("success")), "{audit}");
    assert_eq!(row["correlation_id"], answer.correlation_id());
    let gone = admin.send(Method::POST, "/api/auth/logout", None).expect(204);
    assert!(gone.header("set-cookie").contains("Max-Age=0"), "{:?}", gone.headers);
    admin.get("/api/audit").expect_problem(401);
    let lines = bangui.events("user_login_attempt");
    let told: Vec<_> = lines.iter().map(|line| (&line["success"], &line["username"])).collect();
    let (no, yes) = (json!(false), json!(true));
    let (name, unknown) = (json!("admin"), json!("(unknown)"));
    assert_eq!(told, [(&no, &name), (&no, &unknown), (&yes, &name)]);
    assert!(lines.iter().all(|line| line["client_ip"] == "127.0.0.1"), "{lines:?}");
}

#[test]
fn over_https_the_cookie_is_bound_and_the_browser_stays_there() {
    let bangui = Bangui::builder().env("BANGUI_PUBLIC_URL", "https://bans.example").start();
    let answer = sign_in(&bangui.stranger(), PASSWORD).expect(204);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    bangui.stranger().with_cookie_of(&answer).get("/api/audit").expect(200);
}

#[test]
fn the_sixth_wrong_password_has_to_wait() {
    let bangui = Bangui::builder().start();
    for _ in 0..5 {
        sign_in(&bangui.stranger(), "wrong password").expect_problem(401);
    }
    for password in ["wrong password", PASSWORD] {
        let answer = sign_in(&bangui.stranger(), password).expect_problem(429);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert_eq!(answer.json()["retry_after_seconds"], seconds);
    }
}

#[test]
fn a_token_has_its_scope() {
    let token = "0123456789abcdef0123";
    let builder = || Bangui::builder().env("BANGUI_API_TOKEN", token);
    let ban = json!({ "jail": "sshd", "ip": "no address" });
    let bearer = |bangui: &Bangui, token: &str| {
        bangui.stranger().with("authorization", &format!("Bearer {token}"))
    };
    let bangui = builder().start();
    bearer(&bangui, token).get("/api/audit").expect(200);
    bearer(&bangui, token).post("/api/bans", &ban).expect_problem(403);
    bearer(&bangui, token).delete("/api/bans/sshd/203.0.113.1").expect_problem(403);
    let refused = bearer(&bangui, "0123456789abcdef0124").get("/api/audit").expect_problem(401);
    assert!(refused.header("www-authenticate").starts_with("Bearer"));
    let line = bangui.wait_for_event("auth_token_validation_failed");
    assert_eq!(line["token_hash"].as_str().map(str::len), Some(16), "{line}");

    let bangui = builder().env("BANGUI_API_TOKEN_SCOPE", "write").start();
    bearer(&bangui, token).post("/api/bans", &ban).expect_problem(422);
    let bangui = Bangui::builder().start();
    bearer(&bangui, token).get("/api/audit").expect_problem(401);
}

#[test]
fn the_setup_code_makes_the_first_account_once() {
    let builder = Bangui::builder().without("BANGUI_ADMIN_PASSWORD");
    let folder = tempfile::tempdir().unwrap();
    let bangui = builder.data_dir(folder.path()).start();
    let line = bangui.wait_for_event("auth_setup_required");
    let path = line["path"].as_str().unwrap();
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let printed = Bangui::builder().run(folder.path(), &["admin", "setup-code"], "");
    let code = std::fs::read_to_string(path).unwrap().trim().to_owned();
    assert_eq!((printed.code, &printed.stdout), (Some(0), &vec![code.clone()]));
    assert!(!format!("{:?}", bangui.log()).contains(&code), "the code stands in the log");

    let stranger = bangui.stranger();
    assert_eq!(stranger.get("/api/auth/session").json()["setup_required"], true);
    let set_up = |code: &str, password: &str| {
        stranger.post("/api/auth/setup", &json!({ "code": code, "password": password }))
    };
    set_up("wrong", PASSWORD).expect_problem(401);
    let short = set_up(&code, "short").expect_problem(422);
    assert_eq!(short.json()["errors"][0]["field"], "password");
    let made = set_up(&code, PASSWORD).expect(204);
    let audit = stranger.with_cookie_of(&made).get("/api/audit").expect(200).json();
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|it| &it["action"]).collect();
    assert!(actions.contains(&&json!("account_setup")), "{audit}");
    set_up(&code, PASSWORD).expect_problem(409);
    assert!(!std::path::Path::new(path).exists(), "a used code is removed");
    assert_eq!(stranger.get("/api/auth/session").json()["setup_required"], false);
    sign_in(&stranger, PASSWORD).expect(204);
    let printed = Bangui::builder().run(folder.path(), &["admin", "setup-code"], "");
    assert_eq!((printed.code, printed.stderr.len()), (Some(1), 1), "{printed:?}");
}

#[test]
fn a_new_password_ends_all_sessions() {
    let bangui = Bangui::builder().start();
    let admin = bangui.admin();
    admin.get("/api/audit").expect(200);
    let reset =
        |input: &str| Bangui::builder().run(bangui.data_dir(), &["admin", "reset-password"], input);
    let short = reset("short\n");
    assert_eq!((short.code, short.stderr.len()), (Some(1), 1), "{short:?}");
    admin.get("/api/audit").expect(200);
    let done = reset("another long password\n");
    assert_eq!(done.code, Some(0), "{done:?}");
    admin.get("/api/audit").expect_problem(401);
    sign_in(&bangui.stranger(), PASSWORD).expect_problem(401);
    let answer = sign_in(&bangui.stranger(), "another long password").expect(204);
    let audit = bangui.stranger().with_cookie_of(&answer).get("/api/audit").expect(200).json();
    assert_eq!(audit["items"][1]["action"], "password_reset", "{audit}");
}
