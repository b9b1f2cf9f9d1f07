//! Ban history: what was observed, and when it ended.

use jiff::Timestamp;

use super::backend::on;
use super::{Error, Store};
use crate::domain::{Ban, ExplainedEntry, HistoryEntry, JailName, Subject};

/// Rows that are written together, so that a first start before a busy fail2ban is no one long
/// transaction.
const ROWS_PER_TRANSACTION_MAX: usize = 500;
/// Two instances that tell the same change do it within so many seconds.
const SAME_CHANGE_SECONDS: i64 = 10;

/// A ban that history holds as not ended yet. Rows that no longer parse are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBan {
    /// The ban.
    pub ban: Ban,
    /// The operator's own words, if one banned it.
    pub reason: Option<String>,
}

/// A ban to be written.
#[derive(Debug, Clone)]
pub struct RecordedBan<'a> {
    /// The ban.
    pub ban: &'a Ban,
    /// `log`, `list` or `operator`.
    pub source: &'static str,
    /// The operator's own words.
    pub reason: Option<&'a str>,
    /// Trace id under which it was observed.
    pub correlation_id: Option<&'a str>,
}

/// What a row is read as: the columns in the order of [`HistoryEntry`]'s fields.
type EntryRow =
    (i64, String, String, i64, Option<i64>, Option<i64>, String, Option<String>, Option<String>);

#[derive(sqlx::FromRow)]
struct ExplainedRow {
    #[sqlx(flatten)]
    entry: EntryRow,
    actor: Option<String>,
    unban_source: Option<String>,
    unban_actor: Option<String>,
}

type OpenRow = (String, String, i64, Option<i64>, Option<String>);

/// A line of fail2ban's log can be read late: after an operator of another instance has lifted the
/// ban that it tells of. That ban is in history, and over.
const INSERT_BAN: &str = "\
    INSERT INTO bans (jail, ip, banned_at, expires_at, source, reason, correlation_id) \
    SELECT $1, $2, $3, $4, $5, $6, $7 WHERE $5 <> 'log' OR NOT EXISTS (SELECT 1 FROM bans AS own \
    WHERE own.ip = $2 AND own.jail = $1 AND own.unban_source = 'operator' \
    AND own.unbanned_at >= $3 AND abs(own.banned_at - $3) <= $8) \
    ON CONFLICT (jail, ip) WHERE unbanned_at IS NULL DO UPDATE SET \
    source = CASE WHEN excluded.source = 'operator' \
    AND abs(bans.banned_at - excluded.banned_at) <= $8 \
    THEN excluded.source ELSE bans.source END, \
    correlation_id = CASE WHEN excluded.source = 'operator' \
    AND abs(bans.banned_at - excluded.banned_at) <= $8 \
    THEN excluded.correlation_id ELSE bans.correlation_id END, \
    banned_at = excluded.banned_at, expires_at = excluded.expires_at, \
    reason = coalesce(excluded.reason, bans.reason) \
    RETURNING correlation_id";

