//! `BANGUI_QUIET_ENDPOINTS`: what machines ask so often that nobody wants to read of it.

use std::fmt;

use super::Environment;

const NAME: &str = "BANGUI_QUIET_ENDPOINTS";
/// Asked every few seconds by probes and scrapers, or many times by every page that is open.
const DEFAULT: &str = "/health,/metrics,assets,/v1/metrics,/v1/traces,/grpc.health.v1.Health/Check";
/// The word for no quiet endpoint at all, because an empty value means unset.
const NONE: &str = "none";

/// All endpoints that can be named, as they stand in the `endpoint` of log lines and metrics. A
/// test of the HTTP side holds this list against its table of routes. `other` is not among them:
/// a path that does not exist is always answered with an error, which is never quiet.
pub const ENDPOINTS: [&str; 44] = [
    "/",
    "/health",
    "/metrics",
    "/api/auth/session",
    "/api/auth/login",
    "/api/auth/setup",
    "/api/auth/logout",
    "/api/openapi.json",
    "/api/dashboard/status",
    "/api/jails",
    "/api/jails/{id}",
    "/api/bans",
    "/api/bans/{id}/{id}",
    "/api/history",
    "/api/addresses/{id}",
    "/api/audit",
    "/api/blocklists",
    "/api/blocklists/{id}",
    "/api/blocklists/{id}/preview",
    "/api/blocklists/{id}/import",
    "/api/scheduler/lock",
    "/api/scheduler/tasks",
    "/api/scheduler/tasks/{id}/runs",
    "/api/settings/log-level",
    "/api/traces/{id}",
    "/api/telemetry/collector-log",
    "/api/events",
    "/v1/logs",
    "/v1/metrics",
    "/v1/traces",
    "assets",
    "/bangui.v1.StatusService/GetStatus",
    "/bangui.v1.JailService/ListJails",
    "/bangui.v1.JailService/GetJail",
    "/bangui.v1.BanService/ListBans",
    "/bangui.v1.BanService/Ban",
    "/bangui.v1.BanService/Unban",
    "/bangui.v1.HistoryService/GetAddressHistory",
    "/bangui.v1.WatchService/Watch",
    "/bangui.v1.SchedulerService/GetLockHealth",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Endpoints whose requests are neither logged nor exported as spans unless they fail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuietEndpoints(Vec<&'static str>);

impl QuietEndpoints {
    pub(super) fn read(env: &mut Environment) -> Self {
        let list = env.text(NAME).unwrap_or_else(|| DEFAULT.to_owned());
        if list.trim() == NONE {
            return Self::default();
        }
        let mut quiet = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match ENDPOINTS.iter().find(|endpoint| **endpoint == item) {
                Some(endpoint) => quiet.push(*endpoint),
                None => env.problem(NAME, format!("{item:?} is no endpoint of this service")),
            }
        }
        Self(quiet)
    }

    /// Whether requests to an endpoint are quiet.
    pub fn contains(&self, endpoint: &str) -> bool {
        self.0.contains(&endpoint)
    }
}

impl fmt::Display for QuietEndpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => f.write_str(NONE),
            false => f.write_str(&self.0.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> (String, Vec<String>) {
        let mut env = Environment::from_pairs([(NAME, list)]);
        let quiet = QuietEndpoints::read(&mut env).to_string();
        (quiet, env.into_problems().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn endpoints_are_named_by_their_templates() {
        assert_eq!(read(""), (DEFAULT.to_owned(), vec![]));
        assert_eq!(read("none"), (NONE.to_owned(), vec![]));
        let list = " /health , /api/jails/{id}";
        assert_eq!(read(list), ("/health,/api/jails/{id}".to_owned(), vec![]));
    }

    #[test]
    fn what_is_no_endpoint_is_a_problem() {
        for wrong in ["/api/jails/sshd", "health", "other", "*", "none,/nothing"] {
            assert!(!read(wrong).1.is_empty(), "{wrong}");
        }
    }
}
