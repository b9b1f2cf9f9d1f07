//! The nouns of the product, free of any runtime: jails, addresses, bans and secrets.
//!
//! What an operator types is validated by these types once, at the edge, so that no other layer has
//! to ask again whether a jail name or an address may be sent to fail2ban.

mod address;
mod ban;
pub mod blocklist;
mod entries;
mod jail_name;
mod network;
mod schedule;
mod secret;
mod task_run;

pub use address::{Address, AddressError, Subject, SubjectError};
pub use ban::{Ban, JailStatus};
pub use entries::{AuditEntry, ExplainedEntry, HistoryEntry};
pub use jail_name::{JailName, JailNameError};
pub use network::{Network, Special};
pub use schedule::{CronExpression, Schedule, ScheduleError};
pub use secret::Secret;
pub use task_run::{RunResult, TaskRun};
