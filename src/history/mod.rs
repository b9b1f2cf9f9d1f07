//! What is and was banned: the live state, its history in the store, and the events for pages.
//!
//! The scheduler's watch drives this module with what it sees of fail2ban; operators' changes come
//! from [`crate::jails`]. Both end in the same ledger, so that a ban is told once, whoever
//! noticed it first.

mod journal;
mod ledger;
pub mod live;
mod peers;
mod upkeep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::{Ban, ExplainedEntry, HistoryEntry, JailName, JailStatus, Subject};
use crate::fail2ban::{Client, Fail2banError, Link, LogEvent};
use crate::store::{self, Store};
use journal::{Batch, Waiting};
pub use ledger::Held;
use ledger::{Fact, Ledger};
use live::{Live, LiveEvent};
pub use upkeep::{SyncError, Synced};

/// Source of a fact: fail2ban's own list.
pub const FROM_LIST: &str = "list";
/// Source of a fact: fail2ban's log.
pub const FROM_LOG: &str = "log";
/// Source of a fact: an operator's change through us.
pub const FROM_OPERATOR: &str = "operator";
/// Source of a fact: a list that was imported. The store knows it as an operator's change.
const FROM_BLOCKLIST: &str = "blocklist";

/// History could not be read from the store.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] pub store::Error);

/// How well a source of observations works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// The file that is read, once fail2ban named it.
    pub path: Option<String>,
    /// Why it cannot be read.
    pub error: Option<String>,
}

/// A page of the list of bans.
#[derive(Debug)]
pub struct BanPage {
    /// The bans, newest first.
    pub items: Vec<Held>,
    /// Whether there are more.
    pub has_more: bool,
}

/// Which bans to list.
#[derive(Debug, Default, Clone)]
pub struct BanQuery {
    /// Of this jail only.
    pub jail: Option<JailName>,
    /// Whose address contains this text.
    pub text: Option<String>,
    /// After this one in the order of the list.
    pub after: Option<BanKey>,
    /// At most so many.
    pub limit: usize,
}

/// The place of a ban in the list: newest first, then by jail and address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BanKey {
    /// Negated unix seconds, so that the newest comes first.
    pub newest_first: i64,
    /// The jail.
    pub jail: String,
    /// The address.
    pub ip: String,
}

impl BanKey {
    /// The place of a ban.
    pub fn of(ban: &Ban) -> Self {
        Self {
            newest_first: -ban.banned_at.as_second(),
            jail: ban.jail.to_string(),
            ip: ban.ip.to_string(),
        }
    }
}

/// The state of all bans; cheap to clone.
#[derive(Debug, Clone)]
pub struct History {
    client: Client,
    store: Store,
    live: Live,
    shared: Arc<Mutex<Shared>>,
    /// Wakes the writer of the journal.
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    waiting: Waiting,
    log: LogSource,
    last_poll: Option<Instant>,
}

impl History {
    /// Starts from what the store holds as open.
    pub async fn start(client: Client, store: Store) -> Result<Self, Error> {
        let mut ledger = Ledger::default();
        ledger.restore(store.open_bans().await?);
        let log = LogSource { path: None, error: None };
        let waiting = Waiting::default();
        let shared = Arc::new(Mutex::new(Shared { ledger, waiting, log, last_poll: None }));
        Ok(Self { client, store, live: Live::default(), shared, wake: Arc::default() })
    }

    /// Tells facts to the store, the log and the pages until it is told to stop. One task runs it.
    pub async fn write_journal(self, stop: CancellationToken) {
        journal::write(self, stop).await;
    }

    /// Has the pages of all instances read everything afresh, after more than can be told one by
    /// one.
    pub async fn tell_much(&self) {
        self.live().forget();
        peers::tell_much(self).await;
    }

    /// Takes what other instances on the same database notice until it is told to stop. One task
    /// runs it.
    pub async fn hear_peers(self, stop: CancellationToken) {
        peers::hear(self, stop).await;
    }

    /// The events for pages.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The state of the connection to fail2ban.
    pub fn link(&self) -> Link {
        self.client.link().borrow().clone()
    }

