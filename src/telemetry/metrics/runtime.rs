//! How busy the runtime of the service is. There is no convention for tokio, so the names are ours;
//! only what tokio calls stable is read.
//!
//! What tokio counts are atomics, so that the instruments read them when they are asked: a task
//! that read them would be part of what it measures.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::metrics::Meter;
use tokio::runtime::{Handle, RuntimeMetrics};

use super::definition::Definition;

const WORKERS: Definition =
    Definition::gauge("bangui.tokio.workers", "{thread}", "Threads that run the service's tasks.");
const TASKS: Definition = Definition::gauge(
    "bangui.tokio.tasks.alive",
    "{task}",
    "Tasks that were begun and are not over.",
);
const QUEUE: Definition = Definition::gauge(
    "bangui.tokio.global_queue.depth",
    "{task}",
    "Tasks in the queue that all workers share; it grows when they cannot keep up.",
);
const BUSY: Definition = Definition::counter(
    "bangui.tokio.busy.time",
    "s",
    "Time that the workers were not idle, all of them together.",
);

pub(super) const DEFINITIONS: &[&Definition] = &[&WORKERS, &TASKS, &QUEUE, &BUSY];

static RUNTIME: OnceLock<RuntimeMetrics> = OnceLock::new();

pub(super) fn install(meter: &Meter) {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    WORKERS.observe(meter, move |observer| {
        RUNTIME.get().into_iter().for_each(|it| observer.observe(number(it.num_workers()), &[]));
    });
    TASKS.observe(meter, move |observer| {
        let count = RUNTIME.get().map(|it| number(it.num_alive_tasks()));
        count.into_iter().for_each(|count| observer.observe(count, &[]));
    });
    QUEUE.observe(meter, move |observer| {
        let count = RUNTIME.get().map(|it| number(it.global_queue_depth()));
        count.into_iter().for_each(|count| observer.observe(count, &[]));
    });
    BUSY.observe_seconds(meter, |observer| {
        RUNTIME.get().into_iter().for_each(|it| observer.observe(busy(it).as_secs_f64(), &[]));
    });
}

fn busy(runtime: &RuntimeMetrics) -> Duration {
    (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum()
}

/// From now on the instruments tell of this runtime.
pub fn watch_runtime(runtime: &Handle) {
    let _ = RUNTIME.set(runtime.metrics());
}
