//! What a label of a metric may say: a shape for each name, in one table. A label that does not
//! stand here, or a value of another shape, may tell of a person or grow without end.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use super::repository;

/// Whether a value is what the label may say.
type Shape = fn(&str) -> bool;

/// The shapes, by the attribute's name in OTLP; in Prometheus its dots are underscores.
const SHAPES: &[(&str, Shape)] = &[
    ("bangui.auth.kind", |it| ["session", "bearer"].contains(&it)),
    ("bangui.ban.source", |it| ["log", "list"].contains(&it)),
    ("bangui.fail2ban.command", is_word_of_the_source),
    ("bangui.fail2ban.jail", is_jail),
    ("bangui.live.listener", |it| ["page", "program"].contains(&it)),
    ("bangui.log.level", |it| ["debug", "info", "warning", "error", "critical"].contains(&it)),
    ("bangui.log.lost.reason", is_word_of_the_source),
    ("bangui.result", |it| ["success", "unchanged", "failure"].contains(&it)),
    ("bangui.sanitizer.rule", is_word_of_the_source),
    ("bangui.task.name", is_word_of_the_source),
    ("bangui.telemetry.signal", |it| ["traces", "metrics", "logs"].contains(&it)),
    ("cpu.mode", |it| ["user", "system"].contains(&it)),
    ("db.collection.name", is_word_of_the_source),
    ("db.operation.name", |it| it.len() < 20 && it.bytes().all(|it| it.is_ascii_uppercase())),
    ("db.system.name", |it| ["sqlite", "postgresql"].contains(&it)),
    ("endpoint", |it| it == "other" || is_endpoint(it)),
    ("error.type", is_word_of_the_source),
    ("http.request.method", is_method),
    ("http.response.status_code", |it| it.parse().is_ok_and(|it| (200..600).contains(&it))),
    ("http.route", is_endpoint),
    ("jail", is_jail),
    ("job", |it| it == "bangui"),
    ("le", |it| it == "+Inf" || it.parse::<f64>().is_ok()),
    ("method", is_method),
    ("rating", |it| ["good", "needs-improvement", "poor"].contains(&it)),
    ("rpc.method", |it| it == "_OTHER" || is_endpoint(&format!("/{it}"))),
    // The names of google.rpc.Code.
    ("rpc.response.status_code", |it| it.bytes().all(|it| it.is_ascii_uppercase() || it == b'_')),
    ("rpc.system.name", |it| it == "grpc"),
    ("status_class", |it| ["2xx", "3xx", "4xx", "5xx", "none"].contains(&it)),
    ("status_code", |it| {
        ["4xx", "5xx"].contains(&it) || it.parse().is_ok_and(|it| (200..400).contains(&it))
    }),
    ("url.scheme", |it| ["http", "https"].contains(&it)),
    ("web_vital", |it| ["CLS", "FCP", "FID", "INP", "LCP", "TTFB"].contains(&it)),
    // Of the resource: which instance it is, not who uses it.
    ("host.name", is_name),
    ("instance", is_name),
    ("process.pid", |it| it.parse::<u32>().is_ok()),
    ("service.version", is_name),
    ("telemetry.sdk.language", |it| it == "rust"),
    ("telemetry.sdk.name", |it| it == "opentelemetry"),
    ("telemetry.sdk.version", is_name),
];

/// The jails of the tests that look at labels, and those beyond the limit.
const JAILS: [&str; 3] = ["sshd", "web-1", "other"];

fn is_jail(value: &str) -> bool {
    JAILS.contains(&value)
}

fn is_method(value: &str) -> bool {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    value == "_OTHER" || known.contains(&value)
}

/// One name of a host, a version or an id; its length has a limit.
fn is_name(value: &str) -> bool {
    let is_usual = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_' | ':');
    (1..=100).contains(&value.len()) && value.chars().all(is_usual)
}