impl Store {
    /// All bans that have not ended as far as history knows.
    pub async fn open_bans(&self) -> Result<Vec<OpenBan>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
                "SELECT jail, ip, banned_at, expires_at, reason FROM bans \
                 WHERE unbanned_at IS NULL",
            )
            .fetch_all(pool)
            .await?
        });
        let rows: Vec<OpenRow> = self.run("SELECT", "bans", query).await?;
        Ok(rows.into_iter().filter_map(open_ban).collect())
    }

    /// Writes bans that were observed together; one that is open already is brought up to date.
    /// Returns those that another instance has written before, under its own correlation id. A
    /// ban that an operator made is that operator's, also if another instance saw it in fail2ban's
    /// log first.
    pub async fn record_bans(
        &self,
        bans: &[RecordedBan<'_>],
    ) -> Result<Vec<(JailName, Subject)>, Error> {
        // Instances that write the same bans take the rows in the same order, so that none waits
        // for another in a circle.
        let mut bans: Vec<_> = bans.iter().collect();
        bans.sort_by_cached_key(|it| (it.ban.jail.to_string(), it.ban.ip.to_string()));
        let mut known = Vec::new();
        for part in bans.chunks(ROWS_PER_TRANSACTION_MAX) {
            let owners = self.record_part(part).await?;
            let others = part.iter().zip(owners).filter(|(recorded, owner)| {
                recorded.correlation_id.is_some() && owner.as_deref() != recorded.correlation_id
            });
            known.extend(others.map(|(it, _)| (it.ban.jail.clone(), it.ban.ip.clone())));
        }
        Ok(known)
    }

    /// Returns the correlation id of each row.
    async fn record_part(&self, bans: &[&RecordedBan<'_>]) -> Result<Vec<Option<String>>, Error> {
        self.run("INSERT", "bans", async {
            let mut transaction = self.begin().await?;
            let mut owners = Vec::with_capacity(bans.len());
            for recorded in bans {
                let write = on!(mut transaction, connection => {
                    sqlx::query_scalar(INSERT_BAN)
                    .bind(recorded.ban.jail.as_str())
                    .bind(recorded.ban.ip.to_string())
                    .bind(recorded.ban.banned_at.as_second())
                    .bind(recorded.ban.expires_at.map(Timestamp::as_second))
                    .bind(recorded.source)
                    .bind(recorded.reason)
                    .bind(recorded.correlation_id)
                    .bind(SAME_CHANGE_SECONDS)
                    .fetch_optional(connection)
                    .await?
                    .flatten()
                });
                owners.push(write.await?);
            }
            transaction.commit().await?;
            Ok(owners)
        })
        .await
    }

    /// Writes that bans have ended. Returns those whose end another instance has written a moment
    /// before. What an operator lifted was lifted by that operator, whoever saw it first.
    pub async fn close_bans(
        &self,
        ended: &[(JailName, Subject)],
        unbanned_at: i64,
        source: &'static str,
    ) -> Result<Vec<(JailName, Subject)>, Error> {
        let mut ended: Vec<_> = ended.iter().collect();
        ended.sort_by_cached_key(|(jail, ip)| (jail.to_string(), ip.to_string()));
        let mut known = Vec::new();
        for part in ended.chunks(ROWS_PER_TRANSACTION_MAX) {
            let is_known = self.close_part(part, unbanned_at, source).await?;
            let others = part.iter().zip(is_known).filter(|(_, is_known)| *is_known);
            known.extend(others.map(|(it, _)| (*it).clone()));
        }
        Ok(known)
    }

    async fn close_part(
        &self,
        ended: &[&(JailName, Subject)],
        unbanned_at: i64,
        source: &'static str,
    ) -> Result<Vec<bool>, Error> {
        self.run("UPDATE", "bans", async {
            let mut transaction = self.begin().await?;
            let mut is_known = Vec::with_capacity(ended.len());
            for (jail, ip) in ended {
                let (jail, ip) = (jail.as_str(), ip.to_string());
                let close = on!(mut transaction, connection => {
                    sqlx::query(
                        "UPDATE bans SET unbanned_at = $1, unban_source = $2 \
                         WHERE jail = $3 AND ip = $4 AND unbanned_at IS NULL",
                    )
                    .bind(unbanned_at)
                    .bind(source)
                    .bind(jail)
                    .bind(&ip)
                    .execute(connection)
                    .await?
                    .rows_affected()
                });
                if close.await? > 0 {
                    is_known.push(false);
                    continue;
                }
                let claim = on!(mut transaction, connection => {
                    sqlx::query(
                        "UPDATE bans SET unban_source = CASE $1 WHEN 'operator' THEN 'operator' \
                         ELSE unban_source END \
                         WHERE id = (SELECT max(id) FROM bans WHERE jail = $2 AND ip = $3) \
                         AND unbanned_at >= $4",
                    )
                    .bind(source)
                    .bind(jail)
                    .bind(&ip)
                    .bind(unbanned_at - SAME_CHANGE_SECONDS)
                    .execute(connection)
                    .await?
                    .rows_affected()
                });
                let was_closed = claim.await? > 0;
                is_known.push(was_closed && source != "operator");
            }
            transaction.commit().await?;
            Ok(is_known)
        })
        .await
    }

    /// How many bans began since a time (unix seconds).
    pub async fn count_bans_since(&self, since: i64) -> Result<i64, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar("SELECT count(*) FROM bans WHERE banned_at >= $1")
                .bind(since)
                .fetch_one(pool)
                .await?
        });
        self.run("SELECT", "bans", query).await
    }

    /// The newest rows before an id.
    pub async fn list_history(&self, before: i64, limit: i64) -> Result<Vec<HistoryEntry>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
                "SELECT id, jail, ip, banned_at, expires_at, unbanned_at, source, reason, \
                 correlation_id FROM bans WHERE id < $1 ORDER BY id DESC LIMIT $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
        });
        let rows: Vec<EntryRow> = self.run("SELECT", "bans", query).await?;
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The newest rows of an address before an id. Who was behind an operator's change stands in
    /// the audit log: the ban's row has its correlation id, an unban's is the last one within the
    /// time of the ban.
    pub async fn history_of(
        &self,
        ip: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ExplainedEntry>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
                "SELECT id, jail, ip, banned_at, expires_at, unbanned_at, source, reason, \
                 correlation_id, unban_source, \
                 CASE source WHEN 'operator' THEN ( \
                     SELECT actor FROM audit WHERE audit.ip = bans.ip AND audit.jail = bans.jail \
                     AND action = 'ban' AND result <> 'failure' \
                     AND audit.correlation_id = bans.correlation_id \
                     ORDER BY audit.id DESC LIMIT 1 \
                 ) END AS actor, \
                 CASE unban_source WHEN 'operator' THEN ( \
                     SELECT actor FROM audit WHERE audit.ip = bans.ip AND audit.jail = bans.jail \
                     AND action = 'unban' AND result <> 'failure' \
                     AND at BETWEEN banned_at AND unbanned_at ORDER BY audit.id DESC LIMIT 1 \
                 ) END AS unban_actor \
                 FROM bans WHERE ip = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
            )
            .bind(ip)
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await?
        });
        let rows: Vec<ExplainedRow> = self.run("SELECT", "bans", query).await?;
        let explained = |row: ExplainedRow| ExplainedEntry {
            entry: entry(row.entry),
            actor: row.actor,
            unban_source: row.unban_source,
            unban_actor: row.unban_actor,
        };
        Ok(rows.into_iter().map(explained).collect())
    }
}

