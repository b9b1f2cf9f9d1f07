//! What the product does is counted by its words, whatever the level of the log; what nobody knows
//! is absent; and the trace of a request tells the facts that happened in it.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use serde_json::json;

use crate::support::{
    API_TOKEN, Bangui, Builder, Database, Events, Fail2ban, OtlpReceiver, PASSWORD, Rpc, SOON,
    eventually, expect,
};

/// The words of a point, in the order of their keys.
fn words(attributes: &[KeyValue]) -> String {
    let mut attributes: Vec<_> = attributes.iter().collect();
    attributes.sort_by_key(|attribute| &attribute.key);
    let text = |attribute: &&KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        other => panic!("no word: {other:?}"),
    };
    attributes.iter().filter_map(text).collect::<Vec<_>>().join(" ")
}

/// A metric's newest points: their values by their words, without those that are zero.
fn newest(metrics: &[Metric], name: &str) -> BTreeMap<String, f64> {
    let newest = metrics.iter().rfind(|metric| metric.name == name);
    let points = match newest.and_then(|metric| metric.data.as_ref()) {
        Some(metric::Data::Sum(sum)) => &sum.data_points[..],
        Some(metric::Data::Gauge(gauge)) => &gauge.data_points[..],
        other => panic!("{name}: {other:?}"),
    };
    let value = |value: Option<Number>| match value {
        Some(Number::AsInt(value)) => value as f64,
        Some(Number::AsDouble(value)) => value,
        None => panic!("{name} without a value"),
    };
    let all = points.iter().map(|point| (words(&point.attributes), value(point.value)));
    all.filter(|(_, value)| *value != 0.0).collect()
}

/// Waits until a metric has just these points, zeros left out.
fn wait_for(receiver: &OtlpReceiver, name: &str, points: &[(&str, f64)]) {
    let points: BTreeMap<_, _> = points.iter().map(|(words, it)| ((*words).into(), *it)).collect();
    eventually(SOON, &format!("{name}: {points:?}"), || {
        let metrics = receiver.metrics();
        expect(metrics.iter().any(|metric| metric.name == name), "it is not there")?;
        let own = newest(&metrics, name);
        expect(own == points, format!("{own:?}"))
    });
}

fn builder(receiver: &OtlpReceiver) -> Builder {
    Bangui::builder()
        .env("BANGUI_API_TOKEN", API_TOKEN)
        .env("BANGUI_API_TOKEN_SCOPE", "write")
        .export_to(receiver, "grpc")
}

#[test]
fn facts_are_counted_at_any_level_of_the_log() {
    let fail2ban = Fail2ban::start_with(&[("FAIL2BAN_JAILS", "sshd web-1")]);
    let receiver = OtlpReceiver::start();
    let bangui = builder(&receiver).fail2ban(&fail2ban).start();
    let admin = bangui.admin();
    bangui.wait_for_fail2ban(&admin);
    admin.put("/api/settings/log-level", &json!({ "level": "critical" })).expect(200);
    let sign_in = |password: &str| {
        let body = json!({ "username": "admin", "password": password });
        bangui.stranger().post("/api/auth/login", &body).status
    };
    let answers: Vec<_> = (0..6).map(|_| sign_in("a wrong password")).collect();
    assert_eq!(answers, [401, 401, 401, 401, 401, 429]);
    let stranger = bangui.stranger().with("authorization", "Bearer nobody-has-this-token");
    stranger.get("/api/audit").expect_problem(401);

    let ban = |jail: &str| json!({ "jail": jail, "ip": "203.0.113.80" });
    admin.post("/api/bans", &ban("sshd")).expect(201);
    admin.post("/api/bans", &ban("sshd")).expect(200);
    admin.post("/api/bans", &ban("nothing")).expect_problem(404);
    admin.delete("/api/bans/sshd/203.0.113.80").expect(204);
    admin.delete("/api/bans/sshd/203.0.113.81").expect_problem(404);
    fail2ban.attack_jail("web-1", "203.0.113.82");

    wait_for(&receiver, "bangui.bans.observed", &[("log", 1.0)]);
    let signed_in =
        [("success", 1.0), ("failure wrong_credentials", 5.0), ("failure throttled", 1.0)];
    wait_for(&receiver, "bangui.auth.sign_ins", &signed_in);
    wait_for(&receiver, "bangui.auth.callers_rejected", &[("bearer", 1.0)]);
    let banned = [("success", 1.0), ("unchanged", 1.0), ("failure unknown_jail", 1.0)];
    wait_for(&receiver, "bangui.bans.executed", &banned);
    wait_for(&receiver, "bangui.unbans.executed", &[("success", 1.0), ("failure not_banned", 1.0)]);
    // The sign-in, the level of the log, and the five changes.
    wait_for(&receiver, "bangui.audit.rows", &[("success", 5.0), ("failure", 2.0)]);
    wait_for(&receiver, "bangui.jail.banned", &[("web-1", 1.0)]);
    wait_for(&receiver, "bangui.jail.bans", &[("sshd", 1.0), ("web-1", 1.0)]);
    wait_for(&receiver, "bangui.bans.total", &[("", 1.0)]);
    fail2ban.command(&["set", "web-1", "unbanip", "203.0.113.82"]);
    wait_for(&receiver, "bangui.unbans.observed", &[("list", 1.0)]);
    wait_for(&receiver, "bangui.jail.banned", &[]);
    assert!(bangui.events("ban_observed").is_empty(), "the log tells critical ones only");
}

