//! The settings of the service: read once from the environment, validated whole, then immutable.
//!
//! `docs/CONFIGURATION.md` lists every variable. A wrong one stops the start with exit code 78
//! and one line for each problem.

mod blocklists;
mod client;
mod collector;
mod database;
mod destinations;
mod environment;
mod export;
mod external;
mod forms;
mod health;
mod identity;
mod link;
mod maintenance;
mod names;
mod print;
mod providers;
mod proxies;
mod queries;
mod quiet;
mod schedules;
mod served_tls;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

pub use blocklists::BlocklistSettings;
pub use client::ClientSettings;
pub use database::DatabaseUrl;
pub use environment::{Environment, Problem};
pub use export::{Export, LogBuffer, Protocol, Sampler, SignalLinks};
pub use external::External;
pub use health::HealthSettings;
pub use identity::Identity;
pub use link::{Link, Summary, Tls};
pub use maintenance::Maintenance;
pub use proxies::TrustedProxies;
pub use quiet::{ENDPOINTS, QuietEndpoints};
pub use schedules::Schedules;
pub use served_tls::ServedTls;

use crate::domain::Secret;
use export::Switches;

/// How detailed the log is, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything, libraries' inner steps too.
    Trace,
    /// Verbose diagnostics.
    Debug,
    /// Operational events.
    Info,
    /// Recoverable trouble.
    Warning,
    /// Failures that cost functionality.
    Error,
    /// Failures of the system.
    Critical,
}

/// How much of a client's address the log may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIpLogging {
    /// The whole address.
    Full,
    /// The /24 or /48 network.
    Truncated,
    /// Nothing, except in security events.
    None,
}

/// What an API token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// The bearer token of the JSON API.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// The token itself.
    pub token: Secret<String>,
    /// What it allows.
    pub scope: Scope,
}

/// What the log shows.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// The least severe level that is written.
    pub level: LogLevel,
    /// Whether libraries are held at warning.
    pub suppress_third_party: bool,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether browsers reach us over https: by `BANGUI_PUBLIC_URL`, or because the port itself
    /// speaks TLS.
    pub https: bool,
    /// What the port speaks TLS with, if it does.
    pub tls: Option<ServedTls>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// The SQLite file, unless there is a server.
    pub database_path: PathBuf,
    /// The Postgres server that is used in its place.
    pub database_url: Option<DatabaseUrl>,
    /// fail2ban's socket.
    pub fail2ban_socket: PathBuf,
    /// Password of the first account.
    pub admin_password: Option<Secret<String>>,
    /// Token of programs.
    pub api_token: Option<ApiToken>,
    /// How long the scheduler's lock outlives its holder's last heartbeat.
    pub scheduler_lease_seconds: u32,
    /// When each scheduled task runs.
    pub schedules: Schedules,
    /// Upkeep of the database, and of the way of telemetry.
    pub maintenance: Maintenance,
    /// Lists of addresses from elsewhere.
    pub blocklists: BlocklistSettings,
    /// The log.
    pub log: Log,
    /// How client addresses appear in the log.
    pub log_client_ip: ClientIpLogging,
    /// Endpoints whose requests are told only when they fail.
    pub quiet_endpoints: QuietEndpoints,
    /// What telemetry leaves, and where to.
    pub export: Export,
    /// Where the collector sends on to.
    pub external: External,
    /// Where the collector keeps its state, for commands on this host.
    pub collector_dir: PathBuf,
    /// What the collector tells of itself.
    pub collector_metrics_url: String,
    /// Where the collector shows the newest lines of its own log.
    pub collector_log_url: String,
    /// What `GET /metrics` passes through.
    pub metrics_upstream_url: String,
    /// Jaeger's query API, for the trace view.
    pub jaeger_query_url: Option<String>,
    /// Jaeger's own page, for links.
    pub jaeger_ui_url: Option<String>,
    /// Variables that start with `BANGUI_` and mean nothing to us.
    pub unknown: Vec<String>,
}

const DEFAULT_FAIL2BAN_SOCKET: &str = "/var/run/fail2ban/fail2ban.sock";
/// Where `make run` has it.
const DEFAULT_COLLECTOR_DIR: &str = ".run/collector";
const DEFAULT_COLLECTOR_METRICS: &str = "http://127.0.0.1:8888/metrics";
const DEFAULT_COLLECTOR_LOG: &str = "http://127.0.0.1:8887/logs";
const DEFAULT_METRICS_UPSTREAM: &str = "http://127.0.0.1:8889/metrics";
/// Shorter passwords fall to a patient guesser despite the sign-in limits.
pub const PASSWORD_MIN_LENGTH: usize = 8;
/// A longer password is refused before it is hashed.
pub const PASSWORD_MAX_BYTES: usize = 1024;
const API_TOKEN_MIN_LENGTH: usize = 16;
/// Clocks are compared in whole seconds, so a shorter lease is none. Nobody should have to wait
/// longer than an hour for a dead instance.
const SCHEDULER_LEASE_SECONDS: RangeInclusive<u32> = 2..=3600;

