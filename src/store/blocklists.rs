//! Blocklists: how they are set up, how their imports went, and which entries they brought.
//!
//! An import writes under a claim on its list, which each write renews in its own transaction, and
//! under the scheduler's fence where the scheduler asked for it. Whoever lost either writes
//! nothing.

use super::backend::{Transaction, on};
use super::{Error, Fence, Store};
use crate::domain::blocklist::EntryState;
use crate::domain::{JailName, Network, Secret};

/// The newest judgements of operators about a jail that are looked at.
const JUDGEMENTS_MAX: i64 = 10_000;

/// How a list is set up.
#[derive(Debug, Clone)]
pub struct NewBlocklist {
    /// What it is called.
    pub name: String,
    /// The address or path.
    pub source: Secret<String>,
    /// Where its entries are banned.
    pub jail: String,
    /// Whether it is imported by itself.
    pub enabled: bool,
    /// Whether networks are banned.
    pub networks: bool,
    /// How often it is imported.
    pub interval_seconds: i64,
}

/// A list with its last import. Times are unix seconds.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns are told in migrations/")]
pub struct BlocklistRow {
    pub id: i64,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub source: SourceText,
    pub jail: String,
    pub enabled: bool,
    pub networks: bool,
    pub interval_seconds: i64,
    pub deleted_at: Option<i64>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub succeeded_at: Option<i64>,
    pub result: Option<String>,
    pub error_type: Option<String>,
    pub error: Option<String>,
    pub entries: i64,
    pub added: i64,
    pub renewed: i64,
    pub removed: i64,
    pub refused: i64,
    pub duration_ms: i64,
    pub correlation_id: Option<String>,
    pub failures: i64,
    /// The database's own time.
    pub now: i64,
    /// Whether somebody imports it now.
    pub is_claimed: bool,
}

/// A source as it stands in the store: not to be shown.
#[derive(Debug, Clone)]
pub struct SourceText(pub Secret<String>);

impl Default for SourceText {
    fn default() -> Self {
        Self(Secret::new(String::new()))
    }
}

impl From<String> for SourceText {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// Under what an import writes.
#[derive(Debug, Clone)]
pub struct ImportClaim {
    /// The list.
    pub blocklist_id: i64,
    /// Random for each import.
    pub claim: String,
    /// How long it stands without a write.
    pub lease_seconds: i64,
    /// The scheduler's, if it asked for the import.
    pub fence: Option<Fence>,
}

/// How an import ended.
#[derive(Debug, Clone, Default)]
pub struct ImportEnd {
    /// `completed`, `unchanged` or `failed`.
    pub result: &'static str,
    /// A word for why it failed.
    pub error_type: Option<&'static str>,
    /// The same for people.
    pub error: Option<String>,
    /// Whether it failed because of the source, which is then given time.
    pub is_of_source: bool,
    /// Entries in force; nothing to leave the number as it was.
    pub entries: Option<i64>,
    /// Bans made.
    pub added: i64,
    /// Bans made longer.
    pub renewed: i64,
    /// Bans lifted.
    pub removed: i64,
    /// Entries refused.
    pub refused: i64,
    /// How long it took.
    pub duration_ms: i64,
    /// What the source calls the version that is in force now.
    pub etag: Option<String>,
    /// The same.
    pub last_modified: Option<String>,
}

/// A known entry of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownEntry {
    /// Which.
    pub entry: Network,
    /// How it stands.
    pub state: EntryState,
    /// Since when (unix seconds).
    pub changed_at: i64,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, source, jail, enabled, networks, interval_seconds, deleted_at, \
             etag, last_modified, started_at, finished_at, succeeded_at, result, error_type, \
             error, entries, added, renewed, removed, refused, duration_ms, correlation_id, \
             failures, unixepoch() AS now, \
             (claim IS NOT NULL AND claim_until >= unixepoch()) AS is_claimed FROM blocklists ",
            $rest
        )
    };
}

