//! Which instance runs the scheduled tasks.

use http::{Response, StatusCode};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;

/// `GET /api/scheduler/lock`
pub(in crate::http) async fn lock(call: Call) -> Result<Response<Body>, Problem> {
    let health = call.services.lock.get_lock_health().await?;
    body::json(StatusCode::OK, &health)
}
