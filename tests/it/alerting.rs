//! An alert arrives: what happens to a real BanGUI makes a real Prometheus fire, and a real
//! Alertmanager tells a webhook and a mail server of it, according to its severity and to what is
//! the cause of what.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Alertmanager, Bangui, Client, Collector, Mail, Mailbox, Monitor, SOON, Webhook, eventually,
    expect, patient, repository, throughout,
};

/// A path as those of chats are: who knows it may write there.
const HOOK_PATH: &str = "/hook/9c1f6a";
const FROM: &str = "bangui@example.org";
const TO: &str = "operators@example.org";
/// The mail server's account, and what AUTH PLAIN makes of it in base64.
const USERNAME: &str = "alerts";
const MAIL_PASSWORD: &str = "staple battery";
const CREDENTIALS: &str = "AGFsZXJ0cwBzdGFwbGUgYmF0dGVyeQ==";

/// From BanGUI to whoever is told.
struct Setup {
    bangui: Option<Bangui>,
    prometheus: Monitor,
    alertmanager: Alertmanager,
    webhook: Webhook,
    mailbox: Mailbox,
    _collector: Collector,
    _folder: TempDir,
}

impl Setup {
    /// No fail2ban is where BanGUI looks for it.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (webhook, mailbox) = (Webhook::listen(), Mailbox::listen());
        let alertmanager = Alertmanager::start(&settings(folder.path(), &webhook, &mailbox));
        let collector = Collector::start();
        let upstream = format!("http://127.0.0.1:{}/metrics", collector.port("EXPOSITION_PORT"));
        let bangui = Bangui::builder()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
            .env("BANGUI_METRICS_UPSTREAM_URL", upstream)
            .export_often()
            .start();
        let telemetry = format!("127.0.0.1:{}", collector.port("TELEMETRY_PORT"));
        let prometheus = Monitor::start(
            &[format!("127.0.0.1:{}", bangui.port())],
            &[
                ("PROMETHEUS_COLLECTOR_TARGET", telemetry),
                ("PROMETHEUS_ALERTMANAGER", alertmanager.address()),
                ("PROMETHEUS_RULES", hasty_rules(folder.path())),
            ],
        );
        Self {
            bangui: Some(bangui),
            prometheus,
            alertmanager,
            webhook,
            mailbox,
            _collector: collector,
            _folder: folder,
        }
    }

    fn stranger(&self) -> Client {
        self.bangui.as_ref().unwrap().stranger()
    }

    /// What the webhook was told of an alert, if it was.
    fn post(&self, alert: &str) -> Option<(String, Value, Value)> {
        let alerts = self.webhook.alerts().into_iter();
        alerts.into_iter().find(|(_, _, own)| own["labels"]["alertname"] == alert)
    }

    /// The mail about an alert, if there is one.
    fn mail(&self, alert: &str) -> Option<Mail> {
        let subject = format!(": {alert}\n");
        self.mailbox.mails().into_iter().find(|mail| mail.text.contains(&subject))
    }

    fn wait_for_post(&self, alert: &str) -> (String, Value, Value) {
        eventually(SOON, &format!("{alert} at the webhook"), || {
            self.post(alert).ok_or_else(|| self.state(alert))
        })
    }

    fn wait_for_mail(&self, alert: &str) -> Mail {
        eventually(SOON, &format!("a mail about {alert}"), || {
            self.mail(alert).ok_or_else(|| self.state(alert))
        })
    }

    /// How far an alert got.
    fn state(&self, alert: &str) -> String {
        let fires = self.prometheus.query(&format!("ALERTS{{alertname=\"{alert}\"}}"));
        let known = self.alertmanager.alert(alert);
        format!("Prometheus: {fires:?}; Alertmanager: {known:?} {}", self.alertmanager.said())
    }
}

fn settings(folder: &Path, webhook: &Webhook, mailbox: &Mailbox) -> Vec<(&'static str, String)> {
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    vec![
        // An editor's line break at its end does no harm.
        ("ALERTMANAGER_WEBHOOK_URL_FILE", file("url", format!("{}\n", webhook.url(HOOK_PATH)))),
        ("ALERTMANAGER_EMAIL_TO", TO.to_owned()),
        ("ALERTMANAGER_EMAIL_FROM", FROM.to_owned()),
        ("ALERTMANAGER_SMTP_HOST", mailbox.address()),
        ("ALERTMANAGER_SMTP_TLS", "false".to_owned()),
        ("ALERTMANAGER_SMTP_USERNAME", USERNAME.to_owned()),
        ("ALERTMANAGER_SMTP_PASSWORD_FILE", file("password", MAIL_PASSWORD.to_owned())),
        ("ALERTMANAGER_GROUP_WAIT_SECONDS", "1".to_owned()),
    ]
}

