//! Elasticsearch, by a real OpenSearch, which speaks the same bulk and search requests.

mod documents;
mod outages;
mod refusals;
mod requests;
mod template;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::support::{Collector, OpenSearch, inherited, repository};

/// A collector that sends to Elasticsearch, as fast as its settings allow.
fn collector_to(hosts: &str, more: &[(&str, &str)]) -> Collector {
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "elasticsearch"),
        ("BANGUI_ELASTICSEARCH_HOSTS", hosts),
        ("BANGUI_ELASTICSEARCH_FLUSH_INTERVAL_SECONDS", "1"),
    ];
    // Of a name that stands twice, the later one counts.
    settings.extend(more);
    Collector::start_with(&settings)
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// The index of a moment.
fn index_of(prefix: &str, at: Timestamp) -> String {
    format!("{prefix}-{}", at.to_zoned(TimeZone::UTC).strftime("%Y.%m.%d"))
}

fn days_ago(days: i64) -> Timestamp {
    now() - std::time::Duration::from_secs(u64::try_from(days * 86_400).unwrap())
}

/// One log record in OTLP's JSON form.
fn record_at(at: Timestamp, uid: &str, more: &[(&str, Value)]) -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let mut attributes = vec![text("uid", uid)];
    attributes.extend(more.iter().map(|(key, value)| match value {
        Value::String(value) => text(key, value),
        Value::Number(value) => json!({ "key": key, "value": { "intValue": value.to_string() } }),
        other => panic!("{other} is not needed here"),
    }));
    json!({
        "timeUnixNano": at.as_nanosecond().to_string(), "severityNumber": 9,
        "severityText": "info", "body": { "stringValue": "http_request_completed" },
        "attributes": attributes,
    })
}

/// A request with these records.
fn logs(records: &[Value]) -> Value {
    let scope = json!({ "scope": { "name": "app.http" }, "logRecords": records });
    json!({ "resourceLogs": [{ "scopeLogs": [scope] }] })
}

/// Runs the script that installs the index template.
fn put_template(settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(put_template_script());
    command.env_clear().envs(inherited()).envs(settings.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

fn put_template_script() -> PathBuf {
    repository().join("otel-collector/elasticsearch/put-template.sh")
}

/// An OpenSearch that has the template for `bangui-*`.
fn prepared() -> OpenSearch {
    let server = OpenSearch::start();
    let output = put_template(&[("BANGUI_ELASTICSEARCH_HOSTS", &server.url())]);
    assert!(output.status.success(), "{output:?}");
    server
}
