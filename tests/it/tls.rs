//! TLS on the service's own port: what browsers, programs and attackers of it meet, and how a
//! certificate is renewed while all of them are there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use serde_json::json;
use tempfile::tempdir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use crate::support::{
    API_TOKEN, Bangui, Builder, Certificates, Https, OtlpReceiver, PASSWORD, SOON, eventually,
    expect, free_port,
};

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: i32 = 78;
/// More than the service has places for connections.
const CONNECTIONS: usize = 1100;

fn with(certificates: &Certificates, name: &str) -> Builder {
    Bangui::builder().served_tls(&certificates.certificate(name), &certificates.key(name))
}

fn start() -> (Certificates, Bangui, Https) {
    let certificates = Certificates::make();
    let bangui = with(&certificates, "server").start();
    let client = Https::to(bangui.port(), &[certificates.certificate("ca")]);
    (certificates, bangui, client)
}

/// The bytes of the first certificate in a file.
fn der(path: &Path) -> Vec<u8> {
    CertificateDer::from_pem_file(path).unwrap().to_vec()
}

/// When a certificate expires, as openssl says, in seconds since 1970.
fn not_after(certificates: &Certificates, name: &str) -> u64 {
    let text =
        certificates.openssl(&["x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in"], name);
    let text = text.trim().strip_prefix("notAfter=").unwrap().replace(' ', "T");
    let time: jiff::Timestamp = text.parse().unwrap();
    u64::try_from(time.as_second()).unwrap()
}

#[test]
fn a_browser_signs_in_by_both_protocols_and_stays_with_https() {
    let (_certificates, bangui, client) = start();
    for protocol in ["http/1.1", "h2"] {
        let mut connection = client.connect(protocol).unwrap();
        assert_eq!(connection.version, "TLSv1_3");
        let page = connection.send("GET", "/", &[], None).unwrap().expect(200);
        assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
        let origin = format!("https://localhost:{}", bangui.port());
        let body = json!({ "username": "admin", "password": PASSWORD });
        let own = [("origin", origin.as_str())];
        let answer = connection.send("POST", "/api/auth/login", &own, Some(&body)).unwrap();
        let answer = answer.expect(204);
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        let own = [("cookie", cookie)];
        connection.send("GET", "/api/audit", &own, None).unwrap().expect(200);
    }
    bangui.wait_for("http_request_completed", |line| line["endpoint"] == "/api/audit");
    assert_eq!(bangui.events("config_plain_http").len(), 0);
}

#[test]
fn programs_speak_grpc_over_tls_and_the_health_check_needs_no_name() {
    let certificates = Certificates::make();
    let builder = with(&certificates, "server");
    let bangui = builder.env("BANGUI_API_TOKEN", API_TOKEN).start();
    let folder = tempdir().unwrap();
    let authority = certificates.certificate("ca");
    let shell = Bangui::builder()
        .env("BANGUI_ADDRESS", format!("https://localhost:{}", bangui.port()))
        .env("BANGUI_API_TOKEN", API_TOKEN);
    let output = shell.run(folder.path(), &["status"], "");
    assert_eq!(output.code, Some(69), "an authority that the system does not know: {output:?}");
    let shell = shell.env("SSL_CERT_FILE", authority.display());
    let output = shell.run(folder.path(), &["status", "--json"], "");
    assert!(output.code == Some(0) && output.stderr.is_empty(), "{output:?}");

    // A renewal that went wrong is none of the health check's business.
    let missing = folder.path().join("renewed.pem");
    let check = Bangui::builder().served_tls(&missing, &missing);
    let check = |port| {
        let listen = format!("0.0.0.0:{port}");
        check.clone().env("BANGUI_LISTEN", listen).run(folder.path(), &["healthcheck"], "")
    };
    let output = check(bangui.port());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.join("").contains("\"status\""), "{output:?}");
    let output = check(free_port());
    assert_eq!((output.code, output.stderr.len()), (Some(1), 1), "{output:?}");
}

