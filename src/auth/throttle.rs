//! Slows down who guesses passwords.
//!
//! An attempt is counted *before* its password is checked, so that a hundred parallel guesses are
//! a hundred attempts; a success forgets them. Keys are client addresses (an IPv6 client is its
//! /64, which one customer owns whole) and user names. Names get more room, or a stranger could
//! lock the operator out by guessing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Attempts after which a client has to wait.
const ATTEMPTS_PER_CLIENT: u32 = 5;
/// Attempts after which everybody who tries this name has to wait.
const ATTEMPTS_PER_NAME: u32 = 100;
/// Attempts older than this are forgotten.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// The first wait; each further attempt doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(15);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Keys remembered at once; when it is full, forgotten ones go first, then the oldest.
const KEYS_MAX: usize = 10_000;
/// Longer than any account's name.
const NAME_MAX_BYTES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Client(IpAddr),
    Name(String),
}

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    last: Instant,
    blocked_until: Option<Instant>,
}

/// Counts attempts to sign in.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    attempts: Mutex<HashMap<Key, Attempts>>,
}

impl Throttle {
    /// Counts an attempt, or tells how long to wait before the next one. Of attempts at the same
    /// time a later one may come with the earlier instant.
    pub(super) fn begin(&self, client: IpAddr, name: &str, now: Instant) -> Result<(), Duration> {
        let keys = [
            (Key::Client(network(client)), ATTEMPTS_PER_CLIENT),
            (name_key(name), ATTEMPTS_PER_NAME),
        ];
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = keys
            .iter()
            .filter_map(|(key, _)| attempts.get(key)?.blocked_until)
            .map(|until| until.saturating_duration_since(now))
            .max()
            .unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for (key, free) in keys {
            make_room(&mut attempts, now);
            let fresh = Attempts { count: 0, last: now, blocked_until: None };
            let known = attempts.entry(key).or_insert(fresh);
            if now.saturating_duration_since(known.last) > WINDOW {
                *known = fresh;
            }
            known.count += 1;
            known.last = now;
            known.blocked_until = wait_after(known.count, free).map(|wait| now + wait);
        }
        Ok(())
    }

    /// Forgets the attempts of who signed in.
    pub(super) fn succeed(&self, client: IpAddr, name: &str) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.remove(&Key::Client(network(client)));
        attempts.remove(&name_key(name));
    }
}

fn wait_after(count: u32, free: u32) -> Option<Duration> {
    let beyond = count.checked_sub(free)?;
    Some(WAIT_FIRST.saturating_mul(1 << beyond.min(10)).min(WAIT_MAX))
}

fn make_room(attempts: &mut HashMap<Key, Attempts>, now: Instant) {
    if attempts.len() < KEYS_MAX {
        return;
    }
    attempts.retain(|_, known| now.saturating_duration_since(known.last) <= WINDOW);
    if attempts.len() < KEYS_MAX {
        return;
    }
    let oldest = attempts.iter().min_by_key(|(_, known)| known.last).map(|(key, _)| key.clone());
    if let Some(key) = oldest {
        attempts.remove(&key);
    }
}

/// A stranger's text is not kept at any length: longer names share one key.
fn name_key(name: &str) -> Key {
    let is_plausible = name.len() <= NAME_MAX_BYTES;
    Key::Name(if is_plausible { name.to_owned() } else { String::new() })
}

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "192.0.2.1";

    fn attempts(throttle: &Throttle, client: &str, count: u32, now: Instant) -> u32 {
        let client = client.parse().unwrap();
        (0..count).filter(|_| throttle.begin(client, "admin", now).is_ok()).count() as u32
    }

    #[test]
    fn the_sixth_attempt_waits_and_waits_grow() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, CLIENT, 20, now), ATTEMPTS_PER_CLIENT);
        let later = now + WAIT_FIRST;
        assert_eq!(attempts(&throttle, CLIENT, 20, later), 1);
        let wait = throttle.begin(CLIENT.parse().unwrap(), "admin", later).unwrap_err();
        assert_eq!(wait, 2 * WAIT_FIRST);
        assert_eq!(attempts(&throttle, CLIENT, 20, later + WAIT_MAX + WINDOW), 5);
    }

    #[test]
    fn others_are_not_slowed_until_a_name_is_under_siege() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, CLIENT, 20, now), 5);
        assert_eq!(attempts(&throttle, "192.0.2.2", 1, now), 1);
        let passed: u32 =
            (3..=60).map(|host| attempts(&throttle, &format!("192.0.2.{host}"), 5, now)).sum();
        assert_eq!(passed + 6, ATTEMPTS_PER_NAME);
    }

    #[test]
    fn who_took_the_time_first_and_comes_second_does_not_wait() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, CLIENT, 1, now + Duration::from_micros(1)), 1);
        assert_eq!(attempts(&throttle, CLIENT, 1, now), 1);
    }

    #[test]
    fn a_success_forgets() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        attempts(&throttle, CLIENT, 4, now);
        throttle.succeed(CLIENT.parse().unwrap(), "admin");
        assert_eq!(attempts(&throttle, CLIENT, 20, now), 5);
    }

    #[test]
    fn an_ipv6_customer_is_one_client() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, "2001:db8::1", 5, now), 5);
        assert_eq!(attempts(&throttle, "2001:db8::2", 5, now), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..u32::try_from(KEYS_MAX).unwrap() {
            let client = IpAddr::V4(std::net::Ipv4Addr::from(n));
            let _ = throttle.begin(client, &format!("user{n}"), now);
        }
        assert!(throttle.attempts.lock().unwrap().len() <= KEYS_MAX);
    }
}
