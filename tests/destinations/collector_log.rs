//! What the page tells of the collector's own log: the reason of a failure in the collector's words,
//! without the key that the destination quotes, and never more than a little of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use serde_json::Value;

use crate::support::{Bangui, Client, Collector, SOON, eventually, patient};

const PATH: &str = "/api/telemetry/collector-log";
const KEY: &str = "0123456789abcdef0123456789abcdef";
/// The collector may wait seconds before its next attempt, and tells of it seconds later.
const PATIENCE: Duration = Duration::from_secs(60);

fn bangui_beside(collector: &Collector) -> Bangui {
    let log = format!("http://127.0.0.1:{}/logs", collector.port("OWN_LOG_PAGE_PORT"));
    Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("BANGUI_COLLECTOR_LOG_URL", log)
        .export_often()
        .start()
}

fn items(client: &Client) -> Vec<Value> {
    let page = client.get(PATH).expect(200).json();
    assert_eq!(page["next"], Value::Null);
    page["items"].as_array().unwrap().clone()
}

fn wait_for(client: &Client, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(PATIENCE, what, || {
        let items = items(client);
        let found = items.iter().find(|item| fits(item)).cloned();
        found.ok_or_else(|| format!("{items:#?}"))
    })
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_else(|| panic!("{name} of {item}"))
}

/// Reads one request and answers 401 with the key that came, as a proxy might.
fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut key, mut length) = (String::new(), 0);
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "dd-api-key" => value.trim().clone_into(&mut key),
            "content-length" => length = value.trim().parse().unwrap_or_default(),
            _ => {}
        }
    }
    std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    let body = format!("DD-API-KEY: {key} is unknown\nhttps://u:{key}@x.example/?api_key={key}");
    let head = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{body}", body.len())
}

/// A destination that knows nobody; it ends with the test's process.
fn refusing_destination() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // The collector may hang up, which is its own matter.
            thread::spawn(move || refuse(stream));
        }
    });
    endpoint
}

#[test]
fn the_page_tells_what_the_collector_says_of_a_destination_that_refuses() {
    let _turn = patient();
    let mut collector = Collector::start_with(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog"),
        ("BANGUI_DATADOG_ENDPOINT", &refusing_destination()),
        ("BANGUI_DATADOG_API_KEY", KEY),
    ]);
    let bangui = bangui_beside(&collector);
    let admin = bangui.admin();
    let says = |component: &'static str| {
        move |item: &Value| {
            item["component"] == component && text(item, "error").contains("answers 401")
        }
    };
    let line = wait_for(&admin, "the exporter's line", says("datadog_logs"));
    assert_eq!(line["level"], "error");
    assert!(text(&line, "message").contains("Exporting failed"), "{line}");
    assert!(text(&line, "error").contains("is unknown"), "{line}");
    let line = wait_for(&admin, "the line of what holds the batch", says("hold/datadog"));
    assert_eq!(line["level"], "warning");
    // It fails again and again, and is still one item.
    let repeated = |item: &Value| item["count"].as_u64() > Some(2) && says("datadog_logs")(item);
    let line = wait_for(&admin, "repetitions", repeated);
    assert!(text(&line, "first_at") < text(&line, "at"), "{line}");

    let page = admin.get(PATH).expect(200).body;
    assert!(!page.contains(KEY), "{page}");
    let newest = admin.get(&format!("{PATH}?limit=1")).expect(200).json();
    assert_eq!(newest["items"].as_array().unwrap().len(), 1);
    admin.get(&format!("{PATH}?limit=0")).expect_problem(422);
    bangui.stranger().get(PATH).expect_problem(401);

    collector.kill();
    let problem = eventually(SOON, "the collector's end", || {
        let answer = admin.get(PATH);
        if answer.status == 503 { Ok(answer) } else { Err(answer.body) }
    });
    let detail = problem.expect_problem(503).json()["detail"].to_string();
    assert!(detail.contains("nobody answers there"), "{detail}");
    assert!(detail.contains("BANGUI_COLLECTOR_LOG_URL"), "{detail}");
}

fn string(value: String) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value)) }
}

/// Lines as the collector sends them to itself, each another one.
fn flood(round: usize, severity_number: i32, long: &str) -> Vec<u8> {
    let record = |number: usize| LogRecord {
        time_unix_nano: 1_795_600_800_000_000_000,
        severity_number,
        body: Some(string(format!("{round} {number} {long}"))),
        attributes: vec![KeyValue {
            key: "error".into(),
            value: Some(string(long.to_owned())),
            ..KeyValue::default()
        }],
        ..LogRecord::default()
    };
    let log_records = (0..100).map(record).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// Posts to where the collector sends its own lines; gives the head of the answer.
fn post(port: u16, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/x-protobuf\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_flood_stays_small_and_without_what_is_planted() {
    const PLANTED: &str = "hunter2-5550";
    let _turn = patient();
    let mut collector = Collector::start();
    let bangui = bangui_beside(&collector);
    let admin = bangui.admin();
    let port = collector.port("OWN_LOG_PORT");
    let long = format!("password={PLANTED} Authorization: Bearer {PLANTED}\n").repeat(100);
    let planted = format!("Post \"https://u:{PLANTED}@x.example/?k={PLANTED}\": {long}");
    for round in 0..5 {
        assert!(post(port, &flood(round, 17, &planted)).starts_with("HTTP/1.1 200"));
    }
    // What is no trouble takes no place.
    assert!(post(port, &flood(9, 9, &planted)).starts_with("HTTP/1.1 200"));
    let page = admin.get(PATH).expect(200);
    assert!(page.body.len() <= 256 * 1024, "{}", page.body.len());
    assert!(!page.body.contains(PLANTED) && !page.body.contains("5550"), "{}", page.body);
    let items = items(&admin);
    assert!((50..=200).contains(&items.len()), "{}", items.len());
    assert!(text(&items[0], "message").starts_with("4 99 Post"), "{}", items[0]);
    for item in &items {
        assert!(text(item, "message").len() <= 1024 && text(item, "error").len() <= 2048);
        assert_eq!((&item["level"], &item["component"]), (&"error".into(), &"".into()));
    }

    // A reload begins anew; while it lasts, nobody answers.
    collector.reload();
    eventually(PATIENCE, "the log after a reload", || {
        let answer = admin.get(PATH);
        let is_new = answer.status == 200 && !answer.body.contains("x.example");
        if is_new { Ok(()) } else { Err(answer.body) }
    });
    assert!(post(port, &flood(7, 17, &planted)).starts_with("HTTP/1.1 200"));
    wait_for(&admin, "lines after a reload", |item| text(item, "message").starts_with("7 "));

    // The collector's last lines have nowhere to go, and that is no failure.
    collector.stop();
    let said = collector.said();
    let other: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(other.is_empty(), "{other:#?}");
}
