//! The instances that share the database: which of them live, and whose audit rows are whose.
//!
//! A row of the audit log belongs to the instance that wrote it: it finishes the row and tells it
//! to the log. When that instance is dead, another takes its rows over, each row one other.

use super::backend::on;
use super::{Error, Store};

/// An instance that has not said for so long that it lives is dead. It says so every half a
/// minute.
const SILENT_SECONDS_MAX: i64 = 120;
/// No change takes so long, so nobody will finish a row that is older, whether its instance lives
/// (and the database was away when the change ended) or not.
const PENDING_SECONDS_MAX: i64 = 600;
/// How long a row of a dead instance is kept, for nothing but to be looked at.
const KEPT_SECONDS: i64 = 24 * 3600;

impl Store {
    /// What this instance is known by in the database; random for each process.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Says that this instance lives.
    pub async fn instance_lives(&self) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
                "INSERT INTO instances (id, heartbeat_at) VALUES ($1, unixepoch()) \
                 ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at",
            )
            .bind(&*self.instance)
            .execute(pool)
            .await?;
        });
        self.run("INSERT", "instances", query).await
    }

    /// Begins the life of this instance.
    pub(super) async fn instance_begins(&self) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("DELETE FROM instances WHERE heartbeat_at < unixepoch() - $1")
                .bind(KEPT_SECONDS)
                .execute(pool)
                .await?;
        });
        self.run("DELETE", "instances", query).await?;
        self.instance_lives().await
    }

    /// Forgets all instances: whoever calls this knows that none lives.
    pub(super) async fn forget_instances(&self) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("DELETE FROM instances").execute(pool).await?;
        });
        self.run("DELETE", "instances", query).await
    }

    /// Ends the life of this instance, so that others need not wait until it counts as dead.
    pub(super) async fn instance_ends(&self) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("DELETE FROM instances WHERE id = $1")
                .bind(&*self.instance)
                .execute(pool)
                .await?;
        });
        self.run("DELETE", "instances", query).await
    }

    /// Takes over the audit rows of instances that are dead: changes that they began and never
    /// finished are marked as failed, and what they did not tell is told by this one. Returns how
    /// many changes were marked.
    pub async fn take_over_audit(&self, detail: &str) -> Result<u64, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
                "UPDATE audit SET result = 'failure', detail = $1, instance = $2 \
                 WHERE result = 'pending' AND told_at IS NULL \
                 AND (at < unixepoch() - $3 OR (coalesce(instance, '') <> $2 AND NOT EXISTS \
                 (SELECT 1 FROM instances WHERE instances.id = audit.instance \
                  AND heartbeat_at >= unixepoch() - $4)))",
            )
            .bind(detail)
            .bind(&*self.instance)
            .bind(PENDING_SECONDS_MAX)
            .bind(SILENT_SECONDS_MAX)
            .execute(pool)
            .await?
            .rows_affected()
        });
        let failed = self.run("UPDATE", "audit", query).await?;
        let query = on!(self.pool, pool => {
            sqlx::query(
                "UPDATE audit SET instance = $1 \
                 WHERE told_at IS NULL AND coalesce(instance, '') <> $1 AND NOT EXISTS \
                 (SELECT 1 FROM instances WHERE instances.id = audit.instance \
                  AND heartbeat_at >= unixepoch() - $2)",
            )
            .bind(&*self.instance)
            .bind(SILENT_SECONDS_MAX)
            .execute(pool)
            .await?;
        });
        self.run("UPDATE", "audit", query).await?;
        Ok(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on_both, temporary};
    use super::super::{AuditResult, NewAudit, UntoldQuery};
    use super::*;

    on_both!(
        rows_of_a_living_instance_are_its_own,
        rows_of_a_dead_instance_are_taken_over_by_one,
        what_nobody_will_finish_is_failed,
    );

    async fn untold(store: &Store) -> Vec<i64> {
        let wanted = UntoldQuery { except: &[], failures_only: false, limit: 100 };
        store.untold_audit(wanted).await.unwrap().into_iter().map(|row| row.entry.id).collect()
    }

    async fn two_rows(store: &Store) -> [i64; 2] {
        let audit = NewAudit { at: jiff::Timestamp::now().as_second(), ..NewAudit::default() };
        let pending = store.begin_audit(&audit).await.unwrap();
        let done = store.begin_audit(&audit).await.unwrap();
        store.finish_audit(done, AuditResult::Success, None).await.unwrap();
        [pending, done]
    }

    async fn run(store: &Store, sql: &'static str) {
        let query = on!(store.pool, pool => { sqlx::query(sql).execute(pool).await?; });
        query.await.unwrap();
    }

    async fn rows_of_a_living_instance_are_its_own(store: Store) {
        let [_, done] = two_rows(&store).await;
        let other = store.another_instance().await;
        assert_eq!(other.take_over_audit("interrupted").await.unwrap(), 0);
        assert_eq!((untold(&store).await, untold(&other).await), (vec![done], vec![]));
        let rows = store.list_audit(i64::MAX, 10).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.result == "pending").count(), 1);
    }

    async fn rows_of_a_dead_instance_are_taken_over_by_one(store: Store) {
        let [pending, done] = two_rows(&store).await;
        let (other, third) = (store.another_instance().await, store.another_instance().await);
        run(&store, "UPDATE instances SET heartbeat_at = heartbeat_at - 200").await;
        other.instance_lives().await.unwrap();
        third.instance_lives().await.unwrap();
        let (a, b) =
            tokio::join!(other.take_over_audit("interrupted"), third.take_over_audit("dead"));
        assert_eq!(a.unwrap() + b.unwrap(), 1, "one change is failed once");
        let mut all = [untold(&other).await, untold(&third).await].concat();
        all.sort_unstable();
        assert_eq!(all, [pending, done], "each row has one that tells it");
        assert_eq!(untold(&store).await, [0; 0]);
    }

    async fn what_nobody_will_finish_is_failed(store: Store) {
        let old = store.begin_audit(&NewAudit { at: 5, ..NewAudit::default() }).await.unwrap();
        assert_eq!(store.take_over_audit("interrupted").await.unwrap(), 1);
        assert_eq!(untold(&store).await, [old]);
    }

    #[tokio::test]
    async fn who_is_alone_on_a_file_waits_for_nobody() {
        let (folder, first) = temporary().await;
        let [pending, done] = two_rows(&first).await;
        let path = folder.path().join("bangui.db");
        let second = Store::open(&path).await.unwrap();
        assert_eq!(second.take_over_audit("interrupted").await.unwrap(), 0, "the first one lives");
        second.close().await;
        drop(second);
        // As a kill does: nothing is said, only the file is no longer held.
        drop(first);
        let third = Store::open(&path).await.unwrap();
        assert_eq!(third.take_over_audit("interrupted").await.unwrap(), 1);
        assert_eq!(untold(&third).await, [pending, done]);
    }
}
