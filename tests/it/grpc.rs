//! The gRPC API: the same product as the JSON API, spoken to by the clients of the contract.

use std::time::{Duration, Instant};

use bangui::proto::v1::{
    BanRequest, GetAddressHistoryRequest, GetJailRequest, GetStatusRequest, ListBansRequest,
    ListJailsRequest, UnbanRequest, WatchRequest,
};
use bytes::Bytes;
use serde_json::json;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{
    API_TOKEN, Bangui, Builder, Fail2ban, FakeSocket, OtlpReceiver, Rpc, SOON, eventually, expect,
    framed, hex, metadata, raw_call, reason_and_field,
};

fn builder(scope: &str) -> Builder {
    Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN).env("BANGUI_API_TOKEN_SCOPE", scope)
}

fn ban_request(jail: &str, ip: &str, reason: &str) -> BanRequest {
    BanRequest { jail: jail.into(), ip: ip.into(), reason: reason.into() }
}

fn unban_request(jail: &str, ip: &str) -> UnbanRequest {
    UnbanRequest { jail: jail.into(), ip: ip.into() }
}

#[test]
fn while_fail2ban_is_away_both_apis_say_so() {
    let bangui = builder("write").start();
    bangui.wait_for_event("fail2ban_connection_lost");
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    let status = rpc.wait(rpc.status().get_status(rpc.request(GetStatusRequest {}))).unwrap();
    assert!(!status.into_inner().status.unwrap().fail2ban.unwrap().connected);
    let ban = rpc.wait(rpc.bans().ban(rpc.request(ban_request("sshd", "203.0.113.1", ""))));
    let list = rpc.wait(rpc.bans().list_bans(rpc.request(ListBansRequest::default()))).map(drop);
    let jails = rpc.wait(rpc.jails().list_jails(rpc.request(ListJailsRequest {}))).map(drop);
    // What was observed is still known; what is in force is not.
    let message = GetAddressHistoryRequest { ip: "203.0.113.1".into(), ..Default::default() };
    let history = rpc.wait(rpc.history().get_address_history(rpc.request(message))).unwrap();
    assert_eq!(history.into_inner().in_force, None);
    let client = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
    let of_json = client.get("/api/addresses/203.0.113.1").expect(200).json();
    assert_eq!(of_json, json!({ "ip": "203.0.113.1", "bans": null, "items": [], "next": null }));
    for status in [ban.unwrap_err(), list.unwrap_err(), jails.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(reason_and_field(&status).0, "FAIL2BAN_UNREACHABLE");
    }
}

