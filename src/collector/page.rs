//! Reads the collector's own metrics, in the text format of Prometheus.
//!
//! A destination is known by its queue, the exporter `otlp/to_NAME`, which is shown from the start.
//! The exporter behind it is shown once it has sent something; its id holds the name somewhere
//! (`elasticsearch/logs`, `awscloudwatchlogs/logs`, `otlphttp/other`). Our own component before it
//! tells why batches were refused. Metrics have no such component, and their queue is the
//! exporter's own or one whose id holds no vendor's name.

use std::collections::BTreeMap;

use super::Destination;

/// Each has a configuration file of its own, of which there are seven.
const DESTINATIONS_MAX: usize = 64;

const QUEUE: &str = "otlp/to_";

const REFUSALS: &str = "bangui_collector_held_total";
/// The component knows some words, and statuses of HTTP; a destination answers with few of them.
const ERROR_TYPES_MAX: usize = 32;
const ERROR_TYPE_MAX_BYTES: usize = 32;

/// One line of the page.
struct Line<'a> {
    name: &'a str,
    labels: &'a str,
    value: u64,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once('{')?;
        // No label that is read here holds a brace.
        let (labels, value) = rest.rsplit_once('}')?;
        let value: f64 = value.split_whitespace().next()?.parse().ok()?;
        // Counts are whole and far below where a float loses them; the cast saturates.
        Some(Self { name, labels, value: value as u64 })
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        let label = format!("{name}=\"");
        let at = self.labels.starts_with(&label).then_some(0);
        let at = at.or_else(|| self.labels.find(&format!(",{label}")).map(|at| at + 1))?;
        self.labels[at + label.len()..].split('"').next()
    }
}

/// One line about an exporter.
struct Sample<'a> {
    name: &'a str,
    exporter: &'a str,
    value: u64,
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let line = Line::parse(line)?;
    Some(Sample { name: line.name, exporter: line.label("exporter")?, value: line.value })
}

/// Adds what was refused, and why.
fn add_refusals(page: &str, found: &mut BTreeMap<&str, Destination>) {
    for line in page.lines().filter(|line| line.starts_with(REFUSALS)).filter_map(Line::parse) {
        // The counter begins at zero without a type. Each signal has its own; logs are asked about.
        let is_counted = line.name == REFUSALS && line.label("signal") == Some("logs");
        let labels = (line.label("destination"), line.label("error_type"));
        let (true, (Some(name), Some(kind))) = (is_counted, labels) else { continue };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_type = (1..=ERROR_TYPE_MAX_BYTES).contains(&kind.len()) && kind.bytes().all(is_word);
        let Some(own) = found.get_mut(name).filter(|_| is_type) else { continue };
        if own.refusals.len() < ERROR_TYPES_MAX || own.refusals.contains_key(kind) {
            *own.refusals.entry(kind.to_owned()).or_default() += line.value;
        }
    }
}

/// The destinations of metrics beside Prometheus, by what their exporters' ids hold.
const METRICS_VENDORS: [&str; 2] = ["datadog", "newrelic"];

/// Those of [`METRICS_VENDORS`] whose exporter has tried to send metrics. Counts are data points.
pub(super) fn parse_metrics(page: &str) -> Vec<Destination> {
    let mut found: BTreeMap<&str, Destination> = BTreeMap::new();
    for sample in page.lines().filter_map(sample) {
        let name = METRICS_VENDORS.into_iter().find(|name| sample.exporter.contains(name));
        let (Some(name), Some(count)) = (name, sample.name.strip_prefix("otelcol_exporter_"))
        else {
            continue;
        };
        let is_sent = match count {
            "sent_metric_points_total" => true,
            "send_failed_metric_points_total" => false,
            _ => continue,
        };
        let own = found
            .entry(name)
            .or_insert_with(|| Destination { name: name.to_owned(), ..Destination::default() });
        *if is_sent { &mut own.sent } else { &mut own.failed } += sample.value;
    }
    found.into_values().collect()
}

