//! What is banned right now, as far as we know: the state behind every page.
//!
//! Pure bookkeeping without clock, I/O or locks: the caller says what was seen and gets back the
//! [`Fact`]s that are new. fail2ban's list is the truth; its log is only faster.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::domain::{Ban, JailName, JailStatus, Subject};
use crate::store::OpenBan;

/// A log line about a ban that an operator lifted is older news than the operator's click; lines
/// are read at most this long after they were written.
const STALE_LINE: Duration = Duration::from_secs(3);
/// fail2ban's times are whole seconds, and so two reports of one ban may differ by one.
const SAME_BAN_SECONDS: i64 = 2;

/// Something that was not known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    /// An address is banned.
    Banned(Held),
    /// The times of a known ban became known or changed.
    Corrected(Held),
    /// A ban is over.
    Unbanned(JailName, Subject),
}

/// A ban in force and the operator's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The ban.
    pub ban: Ban,
    /// Why an operator banned it.
    pub reason: Option<String>,
}

#[derive(Debug, Default)]
struct Jail {
    status: Option<JailStatus>,
    bans: HashMap<Subject, Held>,
    /// Counts at the time of the last list; a difference means that the list is out of date.
    listed: Option<(u64, u64)>,
    /// Whether that list was taken after things had settled, so that absences counted.
    is_list_settled: bool,
    /// Grows with every change by an operator: a list asked for before is then no longer true.
    generation: u64,
    /// Addresses that an operator's change is under way for. What fail2ban tells of them meanwhile
    /// is that change, and is told once, by who makes it.
    changing: HashMap<Subject, usize>,
}

/// All jails and their bans.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    jails: BTreeMap<JailName, Jail>,
    lifted: HashMap<(JailName, Subject), Instant>,
}

impl Ledger {
    /// Starts from what history holds as open.
    pub(super) fn restore(&mut self, open: Vec<OpenBan>) {
        for OpenBan { ban, reason } in open {
            let jail = self.jails.entry(ban.jail.clone()).or_default();
            jail.bans.insert(ban.ip.clone(), Held { ban, reason });
        }
    }

    /// Takes fail2ban's jails. Bans of jails that are gone are over, once things have settled.
    pub(super) fn jails(&mut self, names: &[JailName], is_settled: bool) -> Vec<Fact> {
        for name in names {
            self.jails.entry(name.clone()).or_default();
        }
        if !is_settled {
            return Vec::new();
        }
        let gone: Vec<_> =
            self.jails.keys().filter(|name| !names.contains(name)).cloned().collect();
        let ended = gone.iter().filter_map(|name| self.jails.remove(name));
        ended
            .flat_map(|jail| jail.bans.into_values())
            .map(|held| Fact::Unbanned(held.ban.jail, held.ban.ip))
            .collect()
    }

    /// Takes a jail's counts; tells whether they changed since the last ones.
    pub(super) fn counts(&mut self, status: JailStatus) -> bool {
        let jail = self.jails.entry(status.name.clone()).or_default();
        let is_new = jail.status.as_ref() != Some(&status);
        jail.status = Some(status);
        is_new
    }

    /// Whether a list is worth its cost: the counts changed since the last one, or absences from
    /// the last one could not be believed and now they can.
    pub(super) fn needs_list(&self, name: &JailName, is_settled: bool) -> bool {
        let Some(jail) = self.jails.get(name) else { return false };
        let is_outdated = jail.status.as_ref().map(counts_of) != jail.listed;
        is_outdated || (is_settled && !jail.is_list_settled)
    }

    /// The number to give back with a list that is asked for now.
    pub(super) fn generation(&self, name: &JailName) -> u64 {
        self.jails.get(name).map_or(0, |jail| jail.generation)
    }

