//! The real grpcurl, which knows nothing of the contract but what the service tells by reflection.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{API_TOKEN, Bangui, Fail2ban, inherited, script};

/// grpcurl's own offset: what it exits with is 64 and the code of the status.
const EXIT_OF_STATUS: i32 = 64;
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;

/// The binary, built once into the cache.
fn grpcurl() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut command = Command::new(script("build-grpcurl.sh"));
        let output = command.env_clear().envs(inherited()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "grpcurl cannot be had: {error}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    /// The messages of a call that succeeded.
    #[track_caller]
    fn messages(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        let messages = serde_json::Deserializer::from_str(&self.stdout).into_iter();
        messages.map(Result::unwrap).collect()
    }

    /// The status of a call that failed, with its details.
    #[track_caller]
    fn status(&self) -> Value {
        assert!(self.stdout.is_empty(), "{}", self.stdout);
        serde_json::from_str(&self.stderr)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stderr))
    }
}

/// Calls with these options, and the token if there is one.
fn call(bangui: &Bangui, token: Option<&str>, options: &[&str], what: &[&str]) -> Answer {
    let mut command = Command::new(grpcurl());
    command.args(["-plaintext", "-max-time", "20", "-format-error"]);
    if let Some(token) = token {
        command.args(["-H", &format!("authorization: Bearer {token}")]);
    }
    command.args(options).arg(format!("127.0.0.1:{}", bangui.port())).args(what);
    let output = command.env_clear().envs(inherited()).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn start(fail2ban: &Fail2ban, scope: &str) -> Bangui {
    let builder = Bangui::builder().fail2ban(fail2ban).env("BANGUI_API_TOKEN", API_TOKEN);
    let bangui = builder.env("BANGUI_API_TOKEN_SCOPE", scope).start();
    bangui.wait_for_fail2ban(&bangui.admin());
    bangui
}

#[test]
fn grpcurl_finds_out_what_there_is() {
    let fail2ban = Fail2ban::start();
    let bangui = start(&fail2ban, "read");
    let ask = |what: &[&str]| {
        let answer = call(&bangui, Some(API_TOKEN), &[], what);
        assert_eq!(answer.code, Some(0), "{what:?}: {}", answer.stderr);
        answer.stdout
    };
    let services: Vec<_> = ask(&["list"]).lines().map(str::to_owned).collect();
    let expected = [
        "bangui.v1.BanService",
        "bangui.v1.HistoryService",
        "bangui.v1.JailService",
        "bangui.v1.SchedulerService",
        "bangui.v1.StatusService",
        "bangui.v1.WatchService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
    ];
    for service in expected {
        assert!(services.iter().any(|own| own == service), "{service}: {services:?}");
    }
    let methods = ask(&["list", "bangui.v1.BanService"]);
    assert_eq!(methods.lines().count(), 3, "{methods}");
    let service = ask(&["describe", "bangui.v1.BanService"]);
    let stream = "rpc ListBans ( .bangui.v1.ListBansRequest ) returns \
        ( stream .bangui.v1.ListBansResponse );";
    assert!(service.contains(stream), "{service}");
    // The comments of the contract are told with it.
    assert!(service.contains("// Lifts a ban. Needs a token that may write."), "{service}");
    let message = ask(&["describe", "bangui.v1.Ban"]);
    assert!(message.contains("reserved 6;") && message.contains("string ip = 2;"), "{message}");
    // A stranger is told why there is nothing to see.
    let stranger = call(&bangui, None, &[], &["list"]);
    assert!(stranger.code != Some(0) && stranger.stdout.is_empty(), "{}", stranger.stdout);
    assert!(stranger.stderr.contains("sign in first"), "{}", stranger.stderr);
    let health = call(&bangui, Some(API_TOKEN), &[], &["grpc.health.v1.Health/Check"]);
    assert_eq!(health.messages(), [json!({ "status": "SERVING" })]);
}

#[test]
fn grpcurl_makes_calls_and_reads_the_details_of_errors() {
    let fail2ban = Fail2ban::start();
    let bangui = start(&fail2ban, "write");
    let ask = |data: Value, method: &str| {
        call(&bangui, Some(API_TOKEN), &["-d", &data.to_string()], &[method])
    };
    let (ban, list) = ("bangui.v1.BanService/Ban", "bangui.v1.BanService/ListBans");
    for ip in ["203.0.113.30", "203.0.113.31"] {
        let data = json!({ "jail": "sshd", "ip": ip, "reason": "by grpcurl" });
        let [answer] = &ask(data, ban).messages()[..] else { panic!("one answer") };
        assert_eq!(
            (&answer["ban"]["ip"], &answer["ban"]["reason"]),
            (&json!(ip), &json!("by grpcurl"))
        );
        let banned_at = answer["ban"]["bannedAt"].as_str().unwrap();
        banned_at.parse::<jiff::Timestamp>().unwrap();
    }
    let bans = ask(json!({ "jail": "sshd" }), list).messages();
    assert_eq!(bans.len(), 2, "a stream, one message each: {bans:?}");
    let why = ask(json!({ "ip": "203.0.113.30" }), "bangui.v1.HistoryService/GetAddressHistory");
    let [why] = &why.messages()[..] else { panic!("one answer") };
    assert_eq!(why["entries"][0]["source"], "EVENT_SOURCE_OPERATOR");
    ask(json!({ "jail": "sshd", "ip": "203.0.113.31" }), "bangui.v1.BanService/Unban").messages();
    assert_eq!(fail2ban.banned("sshd"), ["203.0.113.30"]);
    // A watch goes on until grpcurl gives up.
    let watch = "bangui.v1.WatchService/Watch";
    let watched = call(&bangui, Some(API_TOKEN), &["-max-time", "1"], &[watch]);
    assert!(watched.stdout.contains("\"status\"") && watched.stdout.contains("\"jails\""));

    let wrong = ask(json!({ "jail": "sshd", "ip": "nowhere" }), ban);
    let status = wrong.status();
    assert_eq!(wrong.code, Some(EXIT_OF_STATUS + INVALID_ARGUMENT), "{status}");
    assert_eq!(status["message"], "ip: not an IPv4 or IPv6 address");
    let detail = |kind: &str| {
        let found = status["details"]
            .as_array()
            .unwrap()
            .iter()
            .find(|detail| detail["@type"] == format!("type.googleapis.com/google.rpc.{kind}"));
        found.unwrap_or_else(|| panic!("no {kind}: {status}")).clone()
    };
    let info = detail("ErrorInfo");
    assert_eq!((&info["reason"], &info["domain"]), (&json!("INVALID_FIELD"), &json!("bangui")));
    assert_eq!(detail("BadRequest")["fieldViolations"][0]["field"], "ip");
    let id = detail("RequestInfo")["requestId"].clone();
    bangui.wait_for("grpc_call_completed", |line| line["correlation_id"] == id);

    let gone = ask(json!({ "jail": "sshd", "ip": "203.0.113.32" }), "bangui.v1.BanService/Unban");
    assert_eq!(gone.code, Some(EXIT_OF_STATUS + NOT_FOUND), "{}", gone.stderr);
}
