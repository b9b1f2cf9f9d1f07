//! Rules of the house that no compiler checks: which layer may name which, sizes, names, and what
//! must not be left behind. Every finding names its file and line.
//!
//! The sources are read as text in which comments and literals are blanked out (see [`blanked`]),
//! so that a word in a comment is no finding. Code under `#[cfg(test)]` and in files of tests may
//! do more than the rest.

#[path = "tidy/code.rs"]
mod code;

use std::fs;
use std::path::{Path, PathBuf};

use code::{blanked, block, is_word};

/// A longer file holds two things.
const FILE_LINES_MAX: usize = 500;
/// A longer function does two things.
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;
/// A purpose takes at least a few words to tell.
const PURPOSE_CHARS_MIN: usize = 20;

/// What each top-level module of the crate may name of the others. Dependencies go one way: main →
/// app → http → grpc → edge → auth, jails, settings → audit, history, lock → fail2ban, fetch, store
/// → domain. The doors `http` and `grpc` see use cases, never the store or fail2ban behind them.
const MAY_NAME: [(&str, &str); 22] = [
    ("lib", ""),
    ("proto", ""),
    ("main", "app cli config"),
    ("cli", "config proto telemetry"),
    (
        "app",
        "audit auth collector config domain edge fail2ban fetch history http jails lock scheduler \
         settings store telemetry",
    ),
    ("http", "auth config domain edge fetch grpc history jails settings telemetry"),
    ("grpc", "auth config domain edge history jails proto telemetry"),
    ("edge", "auth collector config domain history jails lock settings telemetry"),
    ("scheduler", "audit auth collector domain fail2ban history lock telemetry"),
    ("jails", "audit auth domain fail2ban history store telemetry"),
    ("settings", "audit auth config domain store telemetry"),
    ("history", "domain fail2ban store telemetry"),
    ("audit", "domain store telemetry"),
    ("lock", "store telemetry"),
    ("auth", "audit config domain store telemetry"),
    ("fail2ban", "domain telemetry"),
    ("collector", "fetch"),
    ("fetch", "telemetry"),
    ("store", "domain telemetry"),
    ("domain", ""),
    ("config", "domain"),
    ("telemetry", "config"),
];

/// Crates that only one module names.
const CRATES_OF: [(&str, &str); 9] = [
    ("opentelemetry", "telemetry"),
    ("opentelemetry_sdk", "telemetry"),
    ("opentelemetry_otlp", "telemetry"),
    ("opentelemetry_http", "telemetry"),
    ("tracing_opentelemetry", "telemetry"),
    ("tracing_subscriber", "telemetry"),
    ("sqlx", "store"),
    ("tower", "http"),
    ("matchit", "http"),
];

/// The domain is free of any runtime.
const CRATES_NOT_IN_DOMAIN: [&str; 6] =
    ["tokio", "tokio_util", "tracing", "hyper", "hyper_util", "futures_util"];

/// Event names without a component in front, by documentation.
const BARE_EVENTS: [&str; 1] = ["panic"];

const FOLDERS_LEFT_OUT: [&str; 7] =
    [".git", ".run", "data", "dist", "node_modules", "output", "target"];

/// A file of the repository.
struct Source {
    path: String,
    text: String,
}

/// A finding as `path:line: what`.
fn finding(path: &str, line: usize, what: &str) -> String {
    format!("{path}:{line}: {what}")
}

fn assert_none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}\n  {}\n", findings.join("\n  "));
}

