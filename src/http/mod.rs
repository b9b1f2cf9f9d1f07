//! The HTTP side: one stack of layers, one table of routes, small handlers.
//!
//! `stack` lists the layers in the order in which a request meets them; `table` lists the routes;
//! a handler in `routes` parses, calls a use case and answers. Routes see neither the store nor
//! fail2ban, only use cases.

mod access;
mod active;
mod assets;
mod body;
mod call;
mod client_address;
mod cookie;
mod forwarded;
mod headers;
mod observe;
mod openapi;
mod places;
mod problem;
mod rate;
mod recover;
mod router;
mod routes;
mod rpc;
mod server;
mod stack;
mod table;
mod tls;

pub use openapi::document as openapi_document;
pub use server::{Error, Server, serve};

use crate::edge::Services;
