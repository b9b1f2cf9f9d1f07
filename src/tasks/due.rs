//! When a task is due, out of its schedule and what is remembered of it. The instance that runs it
//! and those that only show it come to the same answer, the jitter included.

use super::Past;
use crate::domain::{RunResult, Schedule};

/// A run is put off by up to one in so many parts of the time between two, so that tasks with the
/// same interval drift apart.
const JITTER_PARTS: f64 = 10.0;
/// Who names a time of the day expects it to be kept, more or less.
const CRON_JITTER_MAX_SECONDS: f64 = 60.0;
/// The pause after a failed run, doubled with each further one, up to the next regular run.
const RETRY_PAUSE_SECONDS: i64 = 60;

/// When the next run is due, in unix seconds of the database; nothing while one runs. A task that
/// never ran is due at once, or at the first time of its expression. What was missed because
/// nobody ran tasks is made up for, once.
pub(super) fn due_at(schedule: &Schedule, past: &Past, now: f64) -> Option<f64> {
    let Some(last) = past.last else {
        return Some(match schedule {
            Schedule::Every(_) => now,
            Schedule::Cron(_) => schedule.next_after(now as i64) as f64,
        });
    };
    let ended_at = last.ended_at.unwrap_or(last.started_at);
    let regular = |from| schedule.next_after(from);
    match last.result {
        RunResult::Running => None,
        RunResult::Completed => {
            let next = match schedule {
                Schedule::Every(_) => regular(ended_at),
                // A run may take longer than the expression leaves time for.
                Schedule::Cron(_) => regular(last.started_at),
            };
            Some(next as f64 + jitter(schedule, next, last.id))
        }
        RunResult::Failed => {
            let pause = retry_pause(past.failures_in_a_row);
            Some(ended_at.saturating_add(pause).min(regular(ended_at)) as f64)
        }
        // What was interrupted is done as soon as it may; but what interrupts each run may be the
        // run itself.
        RunResult::Interrupted => {
            let pause = match past.failures_in_a_row {
                0 | 1 => 0,
                failures => retry_pause(failures - 1),
            };
            Some(ended_at.saturating_add(pause).min(regular(ended_at)) as f64)
        }
    }
}

fn retry_pause(failures: u32) -> i64 {
    RETRY_PAUSE_SECONDS.saturating_mul(2_i64.saturating_pow(failures.saturating_sub(1)))
}

/// Different for each run, and the same wherever it is computed: made of the row's number.
fn jitter(schedule: &Schedule, next: i64, run: i64) -> f64 {
    let gap = (schedule.next_after(next) - next) as f64;
    let max = match schedule {
        Schedule::Every(_) => gap / JITTER_PARTS,
        Schedule::Cron(_) => (gap / JITTER_PARTS).min(CRON_JITTER_MAX_SECONDS),
    };
    // The golden ratio spreads following numbers evenly.
    let share = (run as f64 * 0.618_033_988_749_895).fract().abs();
    max * share
}

#[cfg(test)]
mod tests {
    use super::super::runs::Last;
    use super::*;

    const HOUR: i64 = 3600;

    fn past(result: RunResult, failures_in_a_row: u32) -> Past {
        let ended_at = (result != RunResult::Running).then_some(1010);
        let last = Last { id: 7, started_at: 1000, ended_at, result };
        Past { last: Some(last), last_success_at: None, failures_in_a_row }
    }

    fn due(schedule: &str, past: &Past) -> Option<f64> {
        due_at(&schedule.parse().unwrap(), past, 2000.0)
    }

    #[test]
    fn a_task_that_never_ran_is_due_at_once_or_when_its_time_comes() {
        let never = Past::default();
        assert_eq!(due("3600", &never), Some(2000.0));
        assert_eq!(due("0 * * * *", &never), Some(3600.0));
    }

    #[test]
    fn after_a_success_comes_the_interval_or_the_next_time_and_a_jitter() {
        let done = past(RunResult::Completed, 0);
        let after = due("3600", &done).unwrap() - 1010.0;
        assert!((3600.0..3960.0).contains(&after), "{after}");
        let after = due("0 * * * *", &done).unwrap() - 3600.0;
        assert!((0.0..60.0).contains(&after), "{after}");
        // Every minute: the one that passed while it ran is made up for.
        let long = Past { last: done.last.map(|it| Last { ended_at: Some(1100), ..it }), ..done };
        let after = due("* * * * *", &long).unwrap() - 1020.0;
        assert!((0.0..6.0).contains(&after), "{after}");
        assert_eq!(due("3600", &past(RunResult::Running, 0)), None);
    }

    #[test]
    fn jitters_of_following_runs_are_spread() {
        let every = "1000".parse().unwrap();
        let all: Vec<_> = (1..=100).map(|run| jitter(&every, 0, run)).collect();
        assert!(all.iter().all(|it| (0.0..100.0).contains(it)), "{all:?}");
        for tenth in 0..10 {
            let range = f64::from(tenth) * 10.0..f64::from(tenth + 1) * 10.0;
            let count = all.iter().filter(|it| range.contains(it)).count();
            assert!((8..=12).contains(&count), "{count} in {range:?}");
        }
    }

    #[test]
    fn a_failed_run_is_tried_again_ever_later_and_an_interrupted_one_at_once() {
        let after = |result, failures| due("3600", &past(result, failures)).unwrap() as i64 - 1010;
        let failed = [1, 2, 3, 7, 100].map(|failures| after(RunResult::Failed, failures));
        assert_eq!(failed, [60, 120, 240, HOUR, HOUR]);
        let interrupted = [1, 2, 3, 100].map(|failures| after(RunResult::Interrupted, failures));
        assert_eq!(interrupted, [0, 60, 120, HOUR]);
        // The regular time comes before the end of the pause.
        assert_eq!(due("* * * * *", &past(RunResult::Failed, 3)), Some(1020.0));
    }
}
