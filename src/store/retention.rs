//! Removes what is older than it has to be kept: scheduled writes, a limited number of rows each,
//! so that nobody waits long for the database.

use super::backend::on;
use super::{Error, Fence, Store};

impl Store {
    /// Removes bans that ended before a time, the oldest first; returns how many.
    pub async fn delete_ended_bans(
        &self,
        fence: &Fence,
        before: i64,
        limit: i64,
    ) -> Result<u64, Error> {
        const STATEMENT: &str = "DELETE FROM bans WHERE id IN (SELECT id FROM bans \
            WHERE unbanned_at IS NOT NULL AND unbanned_at < $1 ORDER BY unbanned_at LIMIT $2)";
        self.delete_fenced(fence, "bans", STATEMENT, &[before, limit]).await
    }

    /// Removes rows of the audit log from before a time, the oldest first; returns how many. What
    /// was not told yet stays.
    pub async fn delete_told_audit(
        &self,
        fence: &Fence,
        before: i64,
        limit: i64,
    ) -> Result<u64, Error> {
        const STATEMENT: &str = "DELETE FROM audit WHERE id IN (SELECT id FROM audit \
            WHERE at < $1 AND told_at IS NOT NULL AND result <> 'pending' ORDER BY at LIMIT $2)";
        self.delete_fenced(fence, "audit", STATEMENT, &[before, limit]).await
    }

    /// Removes the sessions that have expired; returns how many.
    pub async fn delete_expired_sessions(&self, fence: &Fence, now: i64) -> Result<u64, Error> {
        const STATEMENT: &str = "DELETE FROM sessions WHERE expires_at <= $1";
        self.delete_fenced(fence, "sessions", STATEMENT, &[now]).await
    }

    async fn delete_fenced(
        &self,
        fence: &Fence,
        collection: &'static str,
        statement: &'static str,
        values: &[i64],
    ) -> Result<u64, Error> {
        let mut transaction = self.fenced(fence).await?;
        self.run("DELETE", collection, async {
            let deleted = on!(mut transaction, connection => {
                let query = values.iter().fold(sqlx::query(statement), |query, it| query.bind(*it));
                query.execute(connection).await?.rows_affected()
            })
            .await?;
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::temporary;
    use super::super::{AuditResult, Claim, NewAudit, RecordedBan};
    use super::*;
    use crate::domain::{Ban, Subject};

    async fn fence(store: &Store) -> Fence {
        let claim =
            Claim { owner: "a".into(), pid: 7, hostname: "h".into(), heartbeat_timeout: 30 };
        let epoch = store.acquire_lock(&claim, 0).await.unwrap().unwrap();
        Fence { owner: claim.owner, pid: claim.pid, epoch }
    }

    #[tokio::test]
    async fn bans_go_by_their_end_and_open_ones_stay() {
        let (_folder, store) = temporary().await;
        for n in 0..6_i64 {
            let ban = Ban {
                jail: "sshd".parse().unwrap(),
                ip: Subject::reported(&format!("192.0.2.{n}")).unwrap(),
                banned_at: jiff::Timestamp::from_second(n).unwrap(),
                expires_at: None,
            };
            let recorded =
                RecordedBan { ban: &ban, source: "list", reason: None, correlation_id: None };
            store.record_bans(&[recorded]).await.unwrap();
            if n < 5 {
                store.close_bans(&[(ban.jail.clone(), ban.ip)], 100 + n, "list").await.unwrap();
            }
        }
        let fence = fence(&store).await;
        assert_eq!(store.delete_ended_bans(&fence, 103, 2).await.unwrap(), 2);
        assert_eq!(store.delete_ended_bans(&fence, 103, 2).await.unwrap(), 1);
        assert_eq!(store.delete_ended_bans(&fence, 103, 2).await.unwrap(), 0);
        let left = store.list_history(i64::MAX, 10).await.unwrap();
        let left: Vec<_> = left.iter().map(|row| row.unbanned_at).collect();
        assert_eq!(left, [None, Some(104), Some(103)]);
        let late = Fence { epoch: fence.epoch + 1, ..fence };
        assert!(store.delete_ended_bans(&late, i64::MAX, 9).await.is_err());
        assert_eq!(store.list_history(i64::MAX, 10).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn audit_rows_stay_until_they_are_told() {
        let (_folder, store) = temporary().await;
        let mut ids = Vec::new();
        for at in 0..4 {
            let audit = NewAudit { at, action: "ban", ..NewAudit::default() };
            ids.push(store.begin_audit(&audit).await.unwrap());
        }
        for id in &ids[..3] {
            store.finish_audit(*id, AuditResult::Success, None).await.unwrap();
        }
        store.mark_audit_told(&ids[1..3], 50).await.unwrap();
        let fence = fence(&store).await;
        assert_eq!(store.delete_told_audit(&fence, 2, 10).await.unwrap(), 1);
        assert_eq!(store.delete_told_audit(&fence, i64::MAX, 10).await.unwrap(), 1);
        let left = store.list_audit(i64::MAX, 10).await.unwrap();
        let left: Vec<_> = left.iter().map(|row| row.id).collect();
        assert_eq!(left, [ids[3], ids[0]], "one is pending, one is untold");
    }
}
