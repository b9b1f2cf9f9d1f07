//! What one line of the log costs: BanGUI's path, sanitizing included, against a write(2) of the
//! finished line and against tracing-subscriber's own JSON.
//!
//! Each contestant runs in a process of its own, because tracing and OpenTelemetry are installed
//! for a whole process, and because every thread's CPU time must count. This binary therefore
//! starts itself with the contestant's name in `BENCH_ONLY` and a file as stdout. The same
//! variable serves a profiler, which then sees nothing but that contestant.
#![expect(clippy::print_stdout, reason = "the table on stdout is what a benchmark is for")]
#![expect(clippy::print_stderr, reason = "a failure must not look like a part of the table")]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use bangui::config::{Export, Log, LogLevel};
use bangui::telemetry::Telemetry;
use bangui::telemetry::span::Remote;
use nix::sys::resource::UsageWho;
use serde_json::Value;
use support::{Bound, Goal, Result, Rounds};
use tracing::field::Empty;

/// Lines of one measured process.
const EVENTS: u64 = 100_000;
/// Lines of a process that shows what the start costs, which is then taken off.
const EVENTS_OF_START: u64 = 1_000;
/// Starts to take the median of.
const STARTS: usize = 11;

// One event: what an answered request says. Two of the numbers change from event to event, so
// that no contestant can repeat a line it has made before.
const TARGET: &str = "bangui::http::observe";
const EVENT: &str = "http_request_completed";
const METHOD: &str = "GET";
const ENDPOINT: &str = "/api/jails/{id}";
const STATUS_CODE: i64 = 200;
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID: &str = "00f067aa0ba902b7";
const CLIENT_IP: &str = "203.0.113.57";
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[expect(clippy::cast_precision_loss, reason = "the numbers are below two thousand")]
fn duration_ms(event: u64) -> f64 {
    (1_000 + event % 1_000) as f64 / 1_000.0
}

fn bytes(event: u64) -> u64 {
    5_000 + event % 1_000
}

/// Where an event's context comes from.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    /// Ids and address stand in the span around it, as in the product.
    Span,
    /// There is no span: all ten are fields of the event. The ids have other names, because the
    /// product keeps its own three for itself.
    Event,
}

/// Somebody who writes so many lines to stdout.
struct Contestant {
    name: &'static str,
    what: &'static str,
    context: Context,
    run: fn(u64) -> Result<()>,
}

const WRITE: usize = 0;
const BANGUI: usize = 1;
const BANGUI_BARE: usize = 2;
const TRACING: usize = 3;
const TRACING_BARE: usize = 4;

const CONTESTANTS: [Contestant; 5] = [
    Contestant {
        name: "write",
        what: "write(2) of the finished line",
        context: Context::Span,
        run: write_finished,
    },
    Contestant { name: "bangui", what: "BanGUI, in a span", context: Context::Span, run: bangui },
    Contestant {
        name: "bangui-bare",
        what: "BanGUI, without a span",
        context: Context::Event,
        run: bangui_bare,
    },
    Contestant {
        name: "tracing",
        what: "tracing-subscriber json, in a span",
        context: Context::Span,
        run: tracing_json,
    },
    Contestant {
        name: "tracing-bare",
        what: "tracing-subscriber json, without a span",
        context: Context::Event,
        run: tracing_json_bare,
    },
];

fn main() -> ExitCode {
    support::run("log_path", run_only, compare)
}

fn run_only(name: &str) -> Result<()> {
    let found = CONTESTANTS.iter().find(|contestant| contestant.name == name);
    let names = CONTESTANTS.map(|contestant| contestant.name).join(", ");
    let contestant = found.ok_or_else(|| format!("BENCH_ONLY={name} is none of {names}"))?;
    (contestant.run)(support::number_from_env("BENCH_EVENTS", EVENTS)?)
}

// The contestants.