/// All files below a folder of the repository whose names end in one of the given ways.
fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !FOLDERS_LEFT_OUT.contains(&name.as_str()) => {
                    folders.push(entry.path());
                }
                Ok(kind) if kind.is_file() && endings.iter().any(|it| name.ends_with(it)) => {
                    paths.push(entry.path());
                }
                _ => {}
            }
        }
    }
    paths.sort();
    let source = |path: &PathBuf| Source {
        path: path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned(),
        text: fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}")),
    };
    let found: Vec<_> = paths.iter().map(source).collect();
    assert!(!found.is_empty(), "nothing in {folder:?} ends in {endings:?}");
    found
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The places of a text in another, where no word goes on before it.
fn places(text: &str, what: &str) -> Vec<usize> {
    let starts_word = |at: &usize| {
        !what.as_bytes().first().is_some_and(|byte| is_word(*byte))
            || *at == 0
            || !is_word(text.as_bytes()[at - 1])
    };
    text.match_indices(what).map(|(at, _)| at).filter(starts_word).collect()
}

fn is_test_file(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs"))
}

/// The blanked code that runs in production: without modules of tests.
fn production(source: &Source) -> String {
    let mut code = blanked(&source.text);
    if is_test_file(&source.path) {
        return String::new();
    }
    while let Some(at) = code.find("#[cfg(test)]") {
        let end = block(&code, at + "#[cfg(test)]".len()).map(|(_, end)| end);
        let end = end.or_else(|| code[at..].find(';').map(|length| at + length));
        let end = end.unwrap_or(code.len() - 1);
        let blank = code[at..=end].replace(|symbol: char| symbol != '\n', " ");
        code.replace_range(at..=end, &blank);
    }
    code
}

/// The top-level module of a file of `src/`.
fn module(path: &str) -> &str {
    let rest = path.strip_prefix("src/").unwrap_or(path);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

/// How many modules deep a file is: `src/http/mod.rs` is 1, `src/http/stack.rs` is 2.
fn depth(path: &str) -> usize {
    let rest = path.strip_prefix("src/").unwrap_or(path);
    rest.split('/').count() - usize::from(rest.ends_with("/mod.rs"))
}

fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word(byte)).unwrap_or(text.len());
    &text[..end]
}

