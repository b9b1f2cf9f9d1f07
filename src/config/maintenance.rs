//! What is done about the database and its contents without anybody asking, and how often the way
//! of telemetry is checked.

use std::ops::RangeInclusive;

use super::{Environment, seconds};

const SET_ASIDE: &str = "BANGUI_DATABASE_SET_ASIDE_CORRUPTED";
const HISTORY_DAYS: &str = "BANGUI_HISTORY_RETENTION_DAYS";
const AUDIT_DAYS: &str = "BANGUI_AUDIT_RETENTION_DAYS";
const SELF_CHECK_SECONDS: &str = "BANGUI_TELEMETRY_SELF_CHECK_SECONDS";

/// A century; more would be a mistake.
const DAYS_MAX: u32 = 36_500;
const DEFAULT_HISTORY_DAYS: u32 = 365;
/// More than a canary goes out in each, where there are any.
const DEFAULT_SELF_CHECK_SECONDS: u32 = 300;
const SELF_CHECK_RANGE: RangeInclusive<u32> = 1..=24 * 3600;

/// These settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maintenance {
    /// Whether a damaged database is set aside at start, and a new one begun.
    pub set_aside_corrupted_database: bool,
    /// How long bans are kept after their end; 0 is for ever.
    pub history_retention_days: u32,
    /// How long rows of the audit log are kept; 0 is for ever.
    pub audit_retention_days: u32,
    /// How often the way of telemetry is checked.
    pub self_check_seconds: u32,
}

impl Maintenance {
    pub(super) fn read(env: &mut Environment) -> Self {
        Self {
            set_aside_corrupted_database: env.boolean(SET_ASIDE, true),
            history_retention_days: days(env, HISTORY_DAYS, DEFAULT_HISTORY_DAYS),
            audit_retention_days: days(env, AUDIT_DAYS, 0),
            self_check_seconds: seconds(
                env,
                SELF_CHECK_SECONDS,
                DEFAULT_SELF_CHECK_SECONDS,
                SELF_CHECK_RANGE,
            ),
        }
    }

    /// The settings as `bangui config` prints them.
    pub(super) fn lines(&self) -> [(&'static str, String); 4] {
        [
            (SET_ASIDE, self.set_aside_corrupted_database.to_string()),
            (HISTORY_DAYS, self.history_retention_days.to_string()),
            (AUDIT_DAYS, self.audit_retention_days.to_string()),
            (SELF_CHECK_SECONDS, self.self_check_seconds.to_string()),
        ]
    }
}

fn days(env: &mut Environment, name: &str, default: u32) -> u32 {
    let Some(text) = env.text(name) else { return default };
    match text.parse() {
        Ok(days) if days <= DAYS_MAX => days,
        _ => {
            env.problem(name, format!("must be a whole number of days from 0 to {DAYS_MAX}"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_nothing_to_a_century() {
        let mut env = Environment::from_pairs([(HISTORY_DAYS, "0"), (AUDIT_DAYS, "36500")]);
        let settings = Maintenance::read(&mut env);
        assert_eq!((settings.history_retention_days, settings.audit_retention_days), (0, 36_500));
        assert!(settings.set_aside_corrupted_database && env.into_problems().is_empty());
        for wrong in ["-1", "36501", "1.5", "long"] {
            let mut env = Environment::from_pairs([(AUDIT_DAYS, wrong)]);
            assert_eq!(Maintenance::read(&mut env).audit_retention_days, 0);
            let problems = env.into_problems();
            assert!(problems[0].to_string().starts_with(AUDIT_DAYS), "{problems:?}");
        }
    }
}
