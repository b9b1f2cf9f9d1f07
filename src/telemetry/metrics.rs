//! The instruments, and one plain function for each fact that an edge reports.
//!
//! Edges name facts, not instruments: they call these functions, which do nothing before
//! telemetry is initialised (in unit tests, in one-shot commands). Names and units follow the
//! semantic conventions where there is one; `telemetry/metrics.yaml` declares the rest.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    Counter, Histogram, Meter, MeterProvider as _, ObservableCounter, ObservableGauge,
    UpDownCounter,
};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};

use super::{counts, sanitize, scheduled};

/// Bounds of every duration, in seconds: from half a millisecond, because that is what a request
/// costs here, to the ten seconds at which it is given up.
const DURATION_BOUNDS_SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Series per instrument beyond this fall into one overflow series.
const SERIES_MAX: usize = 1000;

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
/// Counts of the domain; negative means unknown, and then nothing is observed.
static BANS: AtomicI64 = AtomicI64::new(-1);
static JAILS: AtomicI64 = AtomicI64::new(-1);

struct Instruments {
    http_request_duration: Histogram<f64>,
    http_active_requests: UpDownCounter<i64>,
    rpc_call_duration: Histogram<f64>,
    fail2ban_command_duration: Histogram<f64>,
    fail2ban_connection_errors: Counter<u64>,
    db_operation_duration: Histogram<f64>,
    task_duration: Histogram<f64>,
    lock_takeovers: Counter<u64>,
    lock_heartbeats_lost: Counter<u64>,
    lock_held_by_other: Counter<u64>,
    // Kept because dropping an observable instrument ends its callbacks.
    _gauges: [ObservableGauge<u64>; 4],
    _ages: [ObservableGauge<f64>; 2],
    _counters: [ObservableCounter<u64>; 4],
}

/// Creates the instruments. Called once, by telemetry's start.
pub(super) fn install(provider: &SdkMeterProvider) {
    let meter = provider.meter("bangui");
    let seconds = |name: &'static str, description: &'static str| {
        meter.f64_histogram(name).with_unit("s").with_description(description).build()
    };
    let instruments = Instruments {
        http_request_duration: seconds(
            "http.server.request.duration",
            "Duration of HTTP server requests.",
        ),
        http_active_requests: meter
            .i64_up_down_counter("http.server.active_requests")
            .with_unit("{request}")
            .with_description("Number of active HTTP server requests.")
            .build(),
        rpc_call_duration: seconds(
            "rpc.server.call.duration",
            "Duration of gRPC calls, to the end of their answers.",
        ),
        fail2ban_command_duration: seconds(
            "bangui.fail2ban.command.duration",
            "Duration of commands sent to fail2ban, the wait for their turn included.",
        ),
        fail2ban_connection_errors: meter
            .u64_counter("bangui.fail2ban.connection.errors")
            .with_unit("{error}")
            .with_description("Failures to reach fail2ban or to keep its connection.")
            .build(),
        db_operation_duration: seconds(
            "db.client.operation.duration",
            "Duration of database client operations.",
        ),
        task_duration: seconds("bangui.task.duration", "Duration of runs of scheduled tasks."),
        lock_takeovers: lock_counter(&meter, LockCount::Takeovers),
        lock_heartbeats_lost: lock_counter(&meter, LockCount::HeartbeatsLost),
        lock_held_by_other: lock_counter(&meter, LockCount::HeldByOther),
        _gauges: [
            gauge(&meter, "bangui.bans.total", "{ban}", "Bans in force, over all jails.", &BANS),
            gauge(&meter, "bangui.jails.total", "{jail}", "Jails of fail2ban.", &JAILS),
            meter
                .u64_observable_gauge("bangui.log.buffered")
                .with_unit("{record}")
                .with_description("Log records that the collector has not acknowledged yet.")
                .with_callback(|observer| observer.observe(counts::buffered(), &[]))
                .build(),
            meter
                .u64_observable_gauge("bangui.scheduler.lock.held")
                .with_unit("{lock}")
                .with_description("1 while this instance runs the scheduled tasks, else 0.")
                .with_callback(|observer| {
                    scheduled::lock_held().into_iter().for_each(|held| observer.observe(held, &[]));
                })
                .build(),
        ],
        _ages: ages(&meter),
        _counters: log_counters(&meter),
    };
    // The series exists from the start, so that an alert on its increase sees the first one.
    instruments.fail2ban_connection_errors.add(0, &[]);
    let _ = INSTRUMENTS.set(instruments);
}

