//! Tells facts to the store, the log and the pages: one after the other, in the order in which
//! they were found, and none lost to a store that fails for a moment.
//!
//! Facts are decided under the ledger's lock and queued under it too, so their order is the order
//! of the decisions, whoever found them.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::ledger::{Fact, Held};
use super::peers::{self, live_event};
use super::{FROM_OPERATOR, History};
use crate::domain::{JailName, Subject};
use crate::store::{Error, RecordedBan};
use crate::telemetry::metrics::{self, BANS_OBSERVED, UNBANS_OBSERVED, report};

/// Batches that may wait for the store. Beyond this the oldest is given up, and said so.
const WAITING_MAX: usize = 10_000;
/// How often a batch is offered to the store, and the pauses in between.
const ATTEMPTS_MAX: u32 = 6;
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// The most log lines that one observation writes; a first start in front of a busy fail2ban
/// would otherwise write tens of thousands. The store still gets every one.
const LINES_PER_OBSERVATION_MAX: usize = 100;

/// Facts that were found together.
#[derive(Debug)]
pub(super) struct Batch {
    facts: Vec<Fact>,
    source: &'static str,
    correlation_id: Option<String>,
    /// Whether another instance has found them, which has written and logged them.
    is_of_peer: bool,
    found: Instant,
    /// The span in which they were found, so that the SQL and the lines stand in its trace.
    span: Span,
    told: oneshot::Sender<()>,
}

/// A begin or an end of a ban that another instance has told.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Known {
    Begun(JailName, Subject),
    Ended(JailName, Subject),
}

/// Batches on their way, oldest first.
pub(super) type Waiting = VecDeque<Batch>;

/// Queues facts; the receiver resolves when they have been told.
pub(super) fn queue(
    waiting: &mut Waiting,
    facts: Vec<Fact>,
    source: &'static str,
    correlation_id: Option<String>,
    is_of_peer: bool,
) -> Option<oneshot::Receiver<()>> {
    if facts.is_empty() {
        return None;
    }
    if waiting.len() >= WAITING_MAX {
        let lost = waiting.pop_front().map_or(0, |batch| batch.facts.len());
        tracing::error!(name: "history_facts_dropped", facts = lost);
    }
    let (told, receiver) = oneshot::channel();
    let found = Instant::now();
    metrics::history_waits_since(found);
    let span = Span::current();
    waiting.push_back(Batch { facts, source, correlation_id, is_of_peer, found, span, told });
    Some(receiver)
}

/// Writes batches until it is told to stop and nothing waits any more.
pub(super) async fn write(history: History, stop: CancellationToken) {
    loop {
        while let Some(batch) = history.next_batch() {
            metrics::set_history_waits_since(Some(batch.found));
            let span = batch.span.clone();
            tell(&history, batch).instrument(span).await;
        }
        metrics::set_history_waits_since(None);
        tokio::select! {
            () = history.wake.notified() => {}
            () = stop.cancelled() => {
                if history.has_no_batch() {
                    return;
                }
            }
        }
    }
}

/// The store comes first, but its failure does not hide a fact from the log and the page.
async fn tell(history: &History, batch: Batch) {
    let Batch { facts, source, correlation_id, is_of_peer, told, .. } = batch;
    let correlation = correlation_id.as_deref();
    if !is_of_peer {
        let is_new = write_and_log(history, &facts, source, correlation).await;
        let new = facts.iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(fact, _)| fact);
        peers::tell(history, new, source, correlation).await;
    }
    for fact in facts {
        history.live().publish(live_event(fact, source, correlation_id.clone()));
    }
    // Nobody may be waiting for it, which is fine.
    let _ = told.send(());
}

