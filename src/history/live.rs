//! Live events for the pages: a bounded memory that every page reads at its own speed.
//!
//! Nothing is queued per page. A page asks for what came after the last event that it saw; one
//! that was away too long is told that it missed something and reads everything afresh.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::domain::{JailName, Subject};
use crate::history::Held;

/// Events remembered for pages that reconnect or are slow.
const MEMORY_EVENTS: usize = 1000;

/// What a page is told.
#[derive(Debug, Clone)]
pub enum LiveEvent {
    /// An address was banned, or its times became known.
    Ban {
        /// The ban.
        held: Held,
        /// Whether it was told before and only its times are new.
        is_correction: bool,
        /// What told of it.
        source: &'static str,
        /// Trace id under which it was observed.
        correlation_id: Option<String>,
    },
    /// A ban is over.
    Unban {
        /// The jail.
        jail: JailName,
        /// The address.
        ip: Subject,
        /// What told of it.
        source: &'static str,
        /// Trace id under which it was observed.
        correlation_id: Option<String>,
    },
    /// Counts of jails changed.
    Jails,
    /// The state of fail2ban or of one of our sources changed.
    Status,
}

/// Where a reader stands: this run of the process, and the last event seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    run: u64,
    last: u64,
}

/// What came after a position.
#[derive(Debug)]
pub enum News {
    /// These events, oldest first, each with its own position.
    Events(Vec<(Position, Arc<LiveEvent>)>),
    /// Some are no longer remembered; the reader goes on from here.
    Missed(Position),
}

/// Events with their numbers, oldest first.
type Memory = VecDeque<(u64, Arc<LiveEvent>)>;

/// The events of this process.
#[derive(Debug, Clone)]
pub struct Live {
    run: u64,
    events: Arc<Mutex<Memory>>,
    latest: watch::Sender<u64>,
}

impl Default for Live {
    fn default() -> Self {
        // The run tells positions of an earlier process from ours; any number that differs will do.
        let run = getrandom::u64().unwrap_or(0) >> 32;
        Self { run, events: Arc::default(), latest: watch::Sender::new(0) }
    }
}

impl Live {
    /// Tells all pages.
    pub fn publish(&self, event: LiveEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let id = *self.latest.borrow() + 1;
        if events.len() == MEMORY_EVENTS {
            events.pop_front();
        }
        events.push_back((id, Arc::new(event)));
        self.latest.send_replace(id);
    }

    /// Forgets what was published, so that all pages read everything afresh: something was missed.
    pub fn forget(&self) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // A number that nobody has seen, and no event of that number.
        let id = *self.latest.borrow() + 1;
        events.clear();
        self.latest.send_replace(id);
    }

    /// The position after everything that was published.
    pub fn now(&self) -> Position {
        Position { run: self.run, last: *self.latest.borrow() }
    }

    /// What came after a position.
    pub fn after(&self, position: Position) -> News {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = *self.latest.borrow();
        let oldest = events.front().map_or(latest + 1, |(id, _)| *id);
        let is_ours = position.run == self.run && position.last <= latest;
        if !is_ours || position.last + 1 < oldest {
            return News::Missed(Position { run: self.run, last: latest });
        }
        let skip = usize::try_from(position.last + 1 - oldest).unwrap_or(usize::MAX);
        let place = |id| Position { run: self.run, last: id };
        News::Events(
            events.iter().skip(skip).map(|(id, event)| (place(*id), event.clone())).collect(),
        )
    }

    /// Wakes whenever something is published.
    pub fn wake(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}", self.run, self.last)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, last) = text.split_once('-').ok_or(())?;
        let run = u64::from_str_radix(run, 16).map_err(drop)?;
        Ok(Self { run, last: last.parse().map_err(drop)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(news: News) -> Option<Vec<u64>> {
        match news {
            News::Events(events) => Some(events.iter().map(|(place, _)| place.last).collect()),
            News::Missed(_) => None,
        }
    }

    #[test]
    fn a_reader_gets_each_event_once() {
        let live = Live::default();
        let start = live.now();
        live.publish(LiveEvent::Jails);
        live.publish(LiveEvent::Status);
        assert_eq!(ids(live.after(start)), Some(vec![1, 2]));
        assert_eq!(ids(live.after(live.now())), Some(vec![]));
    }

    #[test]
    fn a_slow_reader_is_told_that_it_missed_something() {
        let live = Live::default();
        let start = live.now();
        for _ in 0..MEMORY_EVENTS {
            live.publish(LiveEvent::Jails);
        }
        assert_eq!(ids(live.after(start)).map(|ids| ids.len()), Some(MEMORY_EVENTS));
        live.publish(LiveEvent::Jails);
        assert_eq!(ids(live.after(start)), None);
    }

    #[test]
    fn who_stands_before_what_was_forgotten_has_missed_something() {
        let live = Live::default();
        let start = live.now();
        live.publish(LiveEvent::Jails);
        let read = live.now();
        live.forget();
        assert_eq!(ids(live.after(start)), None);
        assert_eq!(ids(live.after(read)), None);
        let afresh = live.now();
        live.publish(LiveEvent::Status);
        assert_eq!(ids(live.after(afresh)), Some(vec![3]));
        assert_eq!(ids(live.after(read)), None);
    }

    #[test]
    fn a_position_of_another_process_is_not_ours() {
        let (live, other) = (Live::default(), Live { run: 7, ..Live::default() });
        assert_eq!(ids(live.after(other.now())), None);
        assert_eq!(live.now().to_string().parse(), Ok(live.now()));
        assert!("garbage".parse::<Position>().is_err());
    }
}
