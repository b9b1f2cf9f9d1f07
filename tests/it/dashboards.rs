//! Every query of the dashboards returns data on the whole real stack: the service, fail2ban, the
//! collector with a destination that takes everything and one that is away, Jaeger and Prometheus.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::blocklists::use_blocklists;
use crate::support::{
    Client, Events, ListServer, OtlpReceiver, PASSWORD, Stack, eventually, expect, fail2ban,
    free_port, patient, repository,
};

/// Exports and scrapes are every five seconds each, and a rate needs two scrapes.
const DATA_SOON: Duration = Duration::from_secs(120);
/// Between two rounds of requests and questions.
const PAUSE: Duration = Duration::from_millis(1500);

/// Only a failure of ours makes this series, so fail2ban is ended for it, and for the traces that
/// are looked for by their status.
const IN_AN_OUTAGE: &str = "sum by (method, endpoint) (rate(bangui_http_requests_total{status_code";

/// The targets of all panels, each with words for where it is.
fn targets() -> BTreeMap<String, Value> {
    let mut targets = BTreeMap::new();
    let folder = repository().join("deploy/grafana/dashboards");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let dashboard: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{file}, {} {}", panel["title"], target["refId"]);
                let other = targets.insert(place.clone(), target.clone());
                assert!(other.is_none(), "{place} is there twice");
            }
        }
    }
    assert!(targets.len() > 60, "the search for queries finds {}", targets.len());
    targets
}

/// What Prometheus answers to a query: its values that are numbers, or what is wrong.
fn ask(prometheus: &Client, query: &str) -> Result<Vec<f64>, String> {
    let query = query.replace("$__rate_interval", "1m");
    let encoded: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = prometheus.get(&format!("/api/v1/query?query={encoded}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let answer = answer.json();
    let results = answer["data"]["result"].as_array().ok_or("no result")?;
    let values = results.iter().filter_map(|it| it["value"][1].as_str()?.parse::<f64>().ok());
    let numbers: Vec<_> = values.filter(|value| !value.is_nan()).collect();
    if numbers.is_empty() { Err(format!("no number: {answer}")) } else { Ok(numbers) }
}

/// Asks Jaeger as Grafana does.
fn find(jaeger: &Client, target: &Value, correlation_id: &str) -> Result<(), String> {
    let of = |key: &str| target[key].as_str().unwrap_or_default();
    let path = if of("queryType") == "search" {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("service", of("service")).append_pair("limit", "20");
        if !of("operation").is_empty() {
            query.append_pair("operation", &of("operation").replace("$operation", "GET /api/bans"));
        }
        if let Some((key, value)) = of("tags").split_once('=') {
            let tags = json!({ key: value.replace("$status", "503") });
            query.append_pair("tags", &tags.to_string());
        }
        format!("/api/traces?{}", query.finish())
    } else {
        format!("/api/traces/{}", of("query").replace("$correlation_id", correlation_id))
    };
    let answer = jaeger.get(&path);
    expect(answer.status == 200, format!("{path}: {}", answer.body))?;
    let has_spans = answer.json()["data"][0]["spans"].as_array().is_some_and(|it| !it.is_empty());
    expect(has_spans, format!("{path}: no trace"))
}

/// What a page sends: each Web Vital, and a call of the API.
fn measured() -> Value {
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let metric = |name: &str, unit: &str, value: f64, attributes: &[Value]| {
        let point = json!({ "timeUnixNano": "1", "asDouble": value, "attributes": attributes });
        json!({ "name": name, "unit": unit, "gauge": { "dataPoints": [point] } })
    };
    let vital = |name: &str| {
        let (unit, value) = if name == "CLS" { ("1", 0.05) } else { ("ms", 90.0) };
        metric("browser.web_vital", unit, value, &[text("browser.web_vital.name", name)])
    };
    let mut metrics: Vec<_> = ["CLS", "FCP", "FID", "INP", "LCP", "TTFB"].map(vital).into();
    let status = json!({ "key": "http.response.status_code", "value": { "intValue": "200" } });
    let call = [text("http.request.method", "GET"), text("url.template", "/api/bans"), status];
    metrics.push(metric("bangui.frontend.api.duration", "s", 0.02, &call));
    json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": metrics }] }] })
}

/// Makes requests and asks again until each target has returned data. What is left is a failure.
fn wait_for_data(stack: &Stack, admin: &Client, mut pending: BTreeMap<String, Value>) {
    let (prometheus, jaeger) = (stack.prometheus(), stack.jaeger());
    let until = Instant::now() + DATA_SOON;
    // One whose trace has the time to arrive.
    let correlation_id = admin.get("/api/bans").correlation_id().to_owned();
    loop {
        // Quantiles are numbers only while something happens.
        admin.get("/api/bans");
        admin.get("/api/jails");
        admin.post("/v1/metrics", &measured()).expect(200);
        let mut left = BTreeMap::new();
        for (place, target) in pending {
            let found = match target["expr"].as_str() {
                Some(query) => ask(&prometheus, query).map(|_| ()),
                None => find(&jaeger, &target, &correlation_id),
            };
            if let Err(why) = found {
                left.insert(place, (target, why));
            }
        }
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < until, "without data: {left:#?}");
        pending = left.into_iter().map(|(place, (target, _))| (place, target)).collect();
        sleep(PAUSE);
    }
}

/// What happens once: a ban by fail2ban, one by a command, an attempt to get in.
fn use_it(stack: &Stack) -> Client {
    let admin = stack.bangui().signed_in(PASSWORD);
    fail2ban::attack(&stack.file("auth.log"), "203.0.113.90");
    let words = ["ban", "sshd", "203.0.113.91"];
    let output = stack.shell().run(&stack.file("."), &words, "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let wrong = json!({ "username": "admin", "password": "a wrong password" });
    stack.bangui().post("/api/auth/login", &wrong).expect(401);
    admin
}

/// The examples in the reference of the metrics.
fn examples() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("docs/METRICS.md")).unwrap();
    let examples = page.lines().filter_map(|line| line.split_once("<br>`")?.1.split_once('`'));
    let examples: Vec<_> = examples.map(|(query, _)| query.to_owned()).collect();
    assert!(examples.len() > 40, "the search for examples finds {}", examples.len());
    examples
}

