//! What every dashboard must be, however it was made: whole, readable, on data sources that are
//! provisioned, and asking only for series that there are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::promql;
use super::series::{known_series, unknown};
use super::{files, read};

const FOLDER: &str = "deploy/grafana/dashboards";

/// What the collector tells about itself and only dashboards ask for, with the labels that they
/// use: names of the stock collector 0.141 and of the components in otel-collector/.
const OF_THE_COLLECTOR: &[(&str, &[&str])] = &[
    ("otelcol_exporter_sent_metric_points_total", &["exporter"]),
    ("otelcol_exporter_sent_spans_total", &["exporter"]),
    ("otelcol_process_cpu_seconds_total", &[]),
    ("otelcol_process_memory_rss_bytes", &[]),
    ("otelcol_receiver_accepted_log_records_total", &["receiver"]),
    ("otelcol_receiver_accepted_metric_points_total", &["receiver"]),
    ("otelcol_receiver_accepted_spans_total", &["receiver"]),
    ("otelcol_receiver_refused_spans_total", &["receiver"]),
    ("bangui_collector_held_total", &["destination", "signal", "error_type"]),
    ("bangui_collector_oldest_held_seconds", &["destination", "signal"]),
];

/// The dashboards by their files.
fn dashboards() -> Vec<(String, Value)> {
    let dashboards: Vec<_> = files(FOLDER, "")
        .into_iter()
        .map(|file| {
            let text = read(&format!("{FOLDER}/{file}"));
            let parsed = serde_json::from_str(&text);
            let parsed = parsed.unwrap_or_else(|error| panic!("{file}: {error}"));
            (file, parsed)
        })
        .collect();
    assert!(dashboards.len() >= 5, "the search for dashboards finds {}", dashboards.len());
    dashboards
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The panels that are no headings, each with words for where it is.
fn panels() -> Vec<(String, Value)> {
    let mut panels = Vec::new();
    for (file, dashboard) in dashboards() {
        for panel in list(&dashboard, "panels").iter().filter(|it| it["type"] != "row") {
            panels.push((format!("{file}, {}: {}", panel["id"], panel["title"]), panel.clone()));
        }
    }
    assert!(panels.len() > 50, "the search for panels finds {}", panels.len());
    panels
}

fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

#[test]
fn every_panel_has_a_title_a_description_a_unit_and_something_to_show() {
    let mut wrong = Vec::new();
    for (place, panel) in panels() {
        let unit = text(&panel["fieldConfig"]["defaults"], "unit");
        let texts = [text(&panel, "title"), text(&panel, "description"), unit];
        if texts.contains(&"") || list(&panel, "targets").is_empty() {
            wrong.push(place.clone());
        }
        if !text(&panel, "description").ends_with('.') {
            wrong.push(format!("{place}: its description is no sentence"));
        }
        let refs: BTreeSet<_> =
            list(&panel, "targets").iter().map(|it| text(it, "refId")).collect();
        if refs.len() != list(&panel, "targets").len() || refs.contains("") {
            wrong.push(format!("{place}: {refs:?} do not tell its targets apart"));
        }
    }
    assert_none("not whole:", &wrong);
}

/// The data sources that are provisioned without being asked for.
fn provisioned() -> BTreeSet<String> {
    let folder = "deploy/grafana/provisioning/datasources";
    let texts = files(folder, "").into_iter().map(|file| read(&format!("{folder}/{file}")));
    let uid = |line: &str| line.trim().strip_prefix("uid: ").map(str::to_owned);
    texts.flat_map(|text| text.lines().filter_map(uid).collect::<Vec<_>>()).collect()
}

#[test]
fn panels_use_data_sources_that_are_provisioned() {
    let provisioned = provisioned();
    let uid = |panel: &Value| text(&panel["datasource"], "uid").to_owned();
    let used: BTreeSet<_> = panels().iter().map(|(_, panel)| uid(panel)).collect();
    assert_eq!(used, provisioned, "left: used, right: provisioned");
}

#[test]
fn ids_are_told_apart_and_links_lead_somewhere() {
    let dashboards = dashboards();
    let uids: BTreeSet<_> = dashboards.iter().map(|(_, it)| text(it, "uid").to_owned()).collect();
    assert_eq!(uids.len(), dashboards.len(), "{uids:?}");
    for (file, dashboard) in &dashboards {
        let stem = file.trim_end_matches(".json");
        assert_eq!(text(dashboard, "uid"), format!("bangui-{stem}"), "{file}");
        assert!(!text(dashboard, "title").is_empty() && !text(dashboard, "description").is_empty());
        let panels = list(dashboard, "panels");
        let ids: BTreeSet<_> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: {ids:?}");
        let text = dashboard.to_string();
        for rest in text.split("/d/").skip(1) {
            let uid = rest.split(['?', '"']).next().unwrap();
            assert!(uids.contains(uid), "{file} links to {uid}");
        }
        for rest in text.split("var-").skip(1) {
            let name = rest.split('=').next().unwrap();
            let is_declared = |(_, it): &(String, Value)| {
                list(&it["templating"], "list").iter().any(|own| own["name"] == name)
            };
            assert!(dashboards.iter().any(is_declared), "{file} sets the variable {name}");
        }
    }
}

#[test]
fn no_panel_lies_over_another_or_beside_the_page() {
    for (file, dashboard) in dashboards() {
        let mut taken: BTreeMap<(u64, u64), &Value> = BTreeMap::new();
        for panel in list(&dashboard, "panels") {
            let of = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            let (x, y, w, h) = (of("x"), of("y"), of("w"), of("h"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                if let Some(other) = taken.insert(cell, &panel["title"]) {
                    panic!("{file}: {} lies over {other}", panel["title"]);
                }
            }
        }
    }
}

/// Names of series that stand only here: with the labels that the list above gives them.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let mut known = known_series();
    for (name, labels) in OF_THE_COLLECTOR {
        let labels = labels.iter().chain(&["job", "instance"]).map(|it| (*it).to_owned());
        known.entry((*name).to_owned()).or_default().extend(labels);
    }
    known
}

/// The PromQL of all panels.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for (place, panel) in panels() {
        let targets = list(&panel, "targets").iter();
        queries.extend(
            targets.filter_map(|it| it["expr"].as_str()).map(|it| (place.clone(), it.to_owned())),
        );
    }
    assert!(queries.len() > 60, "the search for queries finds {}", queries.len());
    queries
}