#[test]
fn only_tokens_open_the_door_and_only_as_far_as_they_reach() {
    let bangui = builder("read").start();
    let stranger = Rpc::connect(&bangui);
    let cookie =
        bangui.admin().headers().iter().find(|(name, _)| name == "cookie").unwrap().clone();
    let read = stranger.token(API_TOKEN);
    for caller in [stranger.clone(), stranger.token("wrong"), stranger.with("cookie", cookie.1)] {
        let status = caller.wait(caller.status().get_status(caller.request(GetStatusRequest {})));
        let bans = caller.wait(caller.bans().ban(caller.request(ban_request("sshd", "x", ""))));
        let watch = caller.watch("").map(drop);
        let health = HealthClient::new(caller.channel());
        let request = || caller.request(HealthCheckRequest::default());
        let health_watch = caller.wait(health.clone().watch(request())).map(drop);
        for status in
            [status.unwrap_err(), bans.unwrap_err(), watch.unwrap_err(), health_watch.unwrap_err()]
        {
            assert_eq!(status.code(), Code::Unauthenticated);
            assert_eq!(reason_and_field(&status).0, "UNAUTHENTICATED");
        }
        // Probes have no token.
        let answer = caller.wait(health.clone().check(request())).unwrap().into_inner();
        assert_eq!(answer.status, 1);
        let unknown = HealthCheckRequest { service: "nothing".into() };
        let status = caller.wait(health.clone().check(caller.request(unknown))).unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    read.wait(read.status().get_status(read.request(GetStatusRequest {}))).unwrap();
    let ban = read.wait(read.bans().ban(read.request(ban_request("sshd", "x", ""))));
    let unban = read.wait(read.bans().unban(read.request(unban_request("sshd", "x"))));
    for status in [ban.map(drop).unwrap_err(), unban.map(drop).unwrap_err()] {
        assert_eq!(
            (status.code(), reason_and_field(&status).0),
            (Code::PermissionDenied, "FORBIDDEN".into())
        );
    }
    bangui.wait_for("auth_token_validation_failed", |line| {
        line["endpoint"] == "/bangui.v1.StatusService/GetStatus"
    });
}

#[test]
fn a_deadline_ends_the_wait_but_no_change_and_a_hang_up_ends_reading() {
    let mut fail2ban = Fail2ban::start();
    let bangui = builder("write").fail2ban(&fail2ban).start();
    let client = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
    bangui.wait_for_fail2ban(&client);
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    let authorization = format!("Bearer {API_TOKEN}");
    let hasty = |path: &str, timeout: &str, message: Bytes| {
        let headers = [("authorization", authorization.as_str()), ("grpc-timeout", timeout)];
        raw_call(&bangui, path, &headers, message)
    };
    fail2ban.signal("STOP");
    let started = Instant::now();
    let message = GetJailRequest { jail: "sshd".into() };
    let read = hasty("/bangui.v1.JailService/GetJail", "300m", framed(&message));
    let change = framed(&ban_request("sshd", "203.0.113.70", ""));
    let change = hasty("/bangui.v1.BanService/Ban", "300000u", change);
    for answer in [read, change] {
        assert_eq!(answer.code_of_head(), Code::DeadlineExceeded);
        assert_eq!(reason_and_field(&answer.status()).0, "TOO_LATE");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    rpc.give_up(Duration::from_millis(300), rpc.jails().get_jail(rpc.request(message)));
    bangui.wait_for("grpc_call_completed", |line| {
        line["endpoint"] == "/bangui.v1.JailService/GetJail" && line["grpc_status"] == "CANCELLED"
    });
    fail2ban.signal("CONT");
    eventually(SOON, "the ban whose caller was gone", || {
        let banned = fail2ban.banned("sshd");
        expect(banned == ["203.0.113.70"], format!("{banned:?}"))
    });
    // A stream ends with the deadline as well, behind what it has told.
    let events = hasty("/bangui.v1.WatchService/Watch", "1S", framed(&WatchRequest::default()));
    assert_eq!(events.status().code(), Code::DeadlineExceeded);
    assert_eq!((events.http_status, events.body.is_empty()), (200, false));
    assert_eq!(reason_and_field(&events.status()).0, "TOO_LATE");
    let wrong = hasty("/bangui.v1.JailService/ListJails", "soon", Bytes::new());
    assert_eq!(wrong.code_of_head(), Code::InvalidArgument);
}

#[test]
fn nonsense_is_answered_with_a_status_and_nothing_reaches_fail2ban() {
    let socket = FakeSocket::answering(b"nonsense");
    let bangui = builder("write").socket(&socket.path()).start();
    let authorization = format!("Bearer {API_TOKEN}");
    let known = [("authorization", authorization.as_str())];
    let ban = "/bangui.v1.BanService/Ban";
    let code = |path: &str, body: Bytes| {
        let answer = raw_call(&bangui, path, &known, body);
        let code = answer.code_of_head();
        (code, reason_and_field(&answer.status()).0)
    };
    let good = framed(&ban_request("sshd", "203.0.113.1", ""));
    // No message, half a head, half a message, no protobuf, a field of another type.
    for body in [&b""[..], b"\0\0", &good[..9], b"\0\0\0\0\x01\xff", b"\0\0\0\0\x02\x08\x01"] {
        let malformed = (Code::InvalidArgument, "MALFORMED".to_owned());
        assert_eq!(code(ban, Bytes::copy_from_slice(body)), malformed, "{body:?}");
    }
    let large = framed(&ban_request("sshd", "203.0.113.1", &"x".repeat(64 * 1024)));
    assert_eq!(code(ban, large), (Code::ResourceExhausted, "TOO_LARGE".into()));
    let pretended = Bytes::from_static(b"\0\xff\xff\xff\xff");
    assert_eq!(code(ban, pretended), (Code::ResourceExhausted, "TOO_LARGE".into()));
    for path in ["/bangui.v1.BanService/Nothing", "/nothing", "/api/bans", "/"] {
        assert_eq!(code(path, good.clone()), (Code::Unimplemented, "UNKNOWN_CALL".into()));
    }
    // Who does not speak gRPC is answered in HTTP.
    for content_type in ["application/json", "application/grpc-web"] {
        let headers = [known[0], ("content-type", content_type)];
        let answer = raw_call(&bangui, ban, &headers, good.clone());
        assert_eq!(answer.http_status, 415);
        assert_eq!(answer.head["content-type"], "application/problem+json");
    }
    bangui.stranger().get(ban).expect_problem(415);
    bangui.stranger().post(ban, &json!({})).expect_problem(415);
    for word in ["banip", "bantime"] {
        assert!(!socket.received().contains(word), "`{word}` was sent: {}", socket.received());
    }
    bangui.assert_every_line_is_json();
}

#[test]
fn one_id_joins_the_answer_the_line_and_the_span() {
    const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
    let receiver = OtlpReceiver::start();
    let bangui = builder("read").export_to(&receiver, "grpc").start();
    let stranger = Rpc::connect(&bangui);
    let parent = format!("00-{TRACE_ID}-b7ad6b7169203331-01");
    let known = stranger.token(API_TOKEN).with("traceparent", parent.as_str());
    let answer = known.wait(known.status().get_status(known.request(GetStatusRequest {}))).unwrap();
    let id = metadata(answer.metadata(), "x-correlation-id");
    assert_eq!(id, TRACE_ID, "a known caller is continued");
    assert!(metadata(answer.metadata(), "traceresponse").contains(TRACE_ID));
    let line = bangui.wait_for("grpc_call_completed", |line| line["correlation_id"] == id.as_str());
    assert_eq!(line["endpoint"], "/bangui.v1.StatusService/GetStatus");
    assert_eq!((&line["grpc_status"], &line["user_id"]), (&json!("OK"), &json!("api-token")));
    assert_eq!(line["client_ip"], "127.0.0.1");
    let span = receiver.wait_for_span(&id, "bangui.v1.StatusService/GetStatus");
    assert_eq!(line["span_id"], hex(&span.span_id));
    let attribute = |name: &str| {
        let found = span.attributes.iter().find(|it| it.key == name);
        format!("{:?}", found.and_then(|it| it.value.clone()))
    };
    for (name, value) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "bangui.v1.StatusService/GetStatus"),
        ("rpc.response.status_code", "OK"),
    ] {
        assert!(attribute(name).contains(value), "{name}: {}", attribute(name));
    }

    let unknown = stranger.with("traceparent", parent.as_str());
    let status = unknown.wait(unknown.status().get_status(unknown.request(GetStatusRequest {})));
    let id = metadata(status.map(drop).unwrap_err().metadata(), "x-correlation-id");
    assert_ne!(id, TRACE_ID, "a stranger is only linked to");
    let span = receiver.wait_for_span(&id, "bangui.v1.StatusService/GetStatus");
    assert_eq!(hex(&span.links[0].trace_id), TRACE_ID);
    eventually(SOON, "the call among the metrics", || {
        let found = receiver.metrics().iter().any(|it| it.name == "rpc.server.call.duration");
        let route = receiver.payload_with("/bangui.v1.StatusService/GetStatus").is_some();
        expect(found && route, "no such metric".to_owned())
    });
}

