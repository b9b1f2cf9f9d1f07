//! The story of the product on the whole real stack: a ban seen as a page, a log line, a metric
//! and a trace, and its end by an operator.
//!
//! `cargo test --test it story -- --nocapture` shows it as a transcript.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Client, Events, PASSWORD, SOON, Stack, assert_same, eventually, expect, fail2ban,
    line_of_otlp_json, parse,
};

const ATTACKER: &str = "203.0.113.77";
const MANUAL: &str = "203.0.113.78";
const FROM_A_SHELL: &str = "203.0.113.79";
/// "Within seconds": fail2ban polls its log once a second and BanGUI its log four times.
const SECONDS: Duration = Duration::from_secs(10);
/// Export every five seconds, a scrape every five seconds.
const METRICS_SOON: Duration = Duration::from_secs(30);

/// The documented metrics and their labels beside `job` and `instance`.
const METRICS: [(&str, &[&str]); 11] = [
    ("bangui_http_requests_total", &["endpoint", "method", "status_code"]),
    ("bangui_http_request_duration_seconds_bucket", &["endpoint", "le", "method"]),
    ("bangui_http_active_requests", &["endpoint", "method"]),
    ("bangui_bans_total", &[]),
    ("bangui_jails_total", &[]),
    ("bangui_fail2ban_connection_errors_total", &[]),
    ("bangui_scheduler_lock_held", &[]),
    ("bangui_scheduler_lock_age_seconds", &[]),
    ("bangui_scheduler_lock_takeovers_total", &[]),
    ("bangui_scheduler_lock_heartbeats_lost_total", &[]),
    ("bangui_scheduler_lock_held_by_other_total", &[]),
];

/// Prints the steps with their times.
struct Transcript(Instant);

impl Transcript {
    fn say(&self, text: impl std::fmt::Display) {
        println!("{:6.2} s  {text}", self.0.elapsed().as_secs_f64());
    }
}

#[test]
fn a_ban_is_seen_everywhere_and_an_operator_ends_it() {
    let told = Transcript(Instant::now());
    let stack = Stack::start();
    told.say("the stack is up: BanGUI, fail2ban, collector, Jaeger, Prometheus");
    let admin = stack.bangui().signed_in(PASSWORD);
    assert_eq!(admin.get("/api/bans").expect(200).json()["items"], json!([]));
    let events = Events::open(&admin);
    events.wait(SOON, "jail", |_| true);
    told.say("signed in; no bans; listening to /api/events");

    let shown_by = a_ban_is_seen(&told, &stack, &admin, &events);
    the_request_is_a_trace(&told, &stack, &admin, &shown_by);
    an_unban_is_a_trace(&told, &stack, &admin, &events);
    a_command_and_the_service_are_one_trace(&told, &stack);
    the_collectors_log_is_the_same(&told, &stack, &admin);
    the_documented_metrics_are_there(&told, &stack, &admin);

    drop(events);
    stack.finish();
    told.say("Ctrl-C: everything has ended, no process is left");
}

