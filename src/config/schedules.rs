//! `BANGUI_TASK_<NAME>_SCHEDULE`: when each scheduled task runs, by seconds or a cron expression.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Environment, seconds};
use crate::domain::Schedule;

const SESSION_CLEANUP: &str = "BANGUI_TASK_SESSION_CLEANUP_SCHEDULE";
/// It had a setting of its own before all tasks had one of the same form.
const EARLIER_SESSION_CLEANUP: &str = "BANGUI_SESSION_CLEANUP_SECONDS";
const SESSION_CLEANUP_SECONDS: RangeInclusive<u32> = 1..=24 * 3600;
const HISTORY_RETENTION: &str = "BANGUI_TASK_HISTORY_RETENTION_SCHEDULE";
const HISTORY_SYNC: &str = "BANGUI_TASK_HISTORY_SYNC_SCHEDULE";
const BLOCKLIST_REFRESH: &str = "BANGUI_TASK_BLOCKLIST_REFRESH_SCHEDULE";

/// Often, so that there is little to do each time.
const DEFAULT_SECONDS: u32 = 3600;
/// Each list has an interval of its own; whether one is due costs one small question.
const DEFAULT_BLOCKLIST_REFRESH_SECONDS: u32 = 300;

/// The schedule of each task.
#[derive(Debug, Clone)]
pub struct Schedules {
    /// When expired sessions are removed.
    pub session_cleanup: Schedule,
    /// When old rows are removed.
    pub history_retention: Schedule,
    /// When fail2ban's own database is looked at.
    pub history_sync: Schedule,
    /// When it is looked for blocklists that are due.
    pub blocklist_refresh: Schedule,
}

impl Schedules {
    pub(super) fn read(env: &mut Environment) -> Self {
        if env.text(SESSION_CLEANUP).is_some() && env.text(EARLIER_SESSION_CLEANUP).is_some() {
            let reason = format!("is set together with {SESSION_CLEANUP}; set one");
            env.problem(EARLIER_SESSION_CLEANUP, reason);
        }
        let earlier =
            seconds(env, EARLIER_SESSION_CLEANUP, DEFAULT_SECONDS, SESSION_CLEANUP_SECONDS);
        Self {
            session_cleanup: schedule(env, SESSION_CLEANUP, earlier),
            history_retention: schedule(env, HISTORY_RETENTION, DEFAULT_SECONDS),
            history_sync: schedule(env, HISTORY_SYNC, DEFAULT_SECONDS),
            blocklist_refresh: schedule(env, BLOCKLIST_REFRESH, DEFAULT_BLOCKLIST_REFRESH_SECONDS),
        }
    }

    /// The settings as `bangui config` prints them.
    pub(super) fn lines(&self) -> [(&'static str, String); 4] {
        [
            (SESSION_CLEANUP, self.session_cleanup.to_string()),
            (HISTORY_RETENTION, self.history_retention.to_string()),
            (HISTORY_SYNC, self.history_sync.to_string()),
            (BLOCKLIST_REFRESH, self.blocklist_refresh.to_string()),
        ]
    }
}

fn schedule(env: &mut Environment, name: &str, default_seconds: u32) -> Schedule {
    env.parse(name, Schedule::Every(Duration::from_secs(default_seconds.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, value: &str) -> (Vec<String>, usize) {
        let mut env = Environment::from_pairs([(name, value)]);
        let lines = Schedules::read(&mut env).lines().map(|(_, value)| value).to_vec();
        (lines, env.into_problems().len())
    }

    #[test]
    fn seconds_and_expressions_are_taken_and_the_earlier_name_too() {
        assert_eq!(
            shown("BANGUI_LISTEN", ""),
            (["3600", "3600", "3600", "300"].map(Into::into).to_vec(), 0)
        );
        assert_eq!(shown(EARLIER_SESSION_CLEANUP, "60").0[0], "60");
        for (at, name) in [SESSION_CLEANUP, HISTORY_RETENTION, HISTORY_SYNC, BLOCKLIST_REFRESH]
            .into_iter()
            .enumerate()
        {
            assert_eq!(shown(name, "7200").0[at], "7200");
            assert_eq!(shown(name, "*/10 3 * * MON").0[at], "*/10 3 * * MON");
            assert_eq!(shown(name, "0").1, 1, "{name}");
        }
        let both = [(SESSION_CLEANUP, "60"), (EARLIER_SESSION_CLEANUP, "60")];
        let mut env = Environment::from_pairs(both);
        Schedules::read(&mut env);
        assert_eq!(env.into_problems().len(), 1);
    }
}