impl Settings {
    /// Reads all settings, or tells everything that is wrong with them.
    pub fn read(mut env: Environment) -> Result<Self, Vec<Problem>> {
        let switches = Switches::read(&mut env);
        let external = External::read(&mut env, switches);
        let data_dir = PathBuf::from(env.text("BANGUI_DATA_DIR").unwrap_or("./data".into()));
        let listen = listen(&mut env);
        let (database_path, database_url) = database::read(&mut env, &data_dir);
        let settings = Self {
            listen,
            https: is_https(&mut env),
            tls: ServedTls::read(&mut env),
            trusted_proxies: TrustedProxies::read(&mut env),
            database_path,
            database_url,
            data_dir,
            fail2ban_socket: env.parse("BANGUI_FAIL2BAN_SOCKET", DEFAULT_FAIL2BAN_SOCKET.into()),
            admin_password: admin_password(&mut env),
            api_token: api_token(&mut env),
            scheduler_lease_seconds: seconds(
                &mut env,
                "BANGUI_SCHEDULER_LEASE_SECONDS",
                30,
                SCHEDULER_LEASE_SECONDS,
            ),
            schedules: Schedules::read(&mut env),
            maintenance: Maintenance::read(&mut env),
            blocklists: BlocklistSettings::read(&mut env),
            log: Log::read(&mut env),
            log_client_ip: env.choice(
                "BANGUI_LOG_CLIENT_IP",
                ClientIpLogging::Full,
                &[
                    ("full", ClientIpLogging::Full),
                    ("truncated", ClientIpLogging::Truncated),
                    ("none", ClientIpLogging::None),
                ],
            ),
            quiet_endpoints: QuietEndpoints::read(&mut env),
            export: Export::read(&mut env, switches),
            external,
            collector_dir: env.parse("BANGUI_COLLECTOR_DIR", DEFAULT_COLLECTOR_DIR.into()),
            collector_metrics_url: neighbour_url(&mut env, "BANGUI_COLLECTOR_METRICS_URL")
                .unwrap_or_else(|| DEFAULT_COLLECTOR_METRICS.into()),
            collector_log_url: neighbour_url(&mut env, "BANGUI_COLLECTOR_LOG_URL")
                .unwrap_or_else(|| DEFAULT_COLLECTOR_LOG.into()),
            metrics_upstream_url: neighbour_url(&mut env, "BANGUI_METRICS_UPSTREAM_URL")
                .unwrap_or_else(|| DEFAULT_METRICS_UPSTREAM.into()),
            jaeger_query_url: neighbour_url(&mut env, "BANGUI_JAEGER_QUERY_URL"),
            jaeger_ui_url: page_url(&mut env, "BANGUI_JAEGER_UI_URL"),
            unknown: names::unknown(&env),
        };
        let problems = env.into_problems();
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }
}

impl Log {
    fn read(env: &mut Environment) -> Self {
        Self {
            level: env.parse("BANGUI_LOG_LEVEL", LogLevel::Info),
            suppress_third_party: env.boolean("BANGUI_SUPPRESS_THIRD_PARTY_LOGS", true),
        }
    }
}

impl FromStr for LogLevel {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warning" | "warn" => Self::Warning,
            "error" => Self::Error,
            "critical" => Self::Critical,
            _ => return Err("must be one of trace, debug, info, warning, error, critical"),
        })
    }
}

fn listen(env: &mut Environment) -> SocketAddr {
    const NAME: &str = "BANGUI_LISTEN";
    let default = SocketAddr::from(([127, 0, 0, 1], 8000));
    let Some(text) = env.text(NAME) else { return default };
    text.parse().unwrap_or_else(|_| {
        env.problem(NAME, "must be an IP address and a port: 127.0.0.1:8000, or [::1]:8000");
        default
    })
}

/// Whether browsers come by https. A port with TLS cannot be reached by http at all, so a public
/// address that says so is a mistake, and cookies would go by what is not there.
fn is_https(env: &mut Environment) -> bool {
    const NAME: &str = "BANGUI_PUBLIC_URL";
    let has_tls = served_tls::is_asked_for(env);
    let Some(uri) = env.optional::<http::Uri>(NAME) else { return has_tls };
    let reason = match uri.scheme_str() {
        Some("https") => return true,
        Some("http") if has_tls => "is http://, but with BANGUI_TLS_CERT_FILE the port is https",
        Some("http") => return false,
        _ => "must start with http:// or https://",
    };
    env.problem(NAME, reason);
    has_tls
}

fn seconds(env: &mut Environment, name: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
    let Some(text) = env.text(name) else { return default };
    match text.parse() {
        Ok(seconds) if range.contains(&seconds) => seconds,
        _ => {
            let (min, max) = range.into_inner();
            env.problem(name, format!("must be a whole number of seconds from {min} to {max}"));
            default
        }
    }
}

