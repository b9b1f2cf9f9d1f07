//! fail2ban's own database, read beside fail2ban: what it knows of bans that are over.
//!
//! It is fail2ban's: opened to read, its journal left as it is, and asked short questions, since a
//! reader keeps fail2ban from writing. Who wants to know more later opens it again, so that a file
//! that was replaced is noticed. And what is missing in our history is written from here.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::backend::on;
use super::{Error, Fence, Store};
use crate::domain::{JailName, Subject};

/// fail2ban writes for moments only; who finds it busy for longer comes again another time.
const WAIT: Duration = Duration::from_secs(1);
/// The times of one ban may differ by this in our history and in fail2ban's: its log is read a
/// moment after a line was written, and its times are whole seconds.
const SAME_BAN_SECONDS: i64 = 5;

/// Why fail2ban's database could not be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unreadable(#[from] sqlx::Error);

/// A ban that is over, as fail2ban keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedBan {
    /// The jail.
    pub jail: JailName,
    /// The address.
    pub ip: Subject,
    /// Unix seconds.
    pub banned_at: i64,
    /// Unix seconds.
    pub ended_at: i64,
}

/// Rows of fail2ban's that were read in one go.
#[derive(Debug, Default)]
pub struct EndedBans {
    /// The bans, without those that are no bans to us.
    pub bans: Vec<EndedBan>,
    /// How many rows there were.
    pub rows: usize,
    /// Where to go on.
    pub last_row: i64,
}

/// A row's number, its jail and address, and the beginning and the end of the ban.
type Row = (i64, Option<String>, Option<String>, i64, i64);

/// fail2ban's database, open.
#[derive(Debug)]
pub struct Fail2banRows {
    connection: SqliteConnection,
}

impl Fail2banRows {
    /// Opens it to read.
    pub async fn open(path: &Path) -> Result<Self, Unreadable> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        Ok(Self { connection: options.busy_timeout(WAIT).connect().await? })
    }

    /// The next rows after one, of bans that ended within a time.
    pub async fn ended(
        &mut self,
        after_row: i64,
        (from, to): (i64, i64),
        limit: i64,
    ) -> Result<EndedBans, Unreadable> {
        // A ban for ever has no end, and of one that began in an older version none is known.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT rowid, jail, CAST(ip AS TEXT), CAST(timeofban AS INTEGER), \
             CAST(timeofban AS INTEGER) + CAST(bantime AS INTEGER) FROM bans \
             WHERE rowid > $1 AND bantime >= 0 AND timeofban + bantime BETWEEN $2 AND $3 \
             ORDER BY rowid LIMIT $4",
        )
        .bind(after_row)
        .bind(from)
        .bind(to)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let last_row = rows.last().map_or(after_row, |row| row.0);
        let ban = |(_, jail, ip, banned_at, ended_at): &Row| {
            let jail = jail.as_deref()?.parse().ok()?;
            let ip = Subject::reported(ip.as_deref()?).ok()?;
            Some(EndedBan { jail, ip, banned_at: *banned_at, ended_at: *ended_at })
        };
        let bans = rows.iter().filter_map(ban).collect();
        Ok(EndedBans { bans, rows: rows.len(), last_row })
    }

    /// Closes it. It was read only, so nothing can go wrong that matters.
    pub async fn close(self) {
        let _ = self.connection.close().await;
    }
}

const INSERT_ENDED: &str = "\
    INSERT INTO bans (jail, ip, banned_at, expires_at, unbanned_at, source, unban_source, \
    correlation_id) SELECT $1, $2, $3, $4, $4, 'list', 'list', $5 WHERE NOT EXISTS \
    (SELECT 1 FROM bans WHERE ip = $2 AND jail = $1 AND banned_at BETWEEN $6 AND $7)";

impl Store {
    /// Those of the bans that history does not have.
    pub async fn missing_bans(&self, bans: Vec<EndedBan>) -> Result<Vec<EndedBan>, Error> {
        let times = || bans.iter().map(|ban| ban.banned_at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(bans) };
        let query = on!(self.pool, pool => {
            sqlx::query_as("SELECT jail, ip, banned_at FROM bans WHERE banned_at BETWEEN $1 AND $2")
                .bind(first - SAME_BAN_SECONDS)
                .bind(last + SAME_BAN_SECONDS)
                .fetch_all(pool)
                .await?
        });
        let known: Vec<(String, String, i64)> = self.run("SELECT", "bans", query).await?;
        let mut times = std::collections::HashMap::<(&str, &str), Vec<i64>>::new();
        for (jail, ip, at) in &known {
            times.entry((jail, ip)).or_default().push(*at);
        }
        let is_missing = |ban: &EndedBan| {
            let ip = ban.ip.to_string();
            let own = times.get(&(ban.jail.as_str(), ip.as_str()));
            let is_same = |at: &i64| (at - ban.banned_at).abs() <= SAME_BAN_SECONDS;
            !own.is_some_and(|own| own.iter().any(is_same))
        };
        let missing = bans.iter().filter(|ban| is_missing(ban)).cloned().collect();
        Ok(missing)
    }

