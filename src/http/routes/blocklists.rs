//! Blocklists: set up, look at, preview, import.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::blocklists::{Blocklist, Preview};
use crate::edge::blocklists::{self as calls, SetupTexts};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetupRequest {
    name: String,
    source: Option<String>,
    jail: String,
    enabled: Option<bool>,
    networks: Option<bool>,
    interval_seconds: Option<i64>,
}

impl From<SetupRequest> for SetupTexts {
    fn from(request: SetupRequest) -> Self {
        let SetupRequest { name, source, jail, enabled, networks, interval_seconds } = request;
        Self { name, source, jail, enabled, networks, interval_seconds }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportRequest {
    #[serde(default)]
    force: bool,
}

#[derive(Serialize)]
struct List {
    items: Vec<Item>,
    max: usize,
}

#[derive(Serialize)]
struct Item {
    id: i64,
    name: String,
    source: String,
    jail: String,
    enabled: bool,
    networks: bool,
    interval_seconds: i64,
    entries: i64,
    is_importing: bool,
    is_being_deleted: bool,
    due_at: Option<Timestamp>,
    succeeded_at: Option<Timestamp>,
    last_import: Option<LastImport>,
}

#[derive(Serialize)]
struct LastImport {
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    result: String,
    error_type: Option<String>,
    error: Option<String>,
    added: i64,
    renewed: i64,
    removed: i64,
    refused: i64,
    duration_ms: i64,
    correlation_id: Option<String>,
}

impl From<Blocklist> for Item {
    fn from(list: Blocklist) -> Self {
        let Blocklist { row, source, due_at } = list;
        let time = |at: Option<i64>| at.and_then(|at| Timestamp::from_second(at).ok());
        // Whoever held the claim is gone.
        let is_interrupted = row.result.as_deref() == Some("running") && !row.is_claimed;
        let last_import = row.result.map(|result| LastImport {
            started_at: time(row.started_at),
            finished_at: time(row.finished_at),
            result: if is_interrupted { "interrupted".to_owned() } else { result },
            error_type: row.error_type,
            error: row.error.map(body::clean),
            added: row.added,
            renewed: row.renewed,
            removed: row.removed,
            refused: row.refused,
            duration_ms: row.duration_ms,
            correlation_id: row.correlation_id,
        });
        Self {
            id: row.id,
            name: row.name,
            source: body::clean(source),
            jail: row.jail,
            enabled: row.enabled,
            networks: row.networks,
            interval_seconds: row.interval_seconds,
            entries: row.entries,
            is_importing: row.is_claimed,
            is_being_deleted: row.deleted_at.is_some(),
            due_at: time(due_at),
            succeeded_at: time(row.succeeded_at),
            last_import,
        }
    }
}

#[derive(Serialize)]
struct PreviewAnswer {
    entries: usize,
    merged: u64,
    add: usize,
    renew: usize,
    keep: usize,
    held: usize,
    remove: usize,
    refused: u64,
    refused_by_reason: BTreeMap<&'static str, u64>,
    refused_examples: Vec<ExampleItem>,
    problem: Option<String>,
}

#[derive(Serialize)]
struct ExampleItem {
    line: Option<usize>,
    text: String,
    reason: &'static str,
}

impl From<Preview> for PreviewAnswer {
    fn from(preview: Preview) -> Self {
        let Preview { entries, merged, plan, refused, problem } = preview;
        let total = refused.total();
        let by_reason = refused.counts.iter().map(|(refusal, count)| (refusal.word(), *count));
        Self {
            entries,
            merged,
            add: plan.add.len(),
            renew: plan.renew.len(),
            keep: plan.keep.len(),
            held: plan.held.len(),
            remove: plan.lift.len(),
            refused: total,
            refused_by_reason: by_reason.collect(),
            refused_examples: refused
                .examples
                .into_iter()
                .map(|example| ExampleItem {
                    line: example.line,
                    text: body::clean(example.text),
                    reason: example.refusal.word(),
                })
                .collect(),
            problem: problem.map(|problem| problem.to_string()),
        }
    }
}

/// `GET /api/blocklists`
pub(in crate::http) async fn list(call: Call) -> Result<Response<Body>, Problem> {
    let lists = calls::list(&call.services).await?;
    let items = lists.into_iter().map(Item::from).collect();
    body::json(StatusCode::OK, &List { items, max: calls::max() })
}

/// `GET /api/blocklists/{id}`
pub(in crate::http) async fn get(call: Call) -> Result<Response<Body>, Problem> {
    let list = calls::get(&call.services, &call.parameter("id")?).await?;
    body::json(StatusCode::OK, &Item::from(list))
}

/// `POST /api/blocklists`
pub(in crate::http) async fn create(call: Call) -> Result<Response<Body>, Problem> {
    let (origin, services) = (call.origin()?, call.services.clone());
    let request: SetupRequest = body::read_json(call.request).await?;
    let list = calls::create(&services, &origin, request.into()).await?;
    body::json(StatusCode::CREATED, &Item::from(list))
}

/// `PUT /api/blocklists/{id}`
pub(in crate::http) async fn update(call: Call) -> Result<Response<Body>, Problem> {
    let (origin, services, id) = (call.origin()?, call.services.clone(), call.parameter("id")?);
    let request: SetupRequest = body::read_json(call.request).await?;
    let list = calls::update(&services, &origin, &id, request.into()).await?;
    body::json(StatusCode::OK, &Item::from(list))
}

/// `DELETE /api/blocklists/{id}`
pub(in crate::http) async fn delete(call: Call) -> Result<Response<Body>, Problem> {
    let origin = call.origin()?;
    let list = calls::delete(&call.services, &origin, &call.parameter("id")?).await?;
    body::json(StatusCode::ACCEPTED, &Item::from(list))
}

/// `POST /api/blocklists/{id}/preview`
pub(in crate::http) async fn preview(call: Call) -> Result<Response<Body>, Problem> {
    let origin = call.origin()?;
    let preview = calls::preview(&call.services, &origin, &call.parameter("id")?).await?;
    body::json(StatusCode::OK, &PreviewAnswer::from(preview))
}

/// `POST /api/blocklists/{id}/import`
pub(in crate::http) async fn import(call: Call) -> Result<Response<Body>, Problem> {
    let (origin, services, id) = (call.origin()?, call.services.clone(), call.parameter("id")?);
    let ImportRequest { force } = body::read_json(call.request).await?;
    let list = calls::import(&services, &origin, &id, force).await?;
    body::json(StatusCode::ACCEPTED, &Item::from(list))
}