/// Tells which facts are new; another instance may have been first, and told them.
async fn write_and_log(
    history: &History,
    facts: &[Fact],
    source: &'static str,
    correlation_id: Option<&str>,
) -> Vec<bool> {
    let mut attempt = 1;
    let is_new = loop {
        match record(history, facts, source, correlation_id).await {
            Ok(known) => {
                let is_known = |fact| place(fact).is_some_and(|place| known.contains(&place));
                break facts.iter().map(|fact| !is_known(fact)).collect();
            }
            Err(error) if attempt == ATTEMPTS_MAX => {
                tracing::error!(
                    name: "history_write_failed",
                    error = %error,
                    facts = facts.len(),
                    attempts = attempt,
                );
                break vec![true; facts.len()];
            }
            Err(_) => {
                sleep(RETRY_PAUSE * 2_u32.pow(attempt - 1)).await;
                attempt += 1;
            }
        }
    };
    let mut lines = 0_usize;
    for (fact, _) in facts.iter().zip(&is_new).filter(|(_, is_new)| **is_new) {
        lines += log(fact, source, lines < LINES_PER_OBSERVATION_MAX);
    }
    if lines > LINES_PER_OBSERVATION_MAX {
        let suppressed = lines - LINES_PER_OBSERVATION_MAX;
        tracing::warn!(name: "history_lines_suppressed", suppressed);
    }
    is_new
}

/// What another instance may have told. New times are told by who learns of them.
fn place(fact: &Fact) -> Option<Known> {
    match fact {
        Fact::Banned(held) => Some(Known::Begun(held.ban.jail.clone(), held.ban.ip.clone())),
        Fact::Unbanned(jail, ip) => Some(Known::Ended(jail.clone(), ip.clone())),
        Fact::Corrected(_) => None,
    }
}

/// Returns what another instance had written already.
async fn record(
    history: &History,
    facts: &[Fact],
    source: &'static str,
    correlation_id: Option<&str>,
) -> Result<HashSet<Known>, Error> {
    let mut known = HashSet::new();
    let unbanned = |fact: &Fact| match fact {
        Fact::Unbanned(jail, ip) => Some((jail.clone(), ip.clone())),
        Fact::Banned(_) | Fact::Corrected(_) => None,
    };
    let ended: Vec<_> = facts.iter().filter_map(unbanned).collect();
    if !ended.is_empty() {
        let now = Timestamp::now().as_second();
        let others = history.store.close_bans(&ended, now, source).await?;
        known.extend(others.into_iter().map(|(jail, ip)| Known::Ended(jail, ip)));
    }
    let begun = facts.iter().filter_map(|fact| match fact {
        Fact::Banned(held) | Fact::Corrected(held) => Some(held),
        Fact::Unbanned(..) => None,
    });
    let rows: Vec<_> = begun
        .map(|Held { ban, reason }| RecordedBan {
            ban,
            source,
            reason: reason.as_deref(),
            correlation_id,
        })
        .collect();
    if !rows.is_empty() {
        let others = history.store.record_bans(&rows).await?;
        known.extend(others.into_iter().map(|(jail, ip)| Known::Begun(jail, ip)));
    }
    Ok(known)
}

/// Writes the line of a fact, if there is still room for it; returns how many lines it is worth.
/// An operator's change has its own event, written where it is made.
fn log(fact: &Fact, source: &'static str, has_room: bool) -> usize {
    match fact {
        _ if source == FROM_OPERATOR => 0,
        Fact::Corrected(_) => 0,
        Fact::Banned(Held { ban, .. }) => {
            if has_room {
                report!(
                    name: "ban_observed",
                    level: info,
                    counts: BANS_OBSERVED[source],
                    jail = %ban.jail,
                    ip = %ban.ip,
                    source,
                );
            } else {
                BANS_OBSERVED.count(&[Some(source)]);
            }
            1
        }
        Fact::Unbanned(jail, ip) => {
            if has_room {
                report!(
                    name: "unban_observed",
                    level: info,
                    counts: UNBANS_OBSERVED[source],
                    jail = %jail,
                    ip = %ip,
                    source,
                );
            } else {
                UNBANS_OBSERVED.count(&[Some(source)]);
            }
            1
        }
    }
}