#[test]
fn probes_are_quiet_while_they_succeed() {
    let bangui = builder("read").start();
    let rpc = Rpc::connect(&bangui);
    let mut health = HealthClient::new(rpc.channel());
    rpc.wait(health.check(rpc.request(HealthCheckRequest::default()))).unwrap();
    let unknown = HealthCheckRequest { service: "nothing".into() };
    rpc.wait(health.check(rpc.request(unknown))).map(drop).unwrap_err();
    bangui.wait_for("grpc_call_completed", |line| line["grpc_status"] == "NOT_FOUND");
    assert_eq!(bangui.events("grpc_call_completed").len(), 1);
}

#[test]
fn the_contract_can_be_asked_for_with_a_token() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let bangui = builder("read").start();
    let stranger = Rpc::connect(&bangui);
    let ask = |caller: &Rpc, what: MessageRequest| {
        let message = ServerReflectionRequest { host: String::new(), message_request: Some(what) };
        let request = caller.request(futures_util::stream::iter([message]));
        let mut client = ServerReflectionClient::new(caller.channel());
        let answers = caller.wait(client.server_reflection_info(request))?;
        let first = caller.all(answers).into_iter().next().unwrap();
        Ok::<_, Status>(first.message_response.unwrap())
    };
    let services = || MessageRequest::ListServices(String::new());
    assert_eq!(ask(&stranger, services()).unwrap_err().code(), Code::Unauthenticated);
    let known = stranger.token(API_TOKEN);
    let answer = ask(&known, services()).unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for name in [
        "BanService",
        "HistoryService",
        "JailService",
        "SchedulerService",
        "StatusService",
        "WatchService",
    ] {
        assert!(names.contains(&format!("bangui.v1.{name}")), "{names:?}");
    }
    // The details of errors are described as well, so that grpcurl can show them.
    for symbol in ["bangui.v1.BanService.Ban", "google.rpc.BadRequest"] {
        let answer = ask(&known, MessageRequest::FileContainingSymbol(symbol.into())).unwrap();
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
    }
}
