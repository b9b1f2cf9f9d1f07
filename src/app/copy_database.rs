//! `bangui copy-database`: takes what the embedded database holds over to Postgres, once, while
//! the service is stopped.

use std::path::PathBuf;
use std::process::ExitCode;

use super::backup::stopped;
use crate::config::Settings;
use crate::store;

/// What `bangui copy-database` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyDatabase {
    /// The file; nothing for the one in the data folder.
    pub from: Option<String>,
}

impl CopyDatabase {
    /// Reads what follows the command's name.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        match words {
            [] => Some(Self { from: None }),
            ["--from", path] if !path.is_empty() => Some(Self { from: Some((*path).to_owned()) }),
            _ => None,
        }
    }
}

/// Copies, and tells what.
pub(super) fn run(options: &CopyDatabase, settings: &Settings) -> ExitCode {
    let Some(to) = &settings.database_url else {
        return super::fail(&"BANGUI_DATABASE_URL must name the Postgres database to copy to");
    };
    let from = options.from.as_ref().map_or_else(|| settings.database_path.clone(), PathBuf::from);
    let work = async {
        tokio::select! {
            copied = store::copy_to_postgres(&from, &to.url) => {
                copied.map_err(|error| error.to_string())
            }
            // What was begun is undone by the server, which loses the connection.
            () = stopped() => Err("interrupted".to_owned()),
        }
    };
    match super::blocking(work) {
        Ok(Ok(tables)) => {
            let lines = tables.iter().map(|(table, rows)| format!("{table}: {rows} rows\n"));
            let lines: String = lines.collect();
            super::print(&format!("{lines}{} was copied to {to}", from.display()))
        }
        Ok(Err(error)) => super::fail(&format_args!("nothing was copied: {error}")),
        Err(error) => super::fail(&error),
    }
}