/// Returns the correlation id of the request that showed the ban.
fn a_ban_is_seen(told: &Transcript, stack: &Stack, admin: &Client, events: &Events) -> String {
    fail2ban::attack(&stack.file("auth.log"), ATTACKER);
    told.say(format!("three sshd failures of {ATTACKER} appended to auth.log"));
    let (shown_by, ban) = eventually(SECONDS, "the ban in GET /api/bans", || {
        let answer = admin.get("/api/bans").expect(200);
        let bans = answer.json();
        let found = bans["items"].as_array().unwrap().iter().find(|it| it["ip"] == ATTACKER);
        let found = found.map(|ban| (answer.correlation_id().to_owned(), ban.clone()));
        found.ok_or_else(|| bans.to_string())
    });
    told.say(format!("GET /api/bans shows it: {ban}"));
    assert_eq!(ban["jail"], "sshd");
    assert!(fail2ban::banned(&stack.file("fail2ban.sock"), "sshd").contains(&ATTACKER.into()));

    let line = wait_for_line(stack, "ban_observed", |line| line["ip"] == ATTACKER);
    assert_eq!((&line["jail"], &line["level"]), (&json!("sshd"), &json!("info")));
    told.say(format!("stdout says ban_observed: {line}"));

    let event = events.wait(SECONDS, "ban", |data| data["ip"] == ATTACKER);
    assert!(event.id.is_some(), "a live event has an id to resume from");
    assert_eq!(event.data["jail"], "sshd");
    assert_eq!(event.data["correlation_id"], line["correlation_id"]);
    told.say(format!("/api/events: ban {}", event.data));

    eventually(METRICS_SOON, "bangui_bans_total 1 at /metrics", || {
        let answer = stack.bangui().get("/metrics");
        let bans = answer.body.lines().find(|line| line.starts_with("bangui_bans_total"));
        expect(bans == Some("bangui_bans_total 1"), format!("{} {bans:?}", answer.status))
    });
    told.say("GET /metrics: bangui_bans_total 1");
    eventually(METRICS_SOON, "Prometheus' answer", || {
        let answer = stack.prometheus().get("/api/v1/query?query=bangui_bans_total").json();
        let value = &answer["data"]["result"][0]["value"][1];
        expect(value == "1", answer.to_string())
    });
    told.say("Prometheus' query API: bangui_bans_total is 1");
    wait_for_trace(stack, line["correlation_id"].as_str().unwrap(), "observe bans");
    told.say("the observation itself is a trace in Jaeger (observe bans)");
    shown_by
}

fn the_request_is_a_trace(told: &Transcript, stack: &Stack, admin: &Client, shown_by: &str) {
    let line =
        wait_for_line(stack, "http_request_completed", |line| line["correlation_id"] == shown_by);
    assert_eq!(line["trace_id"], shown_by);
    assert_eq!(line["endpoint"], "/api/bans");
    assert_eq!((&line["method"], &line["status_code"]), (&json!("GET"), &json!(200)));
    told.say(format!("x-correlation-id {shown_by} is in the line http_request_completed"));
    wait_for_trace(stack, shown_by, "GET /api/bans");
    told.say("Jaeger has the trace under that id: GET /api/bans");
    let trace = wait_for_own_trace(admin, shown_by);
    let root = trace["spans"].as_array().unwrap().iter().find(|it| it["name"] == "GET /api/bans");
    let root = root.unwrap_or_else(|| panic!("no server span: {trace}"));
    assert_eq!((&root["kind"], &root["service"]), (&json!("server"), &json!("bangui")));
    assert_eq!(root["span_id"], line["span_id"]);
    assert_eq!(root["parent_span_id"], Value::Null);
    let status_code = root["attributes"]["http.response.status_code"].to_string();
    assert_eq!(status_code.trim_matches('"'), "200");
    told.say("GET /api/traces/{id} shows it, too");
}

