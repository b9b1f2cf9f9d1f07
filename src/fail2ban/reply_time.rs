//! Times of bans, which fail2ban writes in its own local time and without an offset.
//!
//! The server is taken to be in the time zone of this process: both run on one host, or both
//! containers get the same `TZ`. In the hour that clocks repeat in autumn a local time means two
//! instants; the end of the ban tells which, unless both ends fit, and then the earlier is taken.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::reply::Parsed;
use crate::domain::{Ban, JailName, Subject};

/// The year that fail2ban writes for the end of a permanent ban.
const NEVER_YEAR: i16 = 9999;

/// Reads one line of `get J banip --with-time`, `ip \tbegin + seconds = end`.
///
/// `None` is a ban of something that cannot be shown safely.
pub(super) fn parse_ban(jail: &JailName, line: &str, zone: &TimeZone) -> Parsed<Option<Ban>> {
    let (id, times) = line.split_once('\t').ok_or("a ban has no time")?;
    let (begin, rest) = times.split_once(" + ").ok_or("a ban has no duration")?;
    let (seconds, end) = rest.split_once(" = ").ok_or("a ban has no end")?;
    let begin: DateTime = begin.trim().parse().map_err(|_| "a ban's begin is no time")?;
    let end: DateTime = end.trim().parse().map_err(|_| "a ban's end is no time")?;
    let seconds: i64 = seconds.trim().parse().map_err(|_| "a ban's duration is no number")?;
    let Ok(ip) = Subject::reported(id.trim()) else {
        return Ok(None);
    };
    let is_permanent = seconds < 0 || end.year() >= NEVER_YEAR;
    let duration = (!is_permanent).then(|| SignedDuration::from_secs(seconds));
    let banned_at = instant(begin, end, duration, zone).ok_or("a ban's begin is out of range")?;
    let expires_at = duration.and_then(|duration| banned_at.checked_add(duration).ok());
    Ok(Some(Ban { jail: jail.clone(), ip, banned_at, expires_at }))
}

fn instant(
    begin: DateTime,
    end: DateTime,
    duration: Option<SignedDuration>,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(begin);
    // `compatible` is the only instant, the earlier of two, or the one behind a gap.
    let first = ambiguous.compatible().ok()?;
    let (true, Some(duration)) = (ambiguous.is_ambiguous(), duration) else {
        return Some(first);
    };
    let ends_right = |start: Timestamp| {
        start.checked_add(duration).is_ok_and(|stop| zone.to_datetime(stop) == end)
    };
    match ambiguous.later() {
        Ok(second) if !ends_right(first) && ends_right(second) => Some(second),
        _ => Some(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of Central Europe, so that no time zone database is needed.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const UTC: &str = "UTC0";

    fn ban(line: &str, zone: &str) -> Parsed<Option<(String, String, Option<String>)>> {
        let zone = TimeZone::posix(zone).unwrap();
        let ban = parse_ban(&"sshd".parse().unwrap(), line, &zone)?;
        Ok(ban.map(|ban| {
            let expires_at = ban.expires_at.map(|at| at.to_string());
            (ban.ip.to_string(), ban.banned_at.to_string(), expires_at)
        }))
    }

    fn times(line: &str, zone: &str) -> (String, Option<String>) {
        let (_, begin, end) = ban(&format!("192.0.2.1 \t{line}"), zone).unwrap().unwrap();
        (begin, end)
    }

    fn expect(begin: &str, end: &str) -> (String, Option<String>) {
        (begin.to_owned(), Some(end.to_owned()))
    }

    #[test]
    fn local_times_become_instants() {
        assert_eq!(
            times("2026-11-24 00:11:16 + 600 = 2026-11-24 00:21:16", BERLIN),
            expect("2026-11-23T23:11:16Z", "2026-11-23T23:21:16Z"),
        );
    }

    #[test]
    fn permanent_bans_have_no_end() {
        for rest in ["-1 = 9999-12-31 23:59:59", "999999999999 = 9999-12-31 23:59:59"] {
            let (_, end) = times(&format!("2026-11-24 00:11:16 + {rest}"), UTC);
            assert_eq!(end, None);
        }
    }

    #[test]
    fn the_repeated_hour_is_told_apart_by_the_end() {
        // Clocks in Berlin went from 03:00 back to 02:00 on 2026-10-25.
        let first = "2026-10-25 02:30:00 + 3600 = 2026-10-25 02:30:00";
        let second = "2026-10-25 02:30:00 + 3600 = 2026-10-25 03:30:00";
        let zone = BERLIN;
        assert_eq!(times(first, zone), expect("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"));
        assert_eq!(times(second, zone), expect("2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"));
    }

    #[test]
    fn a_time_in_the_skipped_hour_is_no_panic() {
        let gap = "2026-03-29 02:30:00 + 60 = 2026-03-29 02:31:00";
        assert_eq!(times(gap, BERLIN).0, "2026-03-29T01:30:00Z");
    }

    #[test]
    fn what_is_not_a_ban_is_named() {
        for line in [
            "",
            "192.0.2.1",
            "192.0.2.1 \t2026-11-24 00:11:16",
            "192.0.2.1 \t2026-11-24 00:11:16 + 600",
            "192.0.2.1 \t2026-11-24 00:11:16 + x = 2026-11-24 00:11:16",
            "192.0.2.1 \t2026-13-24 00:11:16 + 1 = 2026-11-24 00:11:16",
            "192.0.2.1 \t2026-11-24 00:11:16 + 99999999999999999999 = 2026-11-24 00:11:16",
        ] {
            assert!(ban(line, UTC).is_err(), "{line:?}");
        }
        let far = "192.0.2.1 \t2026-11-24 00:11:16 + 9223372036854775807 = 2026-11-24 00:11:16";
        assert_eq!(ban(far, UTC).unwrap().unwrap().2, None);
        let hidden = "a b \t2026-11-24 00:11:16 + 1 = 2026-11-24 00:11:17";
        assert_eq!(ban(hidden, UTC), Ok(None));
    }
}
