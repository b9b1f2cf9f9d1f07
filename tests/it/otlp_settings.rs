//! The settings of the way to the collector: `bangui config` on certificates, keys and headers, and
//! what a start says of telemetry in the clear.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::support::{Bangui, Certificates};

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: i32 = 78;
const HTTPS: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example.com:4317");
const PLAIN: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
const CA: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const HEADERS_FILE: &str = "OTEL_EXPORTER_OTLP_HEADERS_FILE";
const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
/// What must never be shown.
const TOKEN: &str = "t0ken-of-the-collector";

/// What `bangui config` says on stderr, line by line, and nothing of it or of stdout a secret.
fn problems(env: &[(&str, &str)]) -> Vec<String> {
    let folder = tempdir().unwrap();
    let mut command = Bangui::builder().command(folder.path());
    let output = command.arg("config").envs(env.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout}{stderr}");
    if stderr.is_empty() {
        let shown = |name: &str, value: &str| stdout.contains(&format!("\n{name}={value}\n"));
        let files = env.iter().filter(|(name, _)| [CA, CERTIFICATE, KEY].contains(name));
        assert!(files.clone().all(|(name, path)| shown(name, path)), "{env:?}: {stdout}");
        let has_headers = env.iter().any(|(name, _)| [HEADERS, HEADERS_FILE].contains(name));
        assert!(shown(HEADERS, if has_headers { "***" } else { "(unset)" }), "{stdout}");
    }
    assert!(!stdout.contains("PRIVATE KEY") && !stderr.contains("PRIVATE KEY"));
    let code = if stderr.is_empty() { 0 } else { EXIT_CONFIG };
    assert_eq!(output.status.code(), Some(code), "{env:?}: {stderr}");
    stderr.lines().map(str::to_owned).collect()
}

/// An environment, and the beginnings of the lines that it gives.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