fn an_unban_is_a_trace(told: &Transcript, stack: &Stack, admin: &Client, events: &Events) {
    let answer = admin.delete(&format!("/api/bans/sshd/{ATTACKER}")).expect(204);
    let id = answer.correlation_id().to_owned();
    assert!(!fail2ban::banned(&stack.file("fail2ban.sock"), "sshd").contains(&ATTACKER.into()));
    told.say("DELETE /api/bans: 204, and fail2ban itself has lifted the ban");
    assert_eq!(admin.get("/api/bans").expect(200).json()["items"], json!([]));
    let event = events.wait(SECONDS, "unban", |data| data["ip"] == ATTACKER);
    assert_eq!(event.data["source"], "operator");
    assert_eq!(event.data["correlation_id"], id);
    let line = wait_for_line(stack, "unban_executed", |line| line["ip"] == ATTACKER);
    assert_eq!(line["correlation_id"], id);
    assert_eq!((&line["user_id"], &line["jail"]), (&json!("admin"), &json!("sshd")));

    let trace = eventually(SOON, "the whole trace of the unban", || {
        let trace = wait_for_own_trace(admin, &id);
        let spans = trace["spans"].as_array().unwrap();
        let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        let count = |name: &str| names.iter().filter(|own| **own == name).count();
        let is_whole = count("DELETE /api/bans/{id}/{id}") == 1
            && count("fail2ban set unbanip") == 1
            && count("INSERT audit") == 1
            && count("UPDATE bans") == 1
            && count("UPDATE audit") == 1;
        if is_whole { Ok(trace) } else { Err(format!("{names:?}")) }
    });
    told.say("the click is a trace:");
    for span in trace["spans"].as_array().unwrap() {
        told.say(format!("    {} {} us", span["name"].as_str().unwrap(), span["duration_us"]));
        assert_eq!(span["error"], false, "{span}");
    }
    let audit = admin.get("/api/audit").expect(200).json();
    let row = audit["items"].as_array().unwrap().iter().find(|row| row["correlation_id"] == *id);
    let row = row.unwrap_or_else(|| panic!("no audit row: {audit}"));
    assert_eq!((&row["action"], &row["result"]), (&json!("unban"), &json!("success")));
    assert_eq!((&row["actor"], &row["ip"]), (&json!("admin"), &json!(ATTACKER)));
    told.say(format!("audit: {row}"));
}

fn a_command_and_the_service_are_one_trace(told: &Transcript, stack: &Stack) {
    let words = ["ban", "sshd", FROM_A_SHELL, "--reason", "from a shell", "--verbose"];
    let output = stack.shell().run(&stack.file("."), &words, "");
    assert_eq!(output.code, Some(0), "{output:?}");
    let own = parse(&output.stderr).into_iter().find(|it| it["event"] == "command_completed");
    let own = own.unwrap_or_else(|| panic!("{output:?}"));
    let id = own["correlation_id"].as_str().unwrap();
    told.say(format!("$ bangui {}: {:?}", words.join(" "), output.stdout));
    told.say(format!("the command's own log, on stderr: {own}"));
    for event in ["ban_executed", "grpc_call_completed"] {
        let line = wait_for_line(stack, event, |line| line["correlation_id"] == id);
        told.say(format!("the service's log has the same id: {line}"));
    }
    let trace = eventually(SOON, "both processes in one trace of Jaeger", || {
        let answer = stack.jaeger().get(&format!("/api/traces/{id}"));
        expect(answer.status == 200, &answer.body)?;
        let trace = answer.json()["data"][0].clone();
        let spans = trace["spans"].as_array().ok_or("no spans")?;
        let count = |name: &str| spans.iter().filter(|it| it["operationName"] == name).count();
        let is_whole = count("bangui ban") == 1
            && count("bangui.v1.BanService/Ban") == 2
            && count("fail2ban set banip") == 1
            && count("INSERT bans") == 1;
        if is_whole { Ok(trace) } else { Err(trace.to_string()) }
    });
    told.say("Jaeger has both processes in one trace, from the command to the SQL:");
    for inner in ["fail2ban set banip", "INSERT bans"] {
        let way = way_to(&trace, inner);
        told.say(format!("    {}", way.join(" > ")));
        let outermost = [
            "bangui-cli: bangui ban",
            "bangui-cli: bangui.v1.BanService/Ban",
            "bangui: bangui.v1.BanService/Ban",
        ];
        assert_eq!(way[..3], outermost, "{inner}");
    }
}

/// The spans of a trace of Jaeger from its root to the one of this name, each with its service.
fn way_to(trace: &Value, name: &str) -> Vec<String> {
    let spans = trace["spans"].as_array().unwrap();
    let mut span = spans.iter().find(|it| it["operationName"] == name).unwrap();
    let mut way = Vec::new();
    loop {
        let process = &trace["processes"][span["processID"].as_str().unwrap()];
        let service = process["serviceName"].as_str().unwrap();
        way.push(format!("{service}: {}", span["operationName"].as_str().unwrap()));
        let parent = &span["references"][0]["spanID"];
        let Some(outer) = spans.iter().find(|it| it["spanID"] == *parent) else { break };
        span = outer;
    }
    way.reverse();
    way
}

