//! Which fields leave for a destination: `BANGUI_EXTERNAL_LOGGING_FIELDS`, and how much of a
//! client's address (`BANGUI_LOG_CLIENT_IP`).

use std::fs;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde_json::{Value, json};

use super::delivery::dead_letters;
use super::inputs::{bytes_below, contains, record, send};
use super::otlp::collector_to;
use super::vendors::{KEY, settings_of};
use crate::support::{
    Bangui, Collector, OtlpReceiver, SOON, Sink, SinkOptions, assert_same, eventually, expect,
    is_stdout_only, patient, repository,
};

const FIELDS: &str = "BANGUI_EXTERNAL_LOGGING_FIELDS";
/// What leaves of every record.
const ALWAYS: [&str; 9] = [
    "timestamp",
    "level",
    "logger_name",
    "event",
    "correlation_id",
    "trace_id",
    "span_id",
    "uid",
    "seq",
];
const LISTED: [&str; 3] = ["jail", "status_code", "http.flavor"];
/// The value of a field that is listed.
const JAIL: &str = "jail-listed-7740";
/// Values of fields and attributes that are not.
const ADDRESS: &str = "203.0.113.77";
const BANNED: &str = "198.51.100.178";
const REASON: &str = "reason-planted-7741";
const AGENT: &str = "agent-planted-7742";

/// Five destinations: four in the sink, and the receiver.
fn collector_to_all(sink: &Sink, receiver: &OtlpReceiver) -> Collector {
    let endpoint = sink.endpoint();
    let listed = LISTED.join(",");
    let vendors = settings_of([&endpoint; 4]);
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog,splunk,newrelic,cloudwatch,otlp"),
        (FIELDS, listed.as_str()),
        ("BANGUI_METRICS_PROVIDER", "datadog"),
    ];
    settings.extend(vendors.iter().map(|(name, value)| (*name, value.as_str())));
    collector_to(receiver, &settings)
}

/// A service that believes what the test says about the client's address.
fn bangui_behind_a_proxy(collector: &Collector, how: &str) -> Bangui {
    Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_TRUSTED_PROXIES", "127.0.0.1")
        .env("BANGUI_LOG_CLIENT_IP", how)
        .export_often()
        .start()
}

/// The files of the queues, those to Jaeger, who has everything, or all others.
fn queued(collector: &Collector, of_jaeger: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(collector.state().join("queue")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("jaeger") == of_jaeger {
            bytes.extend(fs::read(path).unwrap());
        }
    }
    bytes
}

/// Everything that a sink has decoded, as text.
fn told(sink: &Sink) -> String {
    format!("{:?}", sink.received())
}

/// What of a line may leave.
fn filtered(line: &Value) -> Value {
    let mut line = line.clone();
    let is_kept = |key: &str| ALWAYS.contains(&key) || LISTED.contains(&key);
    line.as_object_mut().unwrap().retain(|key, _| is_kept(key));
    line
}