/// The first words of the paths in a list: `{auth, store::{self, Row}}` gives both names.
fn names_of_list(text: &str) -> Vec<&str> {
    let (mut depth, mut names, mut is_start) = (0_usize, Vec::new(), false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => {
                depth += 1;
                is_start = depth == 1;
            }
            b'}' if depth == 1 => break,
            b'}' => depth -= 1,
            b',' if depth == 1 => is_start = true,
            byte if is_start && is_word(byte) => {
                names.push(first_word(&text[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    names
}

/// The modules of the crate that a file names, each with its place.
fn edges<'a>(path: &str, code: &'a str) -> Vec<(usize, &'a str)> {
    let to_root = "super::".repeat(depth(path));
    let mut found = Vec::new();
    for prefix in ["crate::", "bangui::", to_root.as_str()] {
        for at in places(code, prefix) {
            let rest = &code[at + prefix.len()..];
            match rest.starts_with('{') {
                true => found.extend(names_of_list(rest).into_iter().map(|name| (at, name))),
                false => found.push((at, first_word(rest))),
            }
        }
    }
    found.retain(|(_, name)| name.starts_with(|it: char| it.is_ascii_lowercase()));
    found
}

fn wrong_edges(path: &str, code: &str) -> Vec<String> {
    let own = module(path);
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == own) else {
        return vec![finding(path, 1, &format!("the module {own} has no place among the layers"))];
    };
    let mut findings = Vec::new();
    for (at, name) in edges(path, code) {
        if name != own && !allowed.split(' ').any(|it| it == name) {
            let what = format!("{own} may not name crate::{name}");
            findings.push(finding(path, line_of(code, at), &what));
        }
    }
    findings
}

fn wrong_crates(path: &str, code: &str) -> Vec<String> {
    let own = module(path);
    let owned = CRATES_OF.iter().filter(|(_, owner)| *owner != own);
    let runtime = CRATES_NOT_IN_DOMAIN.iter().filter(|_| own == "domain");
    let mut findings = Vec::new();
    for name in owned.map(|(name, _)| name).chain(runtime) {
        for at in places(code, name) {
            let follows = &code[at + name.len()..];
            // `sqlx::` and `use sqlx;`, but not `sqlx_like::` or a field of that name.
            if follows.starts_with("::") || follows.starts_with(';') {
                let what = format!("{own} may not name the crate {name}");
                findings.push(finding(path, line_of(code, at), &what));
            }
        }
    }
    findings
}

fn long_functions(path: &str, code: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for at in places(code, "fn ") {
        let Some((start, end)) = block(code, at) else { continue };
        let lines = code[start..end].matches('\n').count().saturating_sub(1);
        if lines > FUNCTION_LINES_MAX {
            let name = first_word(&code[at + "fn ".len()..]);
            let what = format!("{name} has a body of {lines} lines");
            findings.push(finding(path, line_of(code, at), &what));
        }
    }
    findings
}

fn forbidden(path: &str, code: &str, words: &[&str]) -> Vec<String> {
    let hits =
        words.iter().flat_map(|word| places(code, word).into_iter().map(move |at| (at, word)));
    hits.map(|(at, word)| finding(path, line_of(code, at), &format!("{word} is left"))).collect()
}

/// Events without a name, or with a name that says too little.
fn wrong_events(source: &Source, code: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace", "event", "$level", "report"] {
        for at in places(code, &format!("{level}!(")) {
            let start = at + level.len() + 2;
            // The blanked code and the text have the same offsets.
            let arguments = source.text[start..].trim_start();
            let name = arguments.strip_prefix("name: \"").and_then(|rest| rest.split('"').next());
            let what = match name {
                // A macro that was given the name; where it is used, the name is looked at.
                None if arguments.starts_with("name: $name") => continue,
                None => "an event without a name".to_owned(),
                Some(name) if is_event_name(name) => continue,
                Some(name) => format!("{name:?} is not COMPONENT_WHAT in snake_case"),
            };
            findings.push(finding(&source.path, line_of(code, at), &what));
        }
    }
    findings
}

fn is_event_name(name: &str) -> bool {
    let is_snake = name.split('_').all(|part| {
        !part.is_empty() && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    });
    is_snake && (name.contains('_') || BARE_EVENTS.contains(&name))
}

/// Runs a check over the production code of `src/`.
fn in_production(check: impl Fn(&Source, &str) -> Vec<String>) -> Vec<String> {
    let all = sources("src", &[".rs"]);
    all.iter().flat_map(|source| check(source, &production(source))).collect()
}

#[test]
fn dependencies_go_one_way() {
    let findings = in_production(|source, code| wrong_edges(&source.path, code));
    assert_none("a layer names what stands above or beside it:", &findings);
}

#[test]
fn crates_are_named_where_they_belong() {
    let findings = in_production(|source, code| wrong_crates(&source.path, code));
    assert_none("a crate is named outside of its layer:", &findings);
}

#[test]
fn every_rust_file_opens_with_its_purpose() {
    let all = sources(".", &[".rs"]);
    let missing = all.iter().filter(|source| !source.text.starts_with("//! "));
    let findings: Vec<_> =
        missing.map(|source| finding(&source.path, 1, "no `//!` in the first line")).collect();
    assert_none("a file does not say what it is for:", &findings);
}

#[test]
fn every_script_opens_with_its_purpose() {
    let mut all = sources(".", &[".sh"]);
    all.extend(sources(".ci", &["run"]));
    let has_purpose = |source: &&Source| {
        let mut lines = source.text.lines();
        let is_script = lines.next().is_some_and(|line| line.starts_with("#!"));
        let purpose = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
        is_script && purpose.chars().count() >= PURPOSE_CHARS_MIN
    };
    let missing = all.iter().filter(|source| !has_purpose(source));
    let findings: Vec<_> =
        missing.map(|source| finding(&source.path, 2, "no purpose in the second line")).collect();
    assert_none("a script does not say what it is for:", &findings);
}

#[test]
fn files_are_short() {
    let all = sources(".", &[".rs", ".ts", ".svelte", ".mjs", ".css", ".sh", ".yaml", ".yml"]);
    let findings: Vec<_> = all
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(source, lines)| finding(&source.path, lines, "is the last line"))
        .collect();
    assert_none(&format!("a file has more than {FILE_LINES_MAX} lines:"), &findings);
}

#[test]
fn functions_are_short() {
    let all = sources("src", &[".rs"]);
    let findings: Vec<_> =
        all.iter().flat_map(|it| long_functions(&it.path, &blanked(&it.text))).collect();
    assert_none(&format!("a function has more than {FUNCTION_LINES_MAX} lines:"), &findings);
}

#[test]
fn lines_are_short() {
    let mut findings = Vec::new();
    for source in sources("src", &[".rs"]) {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                findings.push(finding(&source.path, index + 1, &format!("{columns} columns")));
            }
        }
    }
    assert_none(&format!("a line has more than {COLUMNS_MAX} columns:"), &findings);
}

