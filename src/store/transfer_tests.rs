//! A database of every kind of row, on both sides of the way.

use std::collections::BTreeSet;

use sqlx::{Connection as _, SqliteConnection};

use super::super::Store;
use super::super::tests::{new_database, temporary};
use super::*;
use crate::store::Claim;

const ROWS_OF_AUDIT: i64 = 2500;

/// More than one statement's worth of rows, values that are nothing, bytes, and odd texts.
const CONTENT: &str = "\
    INSERT INTO accounts VALUES (3, 'admin', '$argon2id$x', 1); \
    INSERT INTO sessions VALUES (x'00ff10', 3, 1, 2, '192.0.2.1'); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
    INSERT INTO audit (at, actor, client_ip, action, reason, result, told_at) \
    SELECT i, 'admin', '::1', 'ban', 'weil ''er'' | ü' || char(10), 'success', i FROM n; \
    INSERT INTO bans (id, jail, ip, banned_at, source) VALUES \
    (7, 'sshd', '203.0.113.1', 5, 'log'), (9, 'sshd', '2001:db8::1', 6, 'list'); \
    DELETE FROM bans WHERE id = 9; \
    INSERT INTO task_runs VALUES (4, 'history_sync', 1, 2, 3, 'failed', NULL, 'a' || char(0) || \
    'b', NULL, NULL); \
    INSERT INTO task_requests VALUES ('history_sync', 1, 'admin', NULL); \
    INSERT INTO blocklists (id, name, source, jail, enabled, networks, interval_seconds) \
    VALUES (2, 'a', 'https://lists.example.com/a', 'sshd', true, false, 3600); \
    INSERT INTO blocklist_entries VALUES (2, '203.0.113.0/24', 'placed', 8)";

async fn run(path: &Path, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// A file that nobody has open, with a lock that was taken twice.
async fn filled() -> (tempfile::TempDir, PathBuf) {
    let (folder, store) = temporary().await;
    let path = folder.path().join("bangui.db");
    for seen in [0, 1] {
        let claim =
            Claim { owner: "a".into(), pid: 7, hostname: "host".into(), heartbeat_timeout: 30 };
        assert_eq!(store.acquire_lock(&claim, seen).await.unwrap(), Some(seen + 1));
    }
    store.close().await;
    drop(store);
    run(&path, CONTENT).await;
    (folder, path)
}

async fn connect(url: &Secret<String>) -> PgConnection {
    PgConnection::connect(url.expose()).await.unwrap()
}

/// All rows of a table as JSON texts, in an order of their own. The two databases write JSON
/// differently, so it is read and written once more.
macro_rules! rows {
    ($connection:expr, $sql:expr) => {{
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe($sql)).fetch_all($connection).await.unwrap();
        let read = |row: String| serde_json::from_str::<serde_json::Value>(&row).unwrap();
        let text = |row| read(row).to_string().replace("\\u0000", "\u{fffd}");
        rows.into_iter().map(text).collect::<BTreeSet<String>>()
    }};
}

/// What each database has in a table: bytes as digits, booleans as such.
async fn contents(
    from: &mut SqliteConnection,
    to: &mut PgConnection,
    table: &'static str,
) -> [BTreeSet<String>; 2] {
    let columns = columns(from, to, table).await.unwrap();
    let [mut here, mut there] = [Vec::new(), Vec::new()];
    for column in &columns {
        let name = &column.name;
        let (left, right) = match column.values {
            Values::Flags(_) => (format!("json(iif({name}, 'true', 'false'))"), name.clone()),
            Values::Bytes(_) => (format!("lower(hex({name}))"), format!("encode({name}, 'hex')")),
            Values::Texts(_) | Values::Numbers(_) => (name.clone(), name.clone()),
        };
        here.push(format!("'{name}', {left}"));
        there.push(format!("'{name}', {right}"));
    }
    let here = format!("SELECT json_object({}) FROM {table}", here.join(", "));
    let there = format!("SELECT json_build_object({})::text FROM {table}", there.join(", "));
    [rows!(from, here), rows!(to, there)]
}

