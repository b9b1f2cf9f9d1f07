//! The statements of the lock against both databases, whose clock is moved by moving heartbeats.

use super::super::backend::Pool;
use super::super::tests::{on_both, temporary};
use super::*;
use crate::store::NewSession;

on_both!(
    of_many_at_once_one_gets_it,
    one_holds_it_until_it_is_released,
    who_lost_its_answer_takes_its_own_lock_again,
    it_is_stale_after_its_time_and_when_it_is_from_the_future,
    a_heartbeat_revives_a_stale_lock_that_nobody_took,
    epochs_cannot_begin_anew,
    who_writes_the_documented_columns_only_holds_it_too,
    a_fenced_write_needs_the_epoch_the_owner_and_a_fresh_heartbeat,
    nobody_takes_the_lock_in_the_midst_of_a_fenced_write,
);

fn claim(name: &str) -> Claim {
    Claim { owner: name.into(), pid: 7, hostname: format!("host-{name}"), heartbeat_timeout: 30 }
}

fn fence(name: &str, epoch: i64) -> Fence {
    Fence { owner: name.into(), pid: 7, epoch }
}

async fn run(store: &Store, sql: &'static str) -> Result<(), sqlx::Error> {
    on!(store.pool, pool => {
        sqlx::query(sql).execute(pool).await?;
    })
    .await
}

/// As if the last heartbeat had been so many seconds earlier.
async fn age(store: &Store, seconds: i64) {
    on!(store.pool, pool => {
        sqlx::query("UPDATE scheduler_lock SET heartbeat_at = unixepoch() - $1")
            .bind(seconds)
            .execute(pool)
            .await?;
    })
    .await
    .unwrap();
}

impl Store {
    /// As an operator may do it.
    pub(crate) async fn delete_lock_row(&self) {
        run(self, "DELETE FROM scheduler_lock").await.unwrap();
    }

    /// As if the clock had been set the other way; the simulation's model is compared so.
    pub(crate) async fn shift_lock_heartbeat(&self, by_seconds: i64) {
        on!(self.pool, pool => {
            sqlx::query("UPDATE scheduler_lock SET heartbeat_at = heartbeat_at + $1")
                .bind(by_seconds)
                .execute(pool)
                .await?;
        })
        .await
        .unwrap();
    }
}

async fn one_holds_it_until_it_is_released(store: Store) {
    assert_eq!(store.read_lock().await.unwrap(), None);
    assert_eq!(store.acquire_lock(&claim("a"), 0).await.unwrap(), Some(1));
    assert_eq!(store.acquire_lock(&claim("b"), 0).await.unwrap(), None);
    assert_eq!(store.acquire_lock(&claim("b"), 1).await.unwrap(), None);
    assert!(store.renew_lock(&fence("a", 1)).await.unwrap().is_some());
    assert!(store.renew_lock(&fence("b", 1)).await.unwrap().is_none());
    let row = store.read_lock().await.unwrap().unwrap();
    assert_eq!((row.pid, row.hostname.as_deref()), (Some(7), Some("host-a")));
    assert_eq!((row.epoch, row.heartbeat_timeout, row.is_stale), (1, 30, false));
    assert!((0.0..5.0).contains(&row.age_seconds), "{row:?}");
    assert!(!store.release_lock(&claim("b")).await.unwrap());
    assert!(store.release_lock(&claim("a")).await.unwrap());
    assert!(!store.release_lock(&claim("a")).await.unwrap());
    let row = store.read_lock().await.unwrap().unwrap();
    assert_eq!((row.pid, row.hostname, row.owner, row.epoch), (None, None, None, 1));
    assert_eq!(store.acquire_lock(&claim("b"), 1).await.unwrap(), Some(2));
    assert!(store.renew_lock(&fence("a", 1)).await.unwrap().is_none(), "the old epoch");
}

async fn who_lost_its_answer_takes_its_own_lock_again(store: Store) {
    assert_eq!(store.acquire_lock(&claim("a"), 0).await.unwrap(), Some(1));
    // The same statement once more, late: it must not raise the epoch behind the holder's back.
    assert_eq!(store.acquire_lock(&claim("a"), 0).await.unwrap(), None);
    assert_eq!(store.acquire_lock(&claim("a"), 1).await.unwrap(), Some(2));
    assert!(store.renew_lock(&fence("a", 1)).await.unwrap().is_none());
}

