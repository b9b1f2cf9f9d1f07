//! Receipts: who must know that a record has left the process waits for its receipt.
//!
//! The one who logs asks for the receipt under the uid that the record will carry; the output
//! that delivers the record answers it. Almost no record has one, so the outputs look first
//! whether any is asked for at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Receipts that may be asked for at once; who asks for one more learns that it gets none.
const ASKED_MAX: usize = 4096;

static ASKED: Mutex<Option<HashMap<String, Pending>>> = Mutex::new(None);
static ASKED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// The answering side of a receipt.
pub(super) type Pending = oneshot::Sender<bool>;

/// Tells what became of one record.
#[derive(Debug)]
pub struct Receipt {
    uid: String,
    answer: oneshot::Receiver<bool>,
}

impl Receipt {
    /// Asks for the receipt of the record that will carry this `uid`; to be called before the
    /// event is logged.
    pub fn of(uid: &str) -> Self {
        let (pending, answer) = oneshot::channel();
        with_asked(|asked| {
            if asked.len() < ASKED_MAX {
                asked.insert(uid.to_owned(), pending);
            }
        });
        Self { uid: uid.to_owned(), answer }
    }

    /// To be called after the event was logged: a receipt that no output has taken by then has no
    /// record, because the level hides it, and is answered as given up.
    pub fn close(&self) {
        with_asked(|asked| _ = asked.remove(&self.uid));
    }

    /// Waits: true when the collector has acknowledged the record (or, without export of logs,
    /// when its line was written to stdout); false when it was given up.
    pub async fn is_delivered(mut self) -> bool {
        (&mut self.answer).await.unwrap_or(false)
    }
}

impl Drop for Receipt {
    /// A record that was never logged must not keep its place.
    fn drop(&mut self) {
        self.close();
    }
}

fn with_asked(change: impl FnOnce(&mut HashMap<String, Pending>)) {
    let mut asked: MutexGuard<'_, _> = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = asked.get_or_insert_default();
    change(asked);
    ASKED_COUNT.store(asked.len(), Ordering::Release);
}

/// Takes the receipt that is asked for a record, if there is one.
pub(super) fn take(uid: &str) -> Option<Pending> {
    if ASKED_COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let mut taken = None;
    with_asked(|asked| taken = asked.remove(uid));
    taken
}

/// Answers a receipt, if one was asked for.
pub(super) fn answer(receipt: Option<Pending>, is_delivered: bool) {
    if let Some(receipt) = receipt {
        // Whoever asked may have stopped waiting.
        let _ = receipt.send(is_delivered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_receipt_is_answered_once() {
        let receipt = Receipt::of("a");
        answer(take("a"), true);
        assert!(receipt.is_delivered().await && take("a").is_none());
        let receipt = Receipt::of("b");
        drop(take("b"));
        assert!(!receipt.is_delivered().await, "an output that vanished has delivered nothing");
        let receipt = Receipt::of("d");
        receipt.close();
        assert!(!receipt.is_delivered().await, "no record was written");
        drop(Receipt::of("c"));
        assert!(take("c").is_none());
    }
}