/// Stdout without the buffer and the lock of the standard library.
fn unbuffered_stdout() -> Result<File> {
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

/// The limit: what no logger that writes line by line can go below. The line has the documented
/// keys and the ten fields, and nothing that a logger might add to them.
fn write_finished(events: u64) -> Result<()> {
    let line = format!(
        "{{\"timestamp\":\"2026-11-23T14:02:17.482913+00:00\",\"level\":\"info\",\
         \"logger_name\":\"app.http.observe\",\"event\":\"{EVENT}\",\
         \"correlation_id\":\"{TRACE_ID}\",\"trace_id\":\"{TRACE_ID}\",\"span_id\":\"{SPAN_ID}\",\
         \"method\":\"{METHOD}\",\"endpoint\":\"{ENDPOINT}\",\"status_code\":{STATUS_CODE},\
         \"duration_ms\":{:.3},\"client_ip\":\"{CLIENT_IP}\",\"user_agent\":\"{USER_AGENT}\",\
         \"bytes\":{}}}\n",
        duration_ms(0),
        bytes(0),
    );
    let mut out = unbuffered_stdout()?;
    for _ in 0..events {
        out.write_all(std::hint::black_box(line.as_bytes()))?;
    }
    Ok(())
}

fn start_bangui() -> Result<Telemetry> {
    let log = Log { level: LogLevel::Info, suppress_third_party: true };
    Ok(Telemetry::start(log, &Export::default())?)
}

/// The product: a request's span with the fields that `http::observe` gives it, continued from a
/// caller so that its trace id is known, and the line of that request.
fn bangui(events: u64) -> Result<()> {
    let telemetry = start_bangui()?;
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = "GET /api/jails/{id}",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = METHOD,
        http.route = ENDPOINT,
        http.response.status_code = Empty,
        url.path = "/api/jails/sshd",
        url.scheme = "https",
        network.protocol.version = "1.1",
        client.address = CLIENT_IP,
        user_agent.original = USER_AGENT,
        user.id = Empty,
        error.type = Empty,
    );
    let header = format!("00-{TRACE_ID}-{SPAN_ID}-01");
    Remote::from_header(Some(&header), true).place(&span);
    span.in_scope(|| {
        for event in 0..events {
            tracing::info!(
                name: "http_request_completed",
                target: TARGET,
                method = METHOD,
                endpoint = ENDPOINT,
                status_code = STATUS_CODE,
                duration_ms = duration_ms(event),
                user_agent = USER_AGENT,
                bytes = bytes(event),
            );
        }
    });
    drop(span);
    telemetry.shutdown();
    Ok(())
}

fn bangui_bare(events: u64) -> Result<()> {
    let telemetry = start_bangui()?;
    for event in 0..events {
        tracing::info!(
            name: "http_request_completed",
            target: TARGET,
            method = METHOD,
            endpoint = ENDPOINT,
            status_code = STATUS_CODE,
            duration_ms = duration_ms(event),
            request_id = TRACE_ID,
            caller_trace_id = TRACE_ID,
            caller_span_id = SPAN_ID,
            client_ip = CLIENT_IP,
            user_agent = USER_AGENT,
            bytes = bytes(event),
        );
    }
    telemetry.shutdown();
    Ok(())
}

/// The peer, in the way that is fastest for it: no lock, no buffer between it and the file.
fn start_tracing_json(is_in_span: bool) -> Result<()> {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(is_in_span)
        .with_span_list(false)
        .with_max_level(tracing::Level::INFO)
        .with_writer(Arc::new(unbuffered_stdout()?))
        .finish();
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

fn tracing_json(events: u64) -> Result<()> {
    start_tracing_json(true)?;
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        correlation_id = TRACE_ID,
        trace_id = TRACE_ID,
        span_id = SPAN_ID,
        client_ip = CLIENT_IP,
    );
    span.in_scope(|| {
        for event in 0..events {
            tracing::info!(
                target: TARGET,
                method = METHOD,
                endpoint = ENDPOINT,
                status_code = STATUS_CODE,
                duration_ms = duration_ms(event),
                user_agent = USER_AGENT,
                bytes = bytes(event),
                "http_request_completed"
            );
        }
    });
    Ok(())
}

fn tracing_json_bare(events: u64) -> Result<()> {
    start_tracing_json(false)?;
    for event in 0..events {
        tracing::info!(
            target: TARGET,
            method = METHOD,
            endpoint = ENDPOINT,
            status_code = STATUS_CODE,
            duration_ms = duration_ms(event),
            request_id = TRACE_ID,
            caller_trace_id = TRACE_ID,
            caller_span_id = SPAN_ID,
            client_ip = CLIENT_IP,
            user_agent = USER_AGENT,
            bytes = bytes(event),
            "http_request_completed"
        );
    }
    Ok(())
}

// The comparison.

