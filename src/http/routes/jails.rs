//! Jails: counts from the last look, settings asked of fail2ban.

use http::{Response, StatusCode};
use serde::Serialize;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::domain::JailStatus;
use crate::edge::calls;

#[derive(Serialize)]
pub(super) struct JailItem {
    name: String,
    currently_banned: u64,
    total_banned: u64,
    currently_failed: u64,
    total_failed: u64,
}

#[derive(Serialize)]
struct JailDetail {
    #[serde(flatten)]
    item: JailItem,
    bantime_seconds: i64,
    findtime_seconds: i64,
    maxretry: i64,
    file_list: Vec<String>,
}

/// Items of a list, and where the next page begins.
#[derive(Serialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

impl From<&JailStatus> for JailItem {
    fn from(status: &JailStatus) -> Self {
        Self {
            name: status.name.to_string(),
            currently_banned: status.currently_banned,
            total_banned: status.total_banned,
            currently_failed: status.currently_failed,
            total_failed: status.total_failed,
        }
    }
}

/// All jails; the page gets the same as an event.
pub(super) fn page(jails: &[JailStatus]) -> Page<JailItem> {
    Page { items: jails.iter().map(JailItem::from).collect(), next: None }
}

/// `GET /api/jails`
pub(in crate::http) async fn list(call: Call) -> Result<Response<Body>, Problem> {
    body::json(StatusCode::OK, &page(&calls::jails(&call.services)?))
}

/// `GET /api/jails/{jail}`
pub(in crate::http) async fn detail(call: Call) -> Result<Response<Body>, Problem> {
    let detail = calls::jail(&call.services, &call.parameter("jail")?).await?;
    let answer = JailDetail {
        item: JailItem::from(&detail.status),
        bantime_seconds: detail.bantime_seconds,
        findtime_seconds: detail.findtime_seconds,
        maxretry: detail.maxretry,
        file_list: detail.status.file_list,
    };
    body::json(StatusCode::OK, &answer)
}