fn entry(row: EntryRow) -> HistoryEntry {
    let (id, jail, ip, banned_at, expires_at, unbanned_at, source, reason, correlation_id) = row;
    HistoryEntry {
        id,
        jail,
        ip,
        banned_at,
        expires_at,
        unbanned_at,
        source,
        reason,
        correlation_id,
    }
}

fn open_ban((jail, ip, banned_at, expires_at, reason): OpenRow) -> Option<OpenBan> {
    let ban = Ban {
        jail: jail.parse().ok()?,
        ip: Subject::reported(&ip).ok()?,
        banned_at: Timestamp::from_second(banned_at).ok()?,
        expires_at: expires_at.and_then(|at| Timestamp::from_second(at).ok()),
    };
    Some(OpenBan { ban, reason })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::super::{AuditResult, NewAudit};
    use super::*;

    on_both!(
        two_instances_that_notice_the_same_tell_it_once,
        history_keeps_what_fail2ban_forgets,
        an_open_ban_is_not_doubled_but_a_new_one_after_its_end_is_a_row,
        a_line_that_is_read_after_the_unban_is_no_second_ban,
        the_history_of_an_address_names_the_operators,
    );

    fn ban(ip: &str, at: i64) -> Ban {
        Ban {
            jail: "sshd".parse().unwrap(),
            ip: Subject::reported(ip).unwrap(),
            banned_at: Timestamp::from_second(at).unwrap(),
            expires_at: None,
        }
    }

    fn recorded(ban: &Ban) -> RecordedBan<'_> {
        RecordedBan { ban, source: "list", reason: None, correlation_id: None }
    }

    async fn history_keeps_what_fail2ban_forgets(store: Store) {
        let (a, b) = (ban("192.0.2.1", 10), ban("192.0.2.2", 20));
        store.record_bans(&[recorded(&a), recorded(&b)]).await.unwrap();
        store.close_bans(&[(a.jail.clone(), a.ip.clone())], 30, "log").await.unwrap();
        let open = store.open_bans().await.unwrap();
        assert_eq!(open, [OpenBan { ban: b, reason: None }]);
        let rows = store.list_history(i64::MAX, 10).await.unwrap();
        assert_eq!(rows.iter().filter_map(|row| row.unbanned_at).collect::<Vec<_>>(), [30]);
        assert_eq!(store.count_bans_since(15).await.unwrap(), 1);
    }

    async fn an_open_ban_is_not_doubled_but_a_new_one_after_its_end_is_a_row(store: Store) {
        let (first, again) = (ban("192.0.2.1", 10), ban("192.0.2.1", 11));
        store.record_bans(&[recorded(&first)]).await.unwrap();
        store.record_bans(&[recorded(&again)]).await.unwrap();
        assert_eq!(store.open_bans().await.unwrap()[0].ban, again);
        store.close_bans(&[(first.jail.clone(), first.ip.clone())], 12, "list").await.unwrap();
        store.record_bans(&[recorded(&ban("192.0.2.1", 13))]).await.unwrap();
        assert_eq!(store.list_history(i64::MAX, 10).await.unwrap().len(), 2);
    }

    async fn a_line_that_is_read_after_the_unban_is_no_second_ban(store: Store) {
        let first = ban("192.0.2.1", 10);
        let by =
            |ban, source, id| RecordedBan { source, correlation_id: Some(id), ..recorded(ban) };
        store.record_bans(&[by(&first, "operator", "a")]).await.unwrap();
        store.close_bans(&[(first.jail.clone(), first.ip.clone())], 12, "operator").await.unwrap();
        let (late, again) = (ban("192.0.2.1", 11), ban("192.0.2.1", 13));
        let known = store.record_bans(&[by(&late, "log", "b")]).await.unwrap();
        assert_eq!(known, [(first.jail.clone(), first.ip.clone())], "it was told");
        assert_eq!(store.open_bans().await.unwrap(), []);
        assert_eq!(store.record_bans(&[by(&again, "log", "c")]).await.unwrap(), []);
        assert_eq!(store.list_history(i64::MAX, 10).await.unwrap().len(), 2);
    }

    async fn the_history_of_an_address_names_the_operators(store: Store) {
        let change = |at, actor: &str, action, id: &str| NewAudit {
            at,
            actor: actor.into(),
            action,
            jail: Some("sshd".into()),
            ip: Some("192.0.2.1".into()),
            correlation_id: Some(id.into()),
            ..NewAudit::default()
        };
        let (mine, other) = (ban("192.0.2.1", 10), ban("192.0.2.2", 10));
        let by =
            |ban, id| RecordedBan { source: "operator", correlation_id: Some(id), ..recorded(ban) };
        store.begin_audit(&change(9, "alice", "ban", "a")).await.unwrap();
        store.record_bans(&[by(&mine, "a"), by(&other, "b")]).await.unwrap();
        store.begin_audit(&change(11, "bob", "unban", "c")).await.unwrap();
        let failed = store.begin_audit(&change(12, "carol", "unban", "d")).await.unwrap();
        store.finish_audit(failed, AuditResult::Failure, None).await.unwrap();
        store.close_bans(&[(mine.jail.clone(), mine.ip.clone())], 13, "operator").await.unwrap();
        // A ban of fail2ban's own has nobody behind it.
        store.record_bans(&[recorded(&ban("192.0.2.1", 20))]).await.unwrap();

        let rows = store.history_of("192.0.2.1", i64::MAX, 10).await.unwrap();
        let who = |row: &ExplainedEntry| (row.actor.clone(), row.unban_actor.clone());
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(
            rows.iter().map(who).collect::<Vec<_>>(),
            [(None, None), (name("alice"), name("bob"))]
        );
        assert_eq!(rows[1].unban_source.as_deref(), Some("operator"));
        let older = store.history_of("192.0.2.1", rows[0].entry.id, 10).await.unwrap();
        assert_eq!(older, rows[1..]);
    }

    async fn two_instances_that_notice_the_same_tell_it_once(store: Store) {
        let (seen, place) = (ban("192.0.2.1", 10), |ban: &Ban| (ban.jail.clone(), ban.ip.clone()));
        let by =
            |ban, source, id| RecordedBan { source, correlation_id: Some(id), ..recorded(ban) };
        assert_eq!(store.record_bans(&[by(&seen, "log", "a")]).await.unwrap(), []);
        // The same attempt again, whose first answer was lost, is no other's.
        assert_eq!(store.record_bans(&[by(&seen, "log", "a")]).await.unwrap(), []);
        let other = store.record_bans(&[by(&seen, "log", "b")]).await.unwrap();
        assert_eq!(other, [place(&seen)]);
        // The operator who made it was slower than the log.
        let made = ban("192.0.2.1", 11);
        assert_eq!(store.record_bans(&[by(&made, "operator", "c")]).await.unwrap(), []);
        let rows = store.list_history(i64::MAX, 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].source.as_str(), rows[0].correlation_id.as_deref()),
            ("operator", Some("c"))
        );

        let ended = [place(&seen)];
        assert_eq!(store.close_bans(&ended, 20, "list").await.unwrap(), []);
        assert_eq!(store.close_bans(&ended, 21, "list").await.unwrap(), ended);
        assert_eq!(store.close_bans(&ended, 22, "operator").await.unwrap(), []);
        let rows = store.history_of("192.0.2.1", i64::MAX, 10).await.unwrap();
        assert_eq!(rows[0].unban_source.as_deref(), Some("operator"));
        assert_eq!(rows[0].entry.unbanned_at, Some(20));
        // What nobody has written was told by nobody.
        assert_eq!(store.close_bans(&ended, 99, "list").await.unwrap(), []);
    }
}