/// Runs a contestant in a process of its own; gives its CPU seconds and the length of what it
/// wrote. `look` may read the file before it goes, which is before the disk has to take it.
fn process(
    contestant: &Contestant,
    events: u64,
    look: impl FnOnce(&Path) -> Result<()>,
) -> Result<(f64, u64)> {
    // The disk of target/, as memory would be cheaper to write to than what a service has.
    let name = format!("log_path.{}.jsonl", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.env("BENCH_ONLY", contestant.name).env("BENCH_EVENTS", events.to_string()).stdout(file);
    let before = support::cpu_time(UsageWho::RUSAGE_CHILDREN)?;
    let status = command.status()?;
    let cpu = support::cpu_time(UsageWho::RUSAGE_CHILDREN)? - before;
    if !status.success() {
        return Err(format!("{} ended with {status}", contestant.name).into());
    }
    let length = std::fs::metadata(&path)?.len();
    look(&path)?;
    std::fs::remove_file(&path)?;
    Ok((cpu.as_secs_f64(), length))
}

/// Every line is JSON and says what it should, and none is missing or out of order.
fn verify(contestant: &Contestant, path: &Path) -> Result<()> {
    let mut events = 0;
    for line in BufReader::new(File::open(path)?).lines() {
        let line = line?;
        // The finished line is always the first event's.
        let event = if contestant.name == CONTESTANTS[WRITE].name { 0 } else { events };
        let wrong = serde_json::from_str(&line)
            .map_err(|error| error.to_string())
            .and_then(|value| verify_line(contestant.context, event, &value));
        wrong.map_err(|what| format!("{}, line {events}: {what}: {line}", contestant.name))?;
        events += 1;
    }
    if events == EVENTS {
        return Ok(());
    }
    Err(format!("{} wrote {events} lines instead of {EVENTS}", contestant.name).into())
}

fn verify_line(context: Context, event: u64, line: &Value) -> std::result::Result<(), String> {
    let ids = match context {
        Context::Span => ["correlation_id", "trace_id"],
        Context::Event => ["request_id", "caller_trace_id"],
    };
    let expected: [(&str, Value); 9] = [
        ("method", METHOD.into()),
        ("endpoint", ENDPOINT.into()),
        ("status_code", STATUS_CODE.into()),
        (ids[0], TRACE_ID.into()),
        (ids[1], TRACE_ID.into()),
        ("client_ip", CLIENT_IP.into()),
        ("user_agent", USER_AGENT.into()),
        ("duration_ms", duration_ms(event).into()),
        ("bytes", bytes(event).into()),
    ];
    // tracing-subscriber keeps a span's fields in an object of their own.
    let field = |key: &str| line.get(key).or_else(|| line.get("span")?.get(key));
    for (key, value) in &expected {
        // A number may be written as 200 or 200.0; a text has only one form.
        let is_same = field(key).is_some_and(|it| match value {
            Value::String(_) => it == value,
            _ => it.as_f64().is_some_and(|number| Some(number) == value.as_f64()),
        });
        if !is_same {
            return Err(format!("{key} should be {value}"));
        }
    }
    let text = |key: &str| field(key).and_then(Value::as_str).unwrap_or_default();
    let id = if context == Context::Span { text("span_id") } else { text("caller_span_id") };
    if id.len() != SPAN_ID.len() || !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err("no id of a span".into());
    }
    if ![text("event"), text("message")].contains(&EVENT) {
        return Err("no name of the event".into());
    }
    let is_stamped = !text("timestamp").is_empty() && text("level").eq_ignore_ascii_case("info");
    if is_stamped { Ok(()) } else { Err("no timestamp or level".into()) }
}

/// CPU seconds until a contestant is ready to write, and from its last line to its end.
fn starts() -> Result<Vec<f64>> {
    let mut starts = Vec::new();
    for contestant in &CONTESTANTS {
        let mut figures = Vec::new();
        for _ in 0..STARTS {
            figures.push(process(contestant, EVENTS_OF_START, |_| Ok(()))?.0);
        }
        starts.push(support::median(figures));
    }
    Ok(starts)
}

#[expect(clippy::cast_precision_loss, reason = "lines and bytes are far below 2^52")]
fn compare() -> Result<()> {
    let machine = support::machine();
    let mut lengths = Vec::new();
    for contestant in &CONTESTANTS {
        let (_, length) = process(contestant, EVENTS, |path| verify(contestant, path))?;
        lengths.push(length);
    }
    let starts = starts()?;
    let rounds = Rounds::run(CONTESTANTS.len(), |number| {
        let contestant = &CONTESTANTS[number];
        let (cpu, length) = process(contestant, EVENTS, |_| Ok(()))?;
        // All of a contestant's runs say the same, so the length shows that nothing was lost.
        match length == lengths[number] {
            true => Ok(cpu),
            false => Err(format!("{} wrote another length: {length}", contestant.name).into()),
        }
    })?;
    // The start, with its few lines, is taken off both.
    let lines = (EVENTS - EVENTS_OF_START) as f64;
    let cost: Vec<f64> =
        rounds.medians.iter().zip(&starts).map(|(all, start)| (all - start) / lines).collect();
    println!(
        "\n### One line of the log, to a file\n\n{machine} {EVENTS} lines a turn; {rounds}.\n"
    );
    println!("| | CPU a line | against write(2) | bytes a line | start |\n|---|---|---|---|---|");
    for (number, contestant) in CONTESTANTS.iter().enumerate() {
        println!(
            "| {} | {:.0} ns | {:.2}× | {:.0} | {:.1} ms |",
            contestant.what,
            cost[number] * 1e9,
            cost[number] / cost[WRITE],
            lengths[number] as f64 / EVENTS as f64,
            starts[number] * 1e3,
        );
    }
    print!("\n{}", support::goals_table(&goals(&cost)));
    Ok(())
}

fn goals(cost: &[f64]) -> Vec<Goal> {
    let against_write = |what: &str, own: usize| Goal {
        what: format!("CPU against write(2) of the finished line, {what}"),
        ratio: cost[own] / cost[WRITE],
        bound: Bound::AtMost(2.0),
    };
    let against_tracing = |what: &str, own: usize, peer: usize| Goal {
        what: format!("times faster than tracing-subscriber json, {what}"),
        ratio: cost[peer] / cost[own],
        bound: Bound::AtLeast(2.5),
    };
    vec![
        against_write("in a span", BANGUI),
        against_write("without a span", BANGUI_BARE),
        against_tracing("both in a span", BANGUI, TRACING),
        against_tracing("both without a span", BANGUI_BARE, TRACING_BARE),
    ]
}