#[test]
fn pairs_that_cannot_be_shown_are_wrong_settings() {
    let certificates = Certificates::make();
    let folder = tempdir().unwrap();
    let (server, key) = (certificates.certificate("server"), certificates.key("server"));
    let other = certificates.key("client");
    let missing = folder.path().join("missing.pem");
    let nothing = Path::new("");
    let cases: [(&Path, &Path, &[&str]); 4] = [
        (&server, &other, &["BANGUI_TLS_KEY_FILE: is not the key of BANGUI_TLS_CERT_FILE"]),
        (
            &key,
            &server,
            &[
                "BANGUI_TLS_CERT_FILE: holds no certificate",
                "BANGUI_TLS_KEY_FILE: holds no private key without a passphrase",
            ],
        ),
        (
            &missing,
            &key,
            &["BANGUI_TLS_CERT_FILE: cannot be read: No such file or directory (os error 2)"],
        ),
        (
            nothing,
            &key,
            &["BANGUI_TLS_CERT_FILE: is needed beside BANGUI_TLS_KEY_FILE; set both or neither"],
        ),
    ];
    let secret = fs::read_to_string(&key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    for (certificate, key, expected) in cases {
        for command in ["serve", "config"] {
            let builder = Bangui::builder().served_tls(certificate, key);
            let output = builder.run(folder.path(), &[command], "");
            assert_eq!(output.code, Some(EXIT_CONFIG), "{output:?}");
            assert_eq!(output.stderr, expected);
            assert!(!format!("{output:?}").contains(secret), "the key is told: {output:?}");
        }
    }
    let builder = with(&certificates, "server").env("BANGUI_PUBLIC_URL", "http://bans.example");
    let output = builder.run(folder.path(), &["config"], "");
    let reason = "BANGUI_PUBLIC_URL: is http://, but with BANGUI_TLS_CERT_FILE the port is https";
    assert_eq!((output.code, output.stderr), (Some(EXIT_CONFIG), vec![reason.to_owned()]));
    let output = with(&certificates, "server").run(folder.path(), &["config"], "");
    let path = format!("BANGUI_TLS_KEY_FILE={}", key.display());
    assert!(output.code == Some(0) && output.stdout.contains(&path), "{output:?}");
}

#[test]
fn an_expired_certificate_is_shown_with_a_warning() {
    let certificates = Certificates::make();
    let bangui = with(&certificates, "expired").start();
    let warning = bangui.wait_for_event("tls_certificate_expired");
    let end: jiff::Timestamp = warning["not_after"].as_str().unwrap().parse().unwrap();
    assert_eq!(end.as_second(), not_after(&certificates, "expired") as i64);
    let client = Https::to(bangui.port(), &[certificates.certificate("ca")]);
    let Err(error) = client.connect("h2") else { panic!("an expired certificate is trusted") };
    assert!(error.contains("Expired") || error.contains("expired"), "{error}");
    bangui.wait_for("http_tls_handshake_failed", |line| line["client_ip"] == "127.0.0.1");
}

#[test]
fn the_metric_is_the_certificates_date() {
    let certificates = Certificates::make();
    let receiver = OtlpReceiver::start();
    let bangui = with(&certificates, "server").export_to(&receiver, "grpc").start();
    let expected = not_after(&certificates, "server");
    eventually(SOON, "the certificate's date", || {
        let name = "bangui.tls.certificate.not_after";
        let found = receiver.metrics().into_iter().rfind(|metric| metric.name == name);
        let Some(Data::Gauge(gauge)) = found.and_then(|metric| metric.data) else {
            return Err("no such gauge".to_owned());
        };
        let values: Vec<_> = gauge.data_points.iter().map(|point| point.value).collect();
        let expected = i64::try_from(expected).unwrap();
        expect(values == [Some(Number::AsInt(expected))], format!("{values:?}, not {expected}"))
    });
    drop(bangui);
}

#[test]
fn plain_http_and_old_tls_are_turned_away_at_once() {
    let (_certificates, bangui, client) = start();
    let mut plain = TcpStream::connect(("127.0.0.1", bangui.port())).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthis port speaks https alone"), "{answer}");
    bangui.wait_for("http_tls_handshake_failed", |line| {
        line["error"] == "a request in plain http" && line["client_ip"] == "127.0.0.1"
    });

    let mut old = TcpStream::connect(("127.0.0.1", bangui.port())).unwrap();
    old.write_all(&client_hello_of_tls_1_1()).unwrap();
    let mut alert = Vec::new();
    old.read_to_end(&mut alert).unwrap();
    // A record of alerts with one that is fatal and says: protocol version.
    assert!(alert.len() == 7 && alert[0] == 21 && alert[5..] == [2, 70], "{alert:?}");
    client.connect("h2").unwrap().send("GET", "/health", &[], None).unwrap().expect(200);
}

/// What a client sends that knows nothing newer than TLS 1.1.
fn client_hello_of_tls_1_1() -> Vec<u8> {
    const VERSION: [u8; 2] = [3, 2];
    // ECDHE-ECDSA-AES128-SHA and AES128-SHA, which servers of that time had.
    const CIPHERS: [u8; 4] = [0xc0, 0x09, 0x00, 0x2f];
    let mut hello = VERSION.to_vec();
    hello.extend([7; 32]);
    // No session; the ciphers; no compression.
    hello.extend([0, 0, 4]);
    hello.extend(CIPHERS);
    hello.extend([1, 0]);
    // How it can be signed to: without that, servers would refuse it for another reason.
    hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_no_request_is_lost() {
    let (old, new) = (Certificates::make(), Certificates::make());
    let folder = tempdir().unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    fs::copy(old.certificate("server"), &certificate).unwrap();
    fs::copy(old.key("server"), &key).unwrap();
    let bangui = Bangui::builder().served_tls(&certificate, &key).start();
    let authorities = [old.certificate("ca"), new.certificate("ca")];
    let client = Https::to(bangui.port(), &authorities);
    let shown = || client.connect("h2").unwrap().certificate;
    assert_eq!(shown(), der(&old.certificate("server")));

    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for protocol in ["h2", "http/1.1"] {
            let (port, is_over, answered) = (bangui.port(), &is_over, &answered);
            let authorities = &authorities;
            scope.spawn(move || {
                let client = Https::to(port, authorities);
                let mut kept = client.connect(protocol).unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    let mut fresh = client.connect(protocol).unwrap();
                    for connection in [&mut kept, &mut fresh] {
                        connection.send("GET", "/health", &[], None).unwrap().expect(200);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // The key comes first and does not fit for as long as the certificate is the old one.
            fs::copy(new.key("server"), &key).unwrap();
            let warning = bangui.wait_for_event("tls_certificate_reload_failed");
            let reason = "BANGUI_TLS_KEY_FILE: is not the key of BANGUI_TLS_CERT_FILE";
            assert_eq!(warning["error"], reason);
            assert_eq!(shown(), der(&old.certificate("server")));
            fs::copy(new.certificate("server"), &certificate).unwrap();
            let loaded = || bangui.events("tls_certificate_loaded").len();
            eventually(SOON, "the new certificate", || expect(loaded() == 2, loaded().to_string()));
            assert_eq!(shown(), der(&new.certificate("server")));
        }));
        is_over.store(true, Ordering::Relaxed);
        result.unwrap();
    });
    assert!(answered.load(Ordering::Relaxed) > 100, "{answered:?} requests");
    let warnings = bangui.events("tls_certificate_reload_failed").len();
    assert_eq!(warnings, 1, "one line for one reason");
    bangui.stop();
}

/// Lets this process, and so the service as its child, have more connections than places.
fn allow_many_files() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}