#[test]
fn events_are_named_component_first() {
    assert_none("an event has no proper name:", &in_production(wrong_events));
}

#[test]
fn nothing_unfinished_is_left() {
    let all = sources(".", &[".rs"]);
    let words = ["dbg!", "todo!", "unimplemented!", "#[ignore"];
    let findings: Vec<_> =
        all.iter().flat_map(|it| forbidden(&it.path, &blanked(&it.text), &words)).collect();
    assert_none("something is unfinished:", &findings);
}

#[test]
fn production_code_does_not_give_up() {
    let words = [".unwrap()", ".expect("];
    let findings = in_production(|source, code| forbidden(&source.path, code, &words));
    assert_none("an error ends the process instead of being handled:", &findings);
}

#[test]
fn the_checks_see_through_comments_literals_and_tests() {
    let text = "fn a() { b(\"{ .unwrap()\"); } // .unwrap()\n\
        #[cfg(test)]\nmod tests { fn c() { d.unwrap(); } }\n\
        fn e<'a>(f: &'a str) { g('{', '\\'', br#\"}\"#); h.unwrap(); }\n";
    let source = Source { path: "src/domain/x.rs".into(), text: text.into() };
    let code = production(&source);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.matches(['{', '}']).count(), 4, "{code}");
    let left = forbidden(&source.path, &code, &[".unwrap()"]);
    assert_eq!(left, ["src/domain/x.rs:4: .unwrap() is left"]);
}

#[test]
fn the_checks_find_what_they_forbid() {
    let edge = |path: &str, code: &str| wrong_edges(path, code).len();
    assert_eq!(edge("src/domain/x.rs", "use crate::{store::{self, http}, domain};"), 1);
    assert_eq!(edge("src/store/x.rs", "use super::super::http::Call; use super::mod_x;"), 1);
    assert_eq!(edge("src/grpc/api/x.rs", "use crate::http::Server; use crate::jails;"), 1);
    assert_eq!(edge("src/jails/mod.rs", "use crate::store::Error;"), 0);
    assert_eq!(edge("src/new/mod.rs", ""), 1);
    let named = |path: &str, code: &str| wrong_crates(path, code).len();
    assert_eq!(named("src/domain/x.rs", "use tokio::time; fn f(tokio_like: u8) {}"), 1);
    assert_eq!(named("src/http/x.rs", "sqlx::query(); tracing::info!(); sqlx_like::f();"), 1);
    let long = format!("fn f() {{\n{}}}\n", "a();\n".repeat(FUNCTION_LINES_MAX + 1));
    assert_eq!(long_functions("x.rs", &long), ["x.rs:1: f has a body of 71 lines"]);
    let text = "info!(\"text\"); warn!(\n  name: \"short\", a); info!(name: \"a_b\");".to_owned();
    let source = Source { path: "x.rs".into(), text };
    assert_eq!(wrong_events(&source, &blanked(&source.text)).len(), 2);
}