    /// Asks fail2ban for its counts; returns the jails whose list is out of date. A jail that
    /// fails alone (it was just stopped, or its answer is odd) does not hide the others.
    pub async fn poll(&self, is_settled: bool) -> Result<Vec<JailName>, Fail2banError> {
        let names = self.client.status().await?;
        let mut has_changed = false;
        for name in &names {
            match self.client.jail_status(name).await {
                Ok(status) => has_changed |= self.lock().ledger.counts(status),
                Err(Fail2banError::UnknownJail(_)) => {}
                Err(error @ (Fail2banError::Refused { .. } | Fail2banError::Malformed { .. })) => {
                    tracing::warn!(
                        name: "fail2ban_command_failed",
                        command = "status",
                        jail = %name,
                        error = %error,
                    );
                }
                Err(error) => return Err(error),
            }
        }
        self.conclude(FROM_LIST, None, |ledger| ledger.jails(&names, is_settled)).await;
        if has_changed {
            self.live.publish(LiveEvent::Jails);
        }
        let mut shared = self.lock();
        shared.last_poll = Some(Instant::now());
        let needs_list = |name: &&JailName| shared.ledger.needs_list(name, is_settled);
        Ok(names.iter().filter(needs_list).cloned().collect())
    }

    /// Asks fail2ban for a jail's list and concludes what is new.
    pub async fn list(
        &self,
        jail: &JailName,
        is_settled: bool,
        correlation_id: Option<String>,
    ) -> Result<(), Fail2banError> {
        let generation = self.lock().ledger.generation(jail);
        let bans = self.client.bans(jail).await?;
        self.conclude(FROM_LIST, correlation_id, |ledger| {
            ledger.list(jail, bans, generation, is_settled)
        })
        .await;
        Ok(())
    }

    /// Takes what fail2ban's log told. Only bans of addresses are believed at once. Ends of bans
    /// are left to the list, because fail2ban writes the same lines when it stops; the caller asks
    /// for the list soon.
    pub async fn logged(&self, events: Vec<LogEvent>, correlation_id: Option<String>) {
        let (at, now) = (Ban::now(), Instant::now());
        let bans = events.into_iter().filter_map(|event| match event {
            LogEvent::Ban(jail, ip) => ip.address().map(|_| (jail, ip)),
            _ => None,
        });
        self.conclude(FROM_LOG, correlation_id, |ledger| {
            bans.filter_map(|(jail, ip)| ledger.logged_ban(jail, ip, at, now)).collect()
        })
        .await;
    }

    /// Says that an operator's change of an address begins. What fail2ban tells of the address
    /// until the returned guard is dropped is that change.
    pub fn begin_change(&self, jail: &JailName, ip: &Subject) -> ChangeGuard {
        self.begin_changes(jail, std::slice::from_ref(ip))
    }

    /// The same for several at once.
    pub fn begin_changes(&self, jail: &JailName, ips: &[Subject]) -> ChangeGuard {
        let mut shared = self.lock();
        ips.iter().for_each(|ip| shared.ledger.begin_change(jail, ip));
        ChangeGuard { history: self.clone(), jail: jail.clone(), ips: ips.to_vec() }
    }

    /// Takes bans that an import made. Pages are not told of each.
    pub async fn blocklist_banned(&self, held: Vec<Held>, correlation_id: Option<String>) {
        self.conclude(FROM_BLOCKLIST, correlation_id, |ledger| {
            held.into_iter().map(|held| ledger.operator_ban(held)).collect()
        })
        .await;
    }

    /// Takes the ends of bans that an import made. Pages are not told of each.
    pub async fn blocklist_lifted(
        &self,
        jail: &JailName,
        ips: &[Subject],
        correlation_id: Option<String>,
    ) {
        let now = Instant::now();
        self.conclude(FROM_BLOCKLIST, correlation_id, |ledger| {
            ips.iter().filter_map(|ip| ledger.operator_unban(jail, ip, false, now)).collect()
        })
        .await;
    }

    /// Takes a ban that an operator made.
    pub async fn operator_banned(&self, held: Held, correlation_id: Option<String>) {
        self.conclude(FROM_OPERATOR, correlation_id, |ledger| vec![ledger.operator_ban(held)])
            .await;
    }

    /// Takes an unban that an operator made, and whether fail2ban had a ban to lift.
    pub async fn operator_unbanned(
        &self,
        jail: &JailName,
        ip: &Subject,
        was_banned: bool,
        correlation_id: Option<String>,
    ) {
        self.conclude(FROM_OPERATOR, correlation_id, |ledger| {
            ledger.operator_unban(jail, ip, was_banned, Instant::now()).into_iter().collect()
        })
        .await;
    }

    /// fail2ban is gone: its counts are void, its bans are kept until it says otherwise.
    pub fn disconnected(&self) {
        self.lock().ledger.disconnected();
        self.live.publish(LiveEvent::Status);
    }

    /// Tells pages that the state of fail2ban or of a source changed.
    pub fn status_changed(&self) {
        self.live.publish(LiveEvent::Status);
    }

