//! What the way through the collector costs, and how fast it goes. Figures are printed, for
//! docs/RELIABILITY.md; a test fails when a record is lost, not when a machine is slow.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::Method;

use super::inputs::page;
use super::ledger::duplicated;
use super::otlp::collector_to;
use crate::support::{
    Bangui, Client, Collector, OtlpReceiver, Sink, SinkOptions, eventually, expect, heavy,
    is_stdout_only, throughout,
};

/// A day at ten records a second.
const DAY: usize = 864_000;
const REQUEST_RECORDS: usize = 500;
/// What the flow without a fault is measured with.
const FLOW: usize = 50_000;
/// The kernel counts the time of processes in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// So long may it take until everything has arrived.
const CATCH_UP: Duration = Duration::from_secs(1200);

/// A request with records as BanGUI sends them for requests; each has a uid of its own. It
/// is put together as text, because making it must not be what is measured.
fn request(first: usize) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let text = |key: &str, value: &str| {
        format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
    };
    let fields = [
        text("http.request.method", "GET"),
        text("http.route", "/api/jails/{name}"),
        text("client_ip", "198.51.100.77"),
        text("endpoint", "/api/jails/{name}"),
        text("user_id", "7f9c24e8-3b12-4fd5-9d38-0f2f5b6f7a10"),
        text("user_agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"),
        r#"{"key":"http.response.status_code","value":{"intValue":"200"}}"#.to_owned(),
        r#"{"key":"duration_ms","value":{"doubleValue":1.25}}"#.to_owned(),
    ]
    .join(",");
    let record = |seq: usize| {
        let uid = text("uid", &format!("{seq:032x}"));
        format!(
            r#"{{"timeUnixNano":"{now}","severityNumber":9,"severityText":"info","body":{{"stringValue":"http_request_completed"}},"traceId":"{seq:032x}","spanId":"00000000000000aa","attributes":[{uid},{fields}]}}"#
        )
    };
    let records: Vec<_> = (first..first + REQUEST_RECORDS).map(record).collect();
    let records = records.join(",");
    format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"scope":{{"name":"app.http"}},"logRecords":[{records}]}}]}}]}}"#
    )
}

/// Sends records with these numbers, each until it is acknowledged, and tells how long it took.
fn send(collector: &Collector, numbers: std::ops::Range<usize>) -> Duration {
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("OTLP_HTTP_PORT")));
    let started = Instant::now();
    for first in numbers.step_by(REQUEST_RECORDS) {
        eventually(CATCH_UP, "an acknowledgement", || {
            let body = Some(("application/json", request(first)));
            let answer = client.try_send(Method::POST, "/v1/logs", body);
            let status = answer.map_err(|error| error.to_string())?.status;
            expect(status == 200, format!("status {status}"))
        });
    }
    started.elapsed()
}

/// Waits until both have so many records, and tells how long it took.
fn wait_for(sinks: [&Sink; 2], records: u64) -> Duration {
    let started = Instant::now();
    eventually(CATCH_UP, "the records at both destinations", || {
        let arrived = sinks.map(Sink::log_records);
        expect(arrived.iter().all(|count| *count >= records), format!("{arrived:?}"))
    });
    started.elapsed()
}

/// Processor time that a process has used so far.
fn cpu_seconds(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The name of the program, in parentheses, may hold spaces.
    let fields: Vec<_> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let [user, system] = [11, 12].map(|at: usize| fields[at].parse::<f64>().unwrap());
    (user + system) / TICKS_PER_SECOND
}

/// The most memory that a process has had so far.
fn peak_mib(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn size_of_files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| entry.metadata().unwrap().len()).sum()
}

fn per_second(records: usize, time: Duration) -> f64 {
    records as f64 / time.as_secs_f64()
}

