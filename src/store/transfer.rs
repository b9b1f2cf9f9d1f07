//! Takes the content of a SQLite database over to an empty one on a Postgres server: all of it, in
//! one transaction there, or nothing.
//!
//! Columns are read as the server's tables have them, so that a migration that adds one needs
//! nothing here. Who runs this is alone with the file, so that no row is written behind its back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Postgres,
    Row as _, SqliteConnection,
};
use tokio::time::timeout;

use super::integrity::{Guard, is_whole};
use super::{Error, postgres, sqlite};
use crate::domain::Secret;

/// A database that takes longer is moved with tools that know more.
const LIMIT: Duration = Duration::from_secs(3600);
/// Rows of one statement.
const ROWS: usize = 1000;

/// What is copied, each table behind those that it refers to.
const TABLES: [&str; 8] = [
    "accounts",
    "sessions",
    "audit",
    "bans",
    "task_runs",
    "task_requests",
    "blocklists",
    "blocklist_entries",
];
/// What is not: who lives, and who holds the lock. Of the lock only its epoch is taken over.
const OWN: [&str; 3] = ["instances", "scheduler_lock", "scheduler_lock_epoch"];

/// Nobody writes there until this is over; a service that runs on it must not be held up for long.
const LOCK: &str = "SET LOCAL lock_timeout = '10s'; \
    LOCK TABLE accounts, sessions, audit, bans, task_runs, task_requests, blocklists, \
    blocklist_entries, instances, scheduler_lock, scheduler_lock_epoch IN ACCESS EXCLUSIVE MODE";

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// There is nothing to copy.
    #[error("there is no database at {0}")]
    NoDatabase(PathBuf),
    /// A service runs on it.
    #[error("{0} is in use: stop every instance of the service first")]
    InUse(PathBuf),
    /// It would be copied with its damage.
    #[error("{0} is damaged: see `bangui check-database`")]
    Damaged(PathBuf),
    /// What stands there must not be mixed with what would come.
    #[error("the Postgres database is not empty ({table} has {rows} rows): make a new one")]
    NotEmpty {
        /// The first table with rows.
        table: &'static str,
        /// How many.
        rows: i64,
    },
    /// The two schemas differ, which only a mistake in this program explains.
    #[error("{table} has not the same columns in both databases")]
    Unlike {
        /// The table.
        table: &'static str,
    },
    /// Less or more has arrived than was there.
    #[error("{table} has {there} rows, and {here} of them arrived")]
    Miscounted {
        /// The table.
        table: &'static str,
        /// In the file.
        there: i64,
        /// On the server.
        here: i64,
    },
    /// It took too long.
    #[error("not done within {} s", LIMIT.as_secs())]
    TooLate,
    /// A statement failed.
    #[error("{table}: {error}")]
    Table {
        /// The table.
        table: &'static str,
        /// What a database said.
        error: sqlx::Error,
    },
    /// One of the databases cannot be opened.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A table and how many of its rows were copied.
pub type CopiedTable = (&'static str, i64);

/// Copies all of a file into an empty database of a server, whose tables are made first.
pub async fn copy_to_postgres(
    from: &Path,
    to: &Secret<String>,
) -> Result<Vec<CopiedTable>, TransferError> {
    if !from.is_file() {
        return Err(TransferError::NoDatabase(from.to_owned()));
    }
    // Held to the end: a service that starts meanwhile waits, and then fails.
    let guard = Guard::take(from).await?;
    if !guard.is_alone() {
        return Err(TransferError::InUse(from.to_owned()));
    }
    let work = async {
        if !is_whole(from, LIMIT).await? {
            return Err(TransferError::Damaged(from.to_owned()));
        }
        let mut from = open(from).await?;
        let mut to = postgres::prepared(to).await?;
        let copied = copy_all(&mut from, &mut to).await;
        let closed = from.close().await;
        copied.and_then(|copied| closed.map(|()| copied).map_err(failed("database")))
    };
    timeout(LIMIT, work).await.map_err(|_| TransferError::TooLate)?
}

fn failed(table: &'static str) -> impl Fn(sqlx::Error) -> TransferError {
    move |error| TransferError::Table { table, error }
}

/// Brings the file up to date, too, as the service would have done.
async fn open(path: &Path) -> Result<SqliteConnection, TransferError> {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
    let mut connection = options.connect().await.map_err(failed("database"))?;
    sqlite::MIGRATIONS.run(&mut connection).await.map_err(Error::from)?;
    Ok(connection)
}

async fn copy_all(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
) -> Result<Vec<CopiedTable>, TransferError> {
    let mut from = from.begin().await.map_err(failed("database"))?;
    let mut to = to.begin().await.map_err(failed("database"))?;
    to.execute(LOCK).await.map_err(failed("database"))?;
    for table in TABLES.into_iter().chain(OWN) {
        let rows = count_there(&mut to, table).await?;
        if rows > 0 {
            return Err(TransferError::NotEmpty { table, rows });
        }
    }
    let mut copied = Vec::new();
    for table in TABLES {
        copy_table(&mut from, &mut to, table).await?;
        let (there, here) =
            (count_here(&mut from, table).await?, count_there(&mut to, table).await?);
        if there != here {
            return Err(TransferError::Miscounted { table, there, here });
        }
        go_on_counting(&mut from, &mut to, table).await.map_err(failed(table))?;
        copied.push((table, here));
    }
    keep_epoch(&mut from, &mut to).await.map_err(failed("scheduler_lock"))?;
    to.commit().await.map_err(failed("database"))?;
    Ok(copied)
}

/// In the file. Here and below a statement is put together of names that the schema has, and of
/// nothing else.
async fn count_here(
    from: &mut SqliteConnection,
    table: &'static str,
) -> Result<i64, TransferError> {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(from).await.map_err(failed(table))
}

/// On the server.
async fn count_there(to: &mut PgConnection, table: &'static str) -> Result<i64, TransferError> {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(to).await.map_err(failed(table))
}

/// The values of a column in some rows.
enum Values {
    Numbers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// A column, and where its values gather.
struct Column {
    name: String,
    values: Values,
}

impl Column {
    /// A column of a type that the schema uses.
    fn of((name, data_type): (String, String)) -> Option<Self> {
        let values = match data_type.as_str() {
            "bigint" => Values::Numbers(Vec::new()),
            "boolean" => Values::Flags(Vec::new()),
            "text" => Values::Texts(Vec::new()),
            "bytea" => Values::Bytes(Vec::new()),
            _ => return None,
        };
        Some(Self { name, values })
    }

    fn data_type(&self) -> &'static str {
        match self.values {
            Values::Numbers(_) => "bigint",
            Values::Flags(_) => "boolean",
            Values::Texts(_) => "text",
            Values::Bytes(_) => "bytea",
        }
    }

    fn take(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let name = self.name.as_str();
        match &mut self.values {
            Values::Numbers(values) => values.push(row.try_get(name)?),
            Values::Flags(values) => values.push(row.try_get(name)?),
            Values::Bytes(values) => values.push(row.try_get(name)?),
            Values::Texts(values) => {
                let text: Option<String> = row.try_get(name)?;
                // The one character that SQLite keeps and Postgres refuses.
                values.push(text.map(|text| text.replace('\0', "\u{fffd}")));
            }
        }
        Ok(())
    }

    /// Gives the values away.
    fn bind<'q>(
        &mut self,
        query: Query<'q, Postgres, PgArguments>,
    ) -> Query<'q, Postgres, PgArguments> {
        match &mut self.values {
            Values::Numbers(values) => query.bind(std::mem::take(values)),
            Values::Flags(values) => query.bind(std::mem::take(values)),
            Values::Texts(values) => query.bind(std::mem::take(values)),
            Values::Bytes(values) => query.bind(std::mem::take(values)),
        }
    }
}

