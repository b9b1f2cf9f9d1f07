//! Reads single settings out of the environment and collects what is wrong with them.
//!
//! Every reader returns a usable value and notes a [`Problem`] instead of stopping at the first
//! mistake, so that an operator sees all of them in one run.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::domain::Secret;

/// A secret file is a line of text; more than this is the wrong file.
const SECRET_FILE_MAX_BYTES: u64 = 16 * 1024;

/// One thing wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name.
    pub name: String,
    /// Why its value cannot be used. It never contains the value of a secret.
    pub reason: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The variables of one process and the problems found while reading them.
#[derive(Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Environment {
    /// The environment of this process. Values that are not UTF-8 are read lossily and then fail
    /// their own validation.
    pub fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        Self::from_pairs(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// An environment made of the given pairs. An empty value means unset.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: pairs.filter(|(_, value)| !value.is_empty()).collect(), problems: vec![] }
    }

    /// The text of a variable, or nothing when it is unset or empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    /// Whether any of the variables is set.
    pub fn any(&self, names: &[impl AsRef<str>]) -> bool {
        names.iter().any(|name| self.variables.contains_key(name.as_ref()))
    }

    /// The value of a variable, or the default.
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T) -> T
    where
        T::Err: Display,
    {
        self.optional(name).unwrap_or(default)
    }

    /// The value of a variable, or nothing when it is unset or wrong.
    pub fn optional<T: FromStr>(&mut self, name: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(name)?;
        text.parse().map_err(|error: T::Err| self.problem(name, format!("{error}"))).ok()
    }

    /// `true`, `false`, `1` or `0`.
    pub fn boolean(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).as_deref() {
            None => default,
            Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(_) => {
                self.problem(name, "must be true, false, 1 or 0");
                default
            }
        }
    }

    /// A whole number from 1 to `max`.
    pub fn number(&mut self, name: &str, default: usize, max: usize) -> usize {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(number) if (1..=max).contains(&number) => number,
            _ => {
                self.problem(name, format!("must be a whole number from 1 to {max}"));
                default
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.problem(name, format!("must be one of {}", words.join(", ")));
        default
    }

    /// A secret, from the variable itself or from the file that `NAME_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<Secret<String>> {
        Some(self.secret_of(&[name.to_owned(), format!("{name}_FILE")])?.1)
    }

    /// A secret, from the one of several variables that is set, with that variable's name. Those
    /// that end in `_FILE` name a file.
    pub fn secret_of(&mut self, sources: &[String]) -> Option<(String, Secret<String>)> {
        let mut set = sources.iter().filter(|name| self.variables.contains_key(*name));
        let name = set.next()?;
        if let Some(other) = set.next() {
            self.problem(name, format!("is set together with {other}; set one"));
            return None;
        }
        let text = self.text(name)?;
        if !name.ends_with("_FILE") {
            return Some((name.clone(), Secret::new(text)));
        }
        let secret = read_secret(&text).map_err(|reason| self.problem(name, reason)).ok()?;
        Some((name.clone(), secret))
    }

    /// Notes that a setting cannot be used.
    pub fn problem(&mut self, name: &str, reason: impl Into<String>) {
        self.problems.push(Problem { name: name.to_owned(), reason: reason.into() });
    }

    /// All names that are set and start with the prefix.
    pub fn names_with_prefix(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let prefix = prefix.to_owned();
        self.variables.keys().map(String::as_str).filter(move |name| name.starts_with(&prefix))
    }

    /// What was found wrong so far.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

fn read_secret(path: &str) -> Result<Secret<String>, String> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(SECRET_FILE_MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if text.len() as u64 > SECRET_FILE_MAX_BYTES {
        return Err(format!("is larger than {SECRET_FILE_MAX_BYTES} bytes"));
    }
    // Editors end a file with a line break, which is no part of the secret.
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err("is empty".into()),
        line if line.contains(['\r', '\n']) => Err("has more than one line".into()),
        line => Ok(Secret::new(line.to_owned())),
    }
}