    /// Compares a jail's list with what is known. A list that an operator's change has overtaken
    /// is dropped; the next one will do. While things settle (fail2ban restores its bans little
    /// by little after a start) nothing is concluded from an absence.
    pub(super) fn list(
        &mut self,
        name: &JailName,
        bans: Vec<Ban>,
        generation: u64,
        is_settled: bool,
    ) -> Vec<Fact> {
        let jail = self.jails.entry(name.clone()).or_default();
        // An address that is being changed is neither here nor there: the next list will tell.
        if jail.generation != generation || !jail.changing.is_empty() {
            return Vec::new();
        }
        let mut missing = std::mem::take(&mut jail.bans);
        let mut facts = Vec::new();
        for ban in bans {
            let known = missing.remove(&ban.ip);
            let (held, fact) = compare(known, ban);
            facts.extend(fact);
            jail.bans.insert(held.ban.ip.clone(), held);
        }
        jail.listed = jail.status.as_ref().map(counts_of);
        jail.is_list_settled = is_settled;
        if is_settled {
            facts.extend(missing.into_keys().map(|ip| Fact::Unbanned(name.clone(), ip)));
        } else {
            jail.bans.extend(missing);
        }
        facts
    }

    /// Takes a ban from fail2ban's log, seen at the given time. The list is asked for next, since
    /// it is the truth and knows until when.
    pub(super) fn logged_ban(
        &mut self,
        name: JailName,
        ip: Subject,
        at: Timestamp,
        now: Instant,
    ) -> Option<Fact> {
        self.lifted.retain(|_, lifted| now.saturating_duration_since(*lifted) < STALE_LINE);
        if self.lifted.contains_key(&(name.clone(), ip.clone())) {
            return None;
        }
        let jail = self.jails.entry(name.clone()).or_default();
        jail.listed = None;
        if jail.bans.contains_key(&ip) || jail.changing.contains_key(&ip) {
            return None;
        }
        let ban = Ban { jail: name, ip: ip.clone(), banned_at: at, expires_at: None };
        let held = Held { ban, reason: None };
        jail.bans.insert(ip, held.clone());
        Some(Fact::Banned(held))
    }

    /// An operator's change of an address begins.
    pub(super) fn begin_change(&mut self, name: &JailName, ip: &Subject) {
        let jail = self.jails.entry(name.clone()).or_default();
        *jail.changing.entry(ip.clone()).or_default() += 1;
    }

    /// An operator's change of an address is over, however it ended.
    pub(super) fn end_change(&mut self, name: &JailName, ip: &Subject) {
        let Some(jail) = self.jails.get_mut(name) else { return };
        jail.generation += 1;
        jail.listed = None;
        if let Some(changes) = jail.changing.get_mut(ip) {
            *changes -= 1;
            if *changes == 0 {
                jail.changing.remove(ip);
            }
        }
    }

    /// Takes an operator's ban.
    pub(super) fn operator_ban(&mut self, held: Held) -> Fact {
        let jail = self.jails.entry(held.ban.jail.clone()).or_default();
        self.lifted.remove(&(held.ban.jail.clone(), held.ban.ip.clone()));
        match jail.bans.insert(held.ban.ip.clone(), held.clone()) {
            Some(_) => Fact::Corrected(held),
            None => Fact::Banned(held),
        }
    }

    /// Takes an operator's unban, and whether fail2ban had a ban to lift: it may be one that
    /// another instance made a moment ago, of which we know nothing yet.
    pub(super) fn operator_unban(
        &mut self,
        name: &JailName,
        ip: &Subject,
        was_banned: bool,
        now: Instant,
    ) -> Option<Fact> {
        let jail = self.jails.get_mut(name)?;
        self.lifted.insert((name.clone(), ip.clone()), now);
        let was_known = jail.bans.remove(ip).is_some();
        (was_known || was_banned).then(|| Fact::Unbanned(name.clone(), ip.clone()))
    }

