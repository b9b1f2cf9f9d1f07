//! What is remembered: rows of the audit log and of the ban history.

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Row id, growing.
    pub id: i64,
    /// Unix seconds.
    pub at: i64,
    /// The account, or `api-token`.
    pub actor: String,
    /// Where the request came from.
    pub client_ip: String,
    /// What was done.
    pub action: String,
    /// The jail concerned.
    pub jail: Option<String>,
    /// The address concerned.
    pub ip: Option<String>,
    /// The operator's own words.
    pub reason: Option<String>,
    /// `pending`, `success` or `failure`.
    pub result: String,
    /// Why it failed.
    pub detail: Option<String>,
    /// Trace id of the request.
    pub correlation_id: Option<String>,
}

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Row id, growing.
    pub id: i64,
    /// The jail.
    pub jail: String,
    /// The address.
    pub ip: String,
    /// Unix seconds.
    pub banned_at: i64,
    /// Unix seconds; nothing for a permanent ban.
    pub expires_at: Option<i64>,
    /// Unix seconds; nothing while it lasts.
    pub unbanned_at: Option<i64>,
    /// What told of it first.
    pub source: String,
    /// The operator's own words.
    pub reason: Option<String>,
    /// Trace id under which it was observed.
    pub correlation_id: Option<String>,
}

/// A row of the history with all that is known of who was behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedEntry {
    /// The row.
    pub entry: HistoryEntry,
    /// The operator who banned, if one did.
    pub actor: Option<String>,
    /// What told of its end.
    pub unban_source: Option<String>,
    /// The operator who lifted it, if one did.
    pub unban_actor: Option<String>,
}