#[test]
fn clients_that_do_not_finish_their_handshake_hold_no_place() {
    allow_many_files();
    let certificates = Certificates::make();
    // One stranger alone cannot take all places; a proxy that is trusted speaks for many.
    let bangui = with(&certificates, "server").env("BANGUI_TRUSTED_PROXIES", "127.0.0.1").start();
    let client = Https::to(bangui.port(), &[certificates.certificate("ca")]);
    let begun = Instant::now();
    // The first half of a handshake's first record, or nothing at all.
    let open = |index: usize| {
        let mut stream = TcpStream::connect(("127.0.0.1", bangui.port())).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        if index.is_multiple_of(2) {
            stream.write_all(&client_hello_of_tls_1_1()[..20]).unwrap();
        }
        stream
    };
    let mut few: Vec<_> = (0..CONNECTIONS / 2).map(open).collect();
    let mut connection = client.connect("h2").unwrap();
    connection.send("GET", "/health", &[], None).unwrap().expect(200);
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(8), "half of the places are taken: {waited:?}");

    few.extend((CONNECTIONS / 2..CONNECTIONS).map(open));
    // All places are taken now, but not for long.
    client.connect("h2").unwrap().send("GET", "/health", &[], None).unwrap().expect(200);
    for mut stream in few {
        let length = stream.read(&mut [0]).unwrap_or(0);
        assert_eq!(length, 0, "a silent client is answered");
    }
    connection.send("GET", "/health", &[], None).unwrap().expect(200);
    bangui.stop();
}