/// A flow without a fault, then destinations that are away until `backlog` records wait for them.
fn replay(backlog: usize) {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let _turn = heavy();
    let options = SinkOptions::default().key(KEY).count_only();
    let [datadog, otlp] = [(); 2].map(|()| Sink::start(&options));
    let headers = format!("api-key={KEY}");
    let collector = Collector::start_with(&[
        ("BANGUI_EXTERNAL_LOGGING_ENABLED", "true"),
        ("BANGUI_EXTERNAL_LOGGING_PROVIDER", "datadog,otlp"),
        ("BANGUI_DATADOG_API_KEY", KEY),
        ("BANGUI_DATADOG_ENDPOINT", &datadog.endpoint()),
        ("BANGUI_OTLP_ENDPOINT", &otlp.endpoint()),
        ("BANGUI_OTLP_HEADERS", &headers),
    ]);
    let sinks = [&datadog, &otlp];
    let id = collector.id();

    let before = cpu_seconds(id);
    let sent = send(&collector, 0..FLOW);
    wait_for(sinks, FLOW as u64);
    let cpu = cpu_seconds(id) - before;
    println!(
        "flow: {FLOW} records to two destinations, sent at {:.0}/s, {:.0} us of CPU a record, \
         peak {} MiB",
        per_second(FLOW, sent),
        cpu / FLOW as f64 * 1e6,
        peak_mib(id)
    );

    let away = serde_json::json!({ "mode": "refuse" });
    sinks.iter().for_each(|sink| sink.set_mode(&away));
    let before = cpu_seconds(id);
    let sent = send(&collector, FLOW..FLOW + backlog);
    let kept = cpu_seconds(id) - before;
    let disk = size_of_files(&collector.state().join("queue"));
    let before = cpu_seconds(id);
    sinks.iter().for_each(|sink| sink.set_ok());
    let total = FLOW + backlog;
    let time = wait_for(sinks, total as u64);
    println!(
        "backlog: {backlog} records taken at {:.0}/s with {:.0} us of CPU each, {} MiB on disk for \
         both queues ({} bytes a record and queue), replayed to both in {:.1} s ({:.0}/s each) \
         with {:.0} us of CPU a record, peak {} MiB",
        per_second(backlog, sent),
        kept / backlog as f64 * 1e6,
        disk >> 20,
        disk / backlog as u64 / 2,
        time.as_secs_f64(),
        per_second(backlog, time),
        (cpu_seconds(id) - before) / backlog as f64 * 1e6,
        peak_mib(id)
    );
    for (sink, name) in sinks.into_iter().zip(["datadog", "otlp"]) {
        let uids = sink.counts().uids;
        println!("{name}: lost {}, copies {}", total - uids.len(), duplicated(&uids));
        assert_eq!(uids.len(), total, "{name}\n{}", page(&collector, "TELEMETRY_PORT"));
    }
}

#[test]
fn a_backlog_is_replayed() {
    replay(DAY / 24);
}

#[test]
fn a_day_of_backlog_is_replayed_in_minutes() {
    replay(DAY);
}

/// From the line on stdout to the destination, with the settings that ship.
#[test]
fn lines_arrive_within_seconds() {
    const LOAD: Duration = Duration::from_secs(20);
    let _turn = heavy();
    let receiver = OtlpReceiver::start();
    let collector = collector_to(&receiver, &[]);
    let endpoint = collector.endpoint();
    let bangui = Bangui::builder().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).start();
    let admin = bangui.admin();
    throughout(LOAD, "load", || {
        admin.get("/api/audit").expect(200);
        thread::sleep(Duration::from_millis(20));
        Ok(())
    });
    let lines = bangui.stop().lines;
    let lines = lines.iter().filter(|line| !is_stdout_only(line)).count();
    eventually(Duration::from_secs(60), "all lines", || {
        let arrived = receiver.logs().len();
        expect(arrived >= lines, format!("{arrived} of {lines}"))
    });
    let mut delays = receiver.delays();
    delays.sort();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_millis();
    println!(
        "delay: {lines} lines, from stdout to the destination: p50 {} ms, p99 {} ms, longest {} ms",
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert_eq!(delays.len(), lines, "each once");
}