#[test]
fn panels_ask_for_metrics_and_labels_that_exist() {
    let known = known();
    let mut wrong = Vec::new();
    for (place, query) in queries() {
        assert!(!promql::selectors(&query).is_empty(), "{place} asks for nothing: {query}");
        let found = unknown(&query, &known);
        wrong.extend(found.into_iter().map(|it| format!("{place}: {it}")));
    }
    assert_none("asked for and not there:", &wrong);
}

#[test]
fn the_list_beside_the_registry_is_needed() {
    let queries = queries();
    for (name, _) in OF_THE_COLLECTOR {
        assert!(queries.iter().any(|(_, query)| query.contains(name)), "nobody asks for {name}");
    }
}

#[test]
fn the_registrys_examples_ask_for_what_exists() {
    let known = known_series();
    let all =
        files("telemetry", "metrics").into_iter().flat_map(|it| super::registry::metrics(&it));
    let wrong = all.flat_map(|metric| {
        let found = unknown(&metric.example_query, &known).into_iter();
        found.map(|it| format!("{}: {it}", metric.name)).collect::<Vec<_>>()
    });
    assert_none("examples:", &wrong.collect::<Vec<_>>());
}

#[test]
fn compose_gives_grafana_the_dashboards_and_the_data_sources() {
    let compose = read("docker-compose.yml");
    let (_, grafana) = compose.split_once("\n  grafana:\n").expect("no service grafana");
    let grafana = grafana.split("\n\n").next().unwrap();
    let provider = read("deploy/grafana/provisioning/dashboards/bangui.yaml");
    assert!(provider.contains("path: /etc/grafana/dashboards"));
    for (from, to) in [
        (FOLDER, "/etc/grafana/dashboards"),
        ("deploy/grafana/provisioning/dashboards", "/etc/grafana/provisioning/dashboards"),
        ("deploy/grafana/provisioning/datasources", "/etc/grafana/provisioning/datasources"),
    ] {
        let mount = format!("./{from}:{to}:ro");
        assert!(grafana.contains(&mount), "without {mount}:\n{grafana}");
    }
    let home = grafana.split("/etc/grafana/dashboards/").find_map(|it| it.split_once(".json"));
    let home = home.expect("no home dashboard").0;
    assert!(files(FOLDER, "").contains(&format!("{home}.json")), "{home}");
}
