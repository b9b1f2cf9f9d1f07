//! The metrics that leave: what is emitted is what is declared, both ways, with its unit, kind and
//! attributes; and no attribute tells of a person.

use std::collections::{BTreeMap, BTreeSet};

use bangui::proto::v1::{BanRequest, ListJailsRequest};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use serde_json::json;

use super::blocklists::use_blocklists;
use crate::support::instruments::{self, Instrument, Instruments};
use crate::support::{
    API_TOKEN, Bangui, Builder, Certificates, Client, Collector, Database, Events, Fail2ban,
    ListServer, OtlpReceiver, Rpc, SOON, eventually, expect, heavy, repository, shapes,
};

/// The kind of an instrument, as far as it is seen on the wire, and the attributes of its points.
fn points(metric: &Metric) -> (&'static str, Vec<&[KeyValue]>) {
    use metric::Data;
    match metric.data.as_ref().expect("a metric without data") {
        Data::Sum(sum) => {
            let kind = if sum.is_monotonic { "counter" } else { "updowncounter" };
            (kind, sum.data_points.iter().map(|it| &it.attributes[..]).collect())
        }
        Data::Gauge(gauge) => {
            ("gauge", gauge.data_points.iter().map(|it| &it.attributes[..]).collect())
        }
        Data::Histogram(histogram) => {
            let all = &histogram.data_points;
            assert!(all.iter().all(|it| it.explicit_bounds.len() > 5), "{}", metric.name);
            ("histogram", all.iter().map(|it| &it.attributes[..]).collect())
        }
        other => panic!("{} is a {other:?}", metric.name),
    }
}

/// Everything that has arrived so far, in the registry's words.
fn emitted(receiver: &OtlpReceiver) -> Instruments {
    let mut emitted = Instruments::new();
    for metric in receiver.metrics() {
        let (kind, points) = points(&metric);
        if points.is_empty() {
            continue;
        }
        let instrument = emitted.entry(metric.name.clone()).or_insert_with(|| Instrument {
            kind: kind.into(),
            unit: metric.unit.clone(),
            brief: metric.description.clone(),
            attributes: BTreeSet::new(),
        });
        let keys = points.into_iter().flatten().map(|attribute| attribute.key.clone());
        instrument.attributes.extend(keys);
    }
    emitted
}

/// A value as Prometheus would show it; others than these two kinds are no labels.
fn text(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?}", attribute.key),
    }
}

/// The values of an attribute's points.
fn words(receiver: &OtlpReceiver, name: &str, key: &str) -> BTreeSet<String> {
    let own = receiver.metrics().into_iter().filter(|metric| metric.name == name);
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        other => Some(format!("{other:?}")),
    };
    let mut words = BTreeSet::new();
    for metric in own {
        let all = points(&metric).1.into_iter().flatten();
        words.extend(all.filter(|attribute| attribute.key == key).filter_map(text));
    }
    words
}

fn bearer(bangui: &Bangui, token: &str) -> Client {
    bangui.stranger().with("authorization", &format!("Bearer {token}"))
}

fn sign_in(bangui: &Bangui, username: &str, password: &str) -> u16 {
    let body = json!({ "username": username, "password": password });
    bangui.stranger().post("/api/auth/login", &body).status
}

/// What a page measures.
fn page_measurements() -> serde_json::Value {
    let text = |key, value| json!({ "key": key, "value": { "stringValue": value } });
    let metric = |name, unit, attributes: serde_json::Value| {
        let point = json!({ "asDouble": 0.1, "attributes": attributes });
        json!({ "name": name, "unit": unit, "gauge": { "dataPoints": [point] } })
    };
    let vital = |name, unit| {
        metric("browser.web_vital", unit, json!([text("browser.web_vital.name", name)]))
    };
    let call = json!([
        text("http.request.method", "DELETE"),
        text("url.template", "/api/bans/{id}/{id}"),
        text("error.type", "203.0.113.9 cannot be reached"),
    ]);
    let call = metric("bangui.frontend.api.duration", "s", call);
    let metrics = [vital("LCP", "ms"), vital("CLS", "1"), call];
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] })
}

fn start(fail2ban: &Fail2ban, export: impl Fn(Builder) -> Builder) -> Bangui {
    let builder = Bangui::builder()
        .fail2ban(fail2ban)
        .env("BANGUI_API_TOKEN", API_TOKEN)
        .env("BANGUI_API_TOKEN_SCOPE", "write")
        .env("BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES", true)
        .env("BANGUI_SESSION_CLEANUP_SECONDS", 1)
        .env("BANGUI_TELEMETRY_SELF_CHECK_SECONDS", 1);
    export(builder).start()
}

/// An instance that has a certificate, about which it tells more than the others.
fn with_certificate(builder: Builder) -> Bangui {
    let certificates = Certificates::make();
    let (certificate, key) = (certificates.certificate("server"), certificates.key("server"));
    builder.served_tls(&certificate, &key).start()
}

