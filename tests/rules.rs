//! Holds the alert rules in `deploy/prometheus/rules` against everything that they name: metrics
//! and labels against the registry, jobs against the scrape configuration, runbooks against
//! `docs/RUNBOOK.md`, and their tests, of which each alert has one in which it fires and one in
//! which it does not. Whether those come true is `promtool`'s to say (scripts/test-rules.sh).
//!
//! The queries in the documents are held against the registry, too.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

#[allow(dead_code)]
#[path = "support/instruments.rs"]
mod instruments;
#[path = "support/promql.rs"]
mod promql;
#[path = "support/rule_files.rs"]
mod rule_files;
#[path = "support/series.rs"]
mod series;

use rule_files::{Alert, read};
use series::{OTHERS, known_series, unknown};

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

/// The patterns of alerts' names in Alertmanager's configuration. A backslash joins lines there.
fn inhibit_patterns() -> Vec<String> {
    let text = read("deploy/prometheus/alertmanager.yml");
    let code: Vec<_> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
    let text = code.join("\n").replace("\\\n", "").replace("\\\"", "\"");
    let starts = text.split("alertname =").skip(1);
    let quoted = starts.filter_map(|rest| Some(rest.split('"').nth(1)?.to_owned()));
    quoted.flat_map(|it| it.split('|').map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn what_alertmanager_inhibits_are_alerts() {
    let patterns = inhibit_patterns();
    assert!(patterns.len() > 20, "the search for patterns finds too little: {patterns:?}");
    let alerts = rule_files::alerts();
    let is_no_alert = |pattern: &&String| {
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        !alerts.iter().any(|alert| pattern.is_match(&alert.name))
    };
    let unknown: Vec<_> = patterns.iter().filter(is_no_alert).collect();
    assert!(unknown.is_empty(), "no alert is named so: {unknown:?}");
}
