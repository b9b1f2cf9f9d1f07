//! From BanGUI to a collector on another host: over TLS, with a certificate and a token. Who has
//! not got them sends nothing, and loses nothing until that is put right.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::inputs::page;
use super::otlp::{assert_all_arrived, collector_to};
use crate::support::{
    Bangui, Builder, Certificates, Collector, OtlpReceiver, SOON, eventually, expect, patient,
    repository, throughout,
};

const PROTOCOLS: [(&str, &str); 2] =
    [("grpc", "OTLP_GRPC_PORT"), ("http/protobuf", "OTLP_HTTP_PORT")];
const TOKEN: &str = "a-token-of-the-first-year";
const NEXT_TOKEN: &str = "a-token-of-the-second-year";
/// The collector looks at its file every 2 s, and a batch is tried again after 5 s at most.
const RETRY: Duration = Duration::from_secs(30);
/// How long nothing may arrive: several attempts.
const ATTEMPTS: Duration = Duration::from_secs(3);

/// A collector that asks for everything that it can ask for.
struct Gateway {
    own: Certificates,
    folder: TempDir,
    receiver: OtlpReceiver,
    collector: Collector,
}

impl Gateway {
    /// Its own certificate is one of `presented`; it knows the first token.
    fn start(presented: Option<&Certificates>) -> Self {
        let (own, folder) = (Certificates::make(), tempfile::tempdir().unwrap());
        let receiver = OtlpReceiver::start();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        present(&folder, presented.unwrap_or(&own));
        fs::copy(own.certificate("ca"), path("ca.pem")).unwrap();
        put(&folder, "tokens", &format!("# this year\n{TOKEN}\n"));
        let settings = [
            ("COLLECTOR_TLS_CERT_FILE", path("server.pem")),
            ("COLLECTOR_TLS_KEY_FILE", path("server.key")),
            ("COLLECTOR_CLIENT_CA_FILE", path("ca.pem")),
            ("COLLECTOR_TOKEN_FILE", path("tokens")),
        ];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let collector = collector_to(&receiver, &settings);
        Self { own, folder, receiver, collector }
    }

    /// A service that has all that is asked for.
    fn bangui(&self, protocol: (&str, &str)) -> Builder {
        let port = self.collector.port(protocol.1);
        let file = |path: PathBuf| path.to_str().unwrap().to_owned();
        Bangui::builder()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://127.0.0.1:{port}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.0)
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", file(self.own.certificate("ca")))
            .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", file(self.own.certificate("client")))
            .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", file(self.own.key("client")))
            .env("OTEL_EXPORTER_OTLP_HEADERS", format!("Authorization=Bearer%20{TOKEN}"))
            .export_often()
    }

    fn assert_nothing_arrives(&self, what: &str) {
        throughout(ATTEMPTS, what, || {
            let (lines, spans) = (self.receiver.lines(), self.receiver.spans());
            expect(lines.is_empty() && spans.is_empty(), format!("{lines:?} {spans:?}"))
        });
        let metrics = page(&self.collector, "EXPOSITION_PORT");
        assert!(!metrics.contains("bangui_"), "{what}: {metrics}");
    }
}

/// Replaces a file in one step, as a tool that rotates secrets does.
fn put(folder: &TempDir, name: &str, content: &str) {
    let next = folder.path().join("next");
    fs::write(&next, content).unwrap();
    fs::rename(next, folder.path().join(name)).unwrap();
}

/// Lays down what the collector shows of itself.
fn present(folder: &TempDir, certificates: &Certificates) {
    let read = |path| fs::read_to_string(path).unwrap();
    put(folder, "server.key", &read(certificates.key("server")));
    put(folder, "server.pem", &read(certificates.certificate("server")));
}

fn some_traffic(bangui: &Bangui) {
    bangui.admin().get("/api/audit").expect(200);
    bangui.stranger().get("/api/bans").expect_problem(401);
}

/// The one line that tells why nothing arrives.
fn told(bangui: &Bangui) -> String {
    let line = bangui.wait_for_event("external_log_batch_failed");
    line["error"].as_str().unwrap().to_owned()
}

fn assert_secret_is_kept(lines: &[Value], collector: &Collector) {
    for said in [format!("{lines:?}"), collector.said()] {
        assert!(!said.contains(TOKEN) && !said.contains(NEXT_TOKEN), "{said}");
    }
}

