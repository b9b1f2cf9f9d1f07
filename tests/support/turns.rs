//! How many tests do their work at the same time, whatever the number of threads: the machine may
//! have two cores, and a test whose servers starve fails for no reason of its own.

use std::sync::{Condvar, Mutex, PoisonError};

/// Tests that keep a core busy: an OpenSearch, a million records.
static HEAVY: Turns = Turns::of(1);
/// Tests that mostly wait for a retry, a timeout, a restart: three of them use less than a core.
static PATIENT: Turns = Turns::of(3);

/// So many may run at a time.
struct Turns {
    free: Mutex<usize>,
    given_back: Condvar,
}

impl Turns {
    const fn of(count: usize) -> Self {
        Self { free: Mutex::new(count), given_back: Condvar::new() }
    }

    fn take(&'static self) -> Turn {
        // A test that failed has left the number as it should be.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.given_back.wait_while(free, |free| *free == 0);
        *free.unwrap_or_else(PoisonError::into_inner) -= 1;
        Turn(self)
    }
}

/// Dropped, it lets the next one run.
pub(crate) struct Turn(&'static Turns);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.given_back.notify_one();
    }
}

/// Lets one heavy test run at a time.
pub(crate) fn heavy() -> Turn {
    HEAVY.take()
}

/// Lets three tests run at a time that mostly wait, beside a heavy one.
pub(crate) fn patient() -> Turn {
    PATIENT.take()
}