fn assert_rows(rows: &[Row<'_>]) {
    for (env, expected) in rows {
        let found = problems(env);
        let is_right = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(line, start)| line.starts_with(start));
        assert!(is_right, "{env:?}: {found:#?} and not {expected:#?}");
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn certificates_are_checked_before_anything_is_sent() {
    let (own, other) = (Certificates::make(), Certificates::make());
    let folder = tempdir().unwrap();
    let made = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        text(&path)
    };
    let (ca, certificate) = (text(&own.certificate("ca")), text(&own.certificate("client")));
    let (key, foreign) = (text(&own.key("client")), text(&other.key("client")));
    let both = [fs::read(&ca).unwrap(), fs::read(other.certificate("ca")).unwrap()].concat();
    let bundle = made("bundle.pem", &both);
    let broken = made("broken.pem", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let no_authority =
        made("junk.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let plain = made("plain.txt", b"no certificate");
    let large = made("large.pem", &[b"-----BEGIN ".as_slice(), &[b'x'; 1 << 20]].concat());
    let missing = text(&folder.path().join("missing.pem"));
    let of_logs = "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE";
    let of_traces = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY";
    assert_rows(&[
        (&[HTTPS], &[]),
        (&[HTTPS, (CA, &ca), (CERTIFICATE, &certificate), (KEY, &key)], &[]),
        (&[HTTPS, (CA, &bundle)], &[]),
        (&[HTTPS, (CA, &missing)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be read"]),
        (&[HTTPS, (CA, "/")], &["OTEL_EXPORTER_OTLP_CERTIFICATE: cannot be read"]),
        (&[HTTPS, (CA, &plain)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: is no PEM file"]),
        (&[HTTPS, (CA, &large)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: is larger than 1 MiB"]),
        (&[HTTPS, (CA, &key)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: holds no certificate"]),
        (&[HTTPS, (CA, &broken)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: holds a certificate that"]),
        (&[HTTPS, (CA, &no_authority)], &["OTEL_EXPORTER_OTLP_CERTIFICATE: holds no usable"]),
        (&[HTTPS, (of_logs, &missing)], &["OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: cannot be read"]),
        (
            &[HTTPS, (CERTIFICATE, &certificate)],
            &["OTEL_EXPORTER_OTLP_CLIENT_KEY: is needed beside"],
        ),
        (&[HTTPS, (KEY, &key)], &["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: is needed beside"]),
        (
            &[HTTPS, (of_traces, &key)],
            &["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: is needed beside"],
        ),
        (
            &[HTTPS, (CERTIFICATE, &certificate), (KEY, &foreign)],
            &["OTEL_EXPORTER_OTLP_CLIENT_KEY: is not the key of"],
        ),
        (
            &[HTTPS, (CERTIFICATE, &certificate), (KEY, &certificate)],
            &["OTEL_EXPORTER_OTLP_CLIENT_KEY: holds no private key"],
        ),
        (
            &[HTTPS, (CERTIFICATE, &missing), (KEY, &missing)],
            &[
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: cannot be read",
                "OTEL_EXPORTER_OTLP_CLIENT_KEY: cannot be read",
            ],
        ),
        // Whoever names an authority and forgets the `s` of https has no TLS.
        (
            &[PLAIN, (CA, &ca)],
            &["OTEL_EXPORTER_OTLP_CERTIFICATE: is set, but no OTLP endpoint is https://"],
        ),
        (&[(CA, &ca)], &[]),
    ]);
}

#[test]
fn credentials_in_the_clear_are_refused_beyond_this_host() {
    let folder = tempdir().unwrap();
    let token = format!("Authorization=Bearer%20{TOKEN}");
    let [file, wrong] = [token.as_str(), "Authorization: Bearer x"].map(|content| {
        let path = folder.path().join(format!("headers{}", content.len()));
        fs::write(&path, format!("{content}\n")).unwrap();
        text(&path)
    });
    let to = |endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let refused: &[&str] = &["OTEL_EXPORTER_OTLP_HEADERS: holds credentials, which"];
    let of_logs = "OTEL_EXPORTER_OTLP_LOGS_HEADERS";
    let metrics_to = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
    let key = format!("x-scope=1, api-key={TOKEN}");
    assert_rows(&[
        (&[HTTPS, (HEADERS, &token)], &[]),
        (&[to("http://localhost:4317"), (HEADERS, &token)], &[]),
        (&[to("http://127.9.9.9:4317"), (HEADERS, &token)], &[]),
        (&[to("http://[::1]:4317"), (HEADERS, &token)], &[]),
        (&[to("http://localhost.example.com"), (HEADERS, &token)], refused),
        (&[to("http://128.0.0.1:4317"), (HEADERS, &token)], refused),
        (&[PLAIN, (HEADERS, &token)], refused),
        (&[PLAIN, (HEADERS, &key)], refused),
        (&[PLAIN, (HEADERS, "X-Scope-OrgID=7")], &[]),
        (&[PLAIN, (HEADERS, &token), (INSECURE, "true")], &[]),
        (
            &[PLAIN, (HEADERS, &token), (INSECURE, "yes")],
            &["OTEL_EXPORTER_OTLP_INSECURE: ", refused[0]],
        ),
        (&[PLAIN, (of_logs, &token)], &["OTEL_EXPORTER_OTLP_LOGS_HEADERS: holds credentials"]),
        (&[PLAIN, (HEADERS_FILE, &file)], &["OTEL_EXPORTER_OTLP_HEADERS_FILE: holds credentials"]),
        (&[HTTPS, (metrics_to, "http://other"), (HEADERS, &token)], refused),
        (&[HTTPS, (HEADERS_FILE, &file)], &[]),
        (&[HTTPS, (HEADERS_FILE, &wrong)], &["OTEL_EXPORTER_OTLP_HEADERS_FILE: must be"]),
        (
            &[HTTPS, (HEADERS_FILE, &file), (HEADERS, &token)],
            &["OTEL_EXPORTER_OTLP_HEADERS: is set together with"],
        ),
        (&[HTTPS, (HEADERS_FILE, "/none")], &["OTEL_EXPORTER_OTLP_HEADERS_FILE: cannot be read"]),
        (&[HTTPS, ("OTEL_EXPORTER_OTLP_TIMEOUT", "0")], &["OTEL_EXPORTER_OTLP_TIMEOUT: must be"]),
        // Nothing leaves, so nothing is shown to anybody.
        (&[PLAIN, (HEADERS, &token), ("OTEL_SDK_DISABLED", "true")], &[]),
    ]);
}

#[test]
fn a_collector_on_a_private_network_is_one_warning() {
    let clear = "config_telemetry_unencrypted";
    let start = |endpoint: &str| Bangui::builder().env(PLAIN.0, endpoint).start();
    // A name that leads nowhere: nothing has to listen to be warned about.
    let bangui = start("http://otel-collector.invalid:4317");
    let warning = bangui.wait_for_event(clear);
    assert_eq!(warning["variable"], "OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(bangui.events(clear).len(), 1);
    assert!(start("http://127.0.0.1:9").events(clear).is_empty());
}

#[test]
fn a_system_without_authorities_is_told_at_the_start() {
    let folder = tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        let builder = Bangui::builder().env(HTTPS.0, HTTPS.1);
        let builder = builder.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        // Where rustls looks for the system's.
        let mut command = builder.env("SSL_CERT_FILE", text(&empty)).command(folder.path());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("startup_failed") && said.contains("ca-certificates"), "{said}");
    }
}
