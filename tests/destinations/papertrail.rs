//! Papertrail, or any syslog server: BanGUI, the collector, and Debian's rsyslog behind it.

mod content;
mod outages;
mod security;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Collector, SOON, SyslogRecord, eventually, expect, throughout};

/// A collector that sends to a syslog server on this port, with more settings beside.
pub(crate) fn collector_to(port: u16, more: &[(&str, &str)]) -> Collector {
    let port = port.to_string();
    let mut settings = vec![
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "papertrail"),
        ("BANGUI_PAPERTRAIL_HOST", "127.0.0.1"),
        ("BANGUI_PAPERTRAIL_PORT", &port),
    ];
    settings.extend(more);
    Collector::start_with(&settings)
}

/// The JSON line that a record's message is.
#[track_caller]
fn line_of(record: &SyslogRecord) -> Value {
    serde_json::from_str(&record.msg).unwrap_or_else(|error| panic!("{error}: {record:?}"))
}

/// Waits until so many records are there, and then for a moment that there are no more.
#[track_caller]
fn wait_for_records(count: usize, records: impl Fn() -> Vec<SyslogRecord>) -> Vec<SyslogRecord> {
    eventually(SOON, &format!("{count} records"), || {
        let records = records();
        let events: Vec<_> = records.iter().map(|record| &record.msgid).collect();
        expect(records.len() >= count, format!("{}: {events:?}", records.len()))
    });
    throughout(Duration::from_secs(1), "there must not be more", || {
        let records = records();
        expect(records.len() == count, format!("{} of {count}: {records:#?}", records.len()))
    });
    records()
}

/// What a search for `program:PROGRAM WORD` in Papertrail finds.
fn search<'a>(records: &'a [SyslogRecord], program: &str, word: &str) -> Vec<&'a SyslogRecord> {
    let fits = |it: &&SyslogRecord| it.app_name == program && it.msg.contains(word);
    records.iter().filter(fits).collect()
}

/// Sends records of one service to the collector as OTLP/JSON: attributes, beside an event.
fn send(collector: &Collector, host: &str, records: &[(&str, Value)]) {
    let records = records.iter().map(|(event, attributes)| {
        let attributes = attributes.as_object().unwrap().iter();
        let attributes = attributes
            .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
            .collect::<Vec<_>>();
        json!({
            "timeUnixNano": "1795600800000000000", "severityNumber": 13,
            "severityText": "warning", "body": { "stringValue": event }, "attributes": attributes,
        })
    });
    let scope =
        json!({ "scope": { "name": "app.test" }, "logRecords": records.collect::<Vec<_>>() });
    let host = json!({ "key": "host.name", "value": { "stringValue": host } });
    let resource = json!({ "attributes": [host] });
    let body = json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [scope] }] });
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    client.post("/v1/logs", &body).expect(200);
}

/// The values of a field, each once.
fn distinct(records: &[SyslogRecord], field: fn(&SyslogRecord) -> &str) -> BTreeSet<&str> {
    records.iter().map(field).collect()
}