/// What strangers put wherever something may be put: addresses, names, tokens, made-up methods.
fn abuse_it(bangui: &Bangui) {
    let person = bangui
        .stranger()
        .with("host", "somebody.example")
        .with("user-agent", "somebody@example.com 203.0.113.76")
        .with("x-forwarded-for", "203.0.113.77")
        .with("cookie", "session=somebodys-session; __Host-session=somebodys-session")
        .with("traceparent", "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for path in [
        "/somebody",
        "/api/bans/somebody/203.0.113.78?password=somebodys-password",
        "/api/jails/somebody",
        "/api/addresses/203.0.113.79",
        "/api/traces/somebody",
        "/assets/somebody.js",
        "/bangui.v1.BanService/Somebody",
        "/somebody.v1.Service/Somebody",
    ] {
        for method in ["GET", "POST", "DELETE", "SOMEBODY"] {
            let method = method.parse().unwrap();
            let status = person.send(method, path, Some(("application/grpc", "x".into()))).status;
            assert!(status == 200 || status >= 400, "{path}: {status}");
        }
    }
    assert_eq!(sign_in(bangui, "somebody@example.com", "somebodys-password"), 401);
}

/// What operators and programs do while all is well.
fn use_it(bangui: &Bangui, fail2ban: &Fail2ban, admin: &Client, rpc: &Rpc) {
    abuse_it(bangui);
    assert_eq!(sign_in(bangui, "somebody", "a wrong password"), 401);
    bearer(bangui, "no-token-of-ours-at-all").get("/api/audit").expect_problem(401);
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.70", "reason": "for tests" });
    admin.post("/api/bans", &ban).expect(201);
    admin.delete("/api/bans/sshd/203.0.113.70").expect(204);
    admin.delete("/api/bans/sshd/203.0.113.71").expect_problem(404);
    fail2ban.attack("203.0.113.72");
    bangui.wait_for("ban_observed", |line| line["source"] == "log");
    fail2ban.command(&["set", "web-1", "banip", "203.0.113.73"]);
    bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.73");
    fail2ban.command(&["set", "web-1", "unbanip", "203.0.113.73"]);
    bangui.wait_for("unban_observed", |line| line["ip"] == "203.0.113.73");
    rpc.wait(rpc.jails().list_jails(rpc.request(ListJailsRequest::default()))).unwrap();
    admin.post("/v1/metrics", &page_measurements()).expect(200);
    use_blocklists(admin, &ListServer::start());
}

/// What they get when fail2ban is away, and then the database.
fn break_it(bangui: &Bangui, fail2ban: &mut Fail2ban, admin: &Client, rpc: &Rpc) {
    fail2ban.stop();
    bangui.wait_for_event("fail2ban_connection_lost");
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.74" });
    admin.post("/api/bans", &ban).expect_problem(503);
    let ban = BanRequest { jail: "sshd".into(), ip: "203.0.113.75".into(), reason: String::new() };
    rpc.wait(rpc.bans().ban(rpc.request(ban))).unwrap_err();
    Database::open(bangui.data_dir()).run("ALTER TABLE sessions RENAME TO elsewhere");
    admin.get("/api/audit").expect_problem(500);
    bangui.wait_for_event("task_failed");
}

#[test]
fn what_is_emitted_is_what_is_declared_and_tells_of_nobody() {
    let mut fail2ban = Fail2ban::start_with(&[("FAIL2BAN_JAILS", "sshd web-1")]);
    let receiver = OtlpReceiver::start();
    let bangui = start(&fail2ban, |builder| builder.export_to(&receiver, "grpc"));
    let _other = with_certificate(Bangui::builder().export_to(&receiver, "grpc"));
    let admin = bangui.admin();
    let page = Events::open(&admin);
    bangui.wait_for_fail2ban(&admin);
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    use_it(&bangui, &fail2ban, &admin, &rpc);
    break_it(&bangui, &mut fail2ban, &admin, &rpc);
    drop(page);
    let declared = instruments::declared();
    eventually(SOON, "all that is declared, and nothing else", || {
        let emitted = emitted(&receiver);
        let found = instruments::differences((&emitted, "emitted"), (&declared, "declared"));
        expect(found.is_empty(), found.join("\n"))
    });
    for metric in receiver.metrics() {
        let attributes: Vec<_> = points(&metric).1.into_iter().flatten().collect();
        let texts: Vec<_> = attributes.iter().map(|it| (it.key.as_str(), text(it))).collect();
        let wrong = shapes::wrong(texts.iter().map(|(key, value)| (*key, value.as_str())));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", metric.name);
        let text = format!("{:?}", metric.data);
        for person in ["203.0.113.", "127.0.0.1", "somebody", "admin", API_TOKEN, "for tests"] {
            assert!(!text.contains(person), "{}: {text}", metric.name);
        }
    }
}

