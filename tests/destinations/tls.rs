//! TLS from the collector to the destinations of HTTP, all at once: what it demands of them, what
//! it shows of itself, and that nothing is told and nothing lost while the two do not agree.
//! Syslog has tests of its own, against a real server (`papertrail/security.rs`).

mod launcher;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Certificates, Client, Collector, SOON, Sink, SinkOptions, eventually, expect, patient,
    throughout,
};

/// What every destination asks for, as its key, token or secret.
const KEY: &str = "0123456789abcdef0123456789abcdef";
const KEY_ID: &str = "AKIDEXAMPLE";
/// So often a destination is tried while nothing may be told.
const ATTEMPTS: usize = 3;
/// What has waited is tried again after 5 s at most.
const RETRY: Duration = Duration::from_secs(30);
/// Records that are sent at a time.
const RECORDS: usize = 3;

/// A destination: its word, which names its variables too, and what it needs beside certificates.
/// `{}` stands for where its receiver is.
type Destination = (&'static str, &'static [(&'static str, &'static str)]);

const DESTINATIONS: [Destination; 6] = [
    (
        "datadog",
        &[
            ("BANGUI_DATADOG_API_KEY", KEY),
            ("BANGUI_DATADOG_ENDPOINT", "{}"),
            ("BANGUI_DATADOG_FLUSH_INTERVAL_SECONDS", "1"),
        ],
    ),
    ("newrelic", &[("BANGUI_NEWRELIC_API_KEY", KEY), ("BANGUI_NEWRELIC_ENDPOINT", "{}")]),
    ("splunk", &[("BANGUI_SPLUNK_TOKEN", KEY), ("BANGUI_SPLUNK_HEC_URL", "{}/services/collector")]),
    (
        "cloudwatch",
        &[
            ("BANGUI_CLOUDWATCH_LOG_GROUP", "/bangui/test"),
            ("BANGUI_CLOUDWATCH_LOG_STREAM", "here"),
            ("BANGUI_CLOUDWATCH_ENDPOINT", "{}"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", KEY),
        ],
    ),
    (
        "elasticsearch",
        &[
            ("BANGUI_ELASTICSEARCH_API_KEY", KEY),
            ("BANGUI_ELASTICSEARCH_HOSTS", "{}"),
            ("BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS", "1"),
        ],
    ),
    (
        "otlp",
        &[
            ("BANGUI_OTLP_ENDPOINT", "{}"),
            ("BANGUI_OTLP_HEADERS", "x-api-key=0123456789abcdef0123456789abcdef"),
        ],
    ),
];
/// Those that get traces as well.
const OF_TRACES: [&str; 3] = ["datadog", "newrelic", "otlp"];

/// Where the collector has the authority from that it trusts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Authority {
    /// From the machine, as without any setting.
    System,
    /// From the file that each destination's setting names.
    File,
}

/// The collector and all of its destinations.
struct World {
    own: Certificates,
    foreign: Certificates,
    folder: TempDir,
    sinks: Vec<(&'static str, Sink)>,
    collector: Collector,
    /// Who gets metrics.
    metrics: &'static str,
    sent: usize,
}

impl World {
    /// Everything right, but for what the receivers' certificate is and what else they ask for.
    fn start(
        authority: Authority,
        metrics: &'static str,
        certificate: &str,
        more: impl Fn(SinkOptions, &Certificates) -> SinkOptions,
    ) -> Self {
        let (own, foreign) = (Certificates::make(), Certificates::make());
        let options = more(receiver(&own, certificate), &own);
        let sinks = DESTINATIONS.map(|(word, _)| (word, Sink::start(&options)));
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        fs::copy(own.certificate("ca"), &ca).unwrap();
        let settings = settings(authority, &sinks, metrics, ca.to_str().unwrap());
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let collector = Collector::start_with(&settings);
        Self { own, foreign, folder, sinks: sinks.into(), collector, metrics, sent: 0 }
    }

    /// All receivers are put right, or wrong, and have received nothing yet.
    fn put_receivers(&mut self, certificate: &str, more: impl Fn(SinkOptions) -> SinkOptions) {
        let options = more(receiver(&self.own, certificate));
        self.sinks.iter_mut().for_each(|(_, sink)| sink.restart_with(&options));
    }

    /// The collector finds this authority in its file when it reads it again.
    fn trust(&self, authority: &str) {
        let of = if authority == "foreign" { &self.foreign } else { &self.own };
        fs::copy(of.certificate("ca"), self.folder.path().join("ca.pem")).unwrap();
    }

    /// The collector has a certificate to show to all destinations when it starts again.
    fn show(&mut self, certificates: &str) {
        let of = if certificates == "foreign" { &self.foreign } else { &self.own };
        let files = [("CERT", of.certificate("client")), ("KEY", of.key("client"))];
        for (word, _) in DESTINATIONS {
            for (kind, path) in &files {
                let name = format!("BANGUI_{}_CLIENT_{kind}_FILE", word.to_uppercase());
                self.collector.set(&name, path.to_str().unwrap());
            }
        }
    }

