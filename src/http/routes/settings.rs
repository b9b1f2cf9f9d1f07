//! Settings that can be changed while the service runs.

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::config::LogLevel;
use crate::settings::{FOR_SECONDS_MAX, LogLevelState};

#[derive(Serialize)]
struct LogLevelDocument {
    level: &'static str,
    default: &'static str,
    reverts_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevelRequest {
    level: String,
    for_seconds: Option<i64>,
}

/// `GET /api/settings/log-level`
pub(in crate::http) async fn log_level(call: Call) -> Result<Response<Body>, Problem> {
    answer(call.services.log_settings.log_level())
}

/// `PUT /api/settings/log-level`
pub(in crate::http) async fn set_log_level(call: Call) -> Result<Response<Body>, Problem> {
    let origin = call.origin()?;
    let settings = call.services.log_settings.clone();
    let request: LogLevelRequest = body::read_json(call.request).await?;
    let level: LogLevel =
        request.level.parse().map_err(|reason| Problem::field("level", reason))?;
    let for_seconds = request.for_seconds.map(seconds).transpose()?;
    answer(settings.set_log_level(origin, level, for_seconds).await?)
}

fn seconds(given: i64) -> Result<u32, Problem> {
    let seconds = u32::try_from(given).ok().filter(|it| (1..=FOR_SECONDS_MAX).contains(it));
    seconds.ok_or_else(|| {
        Problem::field("for_seconds", format!("must be a number from 1 to {FOR_SECONDS_MAX}"))
    })
}

fn answer(state: LogLevelState) -> Result<Response<Body>, Problem> {
    let document = LogLevelDocument {
        level: state.level.as_str(),
        default: state.default.as_str(),
        reverts_at: state.reverts_at,
    };
    body::json(StatusCode::OK, &document)
}