#[test]
fn only_listed_fields_reach_a_destination_or_its_queue_on_disk() {
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY).aws("AKIDEXAMPLE", KEY));
    let receiver = OtlpReceiver::start();
    // Its queue keeps what it refuses.
    receiver.set_failing(true);
    let collector = collector_to_all(&sink, &receiver);
    let bangui = bangui_behind_a_proxy(&collector, "full");
    let admin = bangui.admin().with("x-forwarded-for", ADDRESS).with("user-agent", AGENT);
    let ban = json!({ "jail": JAIL, "ip": BANNED, "reason": REASON });
    admin.post("/api/bans", &ban).expect_problem(503);
    admin.delete(&format!("/api/bans/{JAIL}/{BANNED}"));
    let lines = bangui.stop().lines;
    let lines: Vec<Value> = lines.into_iter().filter(|line| !is_stdout_only(line)).collect();
    assert!(lines.len() > 5, "{lines:#?}");

    eventually(SOON, "all lines at four destinations", || {
        let uids = sink.counts().uids;
        let copies = |line: &Value| uids.get(line["uid"].as_str().unwrap()).copied();
        let missing = lines.iter().filter(|line| copies(line) < Some(4)).count();
        expect(missing == 0, format!("{missing} of {} are missing", lines.len()))
    });
    eventually(SOON, "spans and statistics", || {
        let received = sink.received();
        let counts = [received.spans.len(), received.stats.len(), received.metrics.len()];
        expect(counts.iter().all(|count| *count > 0), format!("{counts:?}"))
    });
    eventually(SOON, "the queue of the one that refuses", || {
        expect(contains(&queued(&collector, false), JAIL), receiver.refusals().to_string())
    });
    let (queue, all) = (queued(&collector, false), told(&sink));
    let file = collector.batches().concat();
    let file = serde_json::to_string(&file).unwrap();
    assert!(all.contains(JAIL) && all.contains("http.route"), "{all}");
    for planted in [ADDRESS, BANNED, REASON] {
        assert!(file.contains(planted), "{planted} is not in the collector's own file");
    }
    for planted in [ADDRESS, AGENT] {
        assert!(contains(&queued(&collector, true), planted), "{planted} is not on Jaeger's way");
    }
    for planted in [ADDRESS, BANNED, REASON, AGENT] {
        assert!(!all.contains(planted), "{planted} has left");
        assert!(!contains(&queue, planted), "{planted} is on disk for a destination");
    }

    receiver.set_failing(false);
    for line in &lines {
        let record = receiver.wait_for_line("the line", |record| record["uid"] == line["uid"]);
        assert_same(&filtered(line), &record);
    }
    eventually(SOON, "spans", || expect(!receiver.spans().is_empty(), "none"));
    for planted in [ADDRESS, BANNED, REASON, AGENT] {
        assert!(receiver.payload_with(planted).is_none(), "{planted} has left");
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn keys(attributes: &[KeyValue]) -> Vec<&str> {
    attributes.iter().map(|attribute| attribute.key.as_str()).collect()
}

/// What others than BanGUI send through the same collector has more places for fields.
#[test]
fn bodies_scopes_spans_and_their_events_hold_no_field_that_is_not_listed() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[(FIELDS, "jail,http.flavor")]);
    let hidden = |key: &str| text(key, "planted-7750");
    let mut records = [1, 2, 3].map(|trace| record("foreign", 9, "info", trace));
    records[0]["body"] = json!({ "kvlistValue": { "values": [
        text("jail", "listed-7751"), hidden("user"), hidden("jail_name"), hidden("http_flavor"),
    ] } });
    records[1]["body"] = json!({ "stringValue": "signed in as planted-7750" });
    records[2]["attributes"] = json!([
        hidden("a_jail"), text("http.flavor", "listed-7752"), hidden("httpXflavor"),
        text("uid", "third"),
        { "key": "user", "value": { "kvlistValue": { "values": [hidden("jail")] } } },
    ]);
    let scope = json!({ "name": "app.http", "attributes": [hidden("tenant")] });
    let logs = json!({ "scope": scope, "logRecords": records });
    send(&collector, "/v1/logs", &json!({ "resourceLogs": [{ "scopeLogs": [logs] }] }));
    let attributes = [hidden("client.address"), text("http.route", "/a"), text("jail", "sshd")];
    let span = json!({
        "traceId": format!("{:032x}", 7), "spanId": format!("{:016x}", 7), "name": "GET /a",
        "kind": 2, "startTimeUnixNano": "1795600800000000000",
        "endTimeUnixNano": "1795600800001000000", "attributes": attributes,
        "status": { "code": 2, "message": "planted-7750" },
        "events": [{ "name": "exception", "timeUnixNano": "1795600800000000000", "attributes": [
            text("exception.type", "E"), hidden("exception.message"),
        ] }],
    });
    let spans = json!({ "scope": scope, "spans": [span] });
    send(&collector, "/v1/traces", &json!({ "resourceSpans": [{ "scopeSpans": [spans] }] }));

    eventually(SOON, "three records and a span", || {
        let counts = (receiver.logs().len(), receiver.spans().len());
        expect(counts == (3, 1), format!("{counts:?}"))
    });
    assert!(receiver.payload_with("planted-7750").is_none(), "{:?}", receiver.payloads());
    let logs = receiver.logs();
    let by_uid = |uid: &str| {
        let found = logs.iter().find(|(_, record)| format!("{record:?}").contains(uid));
        found.unwrap_or_else(|| panic!("no record {uid}")).1.clone()
    };
    assert!(format!("{:?}", by_uid("foreign-1").body).contains("listed-7751"));
    assert!(format!("{:?}", by_uid("foreign-2").body).contains("library_log"));
    assert_eq!(keys(&by_uid("third").attributes), ["http.flavor", "uid"]);
    let span = &receiver.spans()[0];
    assert_eq!(keys(&span.attributes), ["http.route", "jail"]);
    assert_eq!(keys(&span.events[0].attributes), ["exception.type"]);
    assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    assert!(contains(&bytes_below(&collector.state()), "planted-7750"), "the file has all of it");
}