async fn it_is_stale_after_its_time_and_when_it_is_from_the_future(store: Store) {
    let mut epoch = store.acquire_lock(&claim("a"), 0).await.unwrap().unwrap();
    for (seconds, is_stale) in [(29, false), (33, true), (-8, false), (-13, true), (3600, true)] {
        age(&store, seconds).await;
        assert_eq!(store.read_lock().await.unwrap().unwrap().is_stale, is_stale, "{seconds}");
        let name = format!("after {seconds}");
        let taken = store.acquire_lock(&claim(&name), epoch).await.unwrap();
        assert_eq!(taken, is_stale.then_some(epoch + 1), "{seconds}");
        epoch = taken.unwrap_or(epoch);
    }
}

async fn a_heartbeat_revives_a_stale_lock_that_nobody_took(store: Store) {
    store.acquire_lock(&claim("a"), 0).await.unwrap();
    age(&store, 100).await;
    assert!(store.renew_lock(&fence("a", 1)).await.unwrap().is_some());
    assert!(!store.read_lock().await.unwrap().unwrap().is_stale);
}

async fn epochs_cannot_begin_anew(store: Store) {
    assert_eq!(store.acquire_lock(&claim("a"), 4).await.unwrap(), Some(5));
    let error = run(&store, "UPDATE scheduler_lock SET epoch = 4").await;
    assert!(error.unwrap_err().to_string().contains("epoch"));
    for epoch in [6, 7] {
        run(&store, "DELETE FROM scheduler_lock").await.unwrap();
        assert!(store.renew_lock(&fence("a", epoch - 1)).await.unwrap().is_none());
        assert_eq!(store.acquire_lock(&claim("a"), 0).await.unwrap(), Some(epoch));
        assert_eq!(store.acquire_lock(&claim("a"), 0).await.unwrap(), None, "it came late");
    }
}

async fn who_writes_the_documented_columns_only_holds_it_too(store: Store) {
    let sql = "INSERT INTO scheduler_lock \
        (id, pid, hostname, heartbeat_at, heartbeat_timeout, epoch) \
        VALUES (1, 99, 'other', unixepoch(), 30, 1)";
    run(&store, sql).await.unwrap();
    assert_eq!(store.acquire_lock(&claim("a"), 1).await.unwrap(), None);
    age(&store, 40).await;
    assert_eq!(store.acquire_lock(&claim("a"), 1).await.unwrap(), Some(2));
    for sql in ["UPDATE scheduler_lock SET pid = 99", "UPDATE scheduler_lock SET epoch = 3"] {
        run(&store, sql).await.unwrap();
        assert!(store.renew_lock(&fence("a", 2)).await.unwrap().is_none());
        assert!(store.fenced(&fence("a", 2)).await.is_err());
        let row = store.read_lock().await.unwrap().unwrap();
        assert!(!row.is_free() && !row.is_of(&claim("a")), "{row:?}");
        assert_eq!(store.acquire_lock(&claim("a"), row.epoch).await.unwrap(), None);
    }
}

#[tokio::test]
async fn the_documented_query_runs_as_it_stands() {
    let (_folder, store) = temporary().await;
    store.acquire_lock(&claim("a"), 0).await.unwrap();
    age(&store, 12).await;
    let text = std::fs::read_to_string("docs/SCHEDULER.md").unwrap();
    let documented = "SELECT pid, hostname, heartbeat_at, heartbeat_timeout, \
        (datetime('now') - datetime(heartbeat_at, 'unixepoch')) as age \
        FROM scheduler_lock WHERE id = 1;";
    assert!(text.contains(documented), "docs/SCHEDULER.md lacks it");
    let Pool::Sqlite(pool) = &store.pool else { panic!("it is SQLite's") };
    let row: (i64, String, i64, i64, i64) =
        sqlx::query_as(documented).fetch_one(pool).await.unwrap();
    assert_eq!((row.0, row.1.as_str(), row.3, row.4), (7, "host-a", 30, 0));
    let better = "SELECT unixepoch() - heartbeat_at AS age FROM scheduler_lock WHERE id = 1;";
    assert!(text.contains(better), "docs/SCHEDULER.md lacks it");
    let age: i64 = sqlx::query_scalar(better).fetch_one(pool).await.unwrap();
    assert!((12..20).contains(&age), "{age}");
}

