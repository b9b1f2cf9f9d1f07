//! Places for those who listen for long: pages and watching programs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Failure, Kind};
pub use crate::telemetry::metrics::Listener;
use crate::telemetry::metrics::{listener_came, listener_left};

/// Pages and programs that may listen at once.
const LISTENERS_MAX: usize = 256;

static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// One place among the listeners, given back when it is dropped.
#[derive(Debug)]
pub struct Place(Listener);

impl Place {
    /// Takes a place, if there is one.
    pub fn take(listener: Listener) -> Result<Self, Failure> {
        let taken = LISTENERS.fetch_add(1, Ordering::Relaxed);
        listener_came(listener);
        let place = Self(listener);
        if taken >= LISTENERS_MAX {
            return Err(Failure::new(Kind::TooManyListeners, "too many are listening"));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
        listener_left(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_and_come_back() {
        let take = || Place::take(Listener::Page);
        let taken: Vec<_> = std::iter::repeat_with(take).map_while(Result::ok).collect();
        assert_eq!(taken.len(), LISTENERS_MAX);
        assert_eq!(take().unwrap_err().kind(), Kind::TooManyListeners);
        drop(taken);
        assert!(Place::take(Listener::Program).is_ok());
    }
}
