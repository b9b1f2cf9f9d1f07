//! The settings of the commands that ask a running service: where it is, and the token.
//!
//! They are read from the same environment as the service's, so that on its own host one file
//! serves both; nothing else of that file has to be there or to be right.

use http::Uri;

use super::export::Switches;
use super::{Environment, Export, Log, Problem};
use crate::domain::Secret;

const ADDRESS: &str = "BANGUI_ADDRESS";
const TOKEN: &str = "BANGUI_API_TOKEN";
/// Where the service listens unless it is told otherwise.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:8000";

/// Settings of a command.
#[derive(Debug)]
pub struct ClientSettings {
    /// Where the service is: `http` or `https`, a host, and perhaps a port.
    pub address: Uri,
    /// The token, visible ASCII.
    pub token: Secret<String>,
    /// The command's own log.
    pub log: Log,
    /// What telemetry leaves. A command has no metrics: it is gone before they could be read.
    pub export: Export,
}

impl ClientSettings {
    /// Reads all settings, or tells everything that is wrong with them.
    pub fn read(mut env: Environment) -> Result<Self, Vec<Problem>> {
        let address = address(&mut env);
        let token = token(&mut env);
        let (log, switches) = (Log::read(&mut env), Switches::read(&mut env));
        let export = Export { metrics: None, ..Export::read(&mut env, switches) };
        let problems = env.into_problems();
        match (address, token) {
            (Some(address), Some(token)) if problems.is_empty() => {
                Ok(Self { address, token, log, export })
            }
            _ => Err(problems),
        }
    }
}

fn address(env: &mut Environment) -> Option<Uri> {
    let uri = env.parse(ADDRESS, Uri::from_static(DEFAULT_ADDRESS));
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_credentials = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    // gRPC's paths are fixed, so a path in front of them would be left out without a word.
    let has_path = !matches!(uri.path_and_query().map(|it| it.as_str()), None | Some("/"));
    if is_web && !has_credentials && !has_path {
        return Some(uri);
    }
    let reason = "must be http:// or https:// and a host, perhaps with a port, and no more";
    env.problem(ADDRESS, reason);
    None
}

fn token(env: &mut Environment) -> Option<Secret<String>> {
    if !env.any(&[TOKEN, "BANGUI_API_TOKEN_FILE"]) {
        env.problem(TOKEN, "is needed, as the service has it");
        return None;
    }
    let token = env.secret(TOKEN)?;
    if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(token);
    }
    env.problem(TOKEN, "has characters that no token has");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ClientSettings, Vec<String>> {
        let settings = ClientSettings::read(Environment::from_pairs(pairs.iter().copied()));
        settings.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_token_is_all_that_is_needed() {
        let settings = read(&[(TOKEN, "t0ken"), ("BANGUI_LISTEN", "nowhere")]).unwrap();
        assert_eq!(settings.address, DEFAULT_ADDRESS);
        assert!(!settings.export.is_on());
        assert_eq!(read(&[]).unwrap_err().len(), 1);
    }

    #[test]
    fn wrong_addresses_and_tokens_are_told_and_not_repeated() {
        for wrong in [
            "127.0.0.1:8000",
            "ftp://h",
            "http://",
            "http://u:hunter2@h",
            "http://h/bangui",
            "http://h/?token=hunter2",
            "unix:///run/x",
            "h h",
        ] {
            let problems = read(&[(ADDRESS, wrong), (TOKEN, "hunter2 \u{1b}")]).unwrap_err();
            assert_eq!(problems.len(), 2, "{wrong}: {problems:?}");
            assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
        }
    }

    #[test]
    fn a_command_exports_no_metrics() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        let export = read(&[(TOKEN, "t0ken"), endpoint]).unwrap().export;
        assert!(export.traces.is_some() && export.logs.is_some() && export.metrics.is_none());
    }
}
