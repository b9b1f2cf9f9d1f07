//! `bangui dead-letters`: what destinations have refused for too long, to be looked at, sent once
//! more or thrown away.

mod folder;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use self::folder::{FILES_MAX, Folder, Found, Letter, State, is_destination};
use crate::telemetry::sanitize;

/// What a cell of the table shows of a reason.
const REASON_MAX_CHARS: usize = 60;

/// What to do with dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetters {
    /// Show them.
    List {
        /// Of this destination alone.
        destination: Option<String>,
        /// One JSON object a line instead of a table.
        is_json: bool,
    },
    /// Let the collector send them once more.
    Replay {
        /// Of this destination alone.
        destination: Option<String>,
    },
    /// Remove them for good.
    Drop {
        /// Of this destination alone.
        destination: Option<String>,
    },
}

impl DeadLetters {
    /// Reads the words after `dead-letters`. Removing everything has to be said.
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let list = |destination, is_json| Self::List { destination, is_json };
        let some = |name: &str| (!name.starts_with('-')).then(|| Some(name.to_owned()));
        Some(match words {
            ["list"] => list(None, false),
            ["list", "--json"] => list(None, true),
            ["list", name] => list(some(name)?, false),
            ["list", name, "--json"] | ["list", "--json", name] => list(some(name)?, true),
            ["replay"] => Self::Replay { destination: None },
            ["replay", name] => Self::Replay { destination: some(name)? },
            ["drop", "--all"] => Self::Drop { destination: None },
            ["drop", name] => Self::Drop { destination: some(name)? },
            _ => return None,
        })
    }

    fn destination(&self) -> Option<&str> {
        match self {
            Self::List { destination, .. }
            | Self::Replay { destination }
            | Self::Drop { destination } => destination.as_deref(),
        }
    }
}

/// Runs the command on the collector's folder.
pub(super) fn run(command: &DeadLetters, collector_dir: &Path) -> ExitCode {
    let text = match done(command, collector_dir) {
        Ok(text) => text,
        Err(error) => return super::fail(&error),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has gone: `bangui dead-letters list | head` is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => super::fail(&error),
        _ => ExitCode::SUCCESS,
    }
}

fn done(command: &DeadLetters, collector_dir: &Path) -> io::Result<String> {
    if let Some(name) = command.destination().filter(|name| !is_destination(name)) {
        return Err(io::Error::other(format!("{name:?} cannot be a destination's name")));
    }
    if !collector_dir.is_dir() {
        let path = collector_dir.display();
        let reason = format!("{path} is no folder; BANGUI_COLLECTOR_DIR names the collector's");
        return Err(io::Error::other(reason));
    }
    let folder = Folder::of(collector_dir);
    let states: &[State] = match command {
        DeadLetters::List { .. } => &[State::Dead, State::Replay],
        DeadLetters::Replay { .. } | DeadLetters::Drop { .. } => &[State::Dead],
    };
    let found = folder.find(command.destination(), states)?;
    match command {
        DeadLetters::List { is_json: true, .. } => Ok(json_lines(&found)),
        _ if found.letters.is_empty() => {
            Ok(format!("no dead letters in {}\n", folder.path().display()))
        }
        DeadLetters::List { .. } => Ok(table(&found)),
        DeadLetters::Replay { .. } => {
            each(&found, "will be sent once more", |letter| folder.replay(letter))
        }
        DeadLetters::Drop { .. } => each(&found, "removed", |letter| folder.drop(letter)),
    }
}

/// Does something with each file and says how many there were, by destination. A file that fails
/// keeps no other one back.
fn each(found: &Found, what: &str, act: impl Fn(&Letter) -> io::Result<()>) -> io::Result<String> {
    let mut counts: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    let mut failures = Vec::new();
    for letter in &found.letters {
        match act(letter) {
            Ok(()) => {
                let (files, records) = counts.entry(&letter.destination).or_default();
                *files += 1;
                *records += letter.header.as_ref().map_or(0, |header| header.records);
            }
            Err(error) => failures.push(format!("{}/{}: {error}", letter.destination, letter.name)),
        }
    }
    let mut text = String::new();
    for (destination, (files, records)) in counts {
        let _ = writeln!(text, "{destination}: {what} (files: {files}, records: {records})");
    }
    text.push_str(rest(found));
    match failures.first() {
        None => Ok(text),
        Some(first) => {
            let count = failures.len();
            Err(io::Error::other(format!("{text}{count} files failed, the first: {first}")))
        }
    }
}

fn rest(found: &Found) -> &'static str {
    const { assert!(FILES_MAX == 10_000, "the text below says how many") };
    if found.is_cut { "there are more than 10000 files; run this again for the rest\n" } else { "" }
}

/// A text of another server, on one line, without secrets and without what a terminal obeys.
fn shown(text: &str) -> String {
    let clean = sanitize::sanitize_for_logging(text);
    clean.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

fn json_lines(found: &Found) -> String {
    let mut text = String::new();
    for letter in &found.letters {
        let mut line = json!({
            "destination": letter.destination,
            "file": letter.name,
            "state": letter.state.as_str(),
            "bytes": letter.bytes,
        });
        if let Some(header) = &letter.header {
            line["signal"] = shown(&header.signal).into();
            line["records"] = header.records.into();
            line["reason"] = shown(&header.reason).into();
            line["first_refused_at"] = shown(&header.first_refused_at).into();
            line["given_up_at"] = shown(&header.given_up_at).into();
        }
        let _ = writeln!(text, "{line}");
    }
    text
}

fn table(found: &Found) -> String {
    let titles =
        ["DESTINATION", "STATE", "SIGNAL", "RECORDS", "BYTES", "FIRST REFUSED", "FILE", "REASON"];
    let mut rows = vec![titles.map(str::to_owned)];
    for letter in &found.letters {
        let header = letter.header.as_ref();
        let cell = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let reason = header.map(|header| shown(&header.reason));
        let reason = reason.map(|reason| reason.chars().take(REASON_MAX_CHARS).collect());
        rows.push([
            letter.destination.clone(),
            letter.state.as_str().to_owned(),
            cell(header.map(|header| shown(&header.signal))),
            cell(header.map(|header| header.records.to_string())),
            letter.bytes.to_string(),
            cell(header.map(|header| shown(&header.first_refused_at))),
            letter.name.clone(),
            cell(reason),
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text + rest(found)
}
