//! History, of all and of one address, and audit: lists by descending id, whose cursor is the last
//! id.

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::bans::BanItem;
use super::jails::Page;
use crate::domain::{AuditEntry, ExplainedEntry, HistoryEntry};
use crate::edge::calls;

#[derive(Serialize)]
struct HistoryItem {
    id: i64,
    jail: String,
    ip: String,
    banned_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    unbanned_at: Option<Timestamp>,
    source: String,
    reason: Option<String>,
    correlation_id: Option<String>,
}

#[derive(Serialize)]
struct ExplainedItem {
    #[serde(flatten)]
    item: HistoryItem,
    actor: Option<String>,
    unban_source: Option<String>,
    unban_actor: Option<String>,
}

/// Why an address is, or was, banned.
#[derive(Serialize)]
struct Address {
    ip: String,
    /// Nothing while fail2ban is away.
    bans: Option<Vec<BanItem>>,
    #[serde(flatten)]
    history: Page<ExplainedItem>,
}

#[derive(Serialize)]
struct AuditItem {
    id: i64,
    at: Option<Timestamp>,
    actor: String,
    client_ip: String,
    action: String,
    jail: Option<String>,
    ip: Option<String>,
    reason: Option<String>,
    result: String,
    detail: Option<String>,
    correlation_id: Option<String>,
}

/// `GET /api/history`
pub(in crate::http) async fn history(call: Call) -> Result<Response<Body>, Problem> {
    let (before, limit) = bounds(&call)?;
    let rows = call.services.history.entries(before, limit + 1).await?;
    answer(rows, limit, |row: &HistoryEntry| row.id, history_item)
}

/// `GET /api/audit`
pub(in crate::http) async fn audit(call: Call) -> Result<Response<Body>, Problem> {
    let (before, limit) = bounds(&call)?;
    let rows = call.services.jails.audit(before, limit + 1).await?;
    answer(rows, limit, |row: &AuditEntry| row.id, audit_item)
}

/// `GET /api/addresses/{ip}?limit=&cursor=`
pub(in crate::http) async fn address(call: Call) -> Result<Response<Body>, Problem> {
    let ((before, _), limit) = (bounds(&call)?, call.limit()?);
    let ip = call.parameter("ip")?;
    let found = calls::address_history(&call.services, &ip, before, limit).await?;
    let answer = Address {
        ip: found.ip.to_string(),
        bans: found.bans.map(|bans| bans.iter().map(BanItem::from).collect()),
        history: Page {
            items: found.entries.into_iter().map(explained_item).collect(),
            next: found.next.map(|id| id.to_string()),
        },
    };
    body::json(StatusCode::OK, &answer)
}

pub(super) fn bounds(call: &Call) -> Result<(i64, i64), Problem> {
    let limit = i64::try_from(call.limit()?).unwrap_or(i64::MAX);
    let before = match call.query("cursor") {
        None => i64::MAX,
        Some(text) => {
            text.parse().map_err(|_| Problem::field("cursor", "is not one that was given out"))?
        }
    };
    Ok((before, limit))
}

/// One more row than asked for tells whether there is a next page.
pub(super) fn answer<R, T: Serialize>(
    mut rows: Vec<R>,
    limit: i64,
    id: impl Fn(&R) -> i64,
    item: impl Fn(R) -> T,
) -> Result<Response<Body>, Problem> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| id(row).to_string());
    let items: Vec<T> = rows.into_iter().map(item).collect();
    body::json(StatusCode::OK, &Page { items, next })
}

pub(super) fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

fn history_item(row: HistoryEntry) -> HistoryItem {
    HistoryItem {
        id: row.id,
        jail: row.jail,
        ip: row.ip,
        banned_at: time(row.banned_at),
        expires_at: row.expires_at.and_then(time),
        unbanned_at: row.unbanned_at.and_then(time),
        source: row.source,
        reason: row.reason.map(body::clean),
        correlation_id: row.correlation_id,
    }
}

fn explained_item(row: ExplainedEntry) -> ExplainedItem {
    ExplainedItem {
        item: history_item(row.entry),
        actor: row.actor,
        unban_source: row.unban_source,
        unban_actor: row.unban_actor,
    }
}

fn audit_item(row: AuditEntry) -> AuditItem {
    AuditItem {
        id: row.id,
        at: time(row.at),
        actor: row.actor,
        client_ip: row.client_ip,
        action: row.action,
        jail: row.jail,
        ip: row.ip,
        reason: row.reason.map(body::clean),
        result: row.result,
        detail: row.detail.map(body::clean),
        correlation_id: row.correlation_id,
    }
}