/// The rules as they are, but that none waits for minutes before it fires.
fn hasty_rules(folder: &Path) -> String {
    let rules = folder.join("rules");
    std::fs::create_dir(&rules).unwrap();
    for entry in std::fs::read_dir(repository().join("deploy/prometheus/rules")).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let lines = text.lines().map(|line| match line.strip_prefix("        for: ") {
            Some(_) => "        for: 1s",
            None => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        std::fs::write(rules.join(entry.file_name()), text).unwrap();
    }
    format!("{}/*.yml", rules.display())
}

#[test]
fn alerts_reach_a_webhook_and_a_mailbox() {
    let _turn = patient();
    let mut setup = Setup::start();
    a_critical_alert_reaches_both(&setup);
    a_warning_reaches_the_mailbox_alone(&setup);
    a_symptom_is_not_told_beside_its_cause(&setup);
    the_end_of_the_service_is_told(&mut setup);
    let said = setup.alertmanager.said();
    for secret in [MAIL_PASSWORD, CREDENTIALS, HOOK_PATH] {
        assert!(!said.contains(secret), "a secret is in Alertmanager's log: {said}");
    }
}

fn a_critical_alert_reaches_both(setup: &Setup) {
    let name = "BanguiFail2banUnreachable";
    let (path, message, alert) = setup.wait_for_post(name);
    assert_eq!(path, HOOK_PATH);
    assert_eq!((&message["version"], &message["status"]), (&json!("4"), &json!("firing")));
    assert_eq!(message["receiver"], "pager-and-mail");
    assert_eq!((&alert["status"], &alert["labels"]["job"]), (&json!("firing"), &json!("bangui")));
    assert_eq!(alert["labels"]["severity"], "critical");
    let annotations = &alert["annotations"];
    assert_eq!(annotations["summary"], "BanGUI cannot reach fail2ban");
    assert_eq!(annotations["runbook"], "docs/RUNBOOK.md#banguifail2banunreachable");

    let mail = setup.wait_for_mail(name);
    assert_eq!((mail.from.as_str(), &mail.to[..]), (FROM, &[TO.to_owned()][..]));
    assert_eq!(mail.credentials, CREDENTIALS);
    assert!(mail.text.contains(&format!("Subject: [firing] critical: {name}\n")), "{}", mail.text);
    for part in ["summary", "description", "runbook"] {
        let text = annotations[part].as_str().unwrap();
        assert!(mail.text.contains(text), "{text:?} is not in {}", mail.text);
    }
}

fn a_warning_reaches_the_mailbox_alone(setup: &Setup) {
    let stranger = setup.stranger().with("authorization", "Bearer nobody-has-this-token");
    for _ in 0..40 {
        stranger.get("/api/jails").expect(401);
    }
    let name = "BanguiTokensRejected";
    let mail = setup.wait_for_mail(name);
    assert!(mail.text.contains(&format!("Subject: [firing] warning: {name}\n")), "{}", mail.text);
    assert!(mail.text.contains("Somebody tries tokens at BanGUI"), "{}", mail.text);
    assert!(setup.post(name).is_none(), "a warning has reached the pager");
}

/// Requests that need fail2ban fail without it, which somebody has been told already.
fn a_symptom_is_not_told_beside_its_cause(setup: &Setup) {
    let admin = setup.bangui.as_ref().unwrap().admin();
    let ban = json!({ "jail": "sshd", "ip": "198.51.100.9" });
    // A rate needs the series to be there before what it is to see.
    admin.post("/api/bans", &ban).expect(503);
    let series = "bangui_http_requests_total{endpoint=\"/api/bans\",status_code=\"5xx\"}";
    eventually(SOON, series, || setup.prometheus.value(series));
    for _ in 0..20 {
        admin.post("/api/bans", &ban).expect(503);
    }
    let name = "BanguiErrorBudgetBurnsFast";
    let alert = eventually(SOON, &format!("{name} at Alertmanager"), || {
        setup.alertmanager.alert(name).ok_or_else(|| setup.state(name))
    });
    assert_eq!(alert["labels"]["severity"], "critical");
    assert_eq!(alert["status"]["state"], "suppressed", "{alert}");
    assert_eq!(alert["status"]["inhibitedBy"].as_array().unwrap().len(), 1, "{alert}");
    // As long as the wait of a group and some more.
    throughout(Duration::from_secs(3), "the symptom is told", || {
        expect(setup.post(name).is_none() && setup.mail(name).is_none(), setup.state(name))
    });
}

fn the_end_of_the_service_is_told(setup: &mut Setup) {
    setup.bangui.take().unwrap().stop();
    let (_, _, alert) = setup.wait_for_post("BanguiDown");
    assert_eq!(alert["annotations"]["summary"], "BanGUI is down");
    setup.wait_for_mail("BanguiDown");
    // What the service would have had to say is silent meanwhile, whatever still fires.
    sleep(Duration::from_secs(2));
    for name in ["BanguiErrorBudgetBurnsFast", "BanguiFail2banUnreachable"] {
        if let Some(alert) = setup.alertmanager.alert(name) {
            assert_eq!(alert["status"]["state"], "suppressed", "{alert}");
        }
    }
}
