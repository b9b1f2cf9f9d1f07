//! Tests of the outbox with a log that gives receipts when the test says so.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::AuditEntry;
use crate::store::tests::temporary;
use crate::store::{AuditResult, NewAudit, Store};

/// A row as the store gives it.
pub(in crate::audit) fn row(id: i64) -> UntoldAudit {
    let entry = AuditEntry {
        id,
        at: 0,
        actor: "admin".into(),
        client_ip: "192.0.2.1".into(),
        action: "login".into(),
        jail: None,
        ip: None,
        reason: None,
        result: "success".into(),
        detail: None,
        correlation_id: None,
    };
    UntoldAudit { entry, uid: format!("{id:032x}"), traceparent: None }
}

/// A log that keeps what it is told and gives receipts when the test says so.
#[derive(Clone)]
struct Fake {
    shown: Arc<Mutex<Shown>>,
    told: Arc<Mutex<Vec<UntoldAudit>>>,
    receipts: Arc<Mutex<Vec<oneshot::Sender<bool>>>>,
}

impl Tell for Fake {
    fn shown(&self) -> Shown {
        *self.shown.lock().unwrap()
    }

    fn tell(&self, audit: &UntoldAudit) -> Delivery {
        let (sender, receiver) = oneshot::channel();
        self.told.lock().unwrap().push(audit.clone());
        self.receipts.lock().unwrap().push(sender);
        // Without a sender there is never a receipt, as if the collector were away.
        Box::pin(async {
            match receiver.await {
                Ok(is_delivered) => is_delivered,
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Fake {
    fn new() -> Self {
        let shown = Arc::new(Mutex::new(Shown::All));
        Self { shown, told: Arc::default(), receipts: Arc::default() }
    }

    fn told(&self) -> Vec<i64> {
        self.told.lock().unwrap().iter().map(|row| row.entry.id).collect()
    }

    fn give_receipts(&self, is_delivered: bool) {
        for sender in self.receipts.lock().unwrap().drain(..) {
            let _ = sender.send(is_delivered);
        }
    }
}

fn start(audit: &Audit, log: &Fake) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let outbox = Outbox::new(audit.clone(), log.clone());
    (stop.clone(), tokio::spawn(outbox.run(stop)))
}

async fn change(audit: &Audit, result: AuditResult) -> i64 {
    let id = audit.begin(NewAudit::default()).await.unwrap();
    audit.finish(id, result, None).await.unwrap();
    id
}

async fn untold(store: &Store) -> Vec<i64> {
    let wanted = UntoldQuery { except: &[], failures_only: false, limit: 10_000 };
    let rows = store.untold_audit(wanted).await.unwrap();
    rows.into_iter().map(|row| row.entry.id).collect()
}

/// Waits until a future's value is the expected one.
async fn until<V: PartialEq + std::fmt::Debug>(expected: V, mut probe: impl AsyncFnMut() -> V) {
    let mut last = probe().await;
    for _ in 0..1000 {
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        last = probe().await;
    }
    panic!("{expected:?} was expected, last seen: {last:?}");
}

#[tokio::test]
async fn a_row_is_told_once_and_marked_when_its_receipt_comes() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    let (stop, running) = start(&audit, &log);
    let first = change(&audit, AuditResult::Success).await;
    until(vec![first], async || log.told()).await;
    let second = change(&audit, AuditResult::Failure).await;
    until(vec![first, second], async || log.told()).await;
    assert_eq!(untold(&store).await, [first, second], "nothing is delivered yet");
    log.give_receipts(true);
    until(vec![], async || untold(&store).await).await;
    assert_eq!(log.told(), [first, second]);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_one_process_could_not_deliver_the_next_one_tells_with_the_same_uid() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    let (_stop, running) = start(&audit, &log);
    let id = change(&audit, AuditResult::Success).await;
    until(vec![id], async || log.told()).await;
    running.abort();
    let at = Timestamp::now().as_second();
    let pending = audit.begin(NewAudit { at, ..NewAudit::default() }).await.unwrap();
    let (stop, running) = start(&Audit::new(store.clone()), &log);
    until(vec![id, id], async || log.told()).await;
    let uids: Vec<_> = log.told.lock().unwrap().iter().map(|row| row.uid.clone()).collect();
    assert_eq!(uids[0], uids[1]);
    log.give_receipts(true);
    until(vec![], async || untold(&store).await).await;
    stop.cancel();
    running.await.unwrap();
    assert!(!log.told().contains(&pending));
}

#[tokio::test]
async fn a_row_whose_record_is_not_written_is_given_up_at_once() {
    // Nobody collects here, as if the level had changed since it was asked for.
    let told = timeout(Duration::from_secs(5), ToLog.tell(&row(1))).await;
    assert_eq!(told, Ok(false));
}

#[tokio::test]
async fn a_row_that_was_given_up_is_told_again_after_a_pause() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    let mut outbox = Outbox::new(audit.clone(), log.clone());
    let id = change(&audit, AuditResult::Success).await;
    outbox.poll(Instant::now()).await;
    log.give_receipts(false);
    let (given_up, is_delivered) = outbox.receipts.next().await.unwrap();
    outbox.settle(given_up, is_delivered).await;
    outbox.poll(Instant::now()).await;
    assert_eq!(log.told(), [id], "there is a pause");
    outbox.poll(Instant::now() + POLL_INTERVAL).await;
    assert_eq!(log.told(), [id, id]);
    log.give_receipts(true);
    let (delivered, is_delivered) = outbox.receipts.next().await.unwrap();
    outbox.settle(delivered, is_delivered).await;
    assert_eq!(untold(&store).await, [0; 0]);
}

#[tokio::test]
async fn a_stop_tells_what_is_left_and_does_not_hang() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    let stop = CancellationToken::new();
    stop.cancel();
    let id = change(&audit, AuditResult::Success).await;
    let running = tokio::spawn(Outbox::new(audit, log.clone()).run(stop));
    until(vec![id], async || log.told()).await;
    let limit = LAST_CHANCE + Duration::from_secs(5);
    timeout(limit, running).await.expect("it hangs").unwrap();
    assert_eq!(untold(&store).await, [id], "it is the next process's");
}

#[tokio::test]
async fn more_rows_than_there_is_room_for_wait_in_the_store() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    for _ in 0..5 {
        change(&audit, AuditResult::Success).await;
    }
    let stop = CancellationToken::new();
    let mut outbox = Outbox::new(audit.clone(), log.clone());
    outbox.handed = Handed::new(3);
    let running = tokio::spawn(outbox.run(stop.clone()));
    until(3, async || log.told().len()).await;
    change(&audit, AuditResult::Success).await;
    log.give_receipts(true);
    until(6, async || log.told().len()).await;
    log.give_receipts(true);
    until(vec![], async || untold(&store).await).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_the_level_hides_is_told_when_it_no_longer_does() {
    let (_folder, store) = temporary().await;
    let (audit, log) = (Audit::new(store.clone()), Fake::new());
    let mut outbox = Outbox::new(audit.clone(), log.clone());
    let success = change(&audit, AuditResult::Success).await;
    let failure = change(&audit, AuditResult::Failure).await;
    for (shown, told) in [
        (Shown::Nothing, vec![]),
        (Shown::Failures, vec![failure]),
        (Shown::All, vec![failure, success]),
    ] {
        *log.shown.lock().unwrap() = shown;
        outbox.poll(Instant::now()).await;
        assert_eq!(log.told(), told);
    }
}
