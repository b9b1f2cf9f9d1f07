//! What fail2ban tells about bans and jails.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{JailName, Subject};

/// One ban that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ban {
    /// The jail that holds it.
    pub jail: JailName,
    /// Whom it is against.
    pub ip: Subject,
    /// When fail2ban saw the failure that led to it, to the second; kept across restarts.
    pub banned_at: Timestamp,
    /// When it ends; `None` for a permanent ban.
    pub expires_at: Option<Timestamp>,
}

impl Ban {
    /// The present time as fail2ban would give it: whole seconds.
    pub fn now() -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// When a ban ends that begins at a time; negative seconds are for ever, as in fail2ban.
    pub fn end(banned_at: Timestamp, bantime_seconds: i64) -> Option<Timestamp> {
        let length = (bantime_seconds >= 0).then(|| SignedDuration::from_secs(bantime_seconds))?;
        banned_at.checked_add(length).ok()
    }
}

/// The counts of one jail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JailStatus {
    /// The jail.
    pub name: JailName,
    /// Bans in force.
    pub currently_banned: u64,
    /// Bans since the jail was started.
    pub total_banned: u64,
    /// Addresses with failures that have not led to a ban yet.
    pub currently_failed: u64,
    /// Failures since the jail was started.
    pub total_failed: u64,
    /// The log files that are read, or the journal matches of a jail that reads the journal.
    pub file_list: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_ends_after_its_time_or_never() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(Ban::end(at(100), 600), Some(at(700)));
        assert_eq!(Ban::end(at(100), 0), Some(at(100)));
        assert_eq!(Ban::end(at(100), -1), None);
        assert_eq!(Ban::end(at(100), i64::MAX), None, "no calendar has that time");
    }
}
