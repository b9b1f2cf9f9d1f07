//! Blocklists: what a list says (`parse`), what of it may be banned (`guards`), what is to be
//! done for it (`plan`), and how one is set up (`settings`).
//!
//! All of it is pure: the same text, guards and bans always give the same plan.

mod guards;
mod parse;
mod plan;
mod refused;
mod settings;

pub use guards::{Guard, Guards};
pub use parse::{ListError, Parsed, parse};
pub use plan::{Current, EntryState, Plan, check_size, plan};
pub use refused::{Example, Refusal, Refused};
pub use settings::{BlocklistName, BlocklistSource, NameError, SourceError, mask};

#[cfg(test)]
mod tests;
