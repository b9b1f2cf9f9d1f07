//! What fail2ban tells about bans and jails.

use jiff::Timestamp;
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

/// The counts of one jail together with the list that the same reply carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JailReport {
    /// The counts.
    pub status: JailStatus,
    /// Who is banned, without times; what cannot be shown safely is left out.
    pub banned: Vec<Subject>,
}