    fn post(&self, path: &str, body: &Value) {
        let port = self.collector.port("OTLP_HTTP_PORT");
        Client::new(format!("http://127.0.0.1:{port}")).post(path, body).expect(200);
    }

    /// Ends it at once: there is nothing left to be delivered.
    fn end(mut self) {
        self.collector.kill();
    }

    /// Sends records, and gives their ids.
    fn send(&mut self) -> Vec<String> {
        let uids: Vec<_> =
            (self.sent..self.sent + RECORDS).map(|number| format!("{number:032x}")).collect();
        self.sent += RECORDS;
        let record = |uid| {
            let uid = json!({ "key": "uid", "value": { "stringValue": uid } });
            json!({
                "timeUnixNano": now(), "severityNumber": 9, "severityText": "info",
                "body": { "stringValue": "ban_observed" }, "attributes": [uid],
            })
        };
        let records: Vec<_> = uids.iter().map(record).collect();
        let scope = json!({ "scope": { "name": "app.test" }, "logRecords": records });
        self.post("/v1/logs", &json!({ "resourceLogs": [{ "scopeLogs": [scope] }] }));
        uids
    }

    /// Sends a span and a metric.
    fn send_others(&self) {
        let span = json!({
            "traceId": format!("{:032x}", self.sent + 1),
            "spanId": format!("{:016x}", self.sent + 1),
            "name": "GET /health", "kind": 2, "startTimeUnixNano": now(), "endTimeUnixNano": now(),
        });
        let resource = json!({
            "attributes": [{ "key": "service.name", "value": { "stringValue": "bangui" } }],
        });
        let spans = json!([{ "resource": resource, "scopeSpans": [{ "spans": [span] }] }]);
        self.post("/v1/traces", &json!({ "resourceSpans": spans }));
        let point = json!({ "timeUnixNano": now(), "asDouble": 1.5 });
        let metric = json!({ "name": "bangui.test", "gauge": { "dataPoints": [point] } });
        let metrics = json!([{ "resource": resource, "scopeMetrics": [{ "metrics": [metric] }] }]);
        self.post("/v1/metrics", &json!({ "resourceMetrics": metrics }));
    }

    /// Waits until every destination was tried, and has heard nothing.
    fn assert_nothing_is_told(&self, what: &str, reason: &str) {
        let refusals = |sink: &Sink| {
            let said = sink.said();
            said.iter()
                .filter(|line| line.contains("handshake error") && line.contains(reason))
                .count()
        };
        for (word, sink) in &self.sinks {
            eventually(RETRY, &format!("{what}: attempts at {word}"), || {
                expect(refusals(sink) >= ATTEMPTS, format!("{:#?}", sink.said()))
            });
        }
        for (word, sink) in &self.sinks {
            let received = sink.received();
            assert!(
                received.requests.is_empty(),
                "{what}: {word} was told {:#?}",
                received.requests
            );
        }
    }

    /// Waits until these records have arrived everywhere, once each, and gives the requests.
    fn assert_arrived(&self, what: &str, uids: &[String]) -> BTreeMap<&'static str, Vec<Value>> {
        let compare = |word: &str, sink: &Sink| {
            let counts = sink.counts();
            let is_there = counts.uids.keys().eq(uids);
            let is_right =
                is_there && counts.uids.values().all(|count| *count <= most_copies(word));
            expect(is_right, format!("{what}: {word}: {counts:?} of {uids:?}"))
        };
        for (word, sink) in &self.sinks {
            eventually(RETRY, what, || compare(word, sink));
        }
        throughout(Duration::from_millis(500), "once each", || {
            self.sinks.iter().try_for_each(|(word, sink)| compare(word, sink))
        });
        self.sinks.iter().map(|(word, sink)| (*word, sink.received().requests)).collect()
    }

    /// The same for traces and metrics, where they go.
    fn assert_others_arrived(&self) {
        self.send_others();
        for (word, sink) in &self.sinks {
            eventually(SOON, &format!("traces and metrics at {word}"), || {
                let received = sink.received();
                let has_spans = !received.spans.is_empty();
                expect(has_spans == OF_TRACES.contains(word), format!("{:#?}", received.spans))?;
                let has_metric = format!("{:?}", received.metrics).contains("bangui.test");
                expect(has_metric == (self.metrics == *word), format!("{:#?}", received.metrics))
            });
        }
    }
}

/// A receiver with one of the certificates.
fn receiver(own: &Certificates, certificate: &str) -> SinkOptions {
    let [certificate, key] = [own.certificate(certificate), own.key(certificate)];
    let options = SinkOptions::default().key(KEY).aws(KEY_ID, KEY);
    options.tls(certificate.to_str().unwrap(), key.to_str().unwrap())
}

