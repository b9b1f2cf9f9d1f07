//! The ways that the launcher chooses for exporters that have no settings for certificates.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::support::repository;

/// Any file that is PEM by its looks: nobody reads it here.
const PEM: &str = "tests/fixtures/external/placeholder.pem";
const CLOUDWATCH: [(&str, &str); 5] = [
    ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
    ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "cloudwatch"),
    ("BANGUI_CLOUDWATCH_LOG_GROUP", "bangui"),
    ("BANGUI_CLOUDWATCH_LOG_STREAM", "here"),
    ("AWS_REGION", "eu-central-1"),
];
const DATADOG: [(&str, &str); 3] = [
    ("BANGUI_METRICS_PROVIDER", "datadog"),
    ("BANGUI_DATADOG_API_KEY", "0123456789abcdef"),
    ("BANGUI_DATADOG_SITE", "datadoghq.eu"),
];

/// What the launcher starts: a script in the collector's place tells its variables and arguments.
fn launch(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("collector");
    fs::write(&script, "#!/bin/sh\nenv\necho \"ARGUMENTS=$*\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(repository().join("otel-collector/launch.sh"));
    command.arg(script).args(arguments).current_dir(repository()).env_clear();
    command.env("PATH", std::env::var("PATH").unwrap()).envs(env.iter().copied());
    command.output().unwrap()
}

fn launched(env: &[(&str, &str)]) -> BTreeMap<String, String> {
    let output = launch(&[], env);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn cloudwatch_goes_by_a_relay_under_its_own_name() {
    let region = |name| ("AWS_REGION", name);
    let own = ("BANGUI_CLOUDWATCH_ENDPOINT", "https://vpce.example.com:8443");
    for (more, host) in [
        (region("eu-central-1"), "logs.eu-central-1.amazonaws.com"),
        (region("cn-north-1"), "logs.cn-north-1.amazonaws.com.cn"),
        (own, "vpce.example.com:8443"),
    ] {
        let told =
            launched(&[&CLOUDWATCH[..], &[more, ("BANGUI_CLOUDWATCH_CA_FILE", PEM)]].concat());
        assert_eq!(told["RELAY_CLOUDWATCH_TARGET"], format!("https://{host}"));
        assert_eq!(told["BANGUI_CLOUDWATCH_ENDPOINT"], format!("http://{host}"));
        assert!(told["ARGUMENTS"].contains("/own/relays/cloudwatch.yaml"), "{told:?}");
    }
}

#[test]
fn datadogs_traces_and_metrics_go_by_relays() {
    let client = [
        ("BANGUI_DATADOG_CLIENT_CERT_FILE", PEM),
        ("BANGUI_DATADOG_CLIENT_KEY_FILE", PEM),
        ("NO_PROXY", "example.com"),
    ];
    let told = launched(&[&DATADOG[..], &client].concat());
    assert_eq!(told["RELAY_DATADOG_TRACES_TARGET"], "https://trace.agent.datadoghq.eu");
    assert_eq!(told["RELAY_DATADOG_METRICS_TARGET"], "https://api.datadoghq.eu");
    assert_eq!(told["DATADOG_METRICS_ENDPOINT"], "http://127.0.0.1:14332");
    assert_eq!(told["NO_PROXY"], "example.com,127.0.0.1:14332");
    assert!(told["ARGUMENTS"].contains("/own/relays/datadog.yaml"), "{told:?}");
    // The logs' own exporter has settings for them.
    let own = ("BANGUI_DATADOG_ENDPOINT", "https://dd.example.com/x");
    let told = launched(&[&DATADOG[..], &[own, ("BANGUI_DATADOG_CA_FILE", PEM)]].concat());
    assert_eq!(told["DATADOG_LOGS_ENDPOINT"], "https://dd.example.com/x");
    assert_eq!(told["RELAY_DATADOG_TRACES_TARGET"], "https://dd.example.com/x");
}

#[test]
fn nothing_goes_by_a_relay_without_certificates_or_without_tls() {
    let local = [
        ("BANGUI_CLOUDWATCH_ENDPOINT", "http://127.0.0.1:4566"),
        ("BANGUI_CLOUDWATCH_CA_FILE", PEM),
        ("BANGUI_DATADOG_ENDPOINT", "http://127.0.0.1:8126"),
        ("BANGUI_DATADOG_CA_FILE", PEM),
    ];
    let unused = [("BANGUI_CLOUDWATCH_CA_FILE", PEM)];
    for env in [
        [&CLOUDWATCH[..], &DATADOG].concat(),
        [&CLOUDWATCH[..], &DATADOG, &local].concat(),
        [&DATADOG[..], &unused].concat(),
    ] {
        let told = launched(&env);
        assert!(!told["ARGUMENTS"].contains("/own/relays/"), "{told:?}");
        assert!(!told.keys().any(|name| name.starts_with("RELAY_")), "{told:?}");
    }
}

#[test]
fn the_stock_collector_refuses_what_it_would_not_heed() {
    let ca = [("BANGUI_CLOUDWATCH_CA_FILE", PEM), ("BANGUI_DATADOG_CA_FILE", PEM)];
    let output = launch(&["--stock"], &[&CLOUDWATCH[..], &DATADOG, &ca].concat());
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    let mut names: Vec<_> = text.lines().filter_map(|line| line.split(": ").next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["BANGUI_CLOUDWATCH_CA_FILE", "BANGUI_DATADOG_CA_FILE"], "{text}");
    assert!(launch(&["--stock"], &CLOUDWATCH).status.success());
}