fn everything_arrives(gateway: &Gateway, builder: Builder) {
    let bangui = builder.start();
    some_traffic(&bangui);
    eventually(SOON, "metrics", || {
        let metrics = page(&gateway.collector, "EXPOSITION_PORT");
        expect(metrics.contains("bangui_http_requests_total"), metrics)
    });
    let lines = bangui.stop().lines;
    assert_all_arrived(&lines, &|| gateway.receiver.lines());
    eventually(SOON, "traces", || expect(!gateway.receiver.spans().is_empty(), "no span"));
    let failed = lines.iter().find(|line| {
        ["external_log_batch_failed", "telemetry_export_failed", "config_telemetry_unencrypted"]
            .contains(&line["event"].as_str().unwrap())
    });
    assert_eq!(failed, None);
    assert_secret_is_kept(&lines, &gateway.collector);
}

#[test]
fn all_signals_arrive_over_grpc() {
    let _turn = patient();
    let gateway = Gateway::start(None);
    everything_arrives(&gateway, gateway.bangui(PROTOCOLS[0]));
}

#[test]
fn all_signals_arrive_over_http() {
    let _turn = patient();
    let gateway = Gateway::start(None);
    everything_arrives(&gateway, gateway.bangui(PROTOCOLS[1]));
}

#[test]
fn the_systems_authorities_and_a_file_of_headers_do_as_well() {
    let _turn = patient();
    let gateway = Gateway::start(None);
    let headers = gateway.folder.path().join("headers");
    fs::write(&headers, format!("authorization=Bearer%20{TOKEN}\n")).unwrap();
    for protocol in PROTOCOLS {
        let ca = gateway.own.certificate("ca");
        let builder = gateway.bangui(protocol).without("OTEL_EXPORTER_OTLP_CERTIFICATE");
        let builder = builder.without("OTEL_EXPORTER_OTLP_HEADERS");
        let builder = builder.env("OTEL_EXPORTER_OTLP_HEADERS_FILE", headers.to_str().unwrap());
        // Where OpenSSL and rustls look for the system's.
        everything_arrives(&gateway, builder.env("SSL_CERT_FILE", ca.to_str().unwrap()));
    }
}

#[test]
fn a_wrong_token_sends_nothing_until_it_is_known() {
    let _turn = patient();
    for (protocol, reason) in PROTOCOLS.into_iter().zip(["Unauthenticated", "401"]) {
        let gateway = Gateway::start(None);
        let header = format!("authorization=Bearer {NEXT_TOKEN}");
        let bangui = gateway.bangui(protocol).env("OTEL_EXPORTER_OTLP_HEADERS", header).start();
        some_traffic(&bangui);
        assert!(told(&bangui).contains(reason), "{}", told(&bangui));
        gateway.assert_nothing_arrives("a wrong token");
        assert!(gateway.collector.said().contains("without a valid token are refused"));
        // An empty token is none either, although the file has an empty line.
        put(&gateway.folder, "tokens", &format!("{TOKEN}\n\n{NEXT_TOKEN}\n"));
        eventually(RETRY, "what has waited", || {
            expect(!gateway.receiver.lines().is_empty(), gateway.collector.said())
        });
        assert_eq!(bangui.events("external_log_batch_failed").len(), 1);
        let lines = bangui.stop().lines;
        assert_all_arrived(&lines, &|| gateway.receiver.lines());
        assert_secret_is_kept(&lines, &gateway.collector);
    }
}

#[test]
fn nothing_is_told_to_a_collector_that_is_not_the_right_one() {
    let _turn = patient();
    for protocol in PROTOCOLS {
        let mut gateway = Gateway::start(Some(&Certificates::make()));
        let bangui = gateway.bangui(protocol).start();
        some_traffic(&bangui);
        assert!(told(&bangui).contains("UnknownIssuer"), "{}", told(&bangui));
        gateway.assert_nothing_arrives("a foreign certificate");
        present(&gateway.folder, &gateway.own);
        gateway.collector.reload();
        eventually(RETRY, "what has waited", || {
            expect(!gateway.receiver.lines().is_empty(), gateway.collector.said())
        });
        let lines = bangui.stop().lines;
        assert_all_arrived(&lines, &|| gateway.receiver.lines());
        assert_secret_is_kept(&lines, &gateway.collector);
    }
}