pub(super) fn parse(page: &str) -> Vec<Destination> {
    let mut found: BTreeMap<&str, Destination> = BTreeMap::new();
    let samples = || page.lines().filter_map(sample);
    for sample in samples() {
        let Some(name) = sample.exporter.strip_prefix(QUEUE) else { continue };
        if found.len() >= DESTINATIONS_MAX && !found.contains_key(name) {
            continue;
        }
        let own = found
            .entry(name)
            .or_insert_with(|| Destination { name: name.to_owned(), ..Destination::default() });
        match sample.name {
            "otelcol_exporter_queue_size" => own.queue_size += sample.value,
            "otelcol_exporter_queue_capacity" => own.queue_capacity += sample.value,
            "otelcol_exporter_send_failed_log_records_total" => own.dropped += sample.value,
            _ => {}
        }
    }
    for sample in samples().filter(|it| !it.exporter.starts_with(QUEUE)) {
        let names = found.keys().copied().filter(|name| sample.exporter.contains(name));
        // `otlphttp/newrelic` holds the name of two.
        let Some(name) = names.max_by_key(|name| name.len()) else { continue };
        let Some(own) = found.get_mut(name) else { continue };
        match sample.name {
            "otelcol_exporter_sent_log_records_total" => own.sent += sample.value,
            "otelcol_exporter_send_failed_log_records_total" => own.failed += sample.value,
            _ => {}
        }
    }
    add_refusals(page, &mut found);
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_known_by_their_queues() {
        let page = r#"
# HELP otelcol_exporter_queue_size Current size of the retry queue (in batches)
# TYPE otelcol_exporter_queue_size gauge
otelcol_exporter_queue_size{data_type="logs",exporter="otlp/to_newrelic",service="x"} 50
otelcol_exporter_queue_capacity{data_type="logs",exporter="otlp/to_newrelic"} 1e+06
otelcol_exporter_queue_capacity{data_type="logs",exporter="otlp/to_otlp"} 1000
otelcol_exporter_queue_size{data_type="traces",exporter="otlp/jaeger"} 7
otelcol_exporter_sent_log_records_total{exporter="otlphttp/newrelic"} 2
otelcol_exporter_sent_log_records_total{exporter="otlphttp/other"} 3
otelcol_exporter_send_failed_log_records_total{exporter="otlphttp/other",error="a"} 4
otelcol_exporter_send_failed_log_records_total{exporter="otlphttp/other",error="b"} 1
otelcol_exporter_send_failed_log_records_total{exporter="otlp/to_otlp"} 6
otelcol_exporter_sent_log_records_total{exporter="file/logs"} 900
otelcol_exporter_sent_log_records_total{my_exporter="otlphttp/other"} 900
otelcol_exporter_sent_log_records_total{exporter="otlphttp/other"} nonsense
otelcol_exporter_sent_log_records_total{exporter="otlphttp/other
bangui_collector_held_total{destination="otlp",signal="logs"} 0
bangui_collector_held_total{destination="otlp",error_type="503",signal="logs"} 7
bangui_collector_held_total{destination="otlp",error_type="timeout",signal="logs"} 2
bangui_collector_held_total{destination="otlp",error_type="401",signal="traces"} 9
bangui_collector_held_total{destination="otlp",error_type="a b",signal="logs"} 9
bangui_collector_held_total{destination="other",error_type="401",signal="logs"} 9
"#;
        let newrelic = Destination {
            name: "newrelic".into(),
            queue_size: 50,
            queue_capacity: 1_000_000,
            sent: 2,
            ..Destination::default()
        };
        let otlp = Destination {
            name: "otlp".into(),
            queue_capacity: 1000,
            sent: 3,
            failed: 5,
            dropped: 6,
            refusals: [("503".into(), 7), ("timeout".into(), 2)].into(),
            ..Destination::default()
        };
        assert_eq!(parse(page), [newrelic, otlp]);
        assert_eq!(parse(""), []);
    }

    #[test]
    fn metrics_are_counted_for_each_vendor() {
        let page = r#"
otelcol_exporter_sent_metric_points_total{exporter="prometheus"} 900
otelcol_exporter_sent_metric_points_total{exporter="otlphttp/newrelic_metrics"} 7
otelcol_exporter_send_failed_metric_points_total{exporter="datadog/metrics"} 5
otelcol_exporter_sent_log_records_total{exporter="otlphttp/newrelic_events"} 2
otelcol_exporter_send_failed_metric_points_total{exporter="otlphttp/other"} 3
"#;
        let counts = |name: &str, sent, failed| {
            let name = name.to_owned();
            Destination { name, sent, failed, ..Destination::default() }
        };
        assert_eq!(parse_metrics(page), [counts("datadog", 0, 5), counts("newrelic", 7, 0)]);
    }

    /// The pipelines of logs and their exporters, as the files of the collector have them.
    fn exporters(folder: &str) -> Vec<(String, String)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let mut pipeline = None;
            for line in text.lines() {
                let is_pipeline = line.starts_with("    ") && !line.starts_with("     ");
                if is_pipeline {
                    pipeline = line.trim().strip_prefix("logs/").map(|it| it.replace(':', ""));
                }
                let exporter = line.trim().strip_prefix("exporters: [");
                if let (Some(name), Some(exporter)) = (&pipeline, exporter) {
                    found.push((name.clone(), exporter.trim_end_matches(']').to_owned()));
                }
            }
        }
        found
    }

    #[test]
    fn every_exporter_of_the_collector_is_told_apart() {
        let mut all = exporters("otel-collector/providers");
        all.extend(exporters("otel-collector/own/providers"));
        let (queues, ends): (Vec<_>, Vec<_>) =
            all.iter().partition(|(name, _)| name.starts_with("to_"));
        assert!(queues.len() >= 7 && ends.len() >= 7, "{all:?}");
        let mut page = String::new();
        for (name, exporter) in &queues {
            assert_eq!(*exporter, format!("otlp/{name}"));
            page += &format!("otelcol_exporter_queue_size{{exporter=\"{exporter}\"}} 0\n");
        }
        for (name, exporter) in ends {
            let sent = "otelcol_exporter_sent_log_records_total";
            let page = format!("{page}{sent}{{exporter=\"{exporter}\"}} 1\n");
            let parsed = parse(&page);
            let with_records: Vec<_> = parsed.iter().filter(|it| it.sent == 1).collect();
            let names: Vec<_> = with_records.iter().map(|it| &it.name).collect();
            assert_eq!(names, [name], "{exporter}");
        }
    }
}
