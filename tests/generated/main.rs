//! Files that are made of others hold what they are made of: the reference of the metrics of
//! `telemetry/`, and Grafana's dashboards of their short form beside this file.
//!
//! `BANGUI_UPDATE_DOCS=1 cargo test --test generated` writes them anew.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dashboards;
#[allow(dead_code)]
#[path = "../support/instruments.rs"]
mod instruments;
mod lint;
mod metrics_page;
#[allow(dead_code)]
#[path = "../support/promql.rs"]
mod promql;
mod registry;
#[allow(dead_code)]
#[path = "../support/rule_files.rs"]
mod rule_files;
#[path = "../support/series.rs"]
mod series;

use std::path::Path;

/// A file of the repository.
fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails if a file is not what it should be; writes it if that is asked for.
fn keep(path: &str, text: &str) {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BANGUI_UPDATE_DOCS").is_some() {
        // At once, since other tests read it at the same time; the dot keeps it out of lists.
        let draft = whole.with_file_name(format!(".{}", whole.file_name().unwrap().display()));
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &whole).unwrap();
    }
    let written = std::fs::read_to_string(&whole).unwrap_or_default();
    assert!(
        written == text,
        "{path} is not what its source says; write it anew with \
         BANGUI_UPDATE_DOCS=1 cargo test --test generated"
    );
}

/// The names of a folder's files that begin so, in their order.
fn files(folder: &str, beginning: &str) -> Vec<String> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(whole).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.starts_with(beginning) && !name.starts_with('.'));
    names.sort();
    names
}