/// Whether it stands in the source as a whole literal, so that nobody else has made it up.
fn is_word_of_the_source(value: &str) -> bool {
    static SOURCE: OnceLock<String> = OnceLock::new();
    let source = SOURCE.get_or_init(|| {
        let mut source = String::new();
        add_source(&repository().join("src"), &mut source);
        source
    });
    let is_word = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | ' ' | '-');
    value.chars().all(is_word) && source.contains(&format!("\"{value}\""))
}

fn add_source(folder: &Path, source: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_source(&path, source);
        } else if path.extension().is_some_and(|it| it == "rs") {
            source.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// A template of the table of routes, or a method of the gRPC API.
fn is_endpoint(value: &str) -> bool {
    static ENDPOINTS: OnceLock<BTreeSet<String>> = OnceLock::new();
    let all = ENDPOINTS.get_or_init(|| {
        let table = fs::read_to_string(repository().join("src/http/table.rs")).unwrap();
        let named = table.split("\" as \"").skip(1).filter_map(|rest| rest.split('"').next());
        named.map(str::to_owned).collect()
    });
    assert!(all.len() > 20, "too few routes are found: {all:?}");
    all.contains(value) || is_rpc(value)
}

/// `/package.Service/Method`, as far as its services are known; what a stranger asks for beside
/// them is `_OTHER`.
fn is_rpc(value: &str) -> bool {
    let Some((service, method)) = value.strip_prefix('/').and_then(|it| it.split_once('/')) else {
        return false;
    };
    let is_service = ["bangui.v1.", "grpc.health.v1.", "grpc.reflection.v1"]
        .iter()
        .any(|package| service.starts_with(package));
    is_service && (method == "_OTHER" || method.bytes().all(|it| it.is_ascii_alphabetic()))
}

/// The shape of a label by its name in OTLP or in Prometheus.
fn shape(name: &str) -> Option<Shape> {
    let is_it = |own: &str| own == name || own.replace('.', "_") == name;
    SHAPES.iter().find(|(own, _)| is_it(own)).map(|(_, shape)| *shape)
}

/// Says of each label that is wrong what it is; each is a name and a value.
pub(crate) fn wrong<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    let problem = |(name, value): (&str, &str)| match shape(name) {
        None => Some(format!("{name}: no such label is known ({value:?})")),
        Some(is_right) => (!is_right(value)).then(|| format!("{name}: {value:?}")),
    };
    labels.into_iter().filter_map(problem).collect()
}

/// All labels of an exposition, with their values as they are escaped.
pub(crate) fn of_exposition(text: &str) -> Vec<(&str, &str)> {
    let mut labels = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, mut rest)) = line.split_once('{') else { continue };
        while let Some((name, value)) = rest.split_once("=\"") {
            let end = value.match_indices('"').find(|(at, _)| !value[..*at].ends_with('\\'));
            let (end, _) = end.unwrap_or_else(|| panic!("no end of a value: {line}"));
            labels.push((name.trim_start_matches(','), &value[..end]));
            rest = &value[end + 1..];
        }
    }
    labels
}

#[test]
fn other_labels_and_other_values_are_found() {
    let right = [("endpoint", "/api/bans/{id}/{id}"), ("error_type", "timeout"), ("le", "0.5")];
    assert_eq!(wrong(right), BTreeSet::new());
    for label in [
        ("user", "admin"),
        ("endpoint", "/api/bans/sshd/203.0.113.1"),
        ("http.route", "/nobody"),
        ("error.type", "203.0.113.1"),
        ("jail", "a-jail-that-a-stranger-named"),
        ("method", "BREW"),
        ("instance", "somebody@example.com"),
        ("le", "somebody"),
    ] {
        assert_eq!(wrong([label]).len(), 1, "{label:?}");
    }
    let text = "# HELP a b{c=\"d\"}\na{x=\"1,\\\"2\",y=\"3\"} 4\nb 5\n";
    assert_eq!(of_exposition(text), [("x", "1,\\\"2"), ("y", "3")]);
}