    /// Takes a ban that another instance noticed or made. A list that was asked for before is no
    /// longer true, and an address that is being changed here is told by who changes it.
    pub(super) fn peer_ban(&mut self, held: Held) -> Vec<Fact> {
        let jail = self.jails.entry(held.ban.jail.clone()).or_default();
        if jail.changing.contains_key(&held.ban.ip) {
            return Vec::new();
        }
        jail.generation += 1;
        jail.listed = None;
        self.lifted.remove(&(held.ban.jail.clone(), held.ban.ip.clone()));
        let known = jail.bans.remove(&held.ban.ip);
        let known_reason = known.as_ref().and_then(|known| known.reason.clone());
        let is_known = known.is_some();
        let (mut now, mut facts) = compare(known, held.ban);
        if let Some(reason) = held.reason.filter(|reason| known_reason.as_ref() != Some(reason)) {
            now.reason = Some(reason);
            // The last fact is about this ban, if there is one.
            match facts.last_mut() {
                Some(Fact::Banned(held) | Fact::Corrected(held)) => *held = now.clone(),
                _ if is_known => facts.push(Fact::Corrected(now.clone())),
                _ => {}
            }
        }
        jail.bans.insert(now.ban.ip.clone(), now);
        facts
    }

    /// Takes the end of a ban that another instance noticed or made.
    pub(super) fn peer_unban(&mut self, name: &JailName, ip: &Subject, now: Instant) -> Vec<Fact> {
        let Some(jail) = self.jails.get_mut(name) else { return Vec::new() };
        if jail.changing.contains_key(ip) {
            return Vec::new();
        }
        jail.generation += 1;
        jail.listed = None;
        self.operator_unban(name, ip, false, now).into_iter().collect()
    }

    /// The ban of an address in a jail.
    pub(super) fn find(&self, name: &JailName, ip: &Subject) -> Option<&Held> {
        self.jails.get(name)?.bans.get(ip)
    }

    /// The bans of an address, by jail.
    pub(super) fn bans_of(&self, ip: &Subject) -> impl Iterator<Item = &Held> {
        self.jails.values().filter_map(|jail| jail.bans.get(ip))
    }

    /// All bans, in no order.
    pub(super) fn bans(&self) -> impl Iterator<Item = &Held> {
        self.jails.values().flat_map(|jail| jail.bans.values())
    }

    /// The jails whose counts are known, by name.
    pub(super) fn statuses(&self) -> Vec<JailStatus> {
        self.jails.values().filter_map(|jail| jail.status.clone()).collect()
    }

    /// The number of jails and of bans.
    pub(super) fn totals(&self) -> (usize, usize) {
        let jails = self.jails.values().filter(|jail| jail.status.is_some());
        (jails.count(), self.jails.values().map(|jail| jail.bans.len()).sum())
    }

    /// Forgets the counts, because the server that gave them is gone; bans are kept.
    pub(super) fn disconnected(&mut self) {
        for jail in self.jails.values_mut() {
            jail.status = None;
            jail.listed = None;
            jail.is_list_settled = false;
        }
    }
}

fn counts_of(status: &JailStatus) -> (u64, u64) {
    (status.currently_banned, status.total_banned)
}

/// Matches a listed ban with the known one: the same ban, or a new one after an unseen end.
fn compare(known: Option<Held>, ban: Ban) -> (Held, Vec<Fact>) {
    let Some(known) = known else {
        let held = Held { ban, reason: None };
        return (held.clone(), vec![Fact::Banned(held)]);
    };
    let has_ended_before = known.ban.expires_at.is_some_and(|end| end <= ban.banned_at);
    if has_ended_before {
        let ended = Fact::Unbanned(ban.jail.clone(), ban.ip.clone());
        let held = Held { ban, reason: None };
        return (held.clone(), vec![ended, Fact::Banned(held)]);
    }
    let distance = (known.ban.banned_at.as_second() - ban.banned_at.as_second()).abs();
    let is_same = known.ban.expires_at == ban.expires_at && distance <= SAME_BAN_SECONDS;
    let held = Held { ban, reason: known.reason };
    let facts = if is_same { vec![] } else { vec![Fact::Corrected(held.clone())] };
    (held, facts)
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