/// The columns of a table, if both databases have the same.
async fn columns(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &'static str,
) -> Result<Vec<Column>, TransferError> {
    const THERE: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns \
        WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name";
    let there: Vec<(String, String)> =
        sqlx::query_as(THERE).bind(table).fetch_all(to).await.map_err(failed(table))?;
    let mut here: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
        .bind(table)
        .fetch_all(from)
        .await
        .map_err(failed(table))?;
    here.sort_unstable();
    let mut names: Vec<&String> = there.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if names.is_empty() || names.into_iter().ne(&here) {
        return Err(TransferError::Unlike { table });
    }
    let columns: Option<_> = there.into_iter().map(Column::of).collect();
    columns.ok_or(TransferError::Unlike { table })
}

async fn copy_table(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &'static str,
) -> Result<(), TransferError> {
    let mut columns = columns(from, to, table).await?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let arrays: Vec<String> = (1..)
        .zip(&columns)
        .map(|(number, column)| format!("${number}::{}[]", column.data_type()))
        .collect();
    let (names, arrays) = (names.join(", "), arrays.join(", "));
    let select = format!("SELECT {names} FROM {table}");
    let insert = format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})");
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(from);
    loop {
        let mut count = 0;
        while count < ROWS
            && let Some(row) = rows.try_next().await.map_err(failed(table))?
        {
            let mut taken = columns.iter_mut().map(|column| column.take(&row));
            taken.try_for_each(|taken| taken).map_err(failed(table))?;
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        let query = sqlx::query(AssertSqlSafe(insert.clone()));
        let query = columns.iter_mut().fold(query, |query, column| column.bind(query));
        query.execute(&mut *to).await.map_err(failed(table))?;
    }
}

/// New rows get numbers behind those of the file, where it has numbers.
async fn go_on_counting(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &'static str,
) -> Result<(), sqlx::Error> {
    const COUNTER: &str = "SELECT pg_get_serial_sequence($1, attname::text) FROM pg_attribute \
        WHERE attrelid = $1::regclass AND attidentity <> ''";
    let counter: Option<String> =
        sqlx::query_scalar(COUNTER).bind(table).fetch_optional(&mut *to).await?;
    let Some(counter) = counter else { return Ok(()) };
    // A number that was given once is not given again, also when its row is gone.
    let sql = format!(
        "SELECT max(coalesce((SELECT max(id) FROM {table}), 0), \
         coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0))"
    );
    let last: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(from).await?;
    if last > 0 {
        sqlx::query("SELECT setval($1::regclass, $2)").bind(counter).bind(last).execute(to).await?;
    }
    Ok(())
}

/// The lock's epochs go on, so that none stands twice in the log. Nobody holds the lock there.
async fn keep_epoch(from: &mut SqliteConnection, to: &mut PgConnection) -> Result<(), sqlx::Error> {
    const LAST: &str = "SELECT max(epoch) FROM (SELECT epoch FROM scheduler_lock \
        UNION ALL SELECT epoch FROM scheduler_lock_epoch)";
    let last: Option<i64> = sqlx::query_scalar(LAST).fetch_one(from).await?;
    let Some(last) = last else { return Ok(()) };
    let keep = sqlx::query("INSERT INTO scheduler_lock_epoch (id, epoch) VALUES (1, $1)");
    keep.bind(last).execute(to).await.map(drop)
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
