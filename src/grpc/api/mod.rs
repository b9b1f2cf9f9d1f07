//! The handlers. Each one makes a call of `edge::calls` and puts its result into messages.

mod bans;
mod history;
mod jails;
mod scheduler;
mod status;
mod watch;

use std::sync::Arc;

use tonic::Request;

use super::Seen;
use crate::auth::Origin;
use crate::edge::{Failure, Services};

/// Implements the services of the contract; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Api {
    services: Arc<Services>,
}

impl Api {
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self { services }
    }
}

/// Who makes a change, and its message.
fn change<T>(mut request: Request<T>) -> Result<(Origin, T), Failure> {
    let seen = request.extensions_mut().remove::<Seen>();
    let seen = seen.ok_or_else(|| Failure::internal("a call passed the door"))?;
    Ok((seen.origin()?, request.into_inner()))
}
