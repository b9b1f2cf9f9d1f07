//! The documented queries say what happened: known traffic through BanGUI and the collector into a
//! real Prometheus, and its answers held against what the requests themselves were.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{scope, sleep, spawn};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    Answer, Bangui, Client, Collector, Fail2ban, Monitor, SOON, Series, eventually, expect, patient,
};

/// The window of the documented queries.
const WINDOW_SECONDS: f64 = 300.0;
/// The documented bounds of the histogram.
const BOUNDS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// A line of the log has whole microseconds, the metric has not.
const ROUNDING_SECONDS: f64 = 0.6e-6;

/// A socket that hangs up on everybody, and counts.
struct HangUp {
    path: PathBuf,
    count: Arc<AtomicUsize>,
    /// Whoever has it keeps the next caller waiting.
    turn: Arc<Mutex<()>>,
}

impl HangUp {
    fn listen(folder: &Path) -> Self {
        let path = folder.join("fail2ban.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (count, turn) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(())));
        let (own_count, own_turn) = (Arc::clone(&count), Arc::clone(&turn));
        // It ends with the test's process; nobody connects once BanGUI has ended.
        spawn(move || {
            for stream in listener.incoming() {
                let _turn = own_turn.lock().unwrap();
                drop(stream);
                own_count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { path, count, turn }
    }
}

/// BanGUI with a fail2ban, another one without, and the Prometheus that asks both.
struct Setup {
    with: Bangui,
    without: Bangui,
    hang_up: HangUp,
    prometheus: Monitor,
    collector: Collector,
    _folder: TempDir,
}

impl Setup {
    fn start(fail2ban: &Fail2ban) -> Self {
        let collector = Collector::start_with(&[("BANGUI_HOST_METRICS_ENABLED", "true")]);
        let upstream = format!("http://127.0.0.1:{}/metrics", collector.port("EXPOSITION_PORT"));
        let builder = || {
            let builder =
                Bangui::builder().env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
            builder.env("BANGUI_METRICS_UPSTREAM_URL", &upstream).export_often()
        };
        let folder = tempfile::tempdir().unwrap();
        let hang_up = HangUp::listen(folder.path());
        let with = builder().fail2ban(fail2ban).start();
        let without = builder().socket(&hang_up.path).start();
        let targets = [&with, &without].map(|it| format!("127.0.0.1:{}", it.port()));
        let own = |name: &str| format!("127.0.0.1:{}", collector.port(name));
        let settings = [
            ("PROMETHEUS_COLLECTOR_TARGET", own("TELEMETRY_PORT")),
            ("PROMETHEUS_HOST_TARGET", own("EXPOSITION_PORT")),
        ];
        let prometheus = Monitor::start(&targets, &settings);
        Self { with, without, hang_up, prometheus, collector, _folder: folder }
    }

    /// Waits until all series of a query together have this value.
    fn wait_for(&self, series: &str, value: usize) {
        self.wait_within(SOON, series, value);
    }

    fn wait_within(&self, limit: Duration, series: &str, value: usize) {
        let query = format!("sum({series})");
        eventually(limit, &format!("{series} to be {value}"), || {
            let seen = self.prometheus.value(&query)?;
            expect(is_same(seen, value), format!("{seen}"))
        });
    }

    fn wait_for_any(&self, series: &str) {
        eventually(SOON, series, || {
            expect(!self.prometheus.query(series).is_empty(), self.collector.said())
        });
    }

    /// The moment of the last scrape, for queries that belong together.
    fn now(&self) -> f64 {
        let times = self.prometheus.query("timestamp(up{job=\"bangui\"})");
        times.iter().map(|it| it.samples[0].1).fold(0.0, f64::max)
    }

    /// Makes requests of each kind, and waits until Prometheus has seen them.
    fn send(&self, fail2ban: &mut Fail2ban, (admin, other): (&Client, &Client), amounts: Amounts) {
        for _ in 0..amounts.jails {
            admin.get("/api/jails").expect(200);
        }
        for _ in 0..amounts.bans {
            ban(admin).expect(201);
        }
        for _ in 0..amounts.slow {
            slow_ban(fail2ban, admin);
        }
        for _ in 0..amounts.failures {
            ban(other).expect(503);
        }
        for (service, endpoint) in
            [(&self.with, "/api/jails"), (&self.with, "/api/bans"), (&self.without, "/api/bans")]
        {
            let series = requests(service, endpoint, "");
            self.wait_for(&series, durations_seconds(service, endpoint).len());
        }
    }
}

/// How many requests of each kind.
struct Amounts {
    jails: usize,
    bans: usize,
    slow: usize,
    failures: usize,
}

#[test]
fn documented_queries_tell_what_happened() {
    let _turn = patient();
    let mut fail2ban = Fail2ban::start();
    let setup = Setup::start(&fail2ban);
    let (admin, other) = (setup.with.admin(), setup.without.admin());
    setup.with.wait_for_fail2ban(&admin);

    // A rate needs a series that was there before what it is to see.
    let clients = (&admin, &other);
    let amounts = Amounts { jails: 30, bans: 2, slow: 1, failures: 3 };
    setup.send(&mut fail2ban, clients, amounts);
    let before = setup.now();
    let amounts = Amounts { jails: 200, bans: 10, slow: 7, failures: 12 };
    setup.send(&mut fail2ban, clients, amounts);

    the_counts_are_exact(&setup, before);
    the_buckets_are_those_of_the_lines(&setup);
    the_quantiles_are_in_their_buckets(&setup);
    active_requests_come_and_go(&setup, &admin);
    connection_errors_are_as_many_as_connections_that_broke(&setup);
    the_collector_and_the_machine_are_there(&setup);
}

fn ban(client: &Client) -> Answer {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let ip = format!("198.51.100.{}", NEXT.fetch_add(1, Ordering::Relaxed));
    client.post("/api/bans", &json!({ "jail": "sshd", "ip": ip }))
}

/// A ban that takes a while, because fail2ban was stopped in the middle of what it does.
fn slow_ban(fail2ban: &mut Fail2ban, admin: &Client) {
    fail2ban.signal("STOP");
    scope(|scope| {
        scope.spawn(|| ban(admin).expect(201));
        sleep(Duration::from_millis(300));
        fail2ban.signal("CONT");
    });
}

/// Instant values and differences are exact; what Prometheus reckons to the ends of a window is
/// within what it may reckon.
fn the_counts_are_exact(setup: &Setup, before: f64) {
    let at = setup.now();
    for (series, total, since) in [
        (requests(&setup.with, "/api/jails", ",status_code=\"200\""), 230, 200),
        (requests(&setup.with, "/api/bans", ",status_code=\"201\""), 20, 17),
        (requests(&setup.without, "/api/bans", ",status_code=~\"5..\""), 15, 12),
    ] {
        let value = |at| one(&setup.prometheus.query_at(&series, at)).samples[0].1;
        assert!(is_same(value(at), total), "{series}: {} instead of {total}", value(at));
        assert!(is_same(value(at) - value(before), since), "{series} since {before}");
        assert_rate(&setup.prometheus, &series, at);
    }
    // The pattern of the documented query matches the class that stands for all of them.
    let documented = "rate(bangui_http_requests_total{status_code=~\"5..\"}[5m])";
    let rates = |query| {
        let series = setup.prometheus.query_at(query, at).into_iter();
        series.map(|it| (it.labels.to_string(), it.samples[0].1)).collect::<Vec<_>>()
    };
    let found = rates(documented);
    assert_eq!(found, rates("rate(bangui_http_requests_total{status_code=\"5xx\"}[5m])"));
    assert!(found.iter().any(|(_, rate)| *rate > 0.0), "{found:?}");
}

/// How many answers were at most so slow is known from the log.
fn the_buckets_are_those_of_the_lines(setup: &Setup) {
    let durations = durations_seconds(&setup.with, "/api/jails");
    assert_eq!(durations.len(), 230);
    for bound in BOUNDS_SECONDS {
        let labels = format!("{},endpoint=\"/api/jails\",le=\"{bound}\"", instance(&setup.with));
        let series = format!("bangui_http_request_duration_seconds_bucket{{{labels}}}");
        let seen = setup.prometheus.value(&series).unwrap();
        let at_most = |bound: f64| count(durations.iter().filter(|it| **it <= bound).count());
        let (low, high) = (at_most(bound - ROUNDING_SECONDS), at_most(bound + ROUNDING_SECONDS));
        assert!((low..=high).contains(&seen), "{series}: {seen} instead of {low} to {high}");
    }
}

/// A quantile is somewhere in the bucket that holds it. Prometheus reckons each bucket to the ends
/// of the window by itself, which moves it by a small share.
fn the_quantiles_are_in_their_buckets(setup: &Setup) {
    for endpoint in ["/api/jails", "/api/bans"] {
        let query = format!(
            "histogram_quantile(0.95, sum by (le) (\
             rate(bangui_http_request_duration_seconds_bucket{{endpoint=\"{endpoint}\"}}[5m])))"
        );
        let seen = setup.prometheus.value(&query).unwrap();
        let mut durations = durations_seconds(&setup.with, endpoint);
        durations.extend(durations_seconds(&setup.without, endpoint));
        durations.sort_by(f64::total_cmp);
        let (low, _) = bucket(quantile(&durations, 0.93));
        let (_, high) = bucket(quantile(&durations, 0.97));
        println!("95th percentile of {endpoint}: {seen} s, the lines say {low} to {high}");
        assert!((low..=high).contains(&seen), "{query}: {seen} instead of {low} to {high}");
        if endpoint == "/api/bans" {
            assert!(seen > 0.25, "the slow bans are not seen: {seen}");
        }
    }
}

fn active_requests_come_and_go(setup: &Setup, admin: &Client) {
    let series = "bangui_http_active_requests{endpoint=\"/api/events\"}";
    let cookie = &admin.headers().iter().find(|(name, _)| name == "cookie").unwrap().1;
    let streams: Vec<_> = (0..3).map(|_| event_stream(setup.with.port(), cookie)).collect();
    setup.wait_for(series, 3);
    drop(streams);
    setup.wait_for(series, 0);
}

/// Opens a stream of events that ends when it is dropped.
fn event_stream(port: u16, cookie: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request =
        format!("GET /api/events HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    stream
}

fn connection_errors_are_as_many_as_connections_that_broke(setup: &Setup) {
    // From here on whoever connects waits, and the count stands still.
    let turn = setup.hang_up.turn.lock().unwrap();
    let broken = setup.hang_up.count.load(Ordering::SeqCst);
    assert!(broken >= 15, "each request that failed had a connection of its own: {broken}");
    let errors =
        |service| format!("bangui_fail2ban_connection_errors_total{{{}}}", instance(service));
    setup.wait_for(&errors(&setup.without), broken);
    assert_rate(&setup.prometheus, &errors(&setup.without), setup.now());
    setup.wait_for(&errors(&setup.with), 0);
    drop(turn);
    // The gap in the gauge says the same. It follows the next look at fail2ban, which is up to a
    // minute away when the last one met a fail2ban that was stopped.
    const NEXT_LOOK: Duration = Duration::from_secs(80);
    let gauge = |service| format!("bangui_bans_total{{{}}}", instance(service));
    setup.wait_within(NEXT_LOOK, &gauge(&setup.with), 20);
    assert!(setup.prometheus.query(&gauge(&setup.without)).is_empty());
}

/// The names that rules take from elsewhere, as far as they are there without an outage.
fn the_collector_and_the_machine_are_there(setup: &Setup) {
    for series in [
        "otelcol_exporter_queue_size{exporter=\"otlp/jaeger\",data_type=\"traces\"}",
        "otelcol_exporter_queue_capacity{exporter=\"otlp/jaeger\",data_type=\"traces\"}",
        "otelcol_exporter_sent_log_records_total{exporter=\"file/logs\"}",
        "system_memory_usage_bytes{job=\"host\",state=\"used\"}",
    ] {
        setup.wait_for_any(series);
    }
    // Of the machine's metrics alone: the service's would be there twice.
    assert!(setup.prometheus.query("{job=\"host\",__name__=~\"(bangui|http)_.*\"}").is_empty());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let has_disk = mounts.lines().filter_map(|line| line.split(' ').nth(2)).any(|kind| {
        // Those that the collector looks at; a container may have none of its own.
        ["ext4", "xfs", "btrfs", "zfs"].contains(&kind)
    });
    if has_disk {
        let labels = "job=\"host\",device=~\".+\",mountpoint=~\".+\",state=\"free\"";
        setup.wait_for_any(&format!("system_filesystem_usage_bytes{{{labels}}}"));
    }
}

/// Holds a documented rate against the samples that Prometheus has: at least what was counted
/// between the first and the last of them, and no more than half a sample's time at either end.
fn assert_rate(prometheus: &Monitor, series: &str, at: f64) {
    let samples = one(&prometheus.query_at(&format!("{series}[5m]"), at)).samples;
    let rate = one(&prometheus.query_at(&format!("rate({series}[5m])"), at)).samples[0].1;
    let ((first_at, first), (last_at, last)) = (samples[0], *samples.last().unwrap());
    let covered = last_at - first_at;
    let pause = covered / count(samples.len() - 1);
    let (low, high) = ((last - first) / WINDOW_SECONDS, 1.0 + 2.2 * pause / covered);
    println!("rate({series}[5m]) is {rate}; {} in {covered:.1} s", last - first);
    assert!((low..=low * high).contains(&rate), "{series}: {rate} instead of {low} × 1 to {high}");
    assert!(rate > 0.0, "{series}: nothing was counted");
}

fn one(series: &[Series]) -> Series {
    assert_eq!(series.len(), 1, "{series:?}");
    series[0].clone()
}

/// The labels of a service's series.
fn instance(service: &Bangui) -> String {
    format!("instance=\"127.0.0.1:{}\"", service.port())
}

fn requests(service: &Bangui, endpoint: &str, more: &str) -> String {
    let labels = format!("{},endpoint=\"{endpoint}\"{more}", instance(service));
    format!("bangui_http_requests_total{{{labels}}}")
}

/// How long the requests to an endpoint took, as the log has it.
fn durations_seconds(service: &Bangui, endpoint: &str) -> Vec<f64> {
    let mut lines = service.events("http_request_completed");
    lines.retain(|line| line["endpoint"] == endpoint);
    lines.iter().map(|line| line["duration_ms"].as_f64().unwrap() / 1e3).collect()
}

/// The smallest value that so large a share of them does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * count(sorted.len())).ceil();
    sorted.iter().zip(1..).find(|(_, place)| count(*place) >= rank).map_or(0.0, |it| *it.0)
}

/// The bounds of the bucket that a duration is in.
fn bucket(seconds: f64) -> (f64, f64) {
    let place = BOUNDS_SECONDS.iter().position(|bound| seconds <= *bound).unwrap();
    (if place == 0 { 0.0 } else { BOUNDS_SECONDS[place - 1] }, BOUNDS_SECONDS[place])
}

fn is_same(value: f64, wanted: usize) -> bool {
    (value - count(wanted)).abs() < 1e-9
}

/// A small number as Prometheus has it.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
