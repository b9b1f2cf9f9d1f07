//! Both APIs tell the same and fail alike: each call of the contract beside its twin of the JSON
//! API, on one service. A call without a twin here fails the test.

use std::collections::BTreeSet;

use bangui::grpc::METHODS;
use bangui::proto::v1::watch_response::Event;
use bangui::proto::v1::{
    Ban, BanRequest, EventSource, GetAddressHistoryRequest, GetAddressHistoryResponse,
    GetJailRequest, GetLockHealthRequest, GetStatusRequest, Jail, ListBansRequest,
    ListJailsRequest, UnbanRequest,
};
use prost_types::Timestamp;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::support::{
    API_TOKEN, Answer, Bangui, Client, Events, Fail2ban, Rpc, SOON, reason_and_field,
};

/// Attacks until fail2ban bans it, so that nobody is behind its ban.
const ATTACKER: &str = "203.0.113.62";

fn start(fail2ban: &Fail2ban) -> (Bangui, Client, Rpc) {
    let builder = Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
    let builder = builder.env("BANGUI_API_TOKEN_SCOPE", "write").fail2ban(fail2ban);
    // Both are asked in the name of the token.
    let bangui = builder.start();
    let client = bangui.stranger().with("authorization", &format!("Bearer {API_TOKEN}"));
    bangui.wait_for_fail2ban(&client);
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    (bangui, client, rpc)
}

/// A time as the JSON API writes it.
fn time(at: &Option<Timestamp>) -> Value {
    let second = |at: &Timestamp| jiff::Timestamp::new(at.seconds, at.nanos).unwrap();
    at.as_ref().map_or(Value::Null, |at| json!(second(at)))
}

fn ban_as_json(ban: &Ban) -> Value {
    json!({
        "jail": ban.jail, "ip": ban.ip, "banned_at": time(&ban.banned_at),
        "expires_at": time(&ban.expires_at), "reason": ban.reason,
    })
}

fn jail_as_json(jail: &Jail) -> Value {
    json!({
        "name": jail.name, "currently_banned": jail.currently_banned,
        "total_banned": jail.total_banned, "currently_failed": jail.currently_failed,
        "total_failed": jail.total_failed,
    })
}

fn source_as_json(source: EventSource) -> Value {
    match source {
        EventSource::Unspecified => Value::Null,
        EventSource::List => json!("list"),
        EventSource::Log => json!("log"),
        EventSource::Operator => json!("operator"),
    }
}

/// The history of an address as the JSON API writes it, but for the ids of its rows.
fn history_as_json(history: &GetAddressHistoryResponse) -> Value {
    let items = history.entries.iter().map(|entry| {
        json!({
            "jail": entry.jail, "ip": entry.ip, "banned_at": time(&entry.banned_at),
            "expires_at": time(&entry.expires_at), "unbanned_at": time(&entry.unbanned_at),
            "source": source_as_json(entry.source()), "reason": entry.reason, "actor": entry.actor,
            "correlation_id": entry.correlation_id,
            "unban_source": source_as_json(entry.unban_source()), "unban_actor": entry.unban_actor,
        })
    });
    let bans = history.in_force.as_ref();
    json!({
        "ip": history.ip,
        "bans": bans.map(|it| it.bans.iter().map(ban_as_json).collect::<Vec<_>>()),
        "items": items.collect::<Vec<_>>(),
        "next": Some(&history.next_page_token).filter(|token| !token.is_empty()),
    })
}

fn without_ids(mut history: Value) -> Value {
    for item in history["items"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("id").expect("rows have ids");
    }
    history
}