    /// Notes how reading fail2ban's log goes.
    pub fn set_log_source(&self, source: LogSource) {
        let has_changed = {
            let mut shared = self.lock();
            std::mem::replace(&mut shared.log, source.clone()) != source
        };
        if has_changed {
            self.live.publish(LiveEvent::Status);
        }
    }

    /// How reading fail2ban's log goes.
    pub fn log_source(&self) -> LogSource {
        self.lock().log.clone()
    }

    /// When fail2ban's counts were last read.
    pub fn last_poll(&self) -> Option<Instant> {
        self.lock().last_poll
    }

    /// The number of jails and of bans.
    pub fn totals(&self) -> (usize, usize) {
        self.lock().ledger.totals()
    }

    /// The jails and their counts, by name.
    pub fn jails(&self) -> Vec<JailStatus> {
        self.lock().ledger.statuses()
    }

    /// The ban of an address in a jail.
    pub fn find(&self, jail: &JailName, ip: &Subject) -> Option<Held> {
        self.lock().ledger.find(jail, ip).cloned()
    }

    /// The bans of an address that are in force, newest first.
    pub fn bans_of(&self, ip: &Subject) -> Vec<Held> {
        let mut found: Vec<Held> = self.lock().ledger.bans_of(ip).cloned().collect();
        found.sort_by_cached_key(|held| BanKey::of(&held.ban));
        found
    }

    /// The newest rows of the history of an address before an id.
    pub async fn entries_of(
        &self,
        ip: &Subject,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ExplainedEntry>, Error> {
        Ok(self.store.history_of(&ip.to_string(), before, limit).await?)
    }

    /// Bans in force, newest first.
    pub fn bans(&self, query: &BanQuery) -> BanPage {
        let shared = self.lock();
        let mut found: Vec<(BanKey, &Held)> = shared
            .ledger
            .bans()
            .filter(|held| query.jail.as_ref().is_none_or(|jail| held.ban.jail == *jail))
            .map(|held| (BanKey::of(&held.ban), held))
            .filter(|(key, _)| query.text.as_ref().is_none_or(|text| key.ip.contains(text)))
            .filter(|(key, _)| query.after.as_ref().is_none_or(|after| key > after))
            .collect();
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let has_more = found.len() > query.limit;
        let items = found.into_iter().take(query.limit).map(|(_, held)| held.clone()).collect();
        BanPage { items, has_more }
    }

    /// How many bans began within the last day.
    pub async fn bans_24h(&self) -> Result<i64, Error> {
        const DAY_SECONDS: i64 = 24 * 3600;
        Ok(self.store.count_bans_since(Timestamp::now().as_second() - DAY_SECONDS).await?)
    }

    /// The newest rows of the history before an id.
    pub async fn entries(&self, before: i64, limit: i64) -> Result<Vec<HistoryEntry>, Error> {
        Ok(self.store.list_history(before, limit).await?)
    }

    /// Takes the oldest batch of facts that waits.
    fn next_batch(&self) -> Option<Batch> {
        self.lock().waiting.pop_front()
    }

    fn has_no_batch(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Decides under the lock what is new and queues it there too; returns when it has been told.
    async fn conclude(
        &self,
        source: &'static str,
        correlation_id: Option<String>,
        decide: impl FnOnce(&mut Ledger) -> Vec<Fact>,
    ) {
        let told = {
            let mut shared = self.lock();
            let Shared { ledger, waiting, .. } = &mut *shared;
            let facts = decide(ledger);
            journal::queue(waiting, facts, source, correlation_id, false)
        };
        if let Some(told) = told {
            self.wake.notify_one();
            // The writer is gone only when the service has stopped.
            let _ = told.await;
        }
    }

    /// Queues what another instance noticed for the pages, behind what was noticed here before.
    fn conclude_peer(
        &self,
        source: &'static str,
        correlation_id: Option<String>,
        decide: impl FnOnce(&mut Ledger) -> Vec<Fact>,
    ) {
        let mut shared = self.lock();
        let Shared { ledger, waiting, .. } = &mut *shared;
        let facts = decide(ledger);
        if journal::queue(waiting, facts, source, correlation_id, true).is_some() {
            self.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // The ledger is never left half-changed: no code under the lock can panic midway.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operator's change that is under way; see [`History::begin_change`].
#[derive(Debug)]
pub struct ChangeGuard {
    history: History,
    jail: JailName,
    ips: Vec<Subject>,
}

impl Drop for ChangeGuard {
    fn drop(&mut self) {
        let mut shared = self.history.lock();
        self.ips.iter().for_each(|ip| shared.ledger.end_change(&self.jail, ip));
    }
}
