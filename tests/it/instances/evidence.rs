//! What the database itself saw, beside and without the service: triggers note each acquisition of
//! the lock and each removal of an item of work, in the transaction that makes it.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};
use tokio::runtime::Runtime;

/// A row of the audit log.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct AuditRow {
    pub(super) action: String,
    pub(super) ip: Option<String>,
    pub(super) result: String,
    pub(super) correlation_id: Option<String>,
}

/// A row of the history.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct BanRow {
    pub(super) ip: String,
    pub(super) source: String,
    pub(super) unban_source: Option<String>,
    pub(super) unbanned_at: Option<i64>,
    pub(super) reason: Option<String>,
    pub(super) correlation_id: Option<String>,
}

/// An acquisition of the lock, by the database's clock.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Acquired {
    pub(super) epoch: i64,
    pub(super) pid: i64,
    pub(super) at: f64,
}

/// The removal of an item of work while the lock had an epoch.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Removed {
    pub(super) epoch: i64,
    pub(super) at: f64,
}

/// The database, opened beside the instances.
pub(super) struct Evidence {
    runtime: Runtime,
    connection: SqliteConnection,
}

const WITNESSES: &str = "
CREATE TABLE witness_acquired (epoch INTEGER NOT NULL, pid INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE witness_removed (epoch INTEGER NOT NULL, at REAL NOT NULL);
INSERT INTO witness_acquired SELECT epoch, pid, unixepoch('subsec') FROM scheduler_lock;
CREATE TRIGGER witness_acquired AFTER UPDATE OF epoch ON scheduler_lock
WHEN NEW.epoch <> OLD.epoch BEGIN
    INSERT INTO witness_acquired VALUES (NEW.epoch, NEW.pid, unixepoch('subsec'));
END;
CREATE TRIGGER witness_removed AFTER DELETE ON sessions WHEN OLD.expires_at < 100 BEGIN
    INSERT INTO witness_removed SELECT epoch, unixepoch('subsec') FROM scheduler_lock;
END;";

impl Evidence {
    pub(super) fn open(folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.join("bangui.db"))
            .busy_timeout(std::time::Duration::from_secs(30));
        let connection = runtime.block_on(SqliteConnection::connect_with(&options)).unwrap();
        Self { runtime, connection }
    }

    fn run(&mut self, sql: &'static str) {
        self.runtime.block_on(sqlx::raw_sql(sql).execute(&mut self.connection)).unwrap();
    }

    fn rows<T>(&mut self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
    {
        self.runtime.block_on(sqlx::query_as(sql).fetch_all(&mut self.connection)).unwrap()
    }

    /// Lets the database note what matters, from now on.
    pub(super) fn place_witnesses(&mut self) {
        self.run(WITNESSES);
    }

    /// An item of work for the scheduled task: a session that has expired.
    pub(super) fn add_work(&mut self) {
        self.run("INSERT INTO sessions VALUES (randomblob(32), 1, 1, 2, '192.0.2.1')");
    }

    pub(super) fn work_left(&mut self) -> i64 {
        let rows: Vec<(i64,)> = self.rows("SELECT count(*) FROM sessions WHERE expires_at < 100");
        rows[0].0
    }

    /// The process that holds the lock and is in time.
    pub(super) fn holder(&mut self) -> Option<i64> {
        let rows: Vec<(i64,)> = self.rows(
            "SELECT pid FROM scheduler_lock WHERE pid IS NOT NULL \
             AND unixepoch() - heartbeat_at BETWEEN 0 AND heartbeat_timeout",
        );
        rows.first().map(|row| row.0)
    }

    pub(super) fn audit(&mut self) -> Vec<AuditRow> {
        self.rows("SELECT action, ip, result, correlation_id FROM audit ORDER BY id")
    }

    pub(super) fn bans(&mut self) -> Vec<BanRow> {
        self.rows(
            "SELECT ip, source, unban_source, unbanned_at, reason, correlation_id \
             FROM bans ORDER BY id",
        )
    }

    pub(super) fn acquired(&mut self) -> Vec<Acquired> {
        self.rows("SELECT epoch, pid, at FROM witness_acquired ORDER BY rowid")
    }

    pub(super) fn removed(&mut self) -> Vec<Removed> {
        self.rows("SELECT epoch, at FROM witness_removed ORDER BY at")
    }

    /// What is wrong with the database; `ok` if nothing is.
    pub(super) fn integrity(&mut self) -> String {
        let rows: Vec<(String,)> = self.rows("PRAGMA integrity_check");
        rows.into_iter().map(|row| row.0).collect::<Vec<_>>().join("; ")
    }
}
