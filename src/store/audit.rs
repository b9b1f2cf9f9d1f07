//! The audit log: who changed what, from where, and how it ended; and which rows of it are still
//! to be told.

use super::backend::on;
use super::{Error, Store, random_id};
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
    /// The word for it.
    pub fn as_str(self) -> &'static str {
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
    /// The request's place in its trace, as a `traceparent` header would say it.
    pub traceparent: Option<String>,
}

/// A finished change whose record is not known to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UntoldAudit {
    /// The row.
    pub entry: AuditEntry,
    /// The uid of its record, the same at each telling.
    pub uid: String,
    /// The request's place in its trace.
    pub traceparent: Option<String>,
}

/// Which rows are still to be told.
#[derive(Debug, Clone, Copy)]
pub struct UntoldQuery<'a> {
    /// Other rows than these.
    pub except: &'a [i64],
    /// Failures only.
    pub failures_only: bool,
    /// At most so many.
    pub limit: usize,
}

/// What a row is read as: the columns in the order of [`AuditEntry`]'s fields.
type EntryRow = (
    i64,
    i64,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);

#[derive(sqlx::FromRow)]
struct UntoldRow {
    #[sqlx(flatten)]
    entry: EntryRow,
    uid: String,
    traceparent: Option<String>,
}

impl Store {
    /// Writes that a change is about to be made; returns the row's id. The uid of its record is
    /// made with the row, so that whoever tells it, and however often, uses the same one.
    pub async fn begin_audit(&self, audit: &NewAudit) -> Result<i64, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar(
                "INSERT INTO audit (at, actor, client_ip, action, jail, ip, reason, result, \
                 correlation_id, traceparent, uid, instance) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9, $10, $11) \
                 RETURNING id",
            )
            .bind(audit.at)
            .bind(&audit.actor)
            .bind(&audit.client_ip)
            .bind(audit.action)
            .bind(&audit.jail)
            .bind(&audit.ip)
            .bind(&audit.reason)
            .bind(&audit.correlation_id)
            .bind(&audit.traceparent)
            .bind(random_id()?)
            .bind(self.instance())
            .fetch_all(pool)
            .await?
            .pop()
            .ok_or(sqlx::Error::RowNotFound)?
        });
        self.run("INSERT", "audit", query).await
    }

    /// Writes how a change ended.
    pub async fn finish_audit(
        &self,
        id: i64,
        result: AuditResult,
        detail: Option<&str>,
    ) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("UPDATE audit SET result = $1, detail = $2 WHERE id = $3")
                .bind(result.as_str())
                .bind(detail)
                .bind(id)
                .execute(pool)
                .await?;
        });
        self.run("UPDATE", "audit", query).await
    }

    /// The newest rows before an id.
    pub async fn list_audit(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
                "SELECT id, at, actor, client_ip, action, jail, ip, reason, result, detail, \
                 correlation_id FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
        });
        let rows: Vec<EntryRow> = self.run("SELECT", "audit", query).await?;
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Finished rows of this instance that were not told yet, oldest first.
    pub async fn untold_audit(&self, wanted: UntoldQuery<'_>) -> Result<Vec<UntoldAudit>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
                "SELECT id, at, actor, client_ip, action, jail, ip, reason, result, detail, \
                 correlation_id, uid, traceparent FROM audit \
                 WHERE told_at IS NULL AND uid IS NOT NULL \
                 AND (result = 'failure' OR (result = 'success' AND NOT $1)) \
                 AND id NOT IN (SELECT value FROM json_each($2)) AND instance = $4 \
                 ORDER BY id LIMIT $3",
            )
            .bind(wanted.failures_only)
            .bind(json_list(wanted.except))
            .bind(i64::try_from(wanted.limit).unwrap_or(i64::MAX))
            .bind(self.instance())
            .fetch_all(pool)
            .await?
        });
        let rows: Vec<UntoldRow> = self.run("SELECT", "audit", query).await?;
        let untold = |row: UntoldRow| UntoldAudit {
            entry: entry(row.entry),
            uid: row.uid,
            traceparent: row.traceparent,
        };
        Ok(rows.into_iter().map(untold).collect())
    }

    /// Writes that rows were told.
    pub async fn mark_audit_told(&self, ids: &[i64], told_at: i64) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
                "UPDATE audit SET told_at = $1 WHERE id IN (SELECT value FROM json_each($2))",
            )
            .bind(told_at)
            .bind(json_list(ids))
            .execute(pool)
            .await?;
        });
        self.run("UPDATE", "audit", query).await
    }
}

fn entry(row: EntryRow) -> AuditEntry {
    let (id, at, actor, client_ip, action, jail, ip, reason, result, detail, correlation_id) = row;
    AuditEntry {
        id,
        at,
        actor,
        client_ip,
        action,
        jail,
        ip,
        reason,
        result,
        detail,
        correlation_id,
    }
}