async fn open_session(store: &Store, byte: u8, expires_at: i64) {
    let session = NewSession {
        token_hash: &[byte; 32],
        account_id: 1,
        created_at: 1,
        expires_at,
        client_ip: "192.0.2.1",
    };
    store.create_session(&session).await.unwrap();
}

async fn count_sessions(store: &Store) -> i64 {
    on!(store.pool, pool => {
        sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(pool).await?
    })
    .await
    .unwrap()
}

async fn a_fenced_write_needs_the_epoch_the_owner_and_a_fresh_heartbeat(store: Store) {
    store.create_first_account("admin", "hash", 1).await.unwrap();
    open_session(&store, 1, 100).await;
    open_session(&store, 2, 300).await;
    store.acquire_lock(&claim("a"), 0).await.unwrap();
    for wrong in [fence("a", 2), fence("a", 0), fence("b", 1)] {
        let error = store.delete_expired_sessions(&wrong, 200).await.unwrap_err();
        assert!(matches!(error, Error::Fenced { .. }), "{error}");
    }
    age(&store, 40).await;
    let error = store.delete_expired_sessions(&fence("a", 1), 200).await.unwrap_err();
    assert!(matches!(error, Error::Fenced { epoch: 1 }), "{error}");
    assert_eq!(count_sessions(&store).await, 2);
    store.renew_lock(&fence("a", 1)).await.unwrap();
    assert_eq!(store.delete_expired_sessions(&fence("a", 1), 200).await.unwrap(), 1);
    assert_eq!(count_sessions(&store).await, 1);
}

async fn nobody_takes_the_lock_in_the_midst_of_a_fenced_write(store: Store) {
    store.acquire_lock(&claim("a"), 0).await.unwrap();
    let transaction = store.fenced(&fence("a", 1)).await.unwrap();
    let claim = claim("b");
    let holder = super::tests::claim("a");
    let mut release = Box::pin(store.release_lock(&holder));
    let waited = tokio::time::timeout(std::time::Duration::from_millis(200), &mut release).await;
    assert!(waited.is_err(), "not even its release");
    transaction.commit().await.unwrap();
    assert!(release.await.unwrap());
    assert_eq!(store.acquire_lock(&claim, 1).await.unwrap(), Some(2));
}

#[tokio::test]
async fn an_insertion_that_waited_for_a_deletion_gives_no_old_epoch() {
    let store = super::super::tests::on_postgres().await;
    for epoch in 0..5 {
        assert_eq!(store.acquire_lock(&claim("a"), epoch).await.unwrap(), Some(epoch + 1));
    }
    let mut deletion = store.begin().await.unwrap();
    on!(mut deletion, connection => {
        sqlx::query("DELETE FROM scheduler_lock").execute(connection).await?.rows_affected()
    })
    .await
    .unwrap();
    // Its sender has seen epoch 2, long ago; nothing of the deletion is visible when it begins.
    let (late, other) = (claim("b"), store.clone());
    let late = tokio::spawn(async move { other.acquire_lock(&late, 2).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!late.is_finished(), "it waits for the deletion");
    deletion.commit().await.unwrap();
    let refused = late.await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("the epoch was given before"), "{refused}");
    assert_eq!(store.read_lock().await.unwrap(), None);
    assert_eq!(store.acquire_lock(&claim("b"), 0).await.unwrap(), Some(6));
    assert!(run(&store, "TRUNCATE scheduler_lock").await.is_err());
    store.close().await;
}

async fn of_many_at_once_one_gets_it(store: Store) {
    for round in 0..10 {
        let claims: Vec<_> = (0..6).map(|n| claim(&format!("{round}.{n}"))).collect();
        let attempts = claims.iter().map(|claim| store.acquire_lock(claim, round));
        let taken = futures_util::future::join_all(attempts).await;
        let taken: Vec<_> = taken.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, [round + 1]);
        age(&store, 100).await;
    }
}
