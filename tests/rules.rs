//! Holds the alert rules in `deploy/prometheus/rules` against everything that they name: metrics
//! and labels against the registry, jobs against the scrape configuration, runbooks against
//! `docs/RUNBOOK.md`, and their tests, of which each alert has one in which it fires and one in
//! which it does not. Whether those come true is `promtool`'s to say (scripts/test-rules.sh).
//!
//! The queries in the documents are held against the registry, too.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

#[allow(dead_code)]
#[path = "support/instruments.rs"]
mod instruments;
#[path = "support/promql.rs"]
mod promql;
#[path = "support/rule_files.rs"]
mod rule_files;

use rule_files::{Alert, read};

/// What the collector tells about itself and about the machine, with the labels that are used. The
/// names are those of the stock collector 0.141 and of the components in otel-collector/.
const OTHERS: &[(&str, &[&str])] = &[
    ("up", &[]),
    ("otelcol_exporter_enqueue_failed_spans_total", &["exporter"]),
    ("otelcol_exporter_queue_capacity", &["exporter", "data_type"]),
    ("otelcol_exporter_queue_size", &["exporter", "data_type"]),
    ("otelcol_exporter_send_failed_log_records_total", &["exporter"]),
    ("otelcol_exporter_sent_log_records_total", &["exporter"]),
    ("otelcol_receiver_refused_log_records_total", &["receiver"]),
    ("bangui_collector_dead_letters_total", &["destination", "signal"]),
    ("bangui_collector_delivery_delay_seconds_bucket", &["destination", "signal", "le"]),
    ("bangui_collector_delivery_delay_seconds_count", &["destination", "signal"]),
    ("bangui_collector_held_batches", &["destination", "signal"]),
    ("bangui_collector_held_total", &["destination", "signal"]),
    ("system_filesystem_usage_bytes", &["device", "mountpoint", "state"]),
];

/// What `transform/prometheus_names` of the collector makes of two instruments.
const DOCUMENTED: &[(&str, &[&str])] = &[
    ("bangui_http_requests_total", &["method", "endpoint", "status_code"]),
    ("bangui_http_request_duration_seconds_bucket", &["method", "endpoint", "le"]),
    ("bangui_http_request_duration_seconds_count", &["method", "endpoint"]),
    ("bangui_http_request_duration_seconds_sum", &["method", "endpoint"]),
    ("bangui_http_active_requests", &["method", "endpoint"]),
];

/// Series by their names, with the labels that they may have.
fn known_series() -> BTreeMap<String, BTreeSet<String>> {
    let mut series = BTreeMap::new();
    for (name, labels) in OTHERS.iter().chain(DOCUMENTED) {
        series.insert((*name).to_owned(), labels.iter().map(|it| (*it).to_owned()).collect());
    }
    for (name, instrument) in instruments::declared() {
        let labels = instrument.attributes.iter().map(|it| it.replace('.', "_"));
        let labels: BTreeSet<String> = labels.collect();
        for suffix in suffixes(&instrument.kind) {
            let name = prometheus_name(&name, &instrument.unit, suffix);
            let le = (*suffix == "_bucket").then(|| "le".to_owned());
            series.insert(name, labels.iter().cloned().chain(le).collect());
        }
    }
    for (name, _) in rule_files::records() {
        series.insert(name, BTreeSet::new());
    }
    for labels in series.values_mut() {
        labels.extend(["job", "instance"].map(str::to_owned));
    }
    series
}

fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "histogram" => &["_bucket", "_count", "_sum"],
        "counter" => &["_total"],
        _ => &[""],
    }
}

/// The name that the collector's exporter gives an instrument.
fn prometheus_name(name: &str, unit: &str, suffix: &str) -> String {
    let unit = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    format!("{}{unit}{suffix}", name.replace('.', "_"))
}

/// What is wrong with the series and labels of a query.
fn unknown(query: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    let selectors = promql::selectors(query);
    for selector in &selectors {
        match known.get(&selector.name) {
            None => wrong.push(format!("no metric {}", selector.name)),
            Some(labels) => {
                let missing = selector.labels.iter().filter(|label| !labels.contains(*label));
                wrong.extend(missing.map(|it| format!("{} has no label {it}", selector.name)));
            }
        }
    }
    for label in promql::grouping_labels(query) {
        let is_known =
            selectors.iter().filter_map(|it| known.get(&it.name)).any(|it| it.contains(&label));
        if !is_known {
            wrong.push(format!("no series of it has the label {label}"));
        }
    }
    wrong
}

