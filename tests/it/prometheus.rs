//! At a real Prometheus, scraping as docs/METRICS.md tells: names, types, labels and values.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{
    Bangui, Collector, Fail2ban, Prometheus, SOON, eventually, expect, patient, repository,
};

/// Prometheus with the documented `scrape_configs`; only the port is another one.
fn as_documented(bangui: &Bangui) -> Prometheus {
    let text = std::fs::read_to_string(repository().join("docs/METRICS.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let block = blocks.into_iter().find(|block| block.starts_with("scrape_configs:")).unwrap();
    assert!(block.contains("\"localhost:8000\""), "{block}");
    Prometheus::start(&block.replace(":8000", &format!(":{}", bangui.port())))
}

/// What fail2ban itself says of a jail, by the names of its common exporter.
fn counts(fail2ban: &Fail2ban, jail: &str) -> BTreeMap<(String, String), f64> {
    let text = fail2ban.command(&["status", jail]);
    let number = |words: &str| -> f64 {
        let line = text.lines().find(|line| line.contains(words));
        let (_, number) = line.and_then(|line| line.rsplit_once(':')).expect(words);
        number.trim().parse().unwrap()
    };
    [
        ("f2b_jail_banned_current", "Currently banned"),
        ("f2b_jail_banned_total", "Total banned"),
        ("f2b_jail_failed_current", "Currently failed"),
        ("f2b_jail_failed_total", "Total failed"),
    ]
    .into_iter()
    .map(|(name, words)| ((name.to_owned(), jail.to_owned()), number(words)))
    .collect()
}

/// The samples with a name of the common exporter, by name and jail.
fn seen(prometheus: &Prometheus) -> BTreeMap<(String, String), f64> {
    let samples = prometheus.query("{__name__=~\"f2b_.*\"}");
    let by_name = samples.into_iter().map(|(mut labels, value)| {
        let mut take = |label: &str| labels.remove(label).unwrap_or_default();
        let own = (take("__name__"), take("jail"));
        assert_eq!(take("job"), "bangui");
        take("instance");
        assert!(labels.is_empty(), "{own:?} has more labels: {labels:?}");
        (own, value)
    });
    by_name.collect()
}

#[test]
fn fail2bans_numbers_have_the_names_of_its_common_exporter() {
    let _turn = patient();
    let mut fail2ban = Fail2ban::start_with(&[("FAIL2BAN_JAILS", "sshd web-1")]);
    let collector = Collector::start_with(&[("COLLECTOR_METRIC_EXPIRATION", "3s")]);
    let exposition = format!("http://127.0.0.1:{}/metrics", collector.port("EXPOSITION_PORT"));
    let bangui = Bangui::builder()
        .fail2ban(&fail2ban)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_METRICS_UPSTREAM_URL", exposition)
        .export_often()
        .start();
    let prometheus = as_documented(&bangui);
    fail2ban.attack("203.0.113.90");
    bangui.wait_for("ban_observed", |line| line["ip"] == "203.0.113.90");
    fail2ban.command(&["set", "web-1", "banip", "203.0.113.91", "203.0.113.92"]);
    fail2ban.command(&["set", "web-1", "unbanip", "203.0.113.91"]);
    eventually(SOON, "fail2ban's own numbers", || {
        let mut right = counts(&fail2ban, "sshd");
        right.extend(counts(&fail2ban, "web-1"));
        let all = |name: &str| (name.to_owned(), String::new());
        right.extend([(all("f2b_up"), 1.0), (all("f2b_jail_count"), 2.0)]);
        let seen = seen(&prometheus);
        expect(seen == right, format!("{seen:?}, not {right:?}"))
    });
    // That exporter's totals are gauges, too.
    let known = prometheus.api("metadata");
    let types = known.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("f2b_"));
    let types: BTreeSet<_> = types.map(|(_, kinds)| kinds[0]["type"].to_string()).collect();
    assert_eq!(types, ["\"gauge\"".to_owned()].into());

    fail2ban.stop();
    eventually(SOON, "only that it is down", || {
        let seen = seen(&prometheus);
        let is_right = seen.len() == 1 && seen.values().all(|value| *value == 0.0);
        expect(is_right, format!("{seen:?}"))
    });
    let (_, up) = &prometheus.query("up")[0];
    assert_eq!(*up, 1.0, "the service is scraped while fail2ban is away");
}
