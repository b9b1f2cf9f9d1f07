//! The settings of external logging: `bangui config` against a table that the collector's launcher
//! is held against too, and what people are shown of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use tempfile::tempdir;

use crate::support::{Bangui, Builder, repository};

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: i32 = 78;
const TABLE: &str = include_str!("../fixtures/external_settings.json");
/// A shorter value is found anywhere.
const TELLING_BYTES: usize = 7;

/// One row of the table. Paths in it are relative to the root of the repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    env: BTreeMap<String, String>,
    /// The variables that are wrong, sorted.
    problems: Vec<String>,
}

/// Runs `bangui config` where the paths of the table are right.
fn config(env: &BTreeMap<String, String>) -> (Option<i32>, String, String) {
    let folder = tempdir().unwrap();
    let mut command = Bangui::builder().command(folder.path());
    command.current_dir(repository()).arg("config").envs(env);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn is_secret(name: &str) -> bool {
    let endings = ["_API_KEY", "_TOKEN", "_PASSWORD", "_HEADERS", "_ACCESS_KEY", "_KEY_ID"];
    endings.iter().any(|ending| name.ends_with(ending))
}

/// Everything that is not as the row says.
fn findings(case: &Case) -> Vec<String> {
    let (code, stdout, stderr) = config(&case.env);
    let named = stderr.lines().map(|line| line.split_once(": ").map_or(line, |(name, _)| name));
    let mut names: Vec<&str> = named.collect();
    names.sort_unstable();
    let is_right = case.problems.is_empty();
    let mut findings = Vec::new();
    if names != case.problems {
        findings.push(format!("{}: expected {:?}, got {stderr:?}", case.name, case.problems));
    }
    if code != Some(if is_right { 0 } else { EXIT_CONFIG }) || stdout.is_empty() == is_right {
        findings.push(format!("{}: {code:?}, {stdout:?}", case.name));
    }
    for (name, value) in case.env.iter().filter(|(name, _)| is_secret(name)) {
        let is_shown = stdout.contains(value.as_str()) || stderr.contains(value.as_str());
        if value.len() >= TELLING_BYTES && is_shown {
            findings.push(format!("{}: shows the value of {name}", case.name));
        }
    }
    findings
}

#[test]
fn every_rule_of_the_table_holds() {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    assert!(cases.iter().all(|case| case.problems.is_sorted()), "problems are sorted by name");
    // The launcher's runner is a shell script, which reads line by line.
    let mut values = cases.iter().flat_map(|case| case.env.values());
    assert!(values.all(|value| !value.contains(['\n', '\0'])), "no shell could feed a line break");
    let findings: Vec<_> = cases.iter().flat_map(findings).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn where_telemetry_goes(env: &[(&str, &str)]) -> Vec<String> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (code, stdout, stderr) = config(&env);
    assert_eq!(code, Some(0), "{stderr}");
    let lines = stdout.lines().skip_while(|line| *line != "# Where telemetry goes").skip(1);
    let told = |line: &str| line.split_once(": ").map(|(_, told)| told.trim().to_owned());
    lines.map(|line| told(line).unwrap()).collect()
}

#[test]
fn config_ends_with_where_telemetry_goes() {
    let off = "nothing leaves: BANGUI_EXTERNAL_LOGGING_ENABLED is false";
    let asked = "nothing leaves; Prometheus asks for them";
    assert_eq!(where_telemetry_goes(&[]), ["nothing leaves", off, asked]);
    let told = where_telemetry_goes(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "elasticsearch,papertrail,datadog"),
        ("BANGUI_EXTERNAL_LOGGING_DELIVERY", "bounded"),
        ("BANGUI_EXTERNAL_LOGGING_FIELDS", "jail,ip"),
        ("BANGUI_ELASTICSEARCH_HOSTS", "https://es1:9200,http://es2:9200/x"),
        ("BANGUI_PAPERTRAIL_HOST", "logs1.papertrailapp.com"),
        ("BANGUI_PAPERTRAIL_PORT", "12345"),
        ("BANGUI_DATADOG_API_KEY", "0123456789abcdef"),
        ("BANGUI_METRICS_PROVIDER", "datadog"),
    ]);
    let logs = "elasticsearch (es1:9200, es2:9200; not encrypted, by BANGUI_ELASTICSEARCH_HOSTS), \
                papertrail (logs1.papertrailapp.com:12345), datadog (datadoghq.com), \
                bounded delivery; of fields, those of BANGUI_EXTERNAL_LOGGING_FIELDS alone";
    let all = "logs, metrics, traces to http://localhost:4317";
    assert_eq!(told, [all, logs, "datadog (datadoghq.com); Prometheus asks too"]);
    let told = where_telemetry_goes(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_METRICS_ENABLED", "false"),
        ("BANGUI_METRICS_PROVIDER", "datadog"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
    ]);
    let nowhere = "nothing leaves: no provider is named, and BANGUI_OTLP_ENDPOINT is unset";
    let metrics = "nothing leaves: BANGUI_METRICS_ENABLED is false";
    let public =
        "logs, traces to http://collector:4317 (not encrypted, by OTEL_EXPORTER_OTLP_ENDPOINT)";
    assert_eq!(told, [public, nowhere, metrics]);
}

#[test]
fn defaults_of_used_providers_and_masked_secrets_are_shown() {
    let env = [
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "newrelic"),
        ("BANGUI_NEWRELIC_API_KEY_FILE", "tests/fixtures/external/secret"),
        ("BANGUI_SPLUNK_HEC_TOKEN", "a-token-not-used"),
    ];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (_, stdout, _) = config(&env);
    for line in [
        "BANGUI_EXTERNAL_LOGGING_PROVIDER=newrelic",
        "BANGUI_EXTERNAL_LOGGING_DELIVERY=durable",
        "BANGUI_METRICS_PROVIDER=prometheus",
        "BANGUI_NEWRELIC_API_KEY=***",
        "BANGUI_NEWRELIC_ENDPOINT=https://otlp.nr-data.net:4318",
        "BANGUI_SPLUNK_TOKEN=***",
    ] {
        assert!(stdout.lines().any(|own| own == line), "{line} in {stdout}");
    }
    assert!(!stdout.contains("BANGUI_DATADOG_"), "{stdout}");
    assert!(!stdout.contains("a secret of a file"), "{stdout}");
}

fn papertrail(tls: &str) -> Builder {
    Bangui::builder()
        .env("BANGUI_EXTERNAL_LOGGING_ENABLED", "true")
        .env("BANGUI_EXTERNAL_LOGGING_PROVIDER", "papertrail")
        .env("BANGUI_PAPERTRAIL_HOST", "127.0.0.1")
        .env("BANGUI_PAPERTRAIL_PORT", "514")
        .env("BANGUI_PAPERTRAIL_TLS", tls)
        // Nothing of what may run on this machine gets anything.
        .env("OTEL_SDK_DISABLED", "true")
}

#[test]
fn telemetry_in_the_clear_is_warned_about() {
    let bangui = papertrail("false").start();
    let warning = bangui.wait_for_event("config_telemetry_unencrypted");
    assert_eq!(warning["variable"], "BANGUI_PAPERTRAIL_TLS");
    let bangui = papertrail("true").start();
    assert!(bangui.events("config_telemetry_unencrypted").is_empty());
}

#[test]
fn a_typo_in_a_providers_setting_is_warned_about() {
    let bangui = Bangui::builder().env("BANGUI_DATADOG_API_KYE", "k").start();
    let warning = bangui.wait_for_event("config_unknown_variable");
    assert_eq!(warning["variable"], "BANGUI_DATADOG_API_KYE");
}
