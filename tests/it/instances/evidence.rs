//! What the database itself saw, beside and without the service: triggers note each acquisition of
//! the lock and each removal of an item of work, in the transaction that makes it.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, FromRow, PgConnection, SqliteConnection};
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

/// Where the instances find their database.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A folder, with a file of SQLite in it.
    Folder(PathBuf),
    /// The URL of a database on a Postgres server.
    Server(String),
}

enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The database, opened beside the instances.
pub(super) struct Evidence {
    runtime: Runtime,
    connection: Connection,
}

/// How long we wait for a writer that may be paused.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const SQLITE_WITNESSES: &str = "
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

const POSTGRES_WITNESSES: &str = "
CREATE TABLE witness_acquired (epoch BIGINT NOT NULL, pid BIGINT NOT NULL, at FLOAT8 NOT NULL);
CREATE TABLE witness_removed (epoch BIGINT NOT NULL, at FLOAT8 NOT NULL);
INSERT INTO witness_acquired SELECT epoch, pid, unixepoch('subsec') FROM scheduler_lock;
CREATE FUNCTION witness_acquired() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_acquired VALUES (NEW.epoch, NEW.pid, unixepoch('subsec'));
    RETURN NULL;
END $$;
CREATE FUNCTION witness_removed() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO witness_removed SELECT epoch, unixepoch('subsec') FROM scheduler_lock;
    RETURN NULL;
END $$;
CREATE TRIGGER witness_acquired AFTER UPDATE OF epoch ON scheduler_lock
FOR EACH ROW WHEN (NEW.epoch <> OLD.epoch) EXECUTE FUNCTION witness_acquired();
CREATE TRIGGER witness_removed AFTER DELETE ON sessions
FOR EACH ROW WHEN (OLD.expires_at < 100) EXECUTE FUNCTION witness_removed();";

impl Evidence {
    pub(super) fn open(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(async {
            match place {
                Place::Folder(folder) => {
                    let options = sqlx::sqlite::SqliteConnectOptions::new()
                        .filename(folder.join("bangui.db"))
                        .busy_timeout(BUSY_TIMEOUT);
                    let connection = SqliteConnection::connect_with(&options).await.unwrap();
                    Connection::Sqlite(connection)
                }
                Place::Server(url) => {
                    Connection::Postgres(PgConnection::connect(url).await.unwrap())
                }
            }
        });
        Self { runtime, connection }
    }

    fn run(&mut self, sql: &'static str) {
        let run = async {
            match &mut self.connection {
                Connection::Sqlite(it) => sqlx::raw_sql(sql).execute(it).await.map(drop),
                Connection::Postgres(it) => sqlx::raw_sql(sql).execute(it).await.map(drop),
            }
        };
        self.runtime.block_on(run).unwrap();
    }

    fn rows<T>(&mut self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let fetch = async {
            match &mut self.connection {
                Connection::Sqlite(it) => sqlx::query_as(sql).fetch_all(it).await,
                Connection::Postgres(it) => sqlx::query_as(sql).fetch_all(it).await,
            }
        };
        self.runtime.block_on(fetch).unwrap()
    }

    /// Lets the database note what matters, from now on.
    pub(super) fn place_witnesses(&mut self) {
        self.run(match self.connection {
            Connection::Sqlite(_) => SQLITE_WITNESSES,
            Connection::Postgres(_) => POSTGRES_WITNESSES,
        });
    }

    /// An item of work for the scheduled task: a session that has expired.
    pub(super) fn add_work(&mut self) {
        self.run(match self.connection {
            Connection::Sqlite(_) => {
                "INSERT INTO sessions (token_hash, account_id, created_at, expires_at, client_ip) \
                 VALUES (randomblob(32), 1, 1, 2, '192.0.2.1')"
            }
            Connection::Postgres(_) => {
                "INSERT INTO sessions (token_hash, account_id, created_at, expires_at, client_ip) \
                 VALUES (decode(md5(random()::text), 'hex'), 1, 1, 2, '192.0.2.1')"
            }
        });
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
        self.rows("SELECT epoch, pid, at FROM witness_acquired ORDER BY epoch")
    }

    pub(super) fn removed(&mut self) -> Vec<Removed> {
        self.rows("SELECT epoch, at FROM witness_removed ORDER BY at")
    }

    /// What is wrong with the database; `ok` if nothing is, as far as it can be asked.
    pub(super) fn integrity(&mut self) -> String {
        if let Connection::Postgres(_) = self.connection {
            return "ok".to_owned();
        }
        let rows: Vec<(String,)> = self.rows("PRAGMA integrity_check");
        rows.into_iter().map(|row| row.0).collect::<Vec<_>>().join("; ")
    }
}