#[test]
fn both_apis_tell_the_same() {
    let fail2ban = Fail2ban::start();
    let (bangui, client, rpc) = start(&fail2ban);
    let events = Events::open(&client);
    let mut watched = rpc.watch("").unwrap();

    changes_are_the_same(&fail2ban, &client, &rpc);
    fail2ban.attack(ATTACKER);
    events.wait(SOON, "ban", |data| data["ip"] == ATTACKER && data["source"] == "log");
    lists_are_the_same(&client, &rpc);
    the_history_of_an_address_is_the_same(&client, &rpc);
    jails_are_the_same(&client, &rpc);
    the_state_is_the_same(&client, &rpc);

    // What happened is told in the same words and the same order.
    let told = events.so_far();
    let told: Vec<_> = told.iter().filter(|it| ["ban", "unban"].contains(&&*it.name)).collect();
    for event in told {
        let message = std::iter::repeat_with(|| rpc.next(&mut watched).unwrap().unwrap())
            .find(|it| matches!(it.event, Some(Event::Ban(_) | Event::Unban(_))))
            .unwrap();
        assert_eq!(Some(&message.id), event.id.as_ref());
        let as_json = match message.event.unwrap() {
            Event::Ban(it) => {
                let mut ban = ban_as_json(it.ban.as_ref().unwrap());
                ban["is_correction"] = json!(it.is_correction);
                ban["source"] = source_as_json(it.source());
                ban["correlation_id"] = json!(it.correlation_id);
                ban
            }
            Event::Unban(it) => json!({
                "jail": it.jail, "ip": it.ip, "source": source_as_json(it.source()),
                "correlation_id": it.correlation_id,
            }),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(as_json, event.data);
    }
    drop(watched);
    every_call_was_compared(&bangui);
}

fn changes_are_the_same(fail2ban: &Fail2ban, client: &Client, rpc: &Rpc) {
    let ban = |ip: &str| {
        let (jail, reason) = ("sshd".to_owned(), "  too loud ".to_owned());
        let message = BanRequest { jail, ip: format!(" {ip} "), reason };
        rpc.wait(rpc.bans().ban(rpc.request(message))).unwrap().into_inner()
    };
    let first = ban("203.0.113.60");
    assert!(!first.already_banned);
    let again = ban("203.0.113.60");
    assert!(again.already_banned && again.ban == first.ban, "{again:?} {first:?}");
    let body = |ip: &str| json!({ "jail": "sshd", "ip": ip, "reason": "  too loud " });
    let of_json = client.post("/api/bans", &body(" 203.0.113.60 ")).expect(200).json();
    assert_eq!(ban_as_json(&first.ban.unwrap()), of_json);
    client.post("/api/bans", &body("203.0.113.61")).expect(201);
    assert!(ban("203.0.113.61").already_banned);

    let message = UnbanRequest { jail: "sshd".into(), ip: "203.0.113.60".into() };
    rpc.wait(rpc.bans().unban(rpc.request(message))).unwrap();
    assert_eq!(fail2ban.banned("sshd"), ["203.0.113.61"]);
    client.delete("/api/bans/sshd/203.0.113.61").expect(204);
    ban("203.0.113.60");
    client.post("/api/bans", &body("203.0.113.61")).expect(201);
    let audit = client.get("/api/audit").expect(200).json();
    let rows: Vec<_> = audit["items"].as_array().unwrap().iter().collect();
    let unbans: Vec<_> = rows.iter().filter(|row| row["action"] == "unban").collect();
    assert_eq!(unbans.len(), 2);
    assert!(unbans.iter().all(|row| row["actor"] == "api-token"), "{audit}");
}

fn lists_are_the_same(client: &Client, rpc: &Rpc) {
    for (jail, query) in [("", ""), ("sshd", "113.60"), ("other", ""), ("", "203")] {
        let message = ListBansRequest { jail: jail.into(), query: query.into() };
        let stream = rpc.wait(rpc.bans().list_bans(rpc.request(message))).unwrap();
        let bans: Vec<_> =
            rpc.all(stream).iter().map(|it| ban_as_json(it.ban.as_ref().unwrap())).collect();
        let path = format!("/api/bans?jail={jail}&q={query}");
        assert_eq!(json!(bans), client.get(&path).expect(200).json()["items"], "{path}");
    }
}

fn the_history_of_an_address_is_the_same(client: &Client, rpc: &Rpc) {
    let history = |ip: &str, page_size: i32, page_token: &str| {
        let (ip, page_token) = (ip.to_owned(), page_token.to_owned());
        let message = GetAddressHistoryRequest { ip, page_size, page_token };
        rpc.wait(rpc.history().get_address_history(rpc.request(message))).unwrap().into_inner()
    };
    for ip in ["203.0.113.60", "203.0.113.61", ATTACKER, "203.0.113.63", "127.0.0.1"] {
        let of_json = client.get(&format!("/api/addresses/{ip}")).expect(200).json();
        assert_eq!(history_as_json(&history(ip, 0, "")), without_ids(of_json), "{ip}");
    }
    let page = history("::ffff:203.0.113.60", 1, "");
    let of_json = client.get("/api/addresses/::ffff:203.0.113.60?limit=1").expect(200).json();
    assert_eq!(history_as_json(&page), without_ids(of_json));
    let (ip, cursor) = (page.ip.as_str(), page.next_page_token.as_str());
    assert_eq!((ip, page.entries.len()), ("203.0.113.60", 1));
    let rest = history(ip, 1000, cursor);
    let path = format!("/api/addresses/{ip}?limit=1000&cursor={cursor}");
    assert_eq!(history_as_json(&rest), without_ids(client.get(&path).expect(200).json()));

    // It says who and what: an operator by the token, twice, the first ban with its end.
    let [again] = &page.entries[..] else { panic!("{page:?}") };
    let [first] = &rest.entries[..] else { panic!("{rest:?}") };
    assert_eq!(
        (again.source(), again.unban_source()),
        (EventSource::Operator, EventSource::Unspecified)
    );
    assert_eq!((again.actor.as_deref(), again.unbanned_at), (Some("api-token"), None));
    assert_eq!(first.unban_actor.as_deref(), Some("api-token"));
    assert!(first.unbanned_at.is_some() && first.reason.as_deref() == Some("too loud"));
    let attacker = history(ATTACKER, 0, "");
    assert_eq!(
        (attacker.entries[0].source(), &attacker.entries[0].actor),
        (EventSource::Log, &None)
    );
    assert_eq!(attacker.in_force.unwrap().bans.len(), 1);
}

fn jails_are_the_same(client: &Client, rpc: &Rpc) {
    let message = rpc.request(GetJailRequest { jail: "sshd".into() });
    let detail = rpc.wait(rpc.jails().get_jail(message)).unwrap().into_inner();
    let mut as_json = jail_as_json(detail.jail.as_ref().unwrap());
    as_json["bantime_seconds"] = json!(detail.bantime_seconds);
    as_json["findtime_seconds"] = json!(detail.findtime_seconds);
    as_json["maxretry"] = json!(detail.maxretry);
    as_json["file_list"] = json!(detail.file_list);
    assert_eq!(as_json, client.get("/api/jails/sshd").expect(200).json());
    // A look of the watch in between would tell other counts.
    crate::support::eventually(SOON, "the same counts", || {
        let jails = rpc.wait(rpc.jails().list_jails(rpc.request(ListJailsRequest {}))).unwrap();
        let jails: Vec<_> = jails.get_ref().jails.iter().map(jail_as_json).collect();
        let of_json = client.get("/api/jails").expect(200).json()["items"].clone();
        crate::support::expect(json!(jails) == of_json, format!("{jails:?} {of_json}"))
    });
}

fn the_state_is_the_same(client: &Client, rpc: &Rpc) {
    let status = rpc.wait(rpc.status().get_status(rpc.request(GetStatusRequest {}))).unwrap();
    let status = status.into_inner().status.unwrap();
    let of_json = client.get("/api/dashboard/status").expect(200).json();
    let fail2ban = status.fail2ban.unwrap();
    let (list, log) = (fail2ban.list.unwrap(), fail2ban.log.unwrap());
    let as_json = json!({
        "connected": fail2ban.connected, "version": fail2ban.version,
        "since": time(&fail2ban.since), "error": fail2ban.error,
        "sources": {
            // Its age grows between the two answers.
            "list": { "healthy": list.healthy, "age_seconds": of_json["fail2ban"]["sources"]["list"]["age_seconds"] },
            "log": { "healthy": log.healthy, "path": log.path, "error": log.error },
        },
    });
    assert_eq!(as_json, of_json["fail2ban"]);
    assert!(list.age_seconds.is_some());
    for (name, value) in [
        ("jails", json!(status.jails)),
        ("bans", json!(status.bans)),
        ("bans_24h", json!(status.bans_24h)),
        ("version", json!(status.version)),
        ("started_at", time(&status.started_at)),
    ] {
        assert_eq!(value, of_json[name], "{name}");
    }
    assert_eq!(json!(status.jaeger_url), of_json["links"]["jaeger"]);
    let telemetry = status.telemetry.unwrap();
    assert_eq!((of_json["telemetry"]["export"].as_str(), telemetry.export), (Some("off"), 1));
    assert!(of_json["telemetry"]["collector"].is_null() && telemetry.collector.is_none());

    let mut scheduler = rpc.scheduler();
    let lock = rpc.wait(scheduler.get_lock_health(rpc.request(GetLockHealthRequest {})));
    let lock = lock.unwrap().into_inner().lock.unwrap();
    let of_json = client.get("/api/scheduler/lock").expect(200).json();
    assert_eq!((&of_json["locked"], &of_json["pid"]), (&json!(lock.locked), &json!(lock.pid)));
    assert_eq!(
        (&of_json["hostname"], &of_json["is_stale"]),
        (&json!(lock.hostname), &json!(lock.is_stale))
    );
    assert!(lock.locked && !lock.is_stale && lock.ttl_remaining_seconds > Some(0.0));
}

/// Every call of the contract was made above. The log knows: a call without a twin here is one
/// that nobody compared.
fn every_call_was_compared(bangui: &Bangui) {
    // The stream of events ends with the hang-up of its reader.
    bangui.wait_for("grpc_call_completed", |line| {
        line["endpoint"] == "/bangui.v1.WatchService/Watch"
    });
    let lines = bangui.events("grpc_call_completed");
    let made: BTreeSet<_> = lines.iter().map(|line| line["endpoint"].as_str().unwrap()).collect();
    let paths = METHODS.iter().map(|method| method.path);
    let missing: Vec<_> =
        paths.filter(|it| it.starts_with("/bangui.")).filter(|it| !made.contains(it)).collect();
    assert!(missing.is_empty(), "not compared: {missing:?}");
}

/// The code of the gRPC API that stands for a status of the JSON API.
fn code_of(status: u16) -> Code {
    match status {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        422 => Code::InvalidArgument,
        502 => Code::FailedPrecondition,
        503 => Code::Unavailable,
        other => panic!("{other} has no code"),
    }
}

#[test]
fn both_apis_fail_alike() {
    let fail2ban = Fail2ban::start();
    let (_bangui, client, rpc) = start(&fail2ban);
    let alike = |status: Status, answer: Answer| {
        let answer = answer.json();
        assert_eq!(status.code(), code_of(answer["status"].as_u64().unwrap() as u16), "{answer}");
        assert_eq!(json!(status.message()), answer["detail"]);
        let (_, field) = reason_and_field(&status);
        assert_eq!(json!(field), answer["errors"][0]["field"], "{status:?}");
    };
    let long = "x".repeat(501);
    for (jail, ip, reason) in [
        ("sshd", "", ""),
        ("sshd", "nowhere", ""),
        ("sshd", "203.0.113.0/24", ""),
        ("sshd", "127.0.0.1", ""),
        ("sshd", "fe80::1%eth0", ""),
        ("", "203.0.113.1", ""),
        ("a b", "203.0.113.1", ""),
        ("--all", "203.0.113.1", ""),
        ("sshd", "203.0.113.1", &long),
        ("none", "203.0.113.1", ""),
    ] {
        let status = rpc.wait(rpc.bans().ban(rpc.request(BanRequest {
            jail: jail.into(),
            ip: ip.into(),
            reason: reason.into(),
        })));
        let body = json!({ "jail": jail, "ip": ip, "reason": reason });
        alike(status.unwrap_err(), client.post("/api/bans", &body));
    }
    for (jail, ip) in [
        ("sshd", "nowhere"),
        ("a b", "203.0.113.1"),
        ("sshd", "203.0.113.1"),
        ("none", "203.0.113.1"),
    ] {
        let status = rpc
            .wait(rpc.bans().unban(rpc.request(UnbanRequest { jail: jail.into(), ip: ip.into() })));
        let path = format!("/api/bans/{}/{ip}", jail.replace(' ', "%20"));
        alike(status.unwrap_err(), client.delete(&path));
    }
    for jail in ["a b", "none"] {
        let message = rpc.request(GetJailRequest { jail: jail.into() });
        let status = rpc.wait(rpc.jails().get_jail(message)).unwrap_err();
        alike(status, client.get(&format!("/api/jails/{}", jail.replace(' ', "%20"))));
    }
    let message = rpc.request(ListBansRequest { jail: "a b".into(), query: String::new() });
    let status = rpc.wait(rpc.bans().list_bans(message)).unwrap_err();
    alike(status, client.get("/api/bans?jail=a%20b"));
    for (ip, path) in [("nowhere", "nowhere"), ("", "%20"), ("-x", "-x"), ("a b", "a%20b")] {
        let message = GetAddressHistoryRequest { ip: ip.into(), ..Default::default() };
        let status = rpc.wait(rpc.history().get_address_history(rpc.request(message)));
        alike(status.unwrap_err(), client.get(&format!("/api/addresses/{path}")));
    }
    // The pages of a list are asked for in the usual words of each API.
    for (page_size, page_token, field) in
        [(-1, "", "page_size"), (1001, "", "page_size"), (0, "x", "page_token")]
    {
        let (ip, page_token) = ("203.0.113.1".to_owned(), page_token.to_owned());
        let message = GetAddressHistoryRequest { ip, page_size, page_token };
        let status = rpc.wait(rpc.history().get_address_history(rpc.request(message))).unwrap_err();
        assert_eq!(reason_and_field(&status), ("INVALID_FIELD".into(), Some(field.into())));
    }
    let status = rpc.watch("garbage").unwrap_err();
    assert_eq!(reason_and_field(&status), ("INVALID_FIELD".into(), Some("after_id".into())));
}