/// The labels in the reference of the metrics, each with the number of values that it may take.
fn label_limits() -> Vec<(String, f64)> {
    let page = std::fs::read_to_string(repository().join("docs/METRICS.md")).unwrap();
    let table = page.split("\n### Labels\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|row| {
        let mut columns = row.split(" | ");
        let label = columns.next()?.trim_start_matches("| ").to_owned();
        Some((label, columns.next()?.parse().ok()?))
    });
    let limits: Vec<_> = rows.collect();
    assert!(limits.len() > 20, "the search for limits finds {limits:?}");
    limits
}

fn is_about(target: &Value, words: &[&str]) -> bool {
    let query = target["expr"].as_str().unwrap_or_default();
    words.iter().any(|word| query.contains(word))
}

#[test]
fn every_query_of_the_dashboards_returns_data() {
    let _turn = patient();
    let destination = OtlpReceiver::start();
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let hops = [free_port(), free_port()].map(|port| port.to_string());
    let stack = Stack::start_with(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "otlp,elasticsearch"),
        ("BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES", "true"),
        ("BANGUI_OTLP_ENDPOINT", &destination.endpoint()),
        ("BANGUI_ELASTICSEARCH_HOSTS", &nobody),
        ("HOP_OTLP_PORT", &hops[0]),
        ("HOP_ELASTICSEARCH_PORT", &hops[1]),
    ]);
    let (admin, lists) = (use_it(&stack), ListServer::start());
    use_blocklists(&admin, &lists);
    let page = Events::open(&admin);
    let (outage, all): (BTreeMap<_, _>, BTreeMap<_, _>) = targets()
        .into_iter()
        .partition(|(_, it)| is_about(it, &[IN_AN_OUTAGE]) || !it["tags"].is_null());
    assert_eq!(outage.len(), 2, "{outage:#?}");
    wait_for_data(&stack, &admin, all);
    for query in examples() {
        // Some are of what has not happened here; all must be understood.
        let _ = ask(&stack.prometheus(), &query);
    }
    let mut labels_seen = 0;
    for (label, max) in label_limits() {
        let query = format!("count(count by ({label}) ({{{label}=~\".+\", job=\"bangui\"}}))");
        let values = ask(&stack.prometheus(), &query).map_or(0.0, |values| values[0]);
        assert!(values <= max, "{label} has {values} values and may have {max}");
        labels_seen += usize::from(values > 0.0);
    }
    assert!(labels_seen > 15, "only {labels_seen} labels have values");

    stack.end_fail2ban();
    let ban = json!({ "jail": "sshd", "ip": "203.0.113.92" });
    eventually(DATA_SOON, "a ban that fails", || {
        let answer = admin.post("/api/bans", &ban);
        expect(answer.status == 503, format!("{} {}", answer.status, answer.body))
    });
    wait_for_data(&stack, &admin, outage);
    let answers = ask(&stack.prometheus(), "sum(bangui_fail2ban_connection_errors_total)");
    assert!(answers.is_ok_and(|it| it[0] > 0.0), "no error of the connection");
    drop(page);
    stack.finish();
}
