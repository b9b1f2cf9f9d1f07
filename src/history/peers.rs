//! What the instances that share a database tell each other, so that each of their pages sees all
//! of it: this instance's news go out as notices, and those of others come in.
//!
//! What comes in goes through the ledger, as what is seen here does: a ban that this instance has
//! noticed as well is told to its pages once. It is written nowhere, since whoever noticed it has.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::ledger::{Fact, Held};
use super::live::LiveEvent;
use super::{FROM_LIST, FROM_LOG, FROM_OPERATOR, History};
use crate::domain::{Ban, Subject};
use crate::telemetry::span;

/// The most notices about one observation; beyond that, pages are told to read everything afresh.
const NOTICES_MAX: usize = 50;
/// The pause before listening is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Notice {
    /// A ban, or new times of one.
    Ban {
        jail: String,
        ip: String,
        banned_at: i64,
        expires_at: Option<i64>,
        reason: Option<String>,
        source: String,
        correlation_id: Option<String>,
    },
    /// The end of one.
    Unban { jail: String, ip: String, source: String, correlation_id: Option<String> },
    /// More than can be said.
    Much,
}

impl Notice {
    fn of(fact: &Fact, source: &str, correlation_id: Option<&str>) -> Self {
        let (source, correlation_id) = (source.to_owned(), correlation_id.map(str::to_owned));
        match fact {
            Fact::Banned(held) | Fact::Corrected(held) => Self::Ban {
                jail: held.ban.jail.to_string(),
                ip: held.ban.ip.to_string(),
                banned_at: held.ban.banned_at.as_second(),
                expires_at: held.ban.expires_at.map(Timestamp::as_second),
                reason: held.reason.clone(),
                source,
                correlation_id,
            },
            Fact::Unbanned(jail, ip) => {
                Self::Unban { jail: jail.to_string(), ip: ip.to_string(), source, correlation_id }
            }
        }
    }
}

/// Tells the other instances. What is lost on the way they see for themselves a little later, or
/// their pages do at the next reading: it is not tried again.
pub(super) async fn tell<'a>(
    history: &History,
    facts: impl Iterator<Item = &'a Fact>,
    source: &'static str,
    correlation_id: Option<&str>,
) {
    if !history.store.has_notices() {
        return;
    }
    let mut notices: Vec<_> =
        facts.take(NOTICES_MAX + 1).map(|it| Notice::of(it, source, correlation_id)).collect();
    if notices.len() > NOTICES_MAX {
        notices = vec![Notice::Much];
    }
    for notice in notices {
        let said = say(history, &notice).await;
        if said == Some(false) {
            say(history, &Notice::Much).await;
        }
        if said.is_none() {
            return;
        }
    }
}

/// Whether it was short enough to be said; nothing if the database failed, which its span and its
/// metrics tell.
async fn say(history: &History, notice: &Notice) -> Option<bool> {
    let text = serde_json::to_string(notice).ok()?;
    history.store.notify(&text).await.ok()
}

/// Hears the other instances until it is told to stop; with SQLite there is nobody to hear.
pub(super) async fn hear(history: History, stop: CancellationToken) {
    if !history.store.has_notices() {
        return stop.cancelled().await;
    }
    let listening = async {
        let mut is_first = true;
        loop {
            if let Ok(Some(mut notices)) = history.store.listen().instrument(quiet()).await {
                // Between two connections, notices are lost.
                if !std::mem::replace(&mut is_first, false) {
                    history.live().forget();
                }
                while let Some(text) = notices.next().await {
                    take(&history, &text).await;
                }
            }
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = listening => {}
    }
}

/// What another version says, and this one does not understand, is no more than a hint either.
async fn take(history: &History, text: &str) {
    let Ok(notice) = serde_json::from_str::<Notice>(text) else {
        return history.live().forget();
    };
    match notice {
        Notice::Much => history.live().forget(),
        Notice::Ban { jail, ip, banned_at, expires_at, reason, source, correlation_id } => {
            let ban = || {
                Some(Ban {
                    jail: jail.parse().ok()?,
                    ip: Subject::reported(&ip).ok()?,
                    banned_at: Timestamp::from_second(banned_at).ok()?,
                    expires_at: expires_at.and_then(|at| Timestamp::from_second(at).ok()),
                })
            };
            let (Some(ban), Some(source)) = (ban(), word(&source)) else { return };
            let held = Held { ban, reason };
            history.conclude_peer(source, correlation_id, |ledger| ledger.peer_ban(held));
        }
        Notice::Unban { jail, ip, source, correlation_id } => {
            let parts = (jail.parse().ok(), Subject::reported(&ip).ok(), word(&source));
            let (Some(jail), Some(ip), Some(source)) = parts else { return };
            history.conclude_peer(source, correlation_id, |ledger| {
                ledger.peer_unban(&jail, &ip, std::time::Instant::now())
            });
        }
    }
}

fn word(source: &str) -> Option<&'static str> {
    [FROM_LIST, FROM_LOG, FROM_OPERATOR].into_iter().find(|it| *it == source)
}

/// Nobody asked for it.
fn quiet() -> Span {
    span::unsampled_root(tracing::info_span!("peers", bangui.task.name = "peers"))
}

/// What the pages are told of a fact.
pub(super) fn live_event(
    fact: Fact,
    source: &'static str,
    correlation_id: Option<String>,
) -> LiveEvent {
    match fact {
        Fact::Banned(held) => LiveEvent::Ban { held, is_correction: false, source, correlation_id },
        Fact::Corrected(held) => {
            LiveEvent::Ban { held, is_correction: true, source, correlation_id }
        }
        Fact::Unbanned(jail, ip) => LiveEvent::Unban { jail, ip, source, correlation_id },
    }
}