#[test]
fn what_waited_before_the_fields_were_listed_does_not_get_by() {
    let _turn = patient();
    let receiver = OtlpReceiver::start();
    receiver.set_status(400);
    // A second in place of four hours, then one that nothing here lasts.
    let mut collector = collector_to(&receiver, &[("COLLECTOR_GIVE_UP_AFTER", "2s")]);
    let send_one = |collector: &Collector, name: &str, trace: u32| {
        let mut record = record(name, 9, "info", trace);
        let attributes = record["attributes"].as_array_mut().unwrap();
        attributes.extend([text("client_ip", ADDRESS), text("jail", JAIL)]);
        let scope = json!({ "scope": { "name": "app.http" }, "logRecords": [record] });
        send(collector, "/v1/logs", &json!({ "resourceLogs": [{ "scopeLogs": [scope] }] }));
    };
    send_one(&collector, "dead_letter", 1);
    let folder = collector.state().join("dead-letters/otlp");
    eventually(SOON, "a dead letter", || {
        let bytes = if folder.exists() { bytes_below(&folder) } else { Vec::new() };
        expect(contains(&bytes, ADDRESS), format!("{} refusals", receiver.refusals()))
    });
    receiver.set_failing(true);
    let refused = receiver.refusals();
    send_one(&collector, "waiting", 2);
    eventually(SOON, "an attempt", || {
        let count = receiver.refusals() - refused;
        expect(count > 0 && contains(&queued(&collector, false), ADDRESS), format!("{count}"))
    });
    collector.kill();
    collector.set(FIELDS, "jail");
    collector.run();
    dead_letters(&collector, &["replay", "otlp"]);
    receiver.set_failing(false);
    for event in ["dead_letter", "waiting"] {
        let line = receiver.wait_for_line(event, |line| line["event"] == event);
        assert_eq!(line["jail"], JAIL);
    }
    assert!(receiver.payload_with(ADDRESS).is_none(), "{:?}", receiver.payloads());
}

#[test]
fn a_truncated_address_is_truncated_wherever_it_arrives() {
    /// The network that `ADDRESS` is in.
    const NETWORK: &str = "203.0.113.0/24";
    let _turn = patient();
    let sink = Sink::start(&SinkOptions::default().key(KEY));
    let receiver = OtlpReceiver::start();
    let endpoint = sink.endpoint();
    let settings = [
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog,otlp"),
        ("BANGUI_DATADOG_API_KEY", KEY),
        ("BANGUI_DATADOG_ENDPOINT", &endpoint),
    ];
    let collector = collector_to(&receiver, &settings);
    let bangui = bangui_behind_a_proxy(&collector, "truncated");
    let admin = bangui.admin().with("x-forwarded-for", ADDRESS);
    admin.get("/api/audit").expect(200);
    bangui.stranger().with("x-forwarded-for", ADDRESS).get("/nothing").expect_problem(404);
    let lines = bangui.stop().lines;
    let requests: Vec<_> = lines.iter().filter(|line| line["client_ip"] == NETWORK).collect();
    assert!(requests.len() >= 2, "{lines:#?}");
    for line in requests {
        receiver.wait_for_line("the line", |record| record["uid"] == line["uid"]);
    }
    eventually(Duration::from_secs(20), "logs and spans at both", || {
        let received = sink.received();
        let told = [
            format!("{:?}", received.logs),
            format!("{:?}", received.spans),
            format!("{:?}", receiver.spans()),
        ];
        expect(told.iter().all(|text| text.contains(NETWORK)), told.join("\n"))
    });
    assert!(receiver.payload_with(ADDRESS).is_none(), "{ADDRESS} has left");
    assert!(!told(&sink).contains(ADDRESS), "{ADDRESS} has left");
}

/// The lines of each pipeline of a folder's files, with its name first.
fn pipelines(folder: &str) -> Vec<Vec<String>> {
    let mut pipelines: Vec<Vec<String>> = Vec::new();
    for entry in fs::read_dir(repository().join("otel-collector").join(folder)).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let (_, text) = text.split_once("\n  pipelines:\n").unwrap();
        for line in text.lines() {
            if line.starts_with("      ") {
                pipelines.last_mut().unwrap().push(line.trim().to_owned());
            } else {
                pipelines.push(vec![line.trim().to_owned()]);
            }
        }
    }
    pipelines
}

#[test]
fn the_fields_of_every_destination_are_chosen_first_in_each_of_its_pipelines() {
    let mut count = 0;
    for folder in ["providers", "own/providers"] {
        for pipeline in pipelines(folder) {
            let processors = pipeline.iter().find(|line| line.starts_with("processors: ["));
            let chosen = match pipeline[0].split('/').next() {
                Some("logs") => "processors: [transform/external_logs",
                Some("traces") => "processors: [transform/external_spans",
                // Of what is made of the traces behind that.
                Some("metrics") if pipeline[1] == "receivers: [datadog/apm]" => continue,
                _ => panic!("{pipeline:?}"),
            };
            // Ours take those of the file that they are loaded after, unless they have others.
            let is_inherited = folder == "own/providers" && processors.is_none();
            let is_chosen = processors.is_some_and(|line| line.starts_with(chosen));
            assert!(is_inherited || is_chosen, "{pipeline:?}");
            count += 1;
        }
    }
    assert!(count >= 4 * 7, "{count} pipelines");
}
