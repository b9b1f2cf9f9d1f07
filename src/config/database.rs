//! `BANGUI_DATABASE_URL`: the SQLite file, or the Postgres server that several instances share.

use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

use super::Environment;
use crate::domain::Secret;

const NAME: &str = "BANGUI_DATABASE_URL";
/// How a connection may be encrypted, as Postgres names it.
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// The parameters after the question mark that mean something. The driver would name others with
/// their values in the log.
const PARAMETERS: [&str; 7] =
    ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name", "options"];

/// Where a database on a Postgres server is.
#[derive(Debug, Clone)]
pub struct DatabaseUrl {
    /// All of it.
    pub url: Secret<String>,
    /// The same without who signs in and how.
    shown: String,
}

/// Shown without user information and parameters.
impl Display for DatabaseUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The SQLite file, and the server that is used in its place.
pub(super) fn read(env: &mut Environment, data_dir: &Path) -> (PathBuf, Option<DatabaseUrl>) {
    let file = data_dir.join("bangui.db");
    let Some((name, url)) = env.secret_of(&[NAME.to_owned(), format!("{NAME}_FILE")]) else {
        return (file, None);
    };
    let text = url.expose();
    if let Some(path) = text.strip_prefix("sqlite://").filter(|path| !path.is_empty()) {
        return (PathBuf::from(path), None);
    }
    match shown(text) {
        Ok(shown) => (file, Some(DatabaseUrl { shown, url })),
        Err(reason) => {
            env.problem(&name, reason);
            (file, None)
        }
    }
}

/// What may be shown of a server's URL; or why it is none. Reasons repeat nothing of it but the
/// name of a parameter.
fn shown(text: &str) -> Result<String, String> {
    let after_scheme = text.strip_prefix("postgres://").or(text.strip_prefix("postgresql://"));
    let Some(rest) = after_scheme else {
        return Err("must be sqlite:// followed by a path, or a postgres:// address".into());
    };
    if rest.contains('#') {
        return Err("a # in the password must be written as %23".into());
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains('@') || database.contains('@') || query.contains('@') {
        return Err("a character of the password must be escaped: @ is written as %40, / as %2F, \
                    ? as %3F"
            .into());
    }
    if database.is_empty() || database.contains('/') {
        return Err("must end in one name of a database, as in postgres://HOST/NAME".into());
    }
    let parameters = parameters(query)?;
    let host = parameters.iter().find(|(key, _)| *key == "host").map(|(_, value)| *value);
    if server.is_empty() && host.is_none_or(str::is_empty) {
        return Err("names no host".into());
    }
    // A path in brackets or with colons is IPv6.
    let port = server.rsplit_once(']').map_or(server, |(_, port)| port).rsplit_once(':');
    if port.is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
        return Err("has a port that is no number up to 65535".into());
    }
    let server = if server.is_empty() { "localhost" } else { server };
    Ok(format!("postgres://{server}/{database}"))
}

fn parameters(query: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut found = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !PARAMETERS.contains(&key) {
            return Err(format!("has a parameter that is none of {}", PARAMETERS.join(", ")));
        }
        if key == "sslmode" && !SSL_MODES.contains(&value) {
            return Err(format!("sslmode must be one of {}", SSL_MODES.join(", ")));
        }
        found.push((key, value));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn settings(url: &str) -> Result<Settings, String> {
        let env = Environment::from_pairs([(NAME, url)]);
        let text = |problems: Vec<super::super::Problem>| problems[0].to_string();
        Settings::read(env).map_err(text)
    }

    #[test]
    fn a_server_is_shown_without_who_signs_in() {
        for (url, shown) in [
            ("postgres://u:hunt2@db:5433/bangui?sslmode=require", "postgres://db:5433/bangui"),
            ("postgresql://u:hunt%402@[::1]:5433/b", "postgres://[::1]:5433/b"),
            ("postgres://[::1]/b", "postgres://[::1]/b"),
            ("postgres:///b?host=/run/postgresql", "postgres://localhost/b"),
        ] {
            let settings = settings(url).unwrap();
            assert_eq!(settings.database_url.as_ref().unwrap().url.expose(), url);
            assert_eq!(settings.database_url.as_ref().unwrap().to_string(), shown);
            assert!(!format!("{settings:?}{settings}").contains("hunt"), "{settings}");
        }
    }

    #[test]
    fn a_wrong_one_is_refused_without_a_word_of_its_password() {
        for url in [
            "mysql://u:hunt2@h/b",
            "sqlite://",
            "postgres://u:hunt2@h",
            "postgres://u:hunt2@/b",
            "postgres://u:hunt2@h:port/b",
            "postgres://u:hunt#2@h/b",
            "postgres://u:hunt/2@h/b",
            "postgres://u:hunt?2@h/b",
            "postgres://u:hunt@2@h/b",
            "postgres://u:hunt2@h/b/c",
            "postgres://u@h/b?password=hunt2",
            "postgres://u:hunt2@h/b?sslmode=perhaps",
        ] {
            let problem = settings(url).unwrap_err();
            assert!(problem.starts_with("BANGUI_DATABASE_URL: "), "{problem}");
            assert!(!problem.contains("hunt"), "{problem}");
        }
    }

    #[test]
    fn it_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "postgres://u:hunt2@h/b\n").unwrap();
        let path = file.path().to_str().unwrap();
        let env = Environment::from_pairs([("BANGUI_DATABASE_URL_FILE", path)]);
        let url = Settings::read(env).unwrap().database_url.unwrap();
        assert_eq!(url.to_string(), "postgres://h/b");
        std::fs::write(file.path(), "postgres://u:hunt2@h").unwrap();
        let env = Environment::from_pairs([("BANGUI_DATABASE_URL_FILE", path)]);
        let problem = Settings::read(env).unwrap_err()[0].to_string();
        assert!(problem.starts_with("BANGUI_DATABASE_URL_FILE: must end"), "{problem}");
    }
}
