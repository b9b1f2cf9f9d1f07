//! The collector's launcher refuses the same settings as `bangui config`, by the same names.

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;

use serde::Deserialize;

use crate::support::repository;

/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: i32 = 78;
const TABLE: &str = include_str!("../fixtures/external_settings.json");

/// One row of the table. Paths in it are relative to the root of the repository.
#[derive(Deserialize)]
struct Case {
    name: String,
    env: BTreeMap<String, String>,
    /// The variables that are wrong, sorted.
    problems: Vec<String>,
}

/// What the launcher says of a row, if that is not what the row says. A program that does nothing
/// stands for the collector: what is asked here comes before it.
fn finding(case: &Case) -> Option<String> {
    let mut command = Command::new(repository().join("otel-collector/launch.sh"));
    command.arg("/bin/true").current_dir(repository());
    command.env_clear().env("PATH", std::env::var("PATH").unwrap()).envs(&case.env);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let mut names: Vec<_> = stderr.lines().filter_map(|line| line.split(": ").next()).collect();
    names.sort_unstable();
    let code = if case.problems.is_empty() { 0 } else { EXIT_CONFIG };
    let is_right = names == case.problems && output.status.code() == Some(code);
    (!is_right).then(|| format!("{}: {:?} and not {:?}", case.name, stderr, case.problems))
}

#[test]
fn the_launcher_and_bangui_config_agree() {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    assert!(cases.len() > 100, "{} cases", cases.len());
    // Each row is a process, and they have nothing to do with each other.
    let findings: Vec<String> = thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(4));
        let runs = parts.map(|part| scope.spawn(|| part.iter().filter_map(finding).collect()));
        let runs: Vec<thread::ScopedJoinHandle<'_, Vec<String>>> = runs.collect();
        runs.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
