//! Places for connections: how many there are at once, and how many of them one client may hold.
//!
//! A connection costs its client nothing, and over HTTP/2 it may stay as long as it answers pings.
//! So a single stranger could hold every place for ever, and nobody else, not even the health
//! check, would be heard. Proxies that are trusted speak for many clients and have no such limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::TrustedProxies;
use crate::domain::Network;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: u64 = 1024;
/// Connections of one client: room for some forty browsers behind one address, and a quarter of
/// all, so that it takes several addresses to shut others out.
const CONNECTIONS_PER_CLIENT_MAX: usize = 256;
/// Files that are kept for the rest: the database, fail2ban, the exporters, look-ups of names.
/// Without them a flood of connections would be a failing database.
const OTHER_FILES: u64 = 256;
/// Fewer places than this are no service.
const CONNECTIONS_MIN: u64 = 64;

/// Counts what each client holds of something that it must not have all of.
#[derive(Debug, Clone)]
pub(super) struct PerClient {
    max: usize,
    held: Arc<Mutex<HashMap<Network, usize>>>,
}

/// One that a client holds, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    client: Network,
    all: PerClient,
}

impl PerClient {
    pub(super) fn new(max: usize) -> Self {
        Self { max, held: Arc::default() }
    }

    /// One more for a client, unless it has as many as one may have.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Held> {
        let client = client(peer);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.entry(client).or_default();
        if *own >= self.max {
            return None;
        }
        *own += 1;
        Some(Held { client, all: self.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.all.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(held.remove(&self.client)),
        }
    }
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    clients: PerClient,
    trusted: TrustedProxies,
}

/// A place that nobody sits on yet.
pub(super) type Free = OwnedSemaphorePermit;

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _free: Free,
    _held: Option<Held>,
}

impl Places {
    /// As many places as there are files for.
    pub(super) fn new(trusted: TrustedProxies) -> Self {
        let count = usize::try_from(connections(files())).unwrap_or(usize::MAX);
        let clients = PerClient::new(CONNECTIONS_PER_CLIENT_MAX);
        Self { free: Arc::new(Semaphore::new(count)), clients, trusted }
    }

    /// Waits until a place is free.
    pub(super) async fn free(&self) -> std::io::Result<Free> {
        self.free.clone().acquire_owned().await.map_err(std::io::Error::other)
    }

    /// Gives a place to a client, unless it has as many as one may have.
    pub(super) fn take(&self, free: Free, peer: IpAddr) -> Option<Place> {
        if self.trusted.contains(peer) {
            return Some(Place { _free: free, _held: None });
        }
        let held = self.clients.take(peer)?;
        Some(Place { _free: free, _held: Some(held) })
    }
}

/// An IPv6 client is its /64, which one customer owns whole.
fn client(peer: IpAddr) -> Network {
    let peer = peer.to_canonical();
    let prefix = if peer.is_ipv4() { 32 } else { 64 };
    Network::new(peer, prefix).unwrap_or_else(|| Network::of(peer))
}

/// How many files the process may have open, after it has asked for as many as it needs. What
/// starts services often allows 1024 and, on demand, far more.
fn files() -> u64 {
    const WANTED: u64 = CONNECTIONS_MAX + OTHER_FILES;
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    let wanted = WANTED.min(most);
    if now < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, most).is_ok() {
        return wanted;
    }
    now
}

fn connections(files: u64) -> u64 {
    files.saturating_sub(OTHER_FILES).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_client_cannot_hold_all_places() {
        let places = Places::new(TrustedProxies::default());
        let take = async |ip: &str| places.take(places.free().await.unwrap(), ip.parse().unwrap());
        let mut held = Vec::new();
        for number in 0..CONNECTIONS_PER_CLIENT_MAX {
            // A customer's addresses are one client.
            held.push(take(&format!("2001:db8::{number:x}")).await.unwrap());
        }
        assert!(take("2001:db8::ffff").await.is_none());
        assert!(take("2001:db8:0:1::1").await.is_some());
        held.pop();
        assert!(take("2001:db8::ffff").await.is_some());
        held.clear();
        assert!(places.clients.held.lock().unwrap().is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(20_000), 1024);
        assert_eq!(connections(1024), 768);
        assert_eq!(connections(0), 64);
    }
}
