//! How often one session may do something that costs more than it is worth.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::auth::SessionId;

/// Sessions counted at once. Only who can sign in has one, so this is far more than there are;
/// beyond it the sessions that are counted longest are forgotten.
const SESSIONS_MAX: usize = 1000;

/// Counts what each session does within a fixed window.
#[derive(Debug)]
pub(super) struct RateLimit {
    max: u32,
    window: Duration,
    counts: Mutex<HashMap<SessionId, Count>>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    count: u32,
}

impl RateLimit {
    pub(super) fn new(max: u32, window: Duration) -> Self {
        Self { max, window, counts: Mutex::default() }
    }

    /// Counts one more, or tells how long to wait.
    pub(super) fn take(&self, session: &SessionId, now: Instant) -> Result<(), Duration> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |own: &Count| now.saturating_duration_since(own.since) >= self.window;
        if counts.len() >= SESSIONS_MAX && !counts.contains_key(session) {
            counts.retain(|_, own| !is_over(own));
            let oldest = counts.iter().min_by_key(|(_, own)| own.since).map(|(id, _)| id.clone());
            if let Some(oldest) = oldest.filter(|_| counts.len() >= SESSIONS_MAX) {
                counts.remove(&oldest);
            }
        }
        let own = counts.entry(session.clone()).or_insert(Count { since: now, count: 0 });
        if is_over(own) {
            *own = Count { since: now, count: 0 };
        }
        if own.count >= self.max {
            return Err((own.since + self.window).saturating_duration_since(now));
        }
        own.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn each_session_has_its_own_window() {
        let (limit, now) = (RateLimit::new(2, WINDOW), Instant::now());
        let (one, other) = (SessionId::of("one"), SessionId::of("other"));
        assert!(limit.take(&one, now).is_ok() && limit.take(&one, now).is_ok());
        let later = now + Duration::from_secs(20);
        assert_eq!(limit.take(&one, later), Err(Duration::from_secs(40)));
        assert!(limit.take(&other, later).is_ok());
        assert!(limit.take(&one, now + WINDOW).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let (limit, now) = (RateLimit::new(2, WINDOW), Instant::now());
        for number in 0..=SESSIONS_MAX {
            assert!(limit.take(&SessionId::of(&number.to_string()), now).is_ok());
        }
        assert_eq!(limit.counts.lock().unwrap().len(), SESSIONS_MAX);
    }
}
