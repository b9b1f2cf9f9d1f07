//! Which instance runs the scheduled tasks.

use http::{Response, StatusCode};
use serde::Serialize;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::lock::LockHealth;

#[derive(Serialize)]
pub(super) struct LockDocument {
    locked: bool,
    pid: Option<i64>,
    hostname: Option<String>,
    age_seconds: Option<f64>,
    is_stale: bool,
    ttl_remaining: Option<f64>,
}

impl From<LockHealth> for LockDocument {
    fn from(health: LockHealth) -> Self {
        Self {
            locked: health.locked,
            pid: health.pid,
            // Another instance wrote it.
            hostname: health.hostname.map(body::clean),
            age_seconds: health.age_seconds,
            is_stale: health.is_stale,
            ttl_remaining: health.ttl_remaining,
        }
    }
}

/// `GET /api/scheduler/lock`
pub(in crate::http) async fn lock(call: Call) -> Result<Response<Body>, Problem> {
    let health = call.services.lock.get_lock_health().await?;
    body::json(StatusCode::OK, &LockDocument::from(health))
}
