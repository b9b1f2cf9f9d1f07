//! Scheduled tasks from the outside: a run that is asked for, on whichever instance, what is
//! remembered of runs, and what becomes of one whose instance dies in the midst of it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Bangui, Builder, Client, Database, OtlpReceiver, SOON, eventually, expect, hex, throughout,
};

const TASK: &str = "session_cleanup";
const TASKS: &str = "/api/scheduler/tasks";
const RUNS: &str = "/api/scheduler/tasks/session_cleanup/runs";

fn builder(folder: &Path, lease_seconds: u32) -> Builder {
    Bangui::builder()
        .data_dir(folder)
        .env("BANGUI_SCHEDULER_LEASE_SECONDS", lease_seconds)
        .only_session_cleanup()
}

/// The first task, as a client is told of it.
fn task(client: &Client) -> Value {
    let mut list = client.get(TASKS).expect(200).json();
    assert_eq!((&list["items"][0]["name"], &list["next"]), (&json!(TASK), &Value::Null));
    list["items"][0].take()
}

fn results(client: &Client) -> Vec<String> {
    let list = client.get(RUNS).expect(200).json();
    let items = list["items"].as_array().unwrap();
    items.iter().map(|run| run["result"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the newest run is over and gives it.
fn last_run(client: &Client) -> Value {
    eventually(SOON, "the end of a run", || {
        let run = task(client)["last_run"].take();
        let is_over = run["ended_at"].is_string();
        if is_over { Ok(run) } else { Err(run.to_string()) }
    })
}

#[test]
fn a_run_that_is_asked_for_continues_the_trace_of_the_request() {
    let receiver = OtlpReceiver::start();
    let bangui = Bangui::builder()
        .env("BANGUI_API_TOKEN", "read-only-token-4711")
        .only_session_cleanup()
        .export_to(&receiver, "grpc")
        .start();
    let admin = bangui.admin();
    let first = bangui.wait_for_event("task_completed");
    let run = last_run(&admin);
    assert_eq!((&run["result"], &run["changes"]), (&json!("completed"), &json!(0)), "{run}");
    assert_eq!((&run["correlation_id"], &run["requested_by"]), (&first["trace_id"], &Value::Null));
    assert!(run["duration_ms"].is_number() && run["error"].is_null(), "{run}");
    let told = task(&admin);
    assert_eq!((&told["interval_seconds"], &told["cron"]), (&json!(3600), &Value::Null));
    assert_eq!(told["last_success_at"], run["ended_at"]);
    assert!(told["next_run_at"].as_str() > run["ended_at"].as_str(), "{told}");

    let answer = admin.post(RUNS, &json!({})).expect(202);
    let id = answer.correlation_id().to_owned();
    assert_eq!(answer.json(), json!({ "task": TASK, "correlation_id": id }));
    let of_request = |line: &Value| line["correlation_id"] == id.as_str();
    let started = bangui.wait_for("task_started", of_request);
    assert_eq!(started["trigger"], "request");
    bangui.wait_for("task_completed", of_request);
    let server = receiver.wait_for_span(&id, "POST /api/scheduler/tasks/{id}/runs");
    let span = receiver.wait_for_span(&id, "task session_cleanup");
    assert_eq!(hex(&span.parent_span_id), hex(&server.span_id));
    let run = last_run(&admin);
    assert_eq!((&run["requested_by"], &run["correlation_id"]), (&json!("admin"), &json!(id)));
    bangui.wait_for("audit_recorded", |line| line["action"] == "run_task" && of_request(line));

    let page = admin.get(&format!("{RUNS}?limit=1")).expect(200).json();
    let rest = admin.get(&format!("{RUNS}?cursor={}", page["next"].as_str().unwrap()));
    let rest = rest.expect(200).json();
    assert_eq!(page["items"], json!([run]));
    assert_eq!(rest["items"][0]["correlation_id"], first["trace_id"]);
    let unknown = "/api/scheduler/tasks/none/runs";
    admin.get(unknown).expect_problem(404);
    admin.post(unknown, &json!({})).expect_problem(404);
    admin.get(&format!("{RUNS}?limit=0")).expect_problem(422);
    admin.get(&format!("{RUNS}?cursor=x")).expect_problem(422);
    let reader = bangui.stranger().with("authorization", "Bearer read-only-token-4711");
    reader.get(RUNS).expect(200);
    reader.post(RUNS, &json!({})).expect_problem(403);
    bangui.stranger().get(TASKS).expect_problem(401);
}

#[test]
fn any_instance_takes_a_request_and_the_holder_of_the_lock_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    let holder = builder(folder.path(), 3).start();
    holder.wait_for_event("task_completed");
    let other = builder(folder.path(), 3).start();
    let admin = other.admin();
    let answer = admin.post(RUNS, &json!({})).expect(202);
    let of_request = |line: &Value| line["correlation_id"] == answer.correlation_id();
    // With the holder's next heartbeat.
    holder.wait_for("task_completed", of_request);
    let run = last_run(&admin);
    assert_eq!(run["correlation_id"], answer.correlation_id());
    assert_eq!(task(&admin), task(&holder.admin()), "both tell the same");
    assert_eq!(other.events("task_started").len(), 0);
    other.stop();
    holder.stop();

    // The heartbeats are minutes apart, so that the first request stands while the second comes.
    let holder = builder(folder.path(), 1800).start();
    holder.wait_for_event("scheduler_lock_acquired");
    let other = builder(folder.path(), 1800).start();
    let admin = other.admin();
    admin.post(RUNS, &json!({})).expect(202);
    let problem = admin.post(RUNS, &json!({})).expect_problem(409).json();
    assert!(problem["detail"].as_str().unwrap().contains("already asked for"), "{problem}");
    assert!(task(&holder.admin())["requested_at"].is_string());
    // It outlives the holder: whoever follows runs it.
    holder.stop();
    other.stop();
    let next = builder(folder.path(), 1800).start();
    next.wait_for("task_started", |line| line["trigger"] == "request");
}

#[test]
fn a_restart_goes_on_from_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let bangui = builder(folder.path(), 3).start();
    bangui.wait_for_event("task_completed");
    let before = last_run(&bangui.admin());
    bangui.stop();
    let bangui = builder(folder.path(), 3).start();
    bangui.wait_for_event("scheduler_lock_acquired");
    throughout(Duration::from_secs(1), "nothing is run again", || {
        let begun = bangui.events("task_started");
        expect(begun.is_empty(), format!("{begun:#?}"))
    });
    assert_eq!(task(&bangui.admin())["last_run"], before);
    bangui.stop();
    // The same, with an expression whose time has passed since.
    let mut database = Database::open(folder.path());
    database.run("UPDATE task_runs SET started_at = started_at - 3600, ended_at = started_at");
    let often =
        builder(folder.path(), 3).env("BANGUI_TASK_SESSION_CLEANUP_SCHEDULE", "*/5 * * * *");
    let bangui = often.start();
    bangui.wait_for_event("task_completed");
    let told = task(&bangui.admin());
    assert_eq!((&told["cron"], &told["interval_seconds"]), (&json!("*/5 * * * *"), &Value::Null));
}

#[test]
fn a_run_whose_instance_is_killed_is_marked_and_run_again_by_the_next_holder() {
    let folder = tempfile::tempdir().unwrap();
    builder(folder.path(), 2).start().stop();
    let mut database = Database::open(folder.path());
    // To remove a session takes for ever.
    database.run("DELETE FROM task_runs");
    database.run("INSERT INTO sessions VALUES (x'00', 1, 1, 2, '192.0.2.1')");
    database.run(
        "CREATE TRIGGER slow BEFORE DELETE ON sessions BEGIN SELECT (WITH RECURSIVE \
         counted (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM counted \
         LIMIT 1000000000000) SELECT count(*) FROM counted); END",
    );
    let mut first = builder(folder.path(), 2).start();
    eventually(SOON, "a run under way", || {
        let running = database.number("SELECT count(*) FROM task_runs WHERE result = 'running'");
        expect(running == 1, format!("{running} running"))
    });
    first.process().end("KILL");
    database.run("DROP TRIGGER slow");
    let second = builder(folder.path(), 2).start();
    let admin = second.admin();
    eventually(SOON, "the run of the next holder", || {
        let results = results(&admin);
        expect(results == ["completed", "interrupted"], format!("{results:?}"))
    });
    let runs = admin.get(RUNS).expect(200).json();
    let dead = &runs["items"][1];
    assert!(dead["error"].is_string() && dead["ended_at"].is_string(), "{dead}");
    assert!(dead["duration_ms"].is_null(), "nobody saw its end: {dead}");
}
