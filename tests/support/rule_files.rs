//! The alert rules and their tests as text. Their YAML is read line by line, because it is plain:
//! rules begin at `- alert:` or `- record:`, test cases at six spaces and a dash.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// An alert as its file has it.
#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) expr: String,
    /// Its other keys with their texts: severity, summary and so on.
    pub(crate) keys: BTreeMap<String, String>,
}

/// What a test expects at one moment.
#[derive(Debug)]
pub(crate) struct Case {
    text: String,
    pub(crate) fires: bool,
}

impl Case {
    /// Whether the alert is named in it, as a whole word.
    pub(crate) fn is_about(&self, alert: &str) -> bool {
        let words = self.text.split(|symbol: char| !symbol.is_ascii_alphanumeric());
        words.into_iter().any(|word| word == alert)
    }
}

pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts of a folder's files of rules or of tests.
fn texts(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".yml"));
    names.sort();
    names.iter().map(|name| read(&format!("{folder}/{name}"))).collect()
}

/// A rule's kind, its name, and the lines that belong to it.
fn rules() -> Vec<(String, String, Vec<String>)> {
    let mut rules: Vec<(String, String, Vec<String>)> = Vec::new();
    for text in texts("deploy/prometheus/rules") {
        let mut is_rule = false;
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            if line.trim_start().starts_with("- name:") {
                is_rule = false;
            }
            if let Some((kind, name)) = line.strip_prefix("      - ").and_then(|it| {
                it.split_once(": ").filter(|(kind, _)| ["alert", "record"].contains(kind))
            }) {
                rules.push((kind.to_owned(), name.to_owned(), Vec::new()));
                is_rule = true;
            } else if let (true, Some((_, _, lines))) = (is_rule, rules.last_mut()) {
                lines.push(line.to_owned());
            }
        }
    }
    rules
}

/// The keys of a rule with their texts; a folded text's lines are joined.
fn keys(lines: &[String]) -> BTreeMap<String, String> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    // The key whose text goes on, and how far it is set in.
    let mut folded: Option<(String, usize)> = None;
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        if let Some((key, own)) = &folded
            && indent > *own
        {
            let text = keys.entry(key.clone()).or_default();
            text.push_str(if text.is_empty() { "" } else { " " });
            text.push_str(line.trim());
            continue;
        }
        folded = None;
        if let Some((key, value)) = line.trim().split_once(": ") {
            if value == ">-" {
                folded = Some((key.to_owned(), indent));
            } else {
                keys.insert(key.to_owned(), value.trim_matches('"').to_owned());
            }
        }
    }
    keys
}

/// All alerts.
pub(crate) fn alerts() -> Vec<Alert> {
    let alerts = rules().into_iter().filter(|(kind, _, _)| kind == "alert");
    let alert = |(_, name, lines): (String, String, Vec<String>)| {
        let mut keys = keys(&lines);
        let expr = keys.remove("expr").unwrap_or_else(|| panic!("{name} has no expr"));
        Alert { name, expr, keys }
    };
    alerts.map(alert).collect()
}

/// All recording rules: the name of what is recorded, and of what it is made.
pub(crate) fn records() -> Vec<(String, String)> {
    let records = rules().into_iter().filter(|(kind, _, _)| kind == "record");
    records
        .map(|(_, name, lines)| {
            let expr = keys(&lines).remove("expr");
            (name.clone(), expr.unwrap_or_else(|| panic!("{name} has no expr")))
        })
        .collect()
}

/// What the tests expect.
pub(crate) fn test_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for text in texts("deploy/prometheus/rules/tests") {
        for item in text.split("\n      - ").skip(1) {
            let item = item.split("\n  - ").next().unwrap_or_default();
            if !item.contains("eval_time:") {
                continue;
            }
            let is_empty = item.contains("exp_alerts: []") || item.contains("exp_samples: []");
            let has_any = item.contains("exp_labels:") || item.contains("exp_samples:");
            cases.push(Case { text: item.to_owned(), fires: has_any && !is_empty });
        }
    }
    cases
}
