//! No line carries another's context: thousands of requests and tasks at once, in random order.

use std::collections::HashMap;

use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::super::span;
use super::*;

/// What one of the many does.
#[derive(Debug, Clone)]
struct Step {
    /// Lines, each after a turn of the others.
    lines: u8,
    /// How many tasks it spawns; they keep its context.
    spawned: u8,
    /// Whether its user becomes known only on the way, as with a request.
    is_late: bool,
    /// Whether it is scheduled work, which has a trace of its own.
    is_task: bool,
}

fn step() -> impl Strategy<Value = Step> {
    (1..5_u8, 0..3_u8, any::<bool>(), any::<bool>())
        .prop_map(|(lines, spawned, is_late, is_task)| Step { lines, spawned, is_late, is_task })
}

/// A runtime whose threads log to the given path.
fn runtime(path: &LogPath) -> Runtime {
    let dispatch = path.dispatch.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .on_thread_start(move || {
            std::mem::forget(tracing::dispatcher::set_default(&dispatch));
        })
        .build()
        .unwrap()
}

/// One request or task. Every line says who should be on it.
async fn run(number: usize, step: Step) {
    let name = format!("user-{number}");
    let span = match step.is_task {
        true => tracing::info_span!("task", bangui.task.name = name),
        false => tracing::info_span!(
            "request",
            user.id = tracing::field::Empty,
            http.route = format!("/route-{number}"),
            client.address = format!("client-{number}"),
        ),
    };
    let span = span::root(span);
    if !step.is_task && !step.is_late {
        span.record("user.id", name.as_str());
    }
    async {
        let mut spawned = JoinSet::new();
        for line in 0..step.lines {
            if line == 1 && !step.is_task {
                tracing::Span::current().record("user.id", name.as_str());
            }
            tracing::info!(name: "test_line", number);
            tokio::task::yield_now().await;
        }
        for _ in 0..step.spawned {
            let work = async move {
                tracing::info!(name: "test_spawned", number);
                tokio::task::yield_now().await;
                tracing::info!(name: "test_spawned", number);
            };
            spawned.spawn(work.instrument(tracing::info_span!("db", number)));
        }
        while spawned.join_next().await.is_some() {}
    }
    .instrument(span)
    .await;
    // After it, nothing of it is left on this thread.
    tracing::info!(name: "test_after", number);
}

fn check(steps: &[Step], lines: &[Value]) {
    let mut traces: HashMap<String, u64> = HashMap::new();
    for line in lines {
        if line["event"] == "test_after" {
            for key in ["user_id", "client_ip", "endpoint", "task", "correlation_id", "span_id"] {
                assert!(line.get(key).is_none(), "{key} on a line outside: {line}");
            }
            continue;
        }
        let number = line["number"].as_u64().unwrap();
        let step = &steps[number as usize];
        let name = format!("user-{number}");
        if step.is_task {
            assert_eq!(line["task"], name.as_str(), "{line}");
            let is_alone = ["user_id", "endpoint"].iter().all(|key| line.get(key).is_none());
            assert!(is_alone, "{line}");
        } else {
            assert_eq!(line["endpoint"], format!("/route-{number}"), "{line}");
            assert_eq!(line["client_ip"], format!("client-{number}"), "{line}");
            let is_known = line.get("user_id").is_none_or(|user| *user == name.as_str());
            assert!(is_known && line.get("task").is_none(), "{line}");
        }
        let trace = line["correlation_id"].as_str().unwrap().to_owned();
        let owner = *traces.entry(trace).or_insert(number);
        assert_eq!(owner, number, "one trace, two owners: {line}");
    }
    assert_eq!(traces.len(), steps.len(), "each has one trace");
    let expected = |step: &Step| usize::from(step.lines) + 2 * usize::from(step.spawned) + 1;
    assert_eq!(lines.len(), steps.iter().map(expected).sum::<usize>(), "no line is lost");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn no_line_carries_anothers_context(
        steps in prop::collection::vec(step(), 1500..2500)
    ) {
        let path = LogPath::start();
        let runtime = runtime(&path);
        runtime.block_on(async {
            let mut all = JoinSet::new();
            for (number, step) in steps.iter().cloned().enumerate() {
                all.spawn(run(number, step));
            }
            while let Some(result) = all.join_next().await {
                result.unwrap();
            }
        });
        drop(runtime);
        check(&steps, &path.end().lines);
    }
}