/// SQLite binds no lists; it does read JSON, and in Postgres a function of the same name does.
fn json_list(ids: &[i64]) -> String {
    serde_json::Value::from(ids).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    on_both!(
        a_change_is_pending_until_it_is_finished,
        a_row_is_due_from_its_end_until_it_is_told,
        a_row_keeps_its_uid_and_its_place_in_the_trace,
    );

    async fn a_change_is_pending_until_it_is_finished(store: Store) {
        let audit = NewAudit { at: 5, action: "ban", ..NewAudit::default() };
        let first = store.begin_audit(&audit).await.unwrap();
        let second = store.begin_audit(&audit).await.unwrap();
        store.finish_audit(first, AuditResult::Failure, Some("timeout")).await.unwrap();
        let rows = store.list_audit(i64::MAX, 10).await.unwrap();
        let results: Vec<_> = rows.iter().map(|row| (row.id, row.result.as_str())).collect();
        assert_eq!(results, [(second, "pending"), (first, "failure")]);
        assert_eq!(store.list_audit(second, 10).await.unwrap().len(), 1);
        assert_eq!(store.take_over_audit("interrupted").await.unwrap(), 1);
        assert_eq!(store.list_audit(i64::MAX, 1).await.unwrap()[0].result, "failure");
    }

    const ALL: UntoldQuery<'_> = UntoldQuery { except: &[], failures_only: false, limit: 100 };

    async fn untold(store: &Store, wanted: UntoldQuery<'_>) -> Vec<i64> {
        let rows = store.untold_audit(wanted).await.unwrap();
        rows.into_iter().map(|row| row.entry.id).collect()
    }

    async fn a_row_is_due_from_its_end_until_it_is_told(store: Store) {
        let audit = NewAudit { action: "ban", ..NewAudit::default() };
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(store.begin_audit(&audit).await.unwrap());
        }
        let [a, b, c, d] = ids[..] else { panic!("four rows") };
        assert_eq!(untold(&store, ALL).await, [0; 0], "pending is not due");
        // The order of their ends is not the order in which they are told.
        for (id, result) in
            [(c, AuditResult::Success), (b, AuditResult::Failure), (a, AuditResult::Success)]
        {
            store.finish_audit(id, result, None).await.unwrap();
        }
        assert_eq!(untold(&store, ALL).await, [a, b, c]);
        assert_eq!(untold(&store, UntoldQuery { except: &[a, 99], limit: 1, ..ALL }).await, [b]);
        assert_eq!(untold(&store, UntoldQuery { failures_only: true, ..ALL }).await, [b]);
        store.mark_audit_told(&[a, c], 7).await.unwrap();
        assert_eq!(untold(&store, ALL).await, [b]);
        store.take_over_audit("interrupted").await.unwrap();
        assert_eq!(untold(&store, ALL).await, [b, d], "what was interrupted is told, too");
    }

    async fn a_row_keeps_its_uid_and_its_place_in_the_trace(store: Store) {
        let audit = NewAudit { traceparent: Some("00-1-2-01".into()), ..NewAudit::default() };
        for _ in 0..2 {
            let id = store.begin_audit(&audit).await.unwrap();
            store.finish_audit(id, AuditResult::Success, None).await.unwrap();
        }
        let rows = store.untold_audit(ALL).await.unwrap();
        assert_eq!(rows, store.untold_audit(ALL).await.unwrap());
        assert_ne!(rows[0].uid, rows[1].uid);
        for row in rows {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert!(row.uid.len() == 32 && row.uid.bytes().all(is_hex), "{}", row.uid);
            assert_eq!(row.traceparent.as_deref(), Some("00-1-2-01"));
        }
    }

    #[tokio::test]
    async fn rows_from_before_the_outbox_count_as_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bangui.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let pool = sqlx::SqlitePool::connect_with(options.create_if_missing(true)).await.unwrap();
        let first = folder.path().join("first");
        std::fs::create_dir(&first).unwrap();
        let name = "0001_initial.sql";
        std::fs::copy(format!("migrations/sqlite/{name}"), first.join(name)).unwrap();
        sqlx::migrate::Migrator::new(first).await.unwrap().run(&pool).await.unwrap();
        sqlx::query(
            "INSERT INTO audit (at, actor, client_ip, action, result) \
             VALUES (5, 'admin', '192.0.2.1', 'login', 'success')",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.list_audit(i64::MAX, 10).await.unwrap().len(), 1);
        assert_eq!(untold(&store, ALL).await, [0; 0]);
        let query = on!(store.pool, pool => {
            sqlx::query_scalar("SELECT told_at FROM audit").fetch_one(pool).await?
        });
        let told_at: i64 = query.await.unwrap();
        assert_eq!(told_at, 5);
    }
}
