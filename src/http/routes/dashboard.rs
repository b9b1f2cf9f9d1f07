//! Is everything working? `/health` for machines, the status for the page.

use http::{Response, StatusCode};
use serde::Serialize;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::edge::status;
use crate::telemetry;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    degraded: Vec<&'static str>,
    version: &'static str,
}

/// `GET /api/dashboard/status`
pub(in crate::http) async fn status(call: Call) -> Result<Response<Body>, Problem> {
    body::json(StatusCode::OK, &status::state(&call.services).await)
}

/// `GET /health`: 200 while the process serves; what does not work is named.
pub(in crate::http) async fn health(call: Call) -> Result<Response<Body>, Problem> {
    let mut degraded = Vec::new();
    if !call.services.history.link().connected {
        degraded.push("fail2ban");
    }
    if call.services.site.export.is_some() && telemetry::is_healthy() == Some(false) {
        degraded.push("telemetry_export");
    }
    let status = if degraded.is_empty() { "ok" } else { "degraded" };
    let health = Health { status, degraded, version: env!("CARGO_PKG_VERSION") };
    body::json(StatusCode::OK, &health)
}