fn settings(
    authority: Authority,
    sinks: &[(&'static str, Sink)],
    metrics: &str,
    ca: &str,
) -> Vec<(String, String)> {
    let words: Vec<_> = sinks.iter().map(|(word, _)| *word).collect();
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_ENABLED".to_owned(), "true".to_owned()),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER".to_owned(), words.join(",")),
        ("BANGUI_METRICS_PROVIDER".to_owned(), metrics.to_owned()),
        // Nobody is there: nothing may leave a relay's exporter for a proxy of plain http.
        ("HTTP_PROXY".to_owned(), "http://127.0.0.1:1".to_owned()),
    ];
    if authority == Authority::System {
        // In the place of the machine's own file and folders.
        settings.push(("SSL_CERT_FILE".to_owned(), ca.to_owned()));
        settings.push(("SSL_CERT_DIR".to_owned(), "/nonexistent".to_owned()));
    }
    for ((word, own), (_, sink)) in DESTINATIONS.iter().zip(sinks) {
        if authority == Authority::File {
            settings.push((format!("BANGUI_{}_CA_FILE", word.to_uppercase()), ca.to_owned()));
        }
        for (name, value) in *own {
            settings.push(((*name).to_owned(), value.replace("{}", &sink.endpoint())));
        }
    }
    settings
}

fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().to_string()
}

/// So often a record may be there. The stock exporter for CloudWatch asks for the log stream,
/// record by record, until it is told of one; when its receiver is put right in the midst of a
/// batch, it sends the rest of that batch, calls it failed, and sends all of it again.
fn most_copies(word: &str) -> u64 {
    if word == "cloudwatch" { 2 } else { 1 }
}

/// The versions of TLS over which something was told, each once.
fn versions(requests: &[Value]) -> Vec<&str> {
    let mut versions: Vec<_> = requests.iter().filter_map(|it| it["tls"].as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

#[test]
fn records_go_over_tls_1_2_and_newer_alone() {
    let _turn = patient();
    let mut world = World::start(Authority::System, "datadog", "server", |it, _| it.tls_max("1.1"));
    let mut uids = world.send();
    world.assert_nothing_is_told("TLS 1.1", "unsupported versions");
    for version in ["1.2", "1.3"] {
        world.put_receivers("server", |it| it.tls_max(version));
        // What has waited comes first.
        if uids.is_empty() {
            uids = world.send();
        }
        for (word, requests) in world.assert_arrived(version, &uids) {
            assert_eq!(versions(&requests), [format!("TLS {version}")], "{word}: {requests:#?}");
        }
        world.assert_others_arrived();
        uids.clear();
    }
    world.end();
}

#[test]
fn nothing_is_told_to_a_receiver_that_is_not_the_right_one() {
    /// What a client tells a server whose certificate it does not take.
    const REFUSED: &str = "remote error: tls: bad certificate";
    let _turn = patient();
    let mut world = World::start(Authority::File, "newrelic", "other-name", |it, _| it);
    let mut uids = world.send();
    world.assert_nothing_is_told("a certificate of another host", REFUSED);
    world.put_receivers("expired", |it| it);
    uids.extend(world.send());
    world.assert_nothing_is_told("an expired certificate", REFUSED);
    world.collector.kill();
    world.trust("foreign");
    world.collector.run();
    world.put_receivers("server", |it| it);
    uids.extend(world.send());
    world.assert_nothing_is_told("a foreign authority", REFUSED);
    // All of them have waited on disk, and none is lost.
    world.trust("own");
    world.collector.reload();
    world.assert_arrived("what has waited", &uids);
    world.assert_others_arrived();
    world.end();
}

#[test]
fn a_receiver_may_ask_for_a_client_certificate() {
    let _turn = patient();
    let asking =
        |it: SinkOptions, own: &Certificates| it.client_ca(own.certificate("ca").to_str().unwrap());
    let mut world = World::start(Authority::File, "datadog", "server", asking);
    let mut uids = world.send();
    world.assert_nothing_is_told("no certificate", "client didn't provide a certificate");
    world.collector.kill();
    world.show("foreign");
    world.collector.run();
    uids.extend(world.send());
    world.assert_nothing_is_told("a foreign certificate", "failed to verify certificate");
    world.collector.kill();
    world.show("own");
    world.collector.run();
    world.assert_arrived("what has waited", &uids);
    world.assert_others_arrived();
    for (word, sink) in &world.sinks {
        let requests = sink.received().requests;
        let is_shown = requests.iter().all(|it| it["client"] == "bangui");
        assert!(is_shown && !requests.is_empty(), "{word}: {requests:#?}");
    }
    world.end();
}
