//! The names of all variables that begin with `BANGUI_`.

use super::providers::PROVIDERS;
use super::{Environment, collector};

const PREFIX: &str = "BANGUI_";

/// Those that belong neither to a provider nor to the collector.
const OWN: [&str; 44] = [
    "BANGUI_ADDRESS",
    "BANGUI_LISTEN",
    "BANGUI_PUBLIC_URL",
    "BANGUI_TLS_CERT_FILE",
    "BANGUI_TLS_KEY_FILE",
    "BANGUI_TRUSTED_PROXIES",
    "BANGUI_DATA_DIR",
    "BANGUI_DATABASE_URL",
    "BANGUI_DATABASE_URL_FILE",
    "BANGUI_FAIL2BAN_SOCKET",
    "BANGUI_ADMIN_PASSWORD",
    "BANGUI_ADMIN_PASSWORD_FILE",
    "BANGUI_API_TOKEN",
    "BANGUI_API_TOKEN_FILE",
    "BANGUI_API_TOKEN_SCOPE",
    "BANGUI_SCHEDULER_LEASE_SECONDS",
    "BANGUI_SESSION_CLEANUP_SECONDS",
    "BANGUI_TASK_SESSION_CLEANUP_SCHEDULE",
    "BANGUI_TASK_HISTORY_RETENTION_SCHEDULE",
    "BANGUI_TASK_HISTORY_SYNC_SCHEDULE",
    "BANGUI_TASK_BLOCKLIST_REFRESH_SCHEDULE",
    "BANGUI_DATABASE_SET_ASIDE_CORRUPTED",
    "BANGUI_HISTORY_RETENTION_DAYS",
    "BANGUI_AUDIT_RETENTION_DAYS",
    "BANGUI_TELEMETRY_SELF_CHECK_SECONDS",
    "BANGUI_BLOCKLIST_DIR",
    "BANGUI_BLOCKLIST_ALLOW_PRIVATE_SOURCES",
    "BANGUI_BLOCKLIST_SLOW_SECONDS",
    "BANGUI_LOG_LEVEL",
    "BANGUI_SUPPRESS_THIRD_PARTY_LOGS",
    "BANGUI_LOG_CLIENT_IP",
    "BANGUI_QUIET_ENDPOINTS",
    "BANGUI_EXTERNAL_LOGGING_ENABLED",
    "BANGUI_EXTERNAL_LOGGING_PROVIDER",
    "BANGUI_EXTERNAL_LOGGING_DELIVERY",
    "BANGUI_EXTERNAL_LOGGING_BUFFER_SIZE",
    "BANGUI_COLLECTOR_DIR",
    "BANGUI_COLLECTOR_METRICS_URL",
    "BANGUI_COLLECTOR_LOG_URL",
    "BANGUI_METRICS_ENABLED",
    "BANGUI_METRICS_PROVIDER",
    "BANGUI_METRICS_UPSTREAM_URL",
    "BANGUI_JAEGER_QUERY_URL",
    "BANGUI_JAEGER_UI_URL",
];

/// All variables of the collector and of the providers, AWS's too.
fn of_collector() -> impl Iterator<Item = String> {
    let own = collector::SETTINGS.iter().map(|setting| setting.name.to_owned());
    let providers = PROVIDERS
        .iter()
        .flat_map(|provider| provider.settings().flat_map(|setting| provider.sources(setting)));
    own.chain(providers)
}

/// The names that are set and mean nothing to us.
pub(super) fn unknown(env: &Environment) -> Vec<String> {
    let is_known = |name: &&str| OWN.contains(name) || of_collector().any(|known| known == *name);
    env.names_with_prefix(PREFIX).filter(|name| !is_known(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::providers::Provider;

    /// Read by the scripts of the repository only.
    const OF_SCRIPTS: [&str; 1] = ["BANGUI_BUILD_CACHE"];

    fn file(path: &str) -> String {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join(path)).unwrap()
    }

    /// All variables, but for the files of secrets, which follow from these.
    fn documented() -> BTreeSet<String> {
        let own = OWN.iter().map(|name| (*name).to_owned());
        let all: BTreeSet<String> = own.chain(of_collector()).collect();
        let is_secret_file =
            |name: &String| name.strip_suffix("_FILE").is_some_and(|secret| all.contains(secret));
        all.iter().filter(|name| !is_secret_file(name)).cloned().collect()
    }

    #[test]
    fn the_document_has_every_variable_and_no_other() {
        let text = file("docs/CONFIGURATION.md");
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.flat_map(|row| row.split('|').nth(1));
        let named: BTreeSet<String> = cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .filter(|name| name.starts_with(PREFIX) || name.starts_with("AWS_"))
            .filter(|name| !OF_SCRIPTS.contains(name))
            .map(str::to_owned)
            .collect();
        assert_eq!(named, documented());
    }

    #[test]
    fn the_document_says_which_are_secrets() {
        let text = file("docs/CONFIGURATION.md");
        let all: BTreeSet<String> =
            OWN.iter().map(|name| (*name).to_owned()).chain(of_collector()).collect();
        for name in documented() {
            let is_secret = all.contains(&format!("{name}_FILE"));
            let row = text.lines().find(|line| line.starts_with(&format!("| `{name}`")));
            let Some(row) = row else { continue };
            let says_so = row.split('|').nth(1).is_some_and(|cell| cell.contains("(secret"));
            assert_eq!(says_so, is_secret, "{row}");
        }
    }

    #[test]
    fn the_document_has_the_defaults_and_they_are_accepted() {
        let text = file("docs/CONFIGURATION.md");
        let of_provider = |provider: &'static Provider| {
            let settings = provider.settings();
            settings.map(|it| (provider.name(it), it.default, it.form)).collect::<Vec<_>>()
        };
        let own = collector::SETTINGS.iter().map(|it| (it.name.to_owned(), it.default, it.form));
        let all = own.chain(PROVIDERS.iter().flat_map(of_provider));
        for (name, default, form) in all.filter(|(_, default, _)| !default.is_empty()) {
            let mut rows = text.lines().filter(|line| line.contains(&format!("`{name}`")));
            let cell = rows.next().and_then(|row| row.split('|').nth(2)).unwrap_or_default();
            assert_eq!(cell.trim().trim_matches('`'), default, "{name}");
            assert_eq!(form(default), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_example_has_every_variable() {
        let text = file(".env.example");
        let name = |line: &str| Some(line.trim_start_matches("# ").split_once('=')?.0.to_owned());
        let is_name = |name: &String| {
            name.bytes().all(|it| it == b'_' || it.is_ascii_uppercase() || it.is_ascii_digit())
        };
        // OpenTelemetry's variables and those of the collector alone are a selection.
        let is_ours = |name: &String| name.starts_with(PREFIX) || name.starts_with("AWS_");
        let shown = text.lines().filter_map(name).filter(is_name).filter(is_ours);
        let shown: BTreeSet<String> = shown.collect();
        assert_eq!(shown, documented());
    }
}
