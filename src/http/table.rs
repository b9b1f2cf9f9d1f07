//! The table of routes: everything that the service answers, on one page.

use http::Method;

use super::router::{Access, Route};
use super::routes::{
    auth, bans, blocklists, browser, collector_log, dashboard, events, jails, lists, metrics,
    openapi, page, scheduler, settings, tasks, traces,
};

macro_rules! route {
    ($method:ident $pattern:literal as $endpoint:literal, $access:ident, $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            endpoint: $endpoint,
            access: Access::$access,
            handler: |call| Box::pin($handler(call)),
        }
    };
}

/// All routes but the page's files.
pub(super) static ROUTES: &[Route] = &[
    route!(GET "/" as "/", Open, page::index),
    route!(GET "/health" as "/health", Open, dashboard::health),
    route!(GET "/metrics" as "/metrics", Open, metrics::pass_through),
    route!(GET "/api/auth/session" as "/api/auth/session", Open, auth::session),
    route!(POST "/api/auth/login" as "/api/auth/login", Open, auth::login),
    route!(POST "/api/auth/setup" as "/api/auth/setup", Open, auth::setup),
    route!(POST "/api/auth/logout" as "/api/auth/logout", Open, auth::logout),
    route!(GET "/api/openapi.json" as "/api/openapi.json", Read, openapi::document),
    route!(GET "/api/dashboard/status" as "/api/dashboard/status", Read, dashboard::status),
    route!(GET "/api/jails" as "/api/jails", Read, jails::list),
    route!(GET "/api/jails/{jail}" as "/api/jails/{id}", Read, jails::detail),
    route!(GET "/api/bans" as "/api/bans", Read, bans::list),
    route!(POST "/api/bans" as "/api/bans", Write, bans::ban),
    route!(DELETE "/api/bans/{jail}/{ip}" as "/api/bans/{id}/{id}", Write, bans::unban),
    route!(GET "/api/blocklists" as "/api/blocklists", Read, blocklists::list),
    route!(POST "/api/blocklists" as "/api/blocklists", Write, blocklists::create),
    route!(GET "/api/blocklists/{id}" as "/api/blocklists/{id}", Read, blocklists::get),
    route!(PUT "/api/blocklists/{id}" as "/api/blocklists/{id}", Write, blocklists::update),
    route!(DELETE "/api/blocklists/{id}" as "/api/blocklists/{id}", Write, blocklists::delete),
    route!(POST "/api/blocklists/{id}/preview" as "/api/blocklists/{id}/preview", Write,
        blocklists::preview),
    route!(POST "/api/blocklists/{id}/import" as "/api/blocklists/{id}/import", Write,
        blocklists::import),
    route!(GET "/api/history" as "/api/history", Read, lists::history),
    route!(GET "/api/addresses/{ip}" as "/api/addresses/{id}", Read, lists::address),
    route!(GET "/api/audit" as "/api/audit", Read, lists::audit),
    route!(GET "/api/settings/log-level" as "/api/settings/log-level", Read, settings::log_level),
    route!(PUT "/api/settings/log-level" as "/api/settings/log-level", Write,
        settings::set_log_level),
    route!(GET "/api/traces/{trace_id}" as "/api/traces/{id}", Read, traces::trace),
    route!(GET "/api/telemetry/collector-log" as "/api/telemetry/collector-log", Read,
        collector_log::list),
    route!(GET "/api/scheduler/lock" as "/api/scheduler/lock", Read, scheduler::lock),
    route!(GET "/api/scheduler/tasks" as "/api/scheduler/tasks", Read, tasks::list),
    route!(GET "/api/scheduler/tasks/{task}/runs" as "/api/scheduler/tasks/{id}/runs", Read,
        tasks::runs),
    route!(POST "/api/scheduler/tasks/{task}/runs" as "/api/scheduler/tasks/{id}/runs", Write,
        tasks::request),
    route!(GET "/api/events" as "/api/events", Read, events::stream),
    route!(POST "/v1/logs" as "/v1/logs", Session, browser::logs),
    route!(POST "/v1/metrics" as "/v1/metrics", Session, browser::metrics),
    route!(POST "/v1/traces" as "/v1/traces", Session, browser::traces),
];

/// The page's files, which are found by name and not by pattern.
pub(super) static ASSETS: Route = route!(GET "/assets" as "assets", Open, page::asset);