fn the_collectors_log_is_the_same(told: &Transcript, stack: &Stack, admin: &Client) {
    let ban = json!({ "jail": "sshd", "ip": MANUAL, "reason": "seen in the story" });
    let answer = admin.post("/api/bans", &ban).expect(201);
    assert!(fail2ban::banned(&stack.file("fail2ban.sock"), "sshd").contains(&MANUAL.into()));
    let line = wait_for_line(stack, "ban_executed", |line| line["ip"] == MANUAL);
    assert_eq!(line["correlation_id"], answer.correlation_id());
    assert_eq!((&line["reason"], &line["duration_seconds"]), (&ban["reason"], &json!(600)));
    let record = eventually(SOON, "ban_executed in the collector's log", || {
        let text = std::fs::read_to_string(stack.file("collector/logs.jsonl"));
        let text = text.map_err(|error| error.to_string())?;
        // The last line may be in the middle of being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let found = whole.lines().flat_map(line_of_otlp_json).find(|it| it["uid"] == line["uid"]);
        found.ok_or_else(|| format!("{} bytes", text.len()))
    });
    assert_same(&line, &record);
    told.say(format!("ban_executed on stdout and in the collector's log are the same: {line}"));
}

fn the_documented_metrics_are_there(told: &Transcript, stack: &Stack, admin: &Client) {
    admin.get("/api/jails").expect(200);
    eventually(METRICS_SOON, "the documented metrics", || {
        let exposition = stack.collector_exposition().get("/metrics").expect(200).body;
        let own = stack.bangui().get("/metrics").expect(200).body;
        for (name, labels) in METRICS {
            let mut with_origin: Vec<_> =
                labels.iter().copied().chain(["instance", "job"]).collect();
            with_origin.sort_unstable();
            check_labels(&exposition, name, &with_origin)?;
            check_labels(&own, name, labels)?;
        }
        expect(!own.contains("instance=") && !own.contains("job="), "job or instance at /metrics")
    });
    told.say("the six documented metrics have exactly the documented labels");
}

/// Checks that a metric is there and that each of its samples has just these labels. Values hold
/// braces and commas but no `="`, so labels are counted by that.
fn check_labels(exposition: &str, name: &str, labels: &[&str]) -> Result<(), String> {
    let samples = exposition.lines().filter_map(|line| line.strip_prefix(name));
    let samples: Vec<_> = samples.filter(|rest| rest.starts_with(['{', ' '])).collect();
    for sample in &samples {
        let has_all = labels.iter().all(|label| sample.contains(&format!("{label}=\"")));
        let has_only = sample.matches("=\"").count() == labels.len();
        expect(has_all && has_only, format!("{name}{sample} instead of {labels:?}"))?;
    }
    expect(!samples.is_empty(), format!("no {name}"))
}

fn wait_for_line(stack: &Stack, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(SECONDS, &format!("the line {event}"), || {
        let mut lines = stack.log();
        lines.retain(|line| line["event"] == event);
        lines.into_iter().find(&fits).ok_or_else(|| "no such line".to_owned())
    })
}

/// Waits until Jaeger has the trace with a span of this name.
fn wait_for_trace(stack: &Stack, trace_id: &str, name: &str) {
    eventually(SOON, &format!("{name} as {trace_id} in Jaeger"), || {
        let answer = stack.jaeger().get(&format!("/api/traces/{trace_id}"));
        expect(answer.status == 200, &answer.body)?;
        let trace = answer.json();
        let spans = trace["data"][0]["spans"].as_array().ok_or("no spans")?;
        let found =
            spans.iter().any(|span| span["operationName"] == name && span["traceID"] == trace_id);
        expect(found, trace.to_string())
    });
}

fn wait_for_own_trace(admin: &Client, trace_id: &str) -> Value {
    eventually(SOON, &format!("GET /api/traces/{trace_id}"), || {
        let answer = admin.get(&format!("/api/traces/{trace_id}"));
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.body) }
    })
}
