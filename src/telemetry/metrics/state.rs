//! How the service stands at the moment: who listens, and how far the history and the telling of
//! the audit log are behind.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::definition::Definition;

const CONNECTIONS: Definition = Definition::gauge(
    "bangui.live.connections",
    "{connection}",
    "Connections that hear live events, by who listens.",
)
.with(&["bangui.live.listener"], 2);
const HISTORY_LAG: Definition = Definition::gauge(
    "bangui.history.lag",
    "s",
    "Age of the oldest fact that is not in the history yet; 0 when all are.",
);
const AUDIT_UNCONFIRMED: Definition = Definition::gauge(
    "bangui.audit.unconfirmed",
    "{row}",
    "Rows of the audit log whose record is not known to have arrived; a thousand at most, since \
     further ones wait in the store.",
);

pub(super) const DEFINITIONS: &[&Definition] = &[&CONNECTIONS, &HISTORY_LAG, &AUDIT_UNCONFIRMED];

/// Who listens to live events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// A page.
    Page,
    /// A program, over gRPC.
    Program,
}

impl Listener {
    const ALL: [Self; 2] = [Self::Page, Self::Program];

    fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Program => "program",
        }
    }
}

static LISTENING: [AtomicU64; Listener::ALL.len()] = [const { AtomicU64::new(0) }; 2];
static UNCONFIRMED: AtomicU64 = AtomicU64::new(0);
/// What ages are counted from, since an instant is no number.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);
/// When the oldest fact that waits was found, in nanoseconds since the base; zero when none waits.
static OLDEST: AtomicU64 = AtomicU64::new(0);

pub(super) fn install(meter: &Meter) {
    LazyLock::force(&BASE);
    CONNECTIONS.observe(meter, |observer| {
        for listener in Listener::ALL {
            let count = LISTENING[listener as usize].load(Ordering::Relaxed);
            let own = [KeyValue::new("bangui.live.listener", listener.as_str())];
            observer.observe(count, &own);
        }
    });
    AUDIT_UNCONFIRMED.observe(meter, |observer| {
        observer.observe(UNCONFIRMED.load(Ordering::Relaxed), &[]);
    });
    HISTORY_LAG.observe_seconds(meter, |observer| {
        let lag = match OLDEST.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => BASE.elapsed().saturating_sub(Duration::from_nanos(since)),
        };
        observer.observe(lag.as_secs_f64(), &[]);
    });
}

/// Somebody begins to listen.
pub fn listener_came(listener: Listener) {
    LISTENING[listener as usize].fetch_add(1, Ordering::Relaxed);
}

/// Somebody listens no longer.
pub fn listener_left(listener: Listener) {
    LISTENING[listener as usize].fetch_sub(1, Ordering::Relaxed);
}

/// So many rows of the audit log were handed to the log and are not known to have arrived.
pub fn set_audit_unconfirmed(rows: usize) {
    UNCONFIRMED.store(rows as u64, Ordering::Relaxed);
}

/// A fact was found; those that were found before are older.
pub fn history_waits_since(found: Instant) {
    let _ = OLDEST.compare_exchange(0, since(found), Ordering::Relaxed, Ordering::Relaxed);
}

/// When the oldest fact that is not in the history was found; nothing when all are.
pub fn set_history_waits_since(oldest: Option<Instant>) {
    OLDEST.store(oldest.map_or(0, since), Ordering::Relaxed);
}

fn since(found: Instant) -> u64 {
    let nanoseconds = found.saturating_duration_since(*BASE).as_nanos();
    u64::try_from(nanoseconds).unwrap_or(u64::MAX).max(1)
}
