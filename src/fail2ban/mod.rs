//! A client of fail2ban's own socket protocol, and a reader of its log.
//!
//! fail2ban speaks Python pickles over a Unix stream socket, one request at a time, served by one
//! thread. From the inside out:
//!
//! - [`pickle`] encodes a command (a list of strings) and decodes a reply into plain values. It is
//!   bounded and never resolves a class: what Python would construct stays a name with arguments.
//! - `frame` cuts the stream at the end marker.
//! - `reply` turns a value into what a command promises, or into the server's error.
//! - `connection` connects and makes one exchange; `actor` owns the only connection, one command
//!   after the other, and tells the state of the [`Link`].
//! - [`Client`] is what the rest of the program holds: typed commands with a deadline, a span and a
//!   measurement each. Arguments come only from the validated types of `domain`.
//! - [`log_line`] and [`LogTail`] read fail2ban's log for speed. The log is a hint: an attacker may
//!   get lines into it, and it may rotate away; the list of bans is the truth.
//!
//! Commands that change something wait longer than those that read, since fail2ban runs a ban's
//! actions before it answers. Errors are returned and not logged: whoever handles them logs them.
//! Only changes of the link are logged here, once per outage.

mod actor;
mod client;
mod connection;
mod error;
mod frame;
pub mod log_line;
mod log_tail;
pub mod pickle;
mod reply;
mod reply_time;
#[cfg(test)]
mod tests;

pub use actor::Link;
pub use client::{Client, Limits};
pub use error::Fail2banError;
pub use log_line::LogEvent;
pub use log_tail::LogTail;
