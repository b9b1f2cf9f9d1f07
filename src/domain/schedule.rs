//! When something is to be done again and again: every so many seconds, or at the times of a cron
//! expression, in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};

/// A month: what is rarer is better said as a cron expression.
const INTERVAL_MAX_SECONDS: u64 = 31 * 24 * 3600;
/// Longer than any sensible expression; it is shown on the page.
const EXPRESSION_MAX_CHARS: usize = 100;
const FIELDS: usize = 5;
/// No expression that has a time at all is without one for longer: from one 29 February to the
/// next.
const GAP_MAX_SECONDS: i64 = 4 * 366 * 24 * 3600;
/// How many times in a row tell how far apart an expression's times are: more than a week of
/// working days.
const GAPS_LOOKED_AT: usize = 8;

/// When a task is due.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// So long after the end of the last run.
    Every(Duration),
    /// At the times of a cron expression of five fields, in UTC.
    Cron(CronExpression),
}

/// A cron expression that has at least one time.
#[derive(Debug, Clone)]
pub struct CronExpression {
    text: String,
    times: Box<Crontab>,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a whole number of seconds from 1 to {INTERVAL_MAX_SECONDS}, or a cron expression of \
     five fields, minute hour day-of-month month day-of-week, whose time comes (UTC)"
)]
pub struct ScheduleError;

impl From<Duration> for Schedule {
    fn from(interval: Duration) -> Self {
        Self::Every(interval)
    }
}

impl Schedule {
    /// The next time after a time, both in unix seconds.
    pub fn next_after(&self, time: i64) -> i64 {
        match self {
            Self::Every(interval) => time.saturating_add(seconds(*interval)),
            Self::Cron(cron) => {
                cron.next_after(time).unwrap_or(time.saturating_add(GAP_MAX_SECONDS))
            }
        }
    }

    /// How far apart two times are at most, for a while from a time on.
    pub fn period_seconds(&self, from: i64) -> i64 {
        let Self::Cron(_) = self else { return self.next_after(0) };
        let first = self.next_after(from);
        let times = std::iter::successors(Some(first), |time| Some(self.next_after(*time)));
        let times: Vec<_> = times.take(GAPS_LOOKED_AT + 1).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(GAP_MAX_SECONDS)
    }
}

fn seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs()).unwrap_or(i64::MAX)
}

impl CronExpression {
    fn next_after(&self, time: i64) -> Option<i64> {
        let time = MakeTimestamp::from_second(time).ok()?;
        Some(self.times.find_next(time).ok()?.timestamp().as_second())
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let seconds = text.parse().ok().filter(|it| (1..=INTERVAL_MAX_SECONDS).contains(it));
            return Ok(Self::Every(Duration::from_secs(seconds.ok_or(ScheduleError)?)));
        }
        // A sixth field would be a time zone, in which some times come twice a year or never.
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() != FIELDS || text.chars().count() > EXPRESSION_MAX_CHARS {
            return Err(ScheduleError);
        }
        let text = fields.join(" ");
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let times = cronexpr::parse_crontab_with(&text, options).map_err(|_| ScheduleError)?;
        let cron = CronExpression { text, times: Box::new(times) };
        // 30 February can be written down; whoever does waits for ever.
        cron.next_after(0).ok_or(ScheduleError)?;
        Ok(Self::Cron(cron))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "{}", interval.as_secs()),
            Self::Cron(cron) => cron.fmt(f),
        }
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn seconds_and_expressions_are_told_apart() {
        assert_eq!(schedule("90").next_after(1000), 1090);
        let nightly = schedule(" 30  3 * * * ");
        assert_eq!(nightly.to_string(), "30 3 * * *");
        assert_eq!(nightly.next_after(at("2026-11-26T03:29:59Z")), at("2026-11-26T03:30:00Z"));
        assert_eq!(nightly.next_after(at("2026-11-26T03:30:00Z")), at("2026-11-27T03:30:00Z"));
        let workdays = schedule("0 6 * * 1-5");
        let friday = at("2026-11-27T06:00:00Z");
        assert_eq!(workdays.next_after(friday), at("2026-11-30T06:00:00Z"));
        assert_eq!(workdays.period_seconds(friday), 3 * 24 * 3600);
        assert_eq!(schedule("*/5 * * * *").period_seconds(friday), 300);
        assert_eq!(schedule("90").period_seconds(friday), 90);
        let leap = schedule("0 0 29 2 *");
        assert_eq!(leap.next_after(at("2024-03-01T00:00:00Z")), at("2028-02-29T00:00:00Z"));
    }

    #[test]
    fn what_is_neither_or_never_comes_is_refused() {
        for wrong in [
            "",
            "0",
            "-1",
            "1.5",
            "2678401",
            "soon",
            "@daily",
            "* * * *",
            "60 * * * *",
            "0 3 * * * Europe/Berlin",
            "0 0 3 * * *",
            "0 0 30 2 *",
            "0 3 * * 9",
            "* * * * * *",
            "99999999999999999999",
        ] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong:?}");
        }
        assert!(format!("{}5 * * * *", "1,".repeat(60)).parse::<Schedule>().is_err());
    }
}