    /// Writes bans that are over, unless history has them by now; returns how many. A scheduled
    /// write.
    pub async fn add_ended_bans(
        &self,
        fence: &Fence,
        bans: &[EndedBan],
        correlation_id: Option<&str>,
    ) -> Result<u64, Error> {
        let mut transaction = self.fenced(fence).await?;
        self.run("INSERT", "bans", async {
            let added = on!(mut transaction, connection => {
                let mut added = 0;
                for ban in bans {
                    let inserted = sqlx::query(INSERT_ENDED)
                        .bind(ban.jail.as_str())
                        .bind(ban.ip.to_string())
                        .bind(ban.banned_at)
                        .bind(ban.ended_at)
                        .bind(correlation_id)
                        .bind(ban.banned_at - SAME_BAN_SECONDS)
                        .bind(ban.banned_at + SAME_BAN_SECONDS)
                        .execute(&mut *connection)
                        .await?;
                    added += inserted.rows_affected();
                }
                added
            })
            .await?;
            transaction.commit().await?;
            Ok(added)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::temporary;
    use super::super::{Claim, RecordedBan};
    use super::*;
    use crate::domain::Ban;

    /// As fail2ban 1.0 makes it.
    async fn fail2ban(folder: &Path, rows: &[(&str, &str, i64, i64)]) -> std::path::PathBuf {
        let path = folder.join("fail2ban.sqlite3");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut own = options.connect().await.unwrap();
        let table = "CREATE TABLE bans(jail TEXT NOT NULL, ip TEXT, timeofban INTEGER NOT NULL, \
             bantime INTEGER NOT NULL, bancount INTEGER NOT NULL default 1, data JSON)";
        sqlx::query(table).execute(&mut own).await.unwrap();
        for (jail, ip, at, seconds) in rows {
            sqlx::query("INSERT INTO bans (jail, ip, timeofban, bantime) VALUES ($1, $2, $3, $4)")
                .bind(jail)
                .bind(ip)
                .bind(at)
                .bind(seconds)
                .execute(&mut own)
                .await
                .unwrap();
        }
        own.close().await.unwrap();
        path
    }

    #[tokio::test]
    async fn ended_bans_come_in_steps_and_the_file_stays_as_it_is() {
        let (folder, _store) = temporary().await;
        let rows = [
            ("sshd", "192.0.2.1", 100, 50),
            ("sshd", "192.0.2.2", 100, -1),
            ("sshd", "192.0.2.3", 100, 5000),
            ("", "192.0.2.4", 100, 50),
            ("sshd", "192.0.2.5", 10, 5),
            ("sshd", "2001:db8::6", 110, 50),
        ];
        let path = fail2ban(folder.path(), &rows).await;
        let before = std::fs::read(&path).unwrap();
        let mut own = Fail2banRows::open(&path).await.unwrap();
        let first = own.ended(0, (100, 1000), 2).await.unwrap();
        assert_eq!((first.rows, first.last_row, first.bans.len()), (2, 4, 1));
        let second = own.ended(4, (100, 1000), 2).await.unwrap();
        assert_eq!((second.rows, second.bans[0].ip.to_string().as_str()), (1, "2001:db8::6"));
        assert_eq!((second.bans[0].banned_at, second.bans[0].ended_at), (110, 160));
        own.close().await;
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let names = std::fs::read_dir(folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with("fail2ban")).count(), 1);
        assert!(Fail2banRows::open(&folder.path().join("none")).await.is_err());
    }

    #[tokio::test]
    async fn only_what_is_missing_is_added_and_only_once() {
        let (_folder, store) = temporary().await;
        let ended = |ip: &str, banned_at| EndedBan {
            jail: "sshd".parse().unwrap(),
            ip: Subject::reported(ip).unwrap(),
            banned_at,
            ended_at: banned_at + 50,
        };
        let known = Ban {
            jail: "sshd".parse().unwrap(),
            ip: Subject::reported("192.0.2.1").unwrap(),
            banned_at: jiff::Timestamp::from_second(1002).unwrap(),
            expires_at: None,
        };
        let row = RecordedBan { ban: &known, source: "log", reason: None, correlation_id: None };
        store.record_bans(&[row]).await.unwrap();
        let all =
            vec![ended("192.0.2.1", 1000), ended("192.0.2.1", 2000), ended("192.0.2.2", 1000)];
        let missing = store.missing_bans(all.clone()).await.unwrap();
        assert_eq!(missing, all[1..]);
        let claim =
            Claim { owner: "a".into(), pid: 7, hostname: "h".into(), heartbeat_timeout: 30 };
        let epoch = store.acquire_lock(&claim, 0).await.unwrap().unwrap();
        let fence = Fence { owner: claim.owner, pid: 7, epoch };
        assert_eq!(store.add_ended_bans(&fence, &all, Some("c")).await.unwrap(), 2);
        assert_eq!(store.add_ended_bans(&fence, &all, Some("c")).await.unwrap(), 0);
        assert_eq!(store.missing_bans(all).await.unwrap(), []);
        let newest = store.list_history(i64::MAX, 1).await.unwrap().remove(0);
        assert_eq!((newest.banned_at, newest.unbanned_at), (1000, Some(1050)));
        assert_eq!((newest.source.as_str(), newest.correlation_id.as_deref()), ("list", Some("c")));
        let late = Fence { epoch: 9, ..fence };
        assert!(store.add_ended_bans(&late, &[ended("192.0.2.9", 5)], None).await.is_err());
    }
}