#[test]
fn rules_name_metrics_and_labels_that_exist() {
    let known = known_series();
    let alerts = rule_files::alerts();
    let exprs = alerts.iter().map(|alert| (alert.name.clone(), alert.expr.clone()));
    let mut wrong = Vec::new();
    for (name, expr) in exprs.chain(rule_files::records()) {
        assert!(!promql::selectors(&expr).is_empty(), "{name} asks for nothing: {expr}");
        wrong.extend(unknown(&expr, &known).into_iter().map(|it| format!("{name}: {it}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn documented_queries_name_metrics_and_labels_that_exist() {
    let known = known_series();
    let mut queries = promql::blocks(&read("docs/METRICS.md"));
    assert!(queries.len() > 5, "the search for queries in METRICS.md finds {queries:?}");
    let in_runbook = promql::quoted(&read("docs/RUNBOOK.md"));
    assert!(in_runbook.len() > 10, "the search for queries in RUNBOOK.md finds {in_runbook:?}");
    queries.extend(in_runbook);
    let wrong: Vec<_> = queries
        .iter()
        .flat_map(|query| {
            unknown(query, &known).into_iter().map(move |it| format!("{it}: {query}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_collectors_metrics_are_all_used() {
    // A name that no rule and no document uses any more would be a guess that nobody checks.
    let texts = rule_files::alerts().into_iter().map(|alert| alert.expr);
    let texts: Vec<_> = texts.chain([read("docs/METRICS.md"), read("docs/RUNBOOK.md")]).collect();
    let is_unused = |name: &&str| !texts.iter().any(|text| text.contains(*name));
    let unused: Vec<_> = OTHERS.iter().map(|(name, _)| *name).filter(is_unused).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn each_alert_says_what_it_means_and_what_to_do() {
    let runbook = read("docs/RUNBOOK.md");
    let headings: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut names = BTreeSet::new();
    for alert in &rule_files::alerts() {
        let Alert { name, .. } = alert;
        assert!(names.insert(name.clone()), "{name} is there twice");
        let of = |key: &str| alert.keys.get(key).map_or("", String::as_str);
        assert!(["critical", "warning"].contains(&of("severity")), "severity of {name}");
        assert!(!of("summary").is_empty(), "{name} has no summary");
        assert!(!of("description").is_empty(), "{name} has no description");
        let link = format!("docs/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(of("runbook"), link, "runbook of {name}");
        assert!(headings.contains(name.as_str()), "docs/RUNBOOK.md has no section {name}");
    }
    assert!(names.len() > 25, "the search for alerts finds too little: {names:?}");
    let without: Vec<_> = headings.iter().filter(|name| !names.contains(**name)).collect();
    assert!(without.is_empty(), "sections of docs/RUNBOOK.md without an alert: {without:?}");
}

#[test]
fn each_section_of_the_runbook_answers_the_four_questions() {
    let runbook = read("docs/RUNBOOK.md");
    for section in runbook.split("\n### ").skip(1) {
        let section = section.split("\n## ").next().unwrap();
        let says = |word: &str| section.contains(&format!("**{word}"));
        let name = section.lines().next().unwrap();
        for word in ["Means**", "Noticed**"] {
            assert!(says(word), "{name} lacks {word}");
        }
        assert!(says("Look**") && (says("Mend**") || says("mend**")), "{name}: look and mend");
    }
}

#[test]
fn each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() {
    let cases = rule_files::test_cases();
    assert!(cases.len() > 60, "the search for test cases finds {}", cases.len());
    let mut missing = Vec::new();
    for Alert { name, .. } in rule_files::alerts() {
        for (fires, word) in [(true, "fires"), (false, "does not fire")] {
            if !cases.iter().any(|case| case.fires == fires && case.is_about(&name)) {
                missing.push(format!("no case in which {name} {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn rules_name_jobs_that_are_scraped() {
    let configured = read("deploy/prometheus/prometheus.yml");
    let configured: BTreeSet<_> =
        configured.lines().filter_map(|line| line.trim().strip_prefix("- job_name: ")).collect();
    let mut used = BTreeSet::new();
    for Alert { expr, .. } in rule_files::alerts() {
        let parts = expr.split("job=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        used.extend(parts.map(str::to_owned));
    }
    assert!(!used.is_empty(), "no rule names a job");
    let unknown: Vec<_> = used.iter().filter(|job| !configured.contains(job.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {configured:?}");
}