#[test]
fn a_client_without_a_certificate_sends_nothing() {
    let _turn = patient();
    for protocol in PROTOCOLS {
        let mut gateway = Gateway::start(None);
        let builder = gateway.bangui(protocol).without("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
        let bangui = builder.without("OTEL_EXPORTER_OTLP_CLIENT_KEY").start();
        some_traffic(&bangui);
        let reason = told(&bangui);
        println!("{}: {reason}", protocol.0);
        assert!(reason.contains("ask for a client certificate"), "{}: {reason}", protocol.0);
        gateway.assert_nothing_arrives("no certificate of a client");
        gateway.collector.stop();
        gateway.collector.set("COLLECTOR_CLIENT_CA_FILE", "");
        gateway.collector.run();
        let lines = bangui.stop().lines;
        assert_all_arrived(&lines, &|| gateway.receiver.lines());
    }
}

#[test]
fn a_token_is_replaced_without_a_restart() {
    let _turn = patient();
    let gateway = Gateway::start(None);
    let process = gateway.collector.id();
    let first = gateway.bangui(PROTOCOLS[0]).start();
    gateway.receiver.wait_for_line("the first", |line| line["event"] == "bangui_ready");
    // Both are good for a while, so that there is no gap.
    put(&gateway.folder, "tokens", &format!("{TOKEN}\n{NEXT_TOKEN}\n"));
    eventually(RETRY, "both tokens", || {
        let said = gateway.collector.said();
        expect(said.contains("other tokens are in force"), said)
    });
    let header = format!("authorization=Bearer%20{NEXT_TOKEN}");
    let second = gateway.bangui(PROTOCOLS[1]).env("OTEL_EXPORTER_OTLP_HEADERS", header).start();
    let assert_arrives = || {
        let answer = second.stranger().get("/api/bans");
        let id = answer.correlation_id();
        gateway.receiver.wait_for_line("its line", |line| line["correlation_id"] == id);
    };
    assert_arrives();
    put(&gateway.folder, "tokens", &format!("{NEXT_TOKEN}\n"));
    eventually(RETRY, "an end of the first token", || {
        some_traffic(&first);
        expect(!first.events("external_log_batch_failed").is_empty(), "it is still good")
    });
    assert_arrives();
    assert!(second.events("external_log_batch_failed").is_empty());
    assert_eq!(gateway.collector.id(), process);
}

/// The variables that the launcher refuses, with a program that does nothing as the collector.
fn refused(env: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(repository().join("otel-collector/launch.sh"));
    command.arg("/bin/true").env_clear().env("PATH", std::env::var("PATH").unwrap());
    let output = command.envs(env.iter().copied()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("hunter2"), "{said}");
    let code = if said.is_empty() { 0 } else { 78 };
    assert_eq!(output.status.code(), Some(code), "{env:?}: {said}");
    said.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
}

#[test]
fn the_launcher_refuses_what_would_let_everybody_in_or_nobody() {
    const CERTIFICATE: &str = "COLLECTOR_TLS_CERT_FILE";
    const KEY: &str = "COLLECTOR_TLS_KEY_FILE";
    const CLIENTS: &str = "COLLECTOR_CLIENT_CA_FILE";
    const TOKENS: &str = "COLLECTOR_TOKEN_FILE";
    let (own, folder) = (Certificates::make(), tempfile::tempdir().unwrap());
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let [certificate, key, ca] =
        [own.certificate("server"), own.key("server"), own.certificate("ca")].map(text);
    let (certificate, key) = ((CERTIFICATE, certificate.as_str()), (KEY, key.as_str()));
    let clients = (CLIENTS, ca.as_str());
    let file = folder.path().join("tokens");
    let tokens = (TOKENS, file.to_str().unwrap());
    assert!(refused(&[certificate, key, clients]).is_empty());
    assert_eq!(refused(&[certificate]), [KEY]);
    assert_eq!(refused(&[key]), [CERTIFICATE]);
    assert_eq!(refused(&[clients]), [CERTIFICATE]);
    assert_eq!(refused(&[(CERTIFICATE, "/none"), key]), [CERTIFICATE]);
    assert_eq!(refused(&[certificate, (KEY, "/dev/null")]), [KEY]);
    assert_eq!(refused(&[tokens]), [TOKENS], "it is not there");
    let many = "0123456789abcdef\n".repeat(33);
    for wrong in ["", "\n\n", "# hunter2-is-a-comment", "hunter2", "hunter2 has some spaces", &many]
    {
        fs::write(&file, wrong).unwrap();
        assert_eq!(refused(&[tokens]), [TOKENS], "{wrong:?}");
    }
    for right in ["0123456789abcdef", "# a\n\n0123456789abcdef\r\n$(id)'\"`\\;0123456789\n"] {
        fs::write(&file, right).unwrap();
        assert!(refused(&[tokens]).is_empty(), "{right:?}");
    }
}
