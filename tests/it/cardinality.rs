//! Whatever is requested makes no series: strangers choose paths, methods and hosts, and the number
//! of series and the memory that they take must not be theirs to choose.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Bangui, Client, Collector, SOON, eventually, expect, heavy, random};

/// Requests of a run, over so many connections, so many at a time on each.
const REQUESTS: usize = 100_000;
const CONNECTIONS: usize = 4;
const PIPELINED: usize = 100;
/// What stands in every text that is made up.
const MARK: &str = "qz7";
/// Far above what the allocator keeps of the moment; a series for each request would take more.
const GROWTH_MAX_KIB: u64 = 24 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Methods that a client may make up are as good as those of the standard.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "*"];

/// Targets of every kind; `*` is made up anew in each request.
const TARGETS: [&str; 8] = [
    "/*",
    "/*/*/../%2e%2e/*",
    "/*?password=*&*",
    "/api/*",
    "/api/jails/*",
    "/assets/*.js",
    "/bangui.v1.BanService/*",
    "http://*.example/*",
];

fn filled(pattern: &str) -> String {
    pattern.replace('*', &format!("{MARK}{:x}", random()))
}

/// The `n`th request and whether its answer has no body. Every method meets every target.
fn request(text: &mut String, n: usize) -> bool {
    let method = METHODS[n % METHODS.len()];
    let target = TARGETS[n / METHODS.len() % TARGETS.len()];
    let (own, host) = (filled(method), filled("*.example"));
    let target = filled(target);
    write!(text, "{own} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n").unwrap();
    method == "HEAD"
}

/// Reads one answer and throws it away; gives its status.
fn answer(reader: &mut BufReader<TcpStream>, is_bare: bool) -> u16 {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the connection ends");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        assert!(!line.starts_with("transfer-encoding"), "{line}");
        if line.is_empty() {
            break;
        }
        status.get_or_insert_with(|| line.split(' ').nth(1).unwrap().parse().unwrap());
    }
    if !is_bare {
        std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    }
    status.unwrap()
}

/// Sends requests over one connection, many at a time.
fn send(port: u16, numbers: impl Iterator<Item = usize>) -> BTreeSet<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let numbers: Vec<_> = numbers.collect();
    let mut statuses = BTreeSet::new();
    for numbers in numbers.chunks(PIPELINED) {
        let mut text = String::new();
        let are_bare: Vec<_> = numbers.iter().map(|n| request(&mut text, *n)).collect();
        stream.write_all(text.as_bytes()).unwrap();
        statuses.extend(are_bare.into_iter().map(|is_bare| answer(&mut reader, is_bare)));
    }
    statuses
}

/// What is no request at all is refused with the connection, and is nobody's series either.
fn send_malformed(port: u16) {
    for method in ["G T", "G\u{1}T", "@", "GÉT", ""] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
        let text = format!("{method} {} HTTP/1.1\r\nhost: {}\r\n\r\n", filled("/*"), filled("*"));
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 4"), "{method:?}: {answer:?}");
    }
}

/// The series of the exposition, without values.
fn series(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

/// The sum of all samples of a name.
fn total(text: &str, name: &str) -> f64 {
    let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

/// The exposition, once it tells of at least so many requests.
fn exposition(collector: &Collector, requests: usize) -> String {
    let client = Client::new(format!("http://127.0.0.1:{}", collector.port("EXPOSITION_PORT")));
    eventually(SOON, &format!("{requests} requests in the exposition"), || {
        let text = client.get("/metrics").expect(200).body;
        let seen = total(&text, "bangui_http_requests_total");
        expect(seen >= requests as f64, format!("{seen}")).map(|()| text)
    })
}

fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    own.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hundred_thousand_made_up_requests_make_no_series() {
    let _turn = heavy();
    let collector = Collector::start_with(&[("COLLECTOR_METRIC_EXPIRATION", "10m")]);
    // Logs and traces of the requests would only take time here.
    let mut bangui = Bangui::builder()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
        .env("OTEL_TRACES_SAMPLER", "always_off")
        .export_often()
        .start();
    let level = json!({ "level": "critical" });
    bangui.admin().put("/api/settings/log-level", &level).expect(200);
    let (port, id) = (bangui.port(), bangui.process().id());
    // Each kind a few times: whatever series may exist, exist then, and the memory is warm.
    let kinds = METHODS.len() * TARGETS.len() * 50;
    let statuses = send(port, 0..kinds);
    // The sign-in and the level are requests, too.
    let first = kinds + 2;
    send_malformed(port);
    let before = exposition(&collector, first);
    let requested = |series: &str| series.contains("endpoint=") || series.contains("http_request_");
    let known: BTreeSet<_> = series(&before).into_iter().filter(|it| requested(it)).collect();
    assert!(known.len() > 100, "{known:#?}");
    let resident = resident_kib(id);

    let started = Instant::now();
    thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let own = (0..REQUESTS).skip(connection).step_by(CONNECTIONS);
            scope.spawn(move || send(port, own));
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let after = exposition(&collector, first + REQUESTS);
    let grown = resident_kib(id).saturating_sub(resident);
    let all: BTreeSet<_> = series(&after).into_iter().filter(|it| requested(it)).collect();
    let new: Vec<_> = all.difference(&known).collect();
    assert!(new.is_empty(), "new series: {new:#?}");
    assert!(grown < GROWTH_MAX_KIB, "{resident} KiB before and {grown} KiB more after");
    // Not by being left out: all are counted, under words of ours.
    assert_eq!(total(&after, "bangui_http_requests_total"), (first + REQUESTS) as f64);
    assert!(!after.to_lowercase().contains(MARK), "something made up is in the exposition");
    assert!(after.contains("endpoint=\"other\"") && after.contains("method=\"_OTHER\""));
    let count = all.len();
    println!("{seconds:.1} s, {count} series, {resident} + {grown} KiB, statuses {statuses:?}");
}
