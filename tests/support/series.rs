//! The series that there can be in Prometheus: of the registry, of the collector, and of the
//! recording rules, with their labels, for the tests of what is asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::{instruments, promql, rule_files};

/// What the collector tells about itself and about the machine, with the labels that are used. The
/// names are those of the stock collector 0.141 and of the components in otel-collector/.
pub(crate) const OTHERS: &[(&str, &[&str])] = &[
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
pub(crate) fn known_series() -> BTreeMap<String, BTreeSet<String>> {
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
pub(crate) fn unknown(query: &str, known: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
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
