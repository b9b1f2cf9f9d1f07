//! `GET /api/telemetry/collector-log`: what the collector's own log said last.

use http::{Response, StatusCode};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::jails::Page;
use crate::edge::collector_log;

/// The newest lines; there is no next page of a list that changes all the time.
pub(in crate::http) async fn list(call: Call) -> Result<Response<Body>, Problem> {
    let items = collector_log::lines(&call.services, call.limit()?).await?;
    body::json(StatusCode::OK, &Page { items, next: None })
}
