//! The lock on a real store: the handle and its keeper, and that the model does what
//! the databases do.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{LockHealth, SchedulerLock};
use super::model::{Random, Table};
use crate::store::tests::on_both;
use crate::store::{Claim, Fence, Store};

on_both!(one_of_two_holds_it_and_the_other_follows, the_model_does_what_the_database_does);

const SOON: Duration = Duration::from_secs(20);

async fn one_of_two_holds_it_and_the_other_follows(store: Store) {
    let [first, second] = [(); 2].map(|()| SchedulerLock::new(store.clone(), 30).unwrap());
    assert_eq!(first.get_lock_health().await.unwrap(), LockHealth::FREE);
    let stops = [(); 2].map(|()| CancellationToken::new());
    let keeper = tokio::spawn(first.clone().keep(stops[0].clone()));
    let lease = timeout(SOON, first.held()).await.unwrap();
    assert_eq!((lease.epoch(), first.is_held_here()), (1, true));
    let health = second.get_lock_health().await.unwrap();
    assert!(health.locked && !health.is_stale, "{health:?}");
    assert_eq!(health.pid, Some(i64::from(std::process::id())));
    assert!(health.hostname.is_some() && health.age_seconds.is_some(), "{health:?}");
    assert!(health.ttl_remaining.is_some_and(|it| (20.0..=30.0).contains(&it)), "{health:?}");
    stops[0].cancel();
    keeper.await.unwrap();
    assert!(!first.is_held_here() && !lease.is_held());
    assert_eq!(second.get_lock_health().await.unwrap(), LockHealth::FREE);
    let keeper = tokio::spawn(second.clone().keep(stops[1].clone()));
    assert_eq!(timeout(SOON, second.held()).await.unwrap().epoch(), 2);
    stops[1].cancel();
    keeper.await.unwrap();
}

/// Moves the clock of the database, which cannot be set, by moving what it is compared with.
async fn set_clock(store: &Store, by_seconds: i64) {
    store.shift_lock_heartbeat(-by_seconds).await;
}

async fn the_model_does_what_the_database_does(store: Store) {
    let (mut random, mut table, mut now_ms) = (Random(5), Table::default(), 1_700_000_000_000);
    for step in 0..600 {
        let claim = Claim {
            owner: format!("{}", random.below(3)),
            pid: 1,
            hostname: String::new(),
            heartbeat_timeout: 35,
        };
        let row = table.look(now_ms);
        let epoch = row.map_or(0, |row| row.epoch) - i64::from(random.chance(20));
        let fence = Fence { owner: claim.owner.clone(), pid: 1, epoch };
        let (model, real) = match random.below(6) {
            0 | 1 => (
                format!("{:?}", table.acquire(&claim, epoch, now_ms, now_ms)),
                format!("{:?}", store.acquire_lock(&claim, epoch).await.unwrap()),
            ),
            2 => (
                table.renew(&fence, now_ms).to_string(),
                store.renew_lock(&fence).await.unwrap().is_some().to_string(),
            ),
            3 if random.chance(30) => (
                table.release(&claim).to_string(),
                store.release_lock(&claim).await.unwrap().to_string(),
            ),
            3 if random.chance(10) => {
                table.delete();
                store.delete_lock_row().await;
                continue;
            }
            4 => {
                // In tens, so that the seconds that this test takes cross no limit.
                let by = 10 * (i64::try_from(random.below(9)).unwrap() - 4);
                now_ms += by * 1000;
                set_clock(&store, by).await;
                continue;
            }
            _ => (
                table.admits(&fence, now_ms).to_string(),
                store.delete_expired_sessions(&fence, 0).await.is_ok().to_string(),
            ),
        };
        assert_eq!(model, real, "step {step}");
        let (model, real) = (table.look(now_ms), store.read_lock().await.unwrap());
        let parts = |row: crate::store::LockRow| (row.owner, row.epoch, row.is_stale);
        assert_eq!(model.map(parts), real.map(parts), "step {step}");
    }
}
