//! What `telemetry/` says of metrics and of their labels, beyond what instruments are compared by.
//!
//! The YAML is read line by line, because it is plain: one key a line, and a text that is too long
//! for its line goes on below, deeper.

use std::collections::BTreeMap;

use super::read;

/// A metric of the registry.
#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) instrument: String,
    pub(super) unit: String,
    pub(super) brief: String,
    pub(super) note: String,
    pub(super) example_query: String,
    pub(super) attributes: Vec<String>,
}

/// An attribute that metrics have.
#[derive(Debug, Default)]
pub(super) struct Attribute {
    pub(super) brief: String,
    pub(super) examples: String,
    pub(super) values_max: Option<u64>,
}

/// The keys of a file with their values, in their order; `- ` before a key is left out.
fn entries(text: &str) -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut folded_at = None;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        if folded_at.is_some_and(|at| indent > at) {
            let (_, value) = entries.last_mut().expect("a text goes on below its key");
            value.push_str(if value.is_empty() { "" } else { " " });
            value.push_str(content);
            continue;
        }
        let Some((key, value)) = content.trim_start_matches("- ").split_once(':') else { continue };
        let value = value.trim();
        folded_at = (value == ">-").then_some(indent);
        let value = if value == ">-" { "" } else { value.trim_matches('"') };
        entries.push((key.to_owned(), value.to_owned()));
    }
    entries
}

/// The metrics of one file of the registry, in its order.
pub(super) fn metrics(file: &str) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for (key, value) in entries(&read(&format!("telemetry/{file}"))) {
        if key == "id" {
            metrics.push(Metric::default());
        }
        let Some(own) = metrics.last_mut() else { continue };
        match key.as_str() {
            "metric_name" => own.name = value,
            "instrument" => own.instrument = value,
            "unit" => own.unit = value,
            "brief" => own.brief = value,
            "note" => own.note = value,
            "example_query" => own.example_query = value,
            "ref" => own.attributes.push(value),
            _ => {}
        }
    }
    assert!(!metrics.is_empty(), "no metrics in telemetry/{file}");
    metrics
}

/// The number in `{values_max: 3}`.
fn values_max(annotations: &str) -> u64 {
    let number = annotations.strip_prefix("{values_max: ").and_then(|it| it.strip_suffix('}'));
    let number = number.and_then(|it| it.parse().ok());
    number.unwrap_or_else(|| panic!("no limit of values: {annotations}"))
}

/// The attributes of the registry by their names.
pub(super) fn attributes() -> BTreeMap<String, Attribute> {
    let mut attributes: BTreeMap<String, Attribute> = BTreeMap::new();
    for file in super::files("telemetry", "attributes") {
        let mut name = String::new();
        for (key, value) in entries(&read(&format!("telemetry/{file}"))) {
            if key == "id" {
                name.clone_from(&value);
            }
            let own = attributes.entry(name.clone()).or_default();
            match key.as_str() {
                "brief" => own.brief = value,
                "examples" => own.examples = value.trim_matches(['[', ']']).replace('"', ""),
                "annotations" => own.values_max = Some(values_max(&value)),
                _ => {}
            }
        }
    }
    attributes
}
