//! The audit log: who changed what, from where, and how it ended.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{Error, Store};
use crate::domain::AuditEntry;

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditResult {
    /// It was made.
    Success,
    /// It was not made, or it is not known whether it was.
    Failure,
}

impl AuditResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// A change that is about to be made.
#[derive(Debug, Default, Clone)]
pub struct NewAudit {
    /// Unix seconds.
    pub at: i64,
    /// The account, or `api-token`.
    pub actor: String,
    /// Where the request came from.
    pub client_ip: String,
    /// What is done: `ban`, `unban`, `login`, …
    pub action: &'static str,
    /// The jail concerned.
    pub jail: Option<String>,
    /// The address concerned.
    pub ip: Option<String>,
    /// The operator's own words.
    pub reason: Option<String>,
    /// Trace id of the request.
    pub correlation_id: Option<String>,
}

impl Store {
    /// Writes that a change is about to be made; returns the row's id.
    pub async fn begin_audit(&self, audit: &NewAudit) -> Result<i64, Error> {
        let query = sqlx::query(
            "INSERT INTO audit \
             (at, actor, client_ip, action, jail, ip, reason, result, correlation_id) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?)",
        )
        .bind(audit.at)
        .bind(&audit.actor)
        .bind(&audit.client_ip)
        .bind(audit.action)
        .bind(&audit.jail)
        .bind(&audit.ip)
        .bind(&audit.reason)
        .bind(&audit.correlation_id)
        .execute(&self.pool);
        Ok(self.run("INSERT", "audit", query).await?.last_insert_rowid())
    }

    /// Writes how a change ended.
    pub async fn finish_audit(
        &self,
        id: i64,
        result: AuditResult,
        detail: Option<&str>,
    ) -> Result<(), Error> {
        let query = sqlx::query("UPDATE audit SET result = ?, detail = ? WHERE id = ?")
            .bind(result.as_str())
            .bind(detail)
            .bind(id)
            .execute(&self.pool);
        self.run("UPDATE", "audit", query).await.map(drop)
    }

    /// Marks changes that were begun and never finished as failed; returns how many there were.
    pub async fn fail_pending_audit(&self, detail: &str) -> Result<u64, Error> {
        let query =
            sqlx::query("UPDATE audit SET result = 'failure', detail = ? WHERE result = 'pending'")
                .bind(detail)
                .execute(&self.pool);
        Ok(self.run("UPDATE", "audit", query).await?.rows_affected())
    }

    /// The newest rows before an id.
    pub async fn list_audit(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, Error> {
        let query = sqlx::query(
            "SELECT id, at, actor, client_ip, action, jail, ip, reason, result, detail, \
             correlation_id FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        )
        .bind(before)
        .bind(limit)
        .try_map(|row: SqliteRow| {
            Ok(AuditEntry {
                id: row.try_get("id")?,
                at: row.try_get("at")?,
                actor: row.try_get("actor")?,
                client_ip: row.try_get("client_ip")?,
                action: row.try_get("action")?,
                jail: row.try_get("jail")?,
                ip: row.try_get("ip")?,
                reason: row.try_get("reason")?,
                result: row.try_get("result")?,
                detail: row.try_get("detail")?,
                correlation_id: row.try_get("correlation_id")?,
            })
        })
        .fetch_all(&self.pool);
        self.run("SELECT", "audit", query).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::temporary;
    use super::*;

    #[tokio::test]
    async fn a_change_is_pending_until_it_is_finished() {
        let (_folder, store) = temporary().await;
        let audit = NewAudit { at: 5, action: "ban", ..NewAudit::default() };
        let first = store.begin_audit(&audit).await.unwrap();
        let second = store.begin_audit(&audit).await.unwrap();
        store.finish_audit(first, AuditResult::Failure, Some("timeout")).await.unwrap();
        let rows = store.list_audit(i64::MAX, 10).await.unwrap();
        let results: Vec<_> = rows.iter().map(|row| (row.id, row.result.as_str())).collect();
        assert_eq!(results, [(second, "pending"), (first, "failure")]);
        assert_eq!(store.list_audit(second, 10).await.unwrap().len(), 1);
        assert_eq!(store.fail_pending_audit("interrupted").await.unwrap(), 1);
        assert_eq!(store.list_audit(i64::MAX, 1).await.unwrap()[0].result, "failure");
    }
}
