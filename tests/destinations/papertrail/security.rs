//! Whom the collector talks to, and that nobody else hears anything.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{collector_to, line_of, send, wait_for_records};
use crate::support::{
    Certificates, Collector, Gate, Rsyslog, Security, eventually, expect, heavy, throughout,
};

/// The first byte of everything that TLS says to begin with.
const HANDSHAKE: u8 = 22;
/// A word of the records that nobody may hear.
const WORD: &str = "only-for-the-owner";
/// So often a destination is tried while nothing may be told.
const ATTEMPTS: usize = 3;
/// What has waited is tried again after 5 s at most.
const RETRY: Duration = Duration::from_secs(30);

/// Waits for some attempts, none of which has told anything to anybody.
fn assert_nothing_is_told(what: &str, gate: &Gate, rsyslog: &Rsyslog) {
    let before = gate.heard().len();
    eventually(RETRY, &format!("{what}: some attempts"), || {
        let count = gate.heard().len() - before;
        expect(count >= ATTEMPTS, format!("{count}"))
    });
    throughout(Duration::from_millis(500), what, || {
        expect(uids(rsyslog).is_empty(), format!("{:?}", rsyslog.records()))
    });
    for said in gate.heard() {
        assert!(said.first().is_none_or(|first| *first == HANDSHAKE), "{what}: {said:?}");
        let is_heard = said.windows(WORD.len()).any(|window| window == WORD.as_bytes());
        assert!(!is_heard, "{what}: {}", String::from_utf8_lossy(&said));
    }
}

/// The records that are ours, sorted. A server without TLS makes some of the handshake's bytes.
fn uids(rsyslog: &Rsyslog) -> Vec<Value> {
    let records = rsyslog.records();
    let own = records.iter().filter(|it| it.app_name == "bangui");
    let mut uids: Vec<_> = own.map(|it| line_of(it)["uid"].clone()).collect();
    uids.sort_by_key(ToString::to_string);
    uids
}

fn send_one(collector: &Collector, uid: &str) {
    send(collector, "host", &[("ban_observed", json!({ "uid": uid, "jail": WORD }))]);
}

#[test]
fn nothing_is_told_to_a_server_that_is_not_the_right_one() {
    let _turn = heavy();
    let (own, foreign) = (Certificates::make(), Certificates::make());
    let wrong = [
        ("a certificate of a foreign authority", Security::tls(&foreign, "server")),
        ("an expired certificate", Security::tls(&own, "expired")),
        ("a certificate of another host", Security::tls(&own, "other-name")),
        ("TLS 1.1", Security::tls(&own, "server").outdated()),
        ("no TLS at all", Security::Clear),
    ];
    let mut rsyslog = Rsyslog::start(Security::tls(&foreign, "server"));
    let gate = Gate::before(rsyslog.address());
    let ca = own.certificate("ca");
    let ca = ("BANGUI_PAPERTRAIL_CA_FILE", ca.to_str().unwrap());
    let collector = collector_to(gate.port(), &[ca]);
    let mut sent = Vec::new();
    for (what, security) in wrong {
        rsyslog.restart_with(security);
        send_one(&collector, what);
        sent.push(json!(what));
        assert_nothing_is_told(what, &gate, &rsyslog);
    }
    // All of them have waited, and none is lost.
    rsyslog.restart_with(Security::tls(&own, "server"));
    sent.sort_by_key(ToString::to_string);
    eventually(RETRY, "what has waited", || {
        let uids = uids(&rsyslog);
        expect(uids == sent, format!("{uids:?}: {}", rsyslog.said()))
    });
}

#[test]
fn records_wait_until_the_authority_is_put_right() {
    let _turn = heavy();
    let (own, foreign) = (Certificates::make(), Certificates::make());
    let rsyslog = Rsyslog::start(Security::tls(&own, "server"));
    let gate = Gate::before(rsyslog.address());
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    fs::copy(foreign.certificate("ca"), &ca).unwrap();
    let ca_setting = ("BANGUI_PAPERTRAIL_CA_FILE", ca.to_str().unwrap());
    let mut collector = collector_to(gate.port(), &[ca_setting]);
    send_one(&collector, "it waits");
    assert_nothing_is_told("a foreign authority is trusted", &gate, &rsyslog);
    collector.stop();
    fs::copy(own.certificate("ca"), &ca).unwrap();
    collector.run();
    let records = wait_for_records(1, || rsyslog.records());
    assert_eq!(line_of(&records[0])["uid"], "it waits");
}

#[test]
fn a_server_may_ask_for_a_client_certificate() {
    /// What rsyslog says when it turns somebody away.
    const REFUSED: &str = "not permitted to talk";
    let _turn = heavy();
    let (own, foreign) = (Certificates::make(), Certificates::make());
    let rsyslog = Rsyslog::start(Security::tls(&own, "server").with_client_certificates());
    let ca = own.certificate("ca");
    let collector = |client: Option<&Certificates>| {
        let paths = client.map(|it| [it.certificate("client"), it.key("client")]);
        let mut settings = vec![("BANGUI_PAPERTRAIL_CA_FILE", ca.to_str().unwrap())];
        if let Some([certificate, key]) = &paths {
            settings.push(("BANGUI_PAPERTRAIL_CLIENT_CERT_FILE", certificate.to_str().unwrap()));
            settings.push(("BANGUI_PAPERTRAIL_CLIENT_KEY_FILE", key.to_str().unwrap()));
        }
        collector_to(rsyslog.port(), &settings)
    };
    for (what, client) in [("without one", None), ("with a foreign one", Some(&foreign))] {
        let collector = collector(client);
        let before = rsyslog.said().matches(REFUSED).count();
        send_one(&collector, what);
        // It goes on trying: a server's refusal is not taken for its consent.
        eventually(RETRY, &format!("{what}: some attempts"), || {
            let count = rsyslog.said().matches(REFUSED).count() - before;
            expect(count >= ATTEMPTS, format!("{count}: {}", rsyslog.said()))
        });
        assert!(rsyslog.records().is_empty(), "{what}: {:?}", rsyslog.records());
    }
    let collector = collector(Some(&own));
    send_one(&collector, "with the right one");
    let records = wait_for_records(1, || rsyslog.records());
    assert_eq!(line_of(&records[0])["uid"], "with the right one");
}