#[tokio::test]
async fn all_tables_arrive_as_they_are_and_numbers_go_on() {
    let (_folder, path) = filled().await;
    let url = Secret::new(new_database().await);
    let copied = copy_to_postgres(&path, &url).await.unwrap();
    assert!(copied.contains(&("audit", ROWS_OF_AUDIT)), "{copied:?}");
    let mut from = open(&path).await.unwrap();
    let mut to = connect(&url).await;
    for table in TABLES {
        let [here, there] = contents(&mut from, &mut to, table).await;
        assert!(!here.is_empty(), "{table}: nothing to compare");
        assert_eq!(here, there, "{table}");
    }
    from.close().await.unwrap();

    let store = Store::open_postgres(&url).await.unwrap();
    let id = store.begin_audit(&crate::store::NewAudit::default()).await.unwrap();
    assert_eq!(id, ROWS_OF_AUDIT + 1);
    // The row with the highest number was removed before: the number is not given again.
    let ban: i64 = sqlx::query_scalar(
        "INSERT INTO bans (jail, ip, banned_at, source) VALUES ('sshd', '203.0.113.2', 5, 'log') \
         RETURNING id",
    )
    .fetch_one(&mut to)
    .await
    .unwrap();
    assert_eq!(ban, 10);
    let claim = Claim { owner: "b".into(), pid: 8, hostname: "host".into(), heartbeat_timeout: 30 };
    assert_eq!(store.acquire_lock(&claim, 0).await.unwrap(), Some(3), "epochs go on");
    store.close().await;
}

#[tokio::test]
async fn every_table_of_the_schema_is_copied_or_named_as_one_that_is_not() {
    let url = Secret::new(new_database().await);
    let mut to = postgres::prepared(&url).await.unwrap();
    let all: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut to)
    .await
    .unwrap();
    let known: BTreeSet<&str> = TABLES.into_iter().chain(OWN).collect();
    assert_eq!(all.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    assert!(known.iter().all(|table| LOCK.contains(table)));
}

#[tokio::test]
async fn nothing_is_copied_from_a_file_in_use_or_to_a_database_with_rows() {
    let (_folder, path) = filled().await;
    let url = Secret::new(new_database().await);
    let store = Store::open(&path).await.unwrap();
    let error = copy_to_postgres(&path, &url).await.unwrap_err();
    assert!(matches!(error, TransferError::InUse(_)), "{error}");
    store.close().await;
    drop(store);
    copy_to_postgres(&path, &url).await.unwrap();
    let error = copy_to_postgres(&path, &url).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { table: "accounts", rows: 1 }), "{error}");
    // An instance that serves there counts as well, before anything was written by a person.
    let other = Secret::new(new_database().await);
    let served = Store::open_postgres(&other).await.unwrap();
    let error = copy_to_postgres(&path, &other).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { table: "instances", .. }), "{error}");
    served.close().await;
    let nowhere = path.with_file_name("no.db");
    let error = copy_to_postgres(&nowhere, &other).await.unwrap_err();
    assert!(matches!(error, TransferError::NoDatabase(_)), "{error}");
}

/// One row that the server refuses, at the end of all.
#[tokio::test]
async fn what_fails_in_its_midst_leaves_nothing() {
    let (_folder, path) = filled().await;
    let url = Secret::new(new_database().await);
    let mut to = postgres::prepared(&url).await.unwrap();
    to.execute("ALTER TABLE blocklist_entries ADD CHECK (changed_at < 5)").await.unwrap();
    let error = copy_to_postgres(&path, &url).await.unwrap_err();
    assert!(matches!(error, TransferError::Table { table: "blocklist_entries", .. }), "{error}");
    for table in TABLES {
        assert_eq!(count_there(&mut to, table).await.unwrap(), 0, "{table}");
    }
    to.execute("ALTER TABLE bans ADD COLUMN later BIGINT").await.unwrap();
    let error = copy_to_postgres(&path, &url).await.unwrap_err();
    assert!(matches!(error, TransferError::Unlike { table: "bans" }), "{error}");
}