/// What is counted of the scheduler's lock.
enum LockCount {
    Takeovers,
    HeartbeatsLost,
    HeldByOther,
}

fn lock_counter(meter: &Meter, count: LockCount) -> Counter<u64> {
    let (name, unit, description) = match count {
        LockCount::Takeovers => (
            "bangui.scheduler.lock.takeovers",
            "{takeover}",
            "Stale locks that were taken over from another instance.",
        ),
        LockCount::HeartbeatsLost => (
            "bangui.scheduler.lock.heartbeats_lost",
            "{loss}",
            "Times that the lock was lost while it was held.",
        ),
        LockCount::HeldByOther => (
            "bangui.scheduler.lock.held_by_other",
            "{report}",
            "Reports that another instance holds the lock, one a minute at most.",
        ),
    };
    let counter = meter.u64_counter(name).with_unit(unit).with_description(description).build();
    // As with the errors of fail2ban's connection: alerts must see the first one.
    counter.add(0, &[]);
    counter
}

/// Seconds since something happened, which grow while nothing is reported.
fn ages(meter: &Meter) -> [ObservableGauge<f64>; 2] {
    let age = |name: &'static str, description: &'static str| {
        meter.f64_observable_gauge(name).with_unit("s").with_description(description)
    };
    [
        age(
            "bangui.scheduler.lock.age",
            "Time since the last heartbeat of the lock's holder, as this instance knows it.",
        )
        .with_callback(|observer| {
            scheduled::lock_age_seconds().into_iter().for_each(|age| observer.observe(age, &[]));
        })
        .build(),
        age("bangui.task.last_success.age", "Time since the last success of a scheduled task.")
            .with_callback(|observer| {
                for (task, age) in scheduled::success_ages_seconds() {
                    observer.observe(age, &[KeyValue::new("bangui.task.name", task)]);
                }
            })
            .build(),
    ]
}

/// What the log path counts about itself; the instruments only read.
fn log_counters(meter: &Meter) -> [ObservableCounter<u64>; 4] {
    let level = |level: &'static str| [KeyValue::new("bangui.log.level", level)];
    let reason = |reason: &'static str| [KeyValue::new("bangui.log.lost.reason", reason)];
    let rule = |rule: &'static str| [KeyValue::new("bangui.sanitizer.rule", rule)];
    [
        meter
            .u64_observable_counter("bangui.log.records")
            .with_unit("{record}")
            .with_description("Log records, by level.")
            .with_callback(move |observer| {
                counts::lines().for_each(|(name, count)| observer.observe(count, &level(name)));
            })
            .build(),
        meter
            .u64_observable_counter("bangui.log.delivered")
            .with_unit("{record}")
            .with_description("Log records that the collector has acknowledged.")
            .with_callback(|observer| observer.observe(counts::all_delivered(), &[]))
            .build(),
        meter
            .u64_observable_counter("bangui.log.lost")
            .with_unit("{record}")
            .with_description("Log records that an output never got, by reason.")
            .with_callback(move |observer| {
                let lost = counts::lost().into_iter();
                lost.for_each(|(name, count)| observer.observe(count, &reason(name)));
            })
            .build(),
        meter
            .u64_observable_counter("bangui.sanitizer.redactions")
            .with_unit("{redaction}")
            .with_description("Secrets that were taken out of telemetry, by rule.")
            .with_callback(move |observer| {
                let hits = sanitize::hits().into_iter();
                hits.for_each(|(name, count)| observer.observe(count, &rule(name)));
            })
            .build(),
    ]
}

fn gauge(
    meter: &Meter,
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    value: &'static AtomicI64,
) -> ObservableGauge<u64> {
    meter
        .u64_observable_gauge(name)
        .with_unit(unit)
        .with_description(description)
        .with_callback(|observer| {
            if let Ok(value) = u64::try_from(value.load(Ordering::Relaxed)) {
                observer.observe(value, &[]);
            }
        })
        .build()
}