/// The names that docs/METRICS.md gives the instruments in Prometheus, with the types that they
/// have there; those that the collector makes of them are in a table of their own.
fn documented(declared: &Instruments) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(repository().join("docs/METRICS.md")).unwrap();
    let mut documented = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let literals: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let columns: Vec<_> = row.split('|').map(str::trim).collect();
        let (name, kind) = match declared.get(literals[0]) {
            Some(instrument) => (literals[1], instrument.kind.as_str()),
            None if literals[0].starts_with("bangui_http_") => (literals[0], columns[2]),
            None if literals[0].starts_with("f2b_") => (literals[0], columns[2]),
            None => continue,
        };
        let kind = if kind == "updowncounter" { "gauge" } else { kind };
        documented.insert(name.to_owned(), kind.to_owned());
    }
    documented
}

#[test]
fn in_prometheus_every_instrument_has_the_name_that_is_documented() {
    let _turn = heavy();
    let fail2ban = Fail2ban::start_with(&[("FAIL2BAN_JAILS", "sshd web-1")]);
    let collector = Collector::start_with(&[("COLLECTOR_METRIC_EXPIRATION", "10m")]);
    let export = |builder: Builder| {
        builder.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint()).export_often()
    };
    let bangui = start(&fail2ban, export);
    let _other = with_certificate(export(Bangui::builder()));
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    use_it(&bangui, &fail2ban, &admin, &rpc);
    let documented = documented(&instruments::declared());
    let exposition = Client::new(format!("http://127.0.0.1:{}", collector.port("EXPOSITION_PORT")));
    eventually(SOON, "the documented names and no others", || {
        let text = exposition.get("/metrics").expect(200).body;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut seen: BTreeMap<_, _> =
            types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
        // It carries the resource, and is no instrument.
        seen.remove("target_info");
        let all: BTreeSet<_> = seen.keys().chain(documented.keys()).collect();
        let differs = all.into_iter().filter(|name| seen.get(*name) != documented.get(*name));
        let told: Vec<_> = differs
            .map(|name| format!("{name}: {:?}, not {:?}", seen.get(name), documented.get(name)))
            .collect();
        expect(told.is_empty(), told.join("\n"))
    });
    let text = exposition.get("/metrics").expect(200).body;
    let wrong = shapes::wrong(shapes::of_exposition(&text));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The sum and the count of a histogram's points with a value among their attributes, as they
/// came last.
fn sizes(receiver: &OtlpReceiver, name: &str, value: &str) -> Option<(f64, u64)> {
    let last = receiver.metrics().into_iter().rfind(|metric| metric.name == name)?;
    let Some(metric::Data::Histogram(histogram)) = last.data else { panic!("{name}") };
    let has = |attributes: &[KeyValue]| format!("{attributes:?}").contains(&format!("{value:?}"));
    let own = histogram.data_points.into_iter().filter(|point| has(&point.attributes));
    let parts = own.map(|point| (point.sum.unwrap(), point.count));
    parts.reduce(|(sum, count), (more, one)| (sum + more, count + one))
}

#[test]
fn bodies_are_as_large_as_what_was_sent() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let body = json!({ "username": "admin", "password": "a wrong password" });
    let answers: Vec<_> =
        (0..3).map(|_| bangui.stranger().post("/api/auth/login", &body).expect(401)).collect();
    let route = "/api/auth/login";
    let sent: usize = answers.iter().map(|answer| answer.body.len()).sum();
    let (read, sent) = (3.0 * body.to_string().len() as f64, sent as f64);
    eventually(SOON, "the sizes", || {
        let own = |what| sizes(&receiver, &format!("http.server.{what}.body.size"), route);
        let (request, response) = (own("request"), own("response"));
        let is_right = request == Some((read, 3)) && response == Some((sent, 3));
        expect(is_right, format!("{request:?} {response:?}, not {read} and {sent}"))
    });
    bangui.stranger().get("/health").expect(200);
    eventually(SOON, "an answer to a request without a body", || {
        let own = sizes(&receiver, "http.server.response.body.size", "/health");
        expect(own.is_some_and(|(_, count)| count == 1), format!("{own:?}"))
    });
    assert_eq!(sizes(&receiver, "http.server.request.body.size", "/health"), None);
}

#[test]
fn the_process_tells_what_it_takes() {
    let receiver = OtlpReceiver::start();
    let mut bangui = Bangui::builder().export_to(&receiver, "grpc").start();
    let pid = bangui.process().id();
    eventually(SOON, "the memory of the process", || {
        expect(receiver.counter("process.memory.usage").is_some(), "not yet")
    });
    let modes = words(&receiver, "process.cpu.time", "cpu.mode");
    assert_eq!(modes, ["system", "user"].map(str::to_owned).into());
    let told = receiver.counter("process.memory.usage").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let own: i64 = own.trim().trim_end_matches(" kB").parse().unwrap();
    assert!((told / 1024 - own).abs() < own / 2, "{told} bytes are told, and it has {own} KiB");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    let told = receiver.counter("process.thread.count").unwrap();
    assert!((1..=2 * threads as i64).contains(&told), "{told} threads are told of {threads}");
}