impl Store {
    /// All lists by name, those too whose bans are being lifted.
    pub async fn blocklists(&self) -> Result<Vec<BlocklistRow>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(columns!("ORDER BY name")).fetch_all(pool).await?
        });
        self.run("SELECT", "blocklists", query).await
    }

    /// One list.
    pub async fn blocklist(&self, id: i64) -> Result<Option<BlocklistRow>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(columns!("WHERE id = $1")).bind(id).fetch_optional(pool).await?
        });
        self.run("SELECT", "blocklists", query).await
    }

    /// Sets up a list; nothing if its name is taken.
    pub async fn create_blocklist(&self, new: &NewBlocklist) -> Result<Option<i64>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar(
            "INSERT INTO blocklists (name, source, jail, enabled, networks, interval_seconds) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING RETURNING id",
        )
        .bind(&new.name)
        .bind(new.source.expose())
        .bind(&new.jail)
        .bind(new.enabled)
        .bind(new.networks)
        .bind(new.interval_seconds).fetch_all(pool).await?.pop()
        });
        self.run("INSERT", "blocklists", query).await
    }

    /// Changes how a list is set up, but for its jail; false if the name is another's. What the
    /// source called its version is forgotten, so that the next import reads it anew, and how often
    /// it failed, which may be mended by the change.
    pub async fn update_blocklist(&self, id: i64, new: &NewBlocklist) -> Result<bool, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
            "UPDATE blocklists SET name = $2, source = $3, enabled = $4, networks = $5, \
             interval_seconds = $6, etag = NULL, last_modified = NULL, failures = 0 WHERE id = $1 \
             AND deleted_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM blocklists WHERE name = $2 AND id <> $1)",
        )
        .bind(id)
        .bind(&new.name)
        .bind(new.source.expose())
        .bind(new.enabled)
        .bind(new.networks)
        .bind(new.interval_seconds).execute(pool).await?.rows_affected()
        });
        Ok(self.run("UPDATE", "blocklists", query).await? == 1)
    }

    /// Marks a list as one whose bans are to be lifted; false if it was marked before.
    pub async fn mark_blocklist_deleted(&self, id: i64) -> Result<bool, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
            "UPDATE blocklists SET deleted_at = unixepoch() WHERE id = $1 AND deleted_at IS NULL",
        )
        .bind(id).execute(pool).await?.rows_affected()
        });
        Ok(self.run("UPDATE", "blocklists", query).await? == 1)
    }

    /// Claims a list for an import; false while another import is under way. A claim from the
    /// future tells that the clock was set back.
    pub async fn claim_blocklist(
        &self,
        claim: &ImportClaim,
        correlation_id: Option<&str>,
    ) -> Result<bool, Error> {
        let claimed = async {
            let mut transaction = self.import_transaction(claim.fence.as_ref()).await?;
            let query = on!(mut transaction, connection => {
                sqlx::query(
                "UPDATE blocklists SET claim = $2, claim_until = unixepoch() + $3, \
                 started_at = unixepoch(), finished_at = NULL, result = 'running', \
                 error_type = NULL, error = NULL, correlation_id = $4 WHERE id = $1 \
                 AND (claim IS NULL OR claim_until \
                 NOT BETWEEN unixepoch() AND unixepoch() + 2 * $3)",
            )
            .bind(claim.blocklist_id)
            .bind(&claim.claim)
            .bind(claim.lease_seconds)
            .bind(correlation_id)
            .execute(&mut *connection)
            .await?
            .rows_affected()
            });
            let rows = self.run("UPDATE", "blocklists", query).await?;
            self.run("COMMIT", "blocklists", transaction.commit()).await?;
            Ok(rows == 1)
        };
        claimed.await
    }

    /// Says that an import goes on; fails if its claim was lost.
    pub async fn renew_import(&self, claim: &ImportClaim) -> Result<(), Error> {
        let transaction = self.import_write(claim).await?;
        self.run("COMMIT", "blocklists", transaction.commit()).await
    }

    /// The known entries of a list. Rows that no longer parse are passed over.
    pub async fn blocklist_entries(&self, id: i64) -> Result<Vec<KnownEntry>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as::<_, (String, String, i64)>(
            "SELECT entry, state, changed_at FROM blocklist_entries WHERE blocklist_id = $1",
        )
        .bind(id).fetch_all(pool).await?
        });
        let rows = self.run("SELECT", "blocklist_entries", query).await?;
        let known = |(entry, state, changed_at): (String, String, i64)| {
            Some(KnownEntry {
                entry: entry.parse().ok()?,
                state: EntryState::of(&state)?,
                changed_at,
            })
        };
        Ok(rows.into_iter().filter_map(known).collect())
    }

    /// Writes how entries stand.
    pub async fn set_blocklist_entries(
        &self,
        claim: &ImportClaim,
        entries: &[Network],
        state: EntryState,
    ) -> Result<(), Error> {
        let mut transaction = self.import_write(claim).await?;
        let write = async {
            on!(mut transaction, connection => {
            for entry in entries {
                sqlx::query(
                    "INSERT INTO blocklist_entries (blocklist_id, entry, state, changed_at) \
                     VALUES ($1, $2, $3, unixepoch()) ON CONFLICT (blocklist_id, entry) \
                     DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
                )
                .bind(claim.blocklist_id)
                .bind(entry.to_string())
                .bind(state.word())
                .execute(&mut *connection)
                .await?;
            }
            })
            .await?;
            transaction.commit().await
        };
        self.run("INSERT", "blocklist_entries", write).await
    }

    /// Forgets entries.
    pub async fn forget_blocklist_entries(
        &self,
        claim: &ImportClaim,
        entries: &[Network],
    ) -> Result<(), Error> {
        let mut transaction = self.import_write(claim).await?;
        let write = async {
            on!(mut transaction, connection => {
            for entry in entries {
                sqlx::query("DELETE FROM blocklist_entries WHERE blocklist_id = $1 AND entry = $2")
                    .bind(claim.blocklist_id)
                    .bind(entry.to_string())
                    .execute(&mut *connection)
                    .await?;
            }
            })
            .await?;
            transaction.commit().await
        };
        self.run("DELETE", "blocklist_entries", write).await
    }

    /// Gives the list's bans that another list of the same jail wants too to that one; returns
    /// which they were.
    pub async fn hand_over_entries(
        &self,
        claim: &ImportClaim,
        jail: &JailName,
        entries: &[Network],
    ) -> Result<Vec<Network>, Error> {
        let mut transaction = self.import_write(claim).await?;
        let write = async {
            let handed = on!(mut transaction, connection => {
            let mut handed = Vec::new();
            for entry in entries {
                let heir = sqlx::query(
                    "UPDATE blocklist_entries SET state = 'placed' WHERE entry = $1 \
                     AND blocklist_id = (SELECT min(blocklists.id) FROM blocklist_entries AS own \
                     JOIN blocklists ON blocklists.id = own.blocklist_id WHERE own.entry = $1 \
                     AND blocklists.jail = $2 AND blocklists.id <> $3 \
                     AND blocklists.deleted_at IS NULL)",
                )
                .bind(entry.to_string())
                .bind(jail.as_str())
                .bind(claim.blocklist_id)
                .execute(&mut *connection)
                .await?;
                if heir.rows_affected() == 0 {
                    continue;
                }
                sqlx::query("DELETE FROM blocklist_entries WHERE blocklist_id = $1 AND entry = $2")
                    .bind(claim.blocklist_id)
                    .bind(entry.to_string())
                    .execute(&mut *connection)
                    .await?;
                handed.push(*entry);
            }
                handed
            })
            .await?;
            transaction.commit().await?;
            Ok(handed)
        };
        self.run("UPDATE", "blocklist_entries", write).await
    }

    /// Writes how an import ended and gives up its claim.
    pub async fn finish_import(&self, claim: &ImportClaim, end: &ImportEnd) -> Result<(), Error> {
        let mut transaction = self.import_write(claim).await?;
        let write = async {
            on!(mut transaction, connection => {
            sqlx::query(
                "UPDATE blocklists SET claim = NULL, claim_until = NULL, \
                 finished_at = unixepoch(), result = $2, error_type = $3, error = $4, \
                 succeeded_at = CASE WHEN $2 = 'failed' THEN succeeded_at ELSE unixepoch() END, \
                 entries = coalesce($5, entries), added = $6, renewed = $7, removed = $8, \
                 refused = $9, duration_ms = $10, \
                 etag = CASE WHEN $2 = 'failed' THEN etag ELSE $11 END, \
                 last_modified = CASE WHEN $2 = 'failed' THEN last_modified ELSE $12 END, \
                 failures = CASE WHEN $2 = 'failed' THEN failures + $13 ELSE 0 END \
                 WHERE id = $1",
            )
            .bind(claim.blocklist_id)
            .bind(end.result)
            .bind(end.error_type)
            .bind(&end.error)
            .bind(end.entries)
            .bind(end.added)
            .bind(end.renewed)
            .bind(end.removed)
            .bind(end.refused)
            .bind(end.duration_ms)
            .bind(&end.etag)
            .bind(&end.last_modified)
            .bind(i64::from(end.is_of_source))
            .execute(&mut *connection)
            .await?;
            })
            .await?;
            transaction.commit().await
        };
        self.run("UPDATE", "blocklists", write).await
    }

    /// Forgets a list whose bans are lifted.
    pub async fn remove_blocklist(&self, claim: &ImportClaim) -> Result<(), Error> {
        let mut transaction = self.import_write(claim).await?;
        let write = async {
            on!(mut transaction, connection => {
            sqlx::query("DELETE FROM blocklists WHERE id = $1")
                .bind(claim.blocklist_id)
                .execute(&mut *connection)
                .await?;
            })
            .await?;
            transaction.commit().await
        };
        self.run("DELETE", "blocklists", write).await
    }

    /// What operators did to the addresses of a jail, newest first: the address, whether it was
    /// banned, and when (unix seconds).
    pub async fn judgements(&self, jail: &JailName) -> Result<Vec<(String, bool, i64)>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as(
            "SELECT ip, action = 'ban', at FROM audit WHERE jail = $1 AND ip IS NOT NULL \
             AND action IN ('ban', 'unban') AND result = 'success' ORDER BY id DESC LIMIT $2",
        )
        .bind(jail.as_str())
        .bind(JUDGEMENTS_MAX).fetch_all(pool).await?
        });
        self.run("SELECT", "audit", query).await
    }

    /// Where sessions that have not ended were opened from.
    pub async fn session_clients(&self) -> Result<Vec<String>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar(
            "SELECT DISTINCT client_ip FROM sessions WHERE expires_at > unixepoch()",
        ).fetch_all(pool).await?
        });
        self.run("SELECT", "sessions", query).await
    }

    /// Begins a transaction of an import, if its claim stands, which is renewed in it.
    async fn import_write(&self, claim: &ImportClaim) -> Result<Transaction, Error> {
        let mut transaction = self.import_transaction(claim.fence.as_ref()).await?;
        let renewal = on!(mut transaction, connection => {
            sqlx::query(
                "UPDATE blocklists SET claim_until = unixepoch() + $3 WHERE id = $1 AND claim = $2",
            )
            .bind(claim.blocklist_id)
            .bind(&claim.claim)
            .bind(claim.lease_seconds)
            .execute(&mut *connection)
            .await?
            .rows_affected()
        });
        match self.run("UPDATE", "blocklists", renewal).await? {
            1 => Ok(transaction),
            _ => Err(Error::ClaimLost),
        }
    }

    async fn import_transaction(&self, fence: Option<&Fence>) -> Result<Transaction, Error> {
        match fence {
            Some(fence) => self.fenced(fence).await,
            None => self.run("BEGIN", "blocklists", self.begin()).await,
        }
    }
}

#[cfg(test)]
#[path = "blocklists_tests.rs"]
mod tests;
