//! Claims, entries and their handing over, against both databases.

use super::super::tests::on_both;
use super::*;

on_both!(
    a_name_is_taken_once_and_settings_change,
    one_import_at_a_time_and_who_lost_its_claim_writes_nothing,
    the_end_is_kept_and_a_failure_leaves_what_was_good,
    failures_of_a_source_are_counted_until_it_succeeds_or_is_changed,
    what_another_list_wants_is_handed_over,
);

async fn run(store: &Store, sql: &'static str) {
    on!(store.pool, pool => {
        sqlx::query(sql).execute(pool).await?;
    })
    .await
    .unwrap();
}

fn list(name: &str) -> NewBlocklist {
    NewBlocklist {
        name: name.into(),
        source: Secret::new("https://lists.example.com/a".into()),
        jail: "sshd".into(),
        enabled: true,
        networks: true,
        interval_seconds: 3600,
    }
}

fn claim(id: i64, name: &str) -> ImportClaim {
    ImportClaim { blocklist_id: id, claim: name.into(), lease_seconds: 30, fence: None }
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn states(store: &Store, id: i64) -> Vec<(String, EntryState)> {
    let mut known = store.blocklist_entries(id).await.unwrap();
    known.sort_by_key(|known| known.entry);
    known.into_iter().map(|known| (known.entry.to_string(), known.state)).collect()
}

async fn a_name_is_taken_once_and_settings_change(store: Store) {
    let id = store.create_blocklist(&list("a")).await.unwrap().unwrap();
    assert_eq!(store.create_blocklist(&list("a")).await.unwrap(), None);
    store.create_blocklist(&list("b")).await.unwrap().unwrap();
    assert!(!store.update_blocklist(id, &list("b")).await.unwrap());
    let off = NewBlocklist { enabled: false, ..list("c") };
    assert!(store.update_blocklist(id, &off).await.unwrap());
    let row = store.blocklist(id).await.unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.enabled, row.is_claimed), ("c", false, false));
    assert!(!format!("{row:?}").contains("lists.example.com"));
}

async fn one_import_at_a_time_and_who_lost_its_claim_writes_nothing(store: Store) {
    let id = store.create_blocklist(&list("a")).await.unwrap().unwrap();
    let (first, second) = (claim(id, "1"), claim(id, "2"));
    assert!(store.claim_blocklist(&first, None).await.unwrap());
    assert!(!store.claim_blocklist(&second, None).await.unwrap());
    assert!(store.blocklist(id).await.unwrap().unwrap().is_claimed);
    let entries = networks(&["192.0.2.1", "192.0.2.2"]);
    store.set_blocklist_entries(&first, &entries, EntryState::Pending).await.unwrap();
    run(&store, "UPDATE blocklists SET claim_until = unixepoch() - 1").await;
    assert!(store.claim_blocklist(&second, None).await.unwrap());
    let late = store.set_blocklist_entries(&first, &entries, EntryState::Placed).await;
    assert!(matches!(late, Err(Error::ClaimLost)), "{late:?}");
    assert!(store.finish_import(&first, &ImportEnd::default()).await.is_err());
    assert_eq!(states(&store, id).await[0], ("192.0.2.1".to_owned(), EntryState::Pending));
    // A claim that the database's clock left in the future is none.
    run(&store, "UPDATE blocklists SET claim_until = unixepoch() + 3600").await;
    assert!(store.claim_blocklist(&first, None).await.unwrap());
}

async fn the_end_is_kept_and_a_failure_leaves_what_was_good(store: Store) {
    let id = store.create_blocklist(&list("a")).await.unwrap().unwrap();
    let first = claim(id, "1");
    store.claim_blocklist(&first, Some("c")).await.unwrap();
    let end = ImportEnd {
        result: "completed",
        entries: Some(5),
        etag: Some("\"1\"".into()),
        ..ImportEnd::default()
    };
    store.finish_import(&first, &end).await.unwrap();
    store.claim_blocklist(&first, None).await.unwrap();
    let failed = ImportEnd { result: "failed", error_type: Some("x"), ..ImportEnd::default() };
    store.finish_import(&first, &failed).await.unwrap();
    let row = store.blocklist(id).await.unwrap().unwrap();
    assert_eq!((row.entries, row.etag.as_deref()), (5, Some("\"1\"")));
    assert_eq!(row.result.as_deref(), Some("failed"));
    assert!(row.succeeded_at.is_some() && !row.is_claimed);
}

async fn failures_of_a_source_are_counted_until_it_succeeds_or_is_changed(store: Store) {
    let id = store.create_blocklist(&list("a")).await.unwrap().unwrap();
    let claim = claim(id, "1");
    let finish = async |result, is_of_source| {
        store.claim_blocklist(&claim, None).await.unwrap();
        let end = ImportEnd { result, is_of_source, ..ImportEnd::default() };
        store.finish_import(&claim, &end).await.unwrap();
        store.blocklist(id).await.unwrap().unwrap().failures
    };
    assert_eq!(finish("failed", true).await, 1);
    assert_eq!(finish("failed", true).await, 2);
    assert_eq!(finish("failed", false).await, 2, "it was not asked");
    assert_eq!(finish("unchanged", false).await, 0);
    assert_eq!(finish("failed", true).await, 1);
    assert!(store.update_blocklist(id, &list("a")).await.unwrap());
    assert_eq!(store.blocklist(id).await.unwrap().unwrap().failures, 0);
}

async fn what_another_list_wants_is_handed_over(store: Store) {
    let a = store.create_blocklist(&list("a")).await.unwrap().unwrap();
    let b = store.create_blocklist(&list("b")).await.unwrap().unwrap();
    let elsewhere = NewBlocklist { jail: "nginx".into(), ..list("c") };
    let c = store.create_blocklist(&elsewhere).await.unwrap().unwrap();
    for (id, entries, state) in [
        (a, ["192.0.2.1", "192.0.2.2"], EntryState::Placed),
        (b, ["192.0.2.1", "192.0.2.3"], EntryState::Held),
        (c, ["192.0.2.1", "192.0.2.2"], EntryState::Held),
    ] {
        let claim = claim(id, "x");
        store.claim_blocklist(&claim, None).await.unwrap();
        store.set_blocklist_entries(&claim, &networks(&entries), state).await.unwrap();
    }
    let entries = networks(&["192.0.2.1", "192.0.2.2"]);
    let jail = "sshd".parse().unwrap();
    let handed = store.hand_over_entries(&claim(a, "x"), &jail, &entries).await.unwrap();
    assert_eq!(handed, networks(&["192.0.2.1"]));
    assert_eq!(states(&store, a).await, [("192.0.2.2".to_owned(), EntryState::Placed)]);
    assert_eq!(states(&store, b).await[0], ("192.0.2.1".to_owned(), EntryState::Placed));
    assert_eq!(states(&store, c).await[0], ("192.0.2.1".to_owned(), EntryState::Held));
    store.remove_blocklist(&claim(a, "x")).await.unwrap();
    assert!(store.blocklist(a).await.unwrap().is_none());
    assert_eq!(states(&store, a).await, []);
}