/// Gives every duration its bounds and every instrument its limit.
pub(super) fn view(instrument: &Instrument) -> Option<Stream> {
    let stream = Stream::builder().with_cardinality_limit(SERIES_MAX);
    let stream = if instrument.name().ends_with(".duration") {
        stream.with_aggregation(Aggregation::ExplicitBucketHistogram {
            boundaries: DURATION_BOUNDS_SECONDS.to_vec(),
            record_min_max: false,
        })
    } else {
        stream
    };
    stream.build().ok()
}

/// Attributes of one HTTP request that are known before it is handled.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest {
    /// The method, or `_OTHER`.
    pub method: &'static str,
    /// The template of the route; nothing when no route matches.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
}

impl HttpRequest {
    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("url.scheme", self.scheme),
        ];
        attributes.extend(self.route.map(|route| KeyValue::new("http.route", route)));
        attributes
    }
}

/// A request was begun (+1) or is over (−1).
pub fn http_active_requests(request: &HttpRequest, change: i64) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.http_active_requests.add(change, &request.attributes());
    }
}

/// A request was answered, or given up by its client (then there is no status).
pub fn http_request(request: &HttpRequest, status_code: u16, seconds: f64, error: Option<String>) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = request.attributes();
    attributes.push(KeyValue::new("http.response.status_code", i64::from(status_code)));
    attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
    instruments.http_request_duration.record(seconds, &attributes);
}

/// A gRPC call is over, with the name of its status.
pub fn rpc_call(
    method: &'static str,
    status: &'static str,
    seconds: f64,
    error_type: Option<&'static str>,
) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = vec![
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", method),
        KeyValue::new("rpc.response.status_code", status),
    ];
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.rpc_call_duration.record(seconds, &attributes);
}

/// A command was answered by fail2ban, or failed with the given kind of error.
pub fn fail2ban_command(command: &'static str, seconds: f64, error_type: Option<&'static str>) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = vec![KeyValue::new("bangui.fail2ban.command", command)];
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.fail2ban_command_duration.record(seconds, &attributes);
}

/// fail2ban could not be reached, or its connection was lost.
pub fn fail2ban_connection_error() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.fail2ban_connection_errors.add(1, &[]);
    }
}

/// A statement was run by the database, or failed with the given kind of error.
pub fn db_operation(
    operation: &'static str,
    collection: &'static str,
    seconds: f64,
    error_type: Option<&'static str>,
) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = vec![
        KeyValue::new("db.system.name", "sqlite"),
        KeyValue::new("db.operation.name", operation),
        KeyValue::new("db.collection.name", collection),
    ];
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.db_operation_duration.record(seconds, &attributes);
}

/// How many bans and jails there are; nothing while fail2ban is unreachable.
pub fn set_counts(counts: Option<(usize, usize)>) {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (bans, jails) = counts.map_or((-1, -1), |(bans, jails)| (number(bans), number(jails)));
    BANS.store(bans, Ordering::Relaxed);
    JAILS.store(jails, Ordering::Relaxed);
}

/// A run of a scheduled task is over; it failed with the given kind of error.
pub fn task(task: &'static str, seconds: f64, error_type: Option<&'static str>) {
    if error_type.is_none() {
        scheduled::task_succeeded(task);
    }
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = vec![KeyValue::new("bangui.task.name", task)];
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.task_duration.record(seconds, &attributes);
}

/// Whether this instance holds the scheduler's lock, and how old the holder's heartbeat is.
pub fn set_scheduler_lock(is_held: bool, age_seconds: Option<f64>) {
    scheduled::set_lock(is_held, age_seconds);
}

/// A stale lock was taken over from another instance.
pub fn scheduler_lock_taken_over() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_takeovers.add(1, &[]);
    }
}

/// The lock was lost while it was held.
pub fn scheduler_lock_heartbeat_lost() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_heartbeats_lost.add(1, &[]);
    }
}

/// It was told that another instance holds the lock.
pub fn scheduler_lock_held_by_other() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.lock_held_by_other.add(1, &[]);
    }
}