#[test]
fn jails_are_absent_while_fail2ban_is_away() {
    const JAILS: [&str; 4] =
        ["bangui.jail.banned", "bangui.jail.failing", "bangui.jail.bans", "bangui.jail.failures"];
    let mut fail2ban = Fail2ban::start();
    let receiver = OtlpReceiver::start();
    let bangui = builder(&receiver).fail2ban(&fail2ban).start();
    bangui.wait_for_fail2ban(&bangui.admin());
    let told = || {
        // An export tells of nobody's uptime twice, so the last uptime begins the last export.
        let metrics = receiver.metrics();
        let starts = |metric: &Metric| metric.name == "process.uptime";
        let exports = metrics.iter().filter(|metric| starts(metric)).count();
        let seen = JAILS.map(|name| metrics.iter().filter(|it| it.name == name).count());
        (exports, seen)
    };
    eventually(SOON, "the jails", || {
        let (_, seen) = told();
        expect(seen.iter().all(|count| *count > 0), format!("{seen:?}"))
    });
    fail2ban.stop();
    bangui.wait_for_event("fail2ban_connection_lost");
    let mut quiet_since = told();
    eventually(SOON, "three exports without a jail", || {
        let now = told();
        if now.1 != quiet_since.1 {
            quiet_since = now;
        }
        expect(now.0 >= quiet_since.0 + 3, format!("{now:?} since {quiet_since:?}"))
    });
    fail2ban.run();
    let before = told().1;
    eventually(SOON, "the jails again", || {
        let now = told().1;
        expect(now.iter().zip(before).all(|(now, before)| *now > before), format!("{now:?}"))
    });
}

#[test]
fn listeners_are_told_apart() {
    let receiver = OtlpReceiver::start();
    let bangui = builder(&receiver).start();
    let admin = bangui.admin();
    let pages = [Events::open(&admin), Events::open(&admin)];
    let rpc = Rpc::connect(&bangui).token(API_TOKEN);
    let stream = rpc.watch("").unwrap();
    let both = [("page", 2.0), ("program", 1.0)];
    wait_for(&receiver, "bangui.live.connections", &both);
    drop(stream);
    wait_for(&receiver, "bangui.live.connections", &both[..1]);
    drop(pages);
}

#[test]
fn exports_are_counted_by_how_they_ended() {
    let receiver = OtlpReceiver::start();
    receiver.set_failing(true);
    let bangui = builder(&receiver).env("BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE", 321).start();
    bangui.wait_for_event("external_log_batch_failed");
    bangui.wait_for_event("telemetry_export_failed");
    receiver.set_failing(false);
    bangui.stranger().get("/api/audit").expect_problem(401);
    wait_for(&receiver, "bangui.log.buffer.limit", &[("", 321.0)]);
    eventually(SOON, "successes of all signals, and failures", || {
        let exports = newest(&receiver.metrics(), "bangui.telemetry.exports");
        let has = |words: &str| exports.contains_key(words);
        let is_whole = has("success traces") && has("success metrics") && has("success logs");
        // Which of the others failed first is chance; the log has told of one.
        let has_failed = has("failure logs") && (has("failure traces") || has("failure metrics"));
        expect(is_whole && has_failed, format!("{exports:?}"))
    });
}

#[test]
fn a_row_of_the_audit_log_is_unconfirmed_until_its_record_arrives() {
    let (receiver, logs) = (OtlpReceiver::start(), OtlpReceiver::start());
    logs.set_failing(true);
    let builder = builder(&receiver).env("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", logs.endpoint());
    let bangui = builder.start();
    // The sign-in is such a row.
    bangui.admin();
    wait_for(&receiver, "bangui.audit.unconfirmed", &[("", 1.0)]);
    logs.set_failing(false);
    wait_for(&receiver, "bangui.audit.unconfirmed", &[]);
    logs.wait_for_line("the record", |line| line["event"] == "audit_recorded");
}

#[test]
fn the_history_is_behind_while_nothing_can_be_written() {
    let fail2ban = Fail2ban::start();
    let receiver = OtlpReceiver::start();
    let bangui = builder(&receiver).fail2ban(&fail2ban).start();
    bangui.wait_for_fail2ban(&bangui.admin());
    wait_for(&receiver, "bangui.history.lag", &[]);
    let mut database = Database::open(bangui.data_dir());
    database.run("BEGIN IMMEDIATE");
    fail2ban.attack("203.0.113.83");
    eventually(SOON, "a lag that grows beyond a second", || {
        let lag = newest(&receiver.metrics(), "bangui.history.lag");
        expect(lag.get("").is_some_and(|lag| *lag > 1.0), format!("{lag:?}"))
    });
    database.run("ROLLBACK");
    bangui.wait_for_event("ban_observed");
    wait_for(&receiver, "bangui.history.lag", &[]);
}

#[test]
fn the_trace_of_a_request_tells_its_facts_without_persons() {
    let receiver = OtlpReceiver::start();
    let bangui = builder(&receiver).start();
    let body = json!({ "username": "admin", "password": PASSWORD });
    let answer = bangui.stranger().post("/api/auth/login", &body).expect(204);
    let span = receiver.wait_for_span(answer.correlation_id(), "POST /api/auth/login");
    let told: Vec<_> = span.events.iter().map(|it| (&it.name[..], words(&it.attributes))).collect();
    assert_eq!(told, [("user_login_attempt", "success".to_owned())]);
}
