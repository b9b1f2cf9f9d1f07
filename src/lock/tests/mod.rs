//! The lock: its keeper on a real store, and its promises in the simulation.
//!
//! # What the simulation finds
//! A simulation is worth what it would notice. Each of these mistakes was made in a copy of the
//! code, and ended the ten thousand histories within the first few hundred:
//! - **the keeper** counts its deadline from the answer of a heartbeat or of an acquisition and not
//!   from before it was sent; has a deadline as long as the lease; ends a lost lease for itself but
//!   not for its tasks; goes on after it has read that the lock is another's; waits for an answer
//!   beyond its deadline;
//! - **a lease** looks held after its end;
//! - **the database** confirms a heartbeat of another epoch, of another owner, or of anybody;
//!   releases what is another's; lets the lock be taken at an epoch that nobody saw; dates an
//!   acquisition back; admits a write of an old epoch, or does not keep the row until the write is
//!   made; keeps a heartbeat from the future for fresh.
//!
//! With some mistakes a history does not end at all, because the keeper asks without a pause: a
//! lease that is held whatever the clock shows, a heartbeat that is sent behind the deadline, an
//! acquisition that never names the epoch it saw, or one of a lock that is not stale.
//!
//! Some conditions stand behind others, and no promise falls with one of them alone: `acquire`
//! looks itself whether the row is stale (the keeper has looked, and the epoch is compared); a
//! write shows its owner (an epoch has but one) and finds the row fresh (nobody has taken it). A
//! stop that does not release costs the others a lease time. `store` beside this file and
//! `store/lock_tests.rs` ask for these, on both databases. That an answer from behind the deadline
//! counts as none is asked for nowhere: nobody else has the lock by then, but the tasks have ended.

mod model;
mod process;
mod promises;
mod simulation;
mod store;