fn admin_password(env: &mut Environment) -> Option<Secret<String>> {
    let password = env.secret("BANGUI_ADMIN_PASSWORD")?;
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN_LENGTH || text.len() > PASSWORD_MAX_BYTES {
        let reason = format!("must have {PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_BYTES} characters");
        env.problem("BANGUI_ADMIN_PASSWORD", reason);
    }
    Some(password)
}

fn api_token(env: &mut Environment) -> Option<ApiToken> {
    let choices = [("read", Scope::Read), ("write", Scope::Write)];
    let scope = env.choice("BANGUI_API_TOKEN_SCOPE", Scope::Read, &choices);
    let token = env.secret("BANGUI_API_TOKEN")?;
    if token.expose().len() < API_TOKEN_MIN_LENGTH {
        let reason = format!("must have at least {API_TOKEN_MIN_LENGTH} characters");
        env.problem("BANGUI_API_TOKEN", reason);
    }
    Some(ApiToken { token, scope })
}

/// A neighbour that we ask ourselves, without TLS: it is on this host or network.
fn neighbour_url(env: &mut Environment, name: &str) -> Option<String> {
    url(env, name, &["http"])
}

/// A page that browsers are sent to.
fn page_url(env: &mut Environment, name: &str) -> Option<String> {
    url(env, name, &["http", "https"])
}

fn url(env: &mut Environment, name: &str, schemes: &[&str]) -> Option<String> {
    let uri: http::Uri = env.optional(name)?;
    let is_allowed = uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme));
    // Credentials would end up in spans and on the page.
    let has_credentials = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if is_allowed && !has_credentials {
        return Some(uri.to_string().trim_end_matches('/').to_owned());
    }
    let schemes = schemes.join(":// or ");
    env.problem(name, format!("must be an {schemes}:// address without credentials"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
        match Settings::read(Environment::from_pairs(pairs.iter().copied())) {
            Ok(_) => vec![],
            Err(problems) => problems.into_iter().map(|problem| problem.to_string()).collect(),
        }
    }

    #[test]
    fn an_empty_environment_gives_the_documented_defaults() {
        let settings = Settings::read(Environment::default()).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(settings.database_path, PathBuf::from("./data/bangui.db"));
        assert_eq!(settings.fail2ban_socket, PathBuf::from(DEFAULT_FAIL2BAN_SOCKET));
        assert_eq!(settings.scheduler_lease_seconds, 30);
        assert_eq!(settings.log.level, LogLevel::Info);
        assert!(!settings.export.is_on());
    }

    #[test]
    fn an_empty_value_means_unset() {
        assert_eq!(problems(&[("BANGUI_LISTEN", ""), ("BANGUI_LOG_LEVEL", "")]), [""; 0]);
    }

    #[test]
    fn every_problem_is_told_in_one_run_and_no_secret_is_repeated() {
        let found = problems(&[
            ("BANGUI_LISTEN", "nowhere"),
            ("BANGUI_LOG_LEVEL", "loud"),
            ("BANGUI_ADMIN_PASSWORD", "hunt2"),
            ("BANGUI_DATABASE_URL", "mysql://u:hunt2@h/db"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
            ("BANGUI_SCHEDULER_LEASE_SECONDS", "1"),
            ("BANGUI_SESSION_CLEANUP_SECONDS", "soon"),
            ("BANGUI_TASK_SESSION_CLEANUP_SCHEDULE", "61 * * * *"),
        ]);
        // Both of the last two are wrong, and they must not be set together.
        assert_eq!(found.len(), 9, "{found:?}");
        assert!(found.iter().all(|line| !line.contains("hunt2")), "{found:?}");
        assert!(found[0].starts_with("BANGUI_LISTEN: must be an IP address"), "{found:?}");
    }

    #[test]
    fn unknown_names_are_noted_but_not_refused() {
        let env = Environment::from_pairs([
            ("BANGUI_PORT", "tcp://10.0.0.1:8000"),
            ("BANGUI_DATADOG_API_KEY", "k"),
        ]);
        assert_eq!(Settings::read(env).unwrap().unknown, ["BANGUI_PORT"]);
    }

    #[test]
    fn a_secret_comes_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "correct horse\n").unwrap();
        let path = file.path().to_str().unwrap();
        let env = Environment::from_pairs([("BANGUI_ADMIN_PASSWORD_FILE", path)]);
        let settings = Settings::read(env).unwrap();
        assert_eq!(settings.admin_password.unwrap().expose(), "correct horse");
        assert_eq!(problems(&[("BANGUI_ADMIN_PASSWORD_FILE", "/no/such/file")]).len(), 1);
        // A second line break would become a part of the password without anybody's seeing it.
        std::fs::write(file.path(), "correct horse\n\n").unwrap();
        let found = problems(&[("BANGUI_ADMIN_PASSWORD_FILE", path)]);
        assert_eq!(found, ["BANGUI_ADMIN_PASSWORD_FILE: has more than one line"]);
    }
}
