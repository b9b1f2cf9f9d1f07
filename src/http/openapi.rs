//! The document of the JSON API (OpenAPI 3.1): what the table of routes knows, and beside it what
//! it does not, the words and shapes in `openapi/*.json`.
//!
//! A route is documented by an operation `"METHOD /pattern"` in one of those files. They use
//! OpenAPI's own terms, but for what is the same everywhere and is filled in here:
//! - a text as an answer or a request is JSON with the schema of that name; null is no content;
//! - `problems` are statuses whose answers are problem documents; any other status is one, too;
//! - parameters of the path, and who may call, come from the table;
//! - an object's properties are all `required`, unless it says itself which are.
//!
//! Tests hold the files against the table, and every answer that a test gets against its schema.

use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};

use super::router::{Access, Route};
use super::table::ROUTES;

const INDEX: &str = include_str!("openapi/index.json");
/// Each with operations and schemas of a subject.
const PARTS: [&str; 6] = [
    include_str!("openapi/auth.json"),
    include_str!("openapi/bans.json"),
    include_str!("openapi/blocklists.json"),
    include_str!("openapi/common.json"),
    include_str!("openapi/scheduler.json"),
    include_str!("openapi/telemetry.json"),
];
/// The page is no part of the API.
const NOT_OF_THE_API: [&str; 1] = ["/"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = parse(INDEX);
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let (operations, mut schemas) = parts();
    schemas.values_mut().for_each(require_properties);
    document["components"]["schemas"] = schemas.into();
    let mut paths = Map::new();
    for route in routes() {
        let Some(operation) = operations.get(&key(route)) else { continue };
        let path = paths.entry(route.pattern).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = complete(route, operation);
    }
    document["paths"] = paths.into();
    document
});

/// The whole document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| !NOT_OF_THE_API.contains(&route.pattern))
}

/// What a route is called in the files.
fn key(route: &Route) -> String {
    format!("{} {}", route.method, route.pattern)
}

/// The files are a part of the program, and a test reads them all.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// All operations and all schemas.
fn parts() -> (Map<String, Value>, Map<String, Value>) {
    let (mut operations, mut schemas) = (Map::new(), Map::new());
    for mut part in PARTS.map(parse) {
        for (name, all) in [("operations", &mut operations), ("schemas", &mut schemas)] {
            if let Value::Object(own) = part[name].take() {
                all.extend(own);
            }
        }
    }
    (operations, schemas)
}

fn require_properties(schema: &mut Value) {
    let names = schema["properties"].as_object().map(|it| it.keys().cloned().collect::<Vec<_>>());
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(names) = names {
        object.entry("required").or_insert_with(|| names.into());
    }
    object.values_mut().for_each(require_properties);
}

/// An operation with what the table and the rules above add to it.
fn complete(route: &Route, operation: &Value) -> Value {
    let mut operation = operation.clone();
    let problems = operation["problems"].take();
    if let Some(object) = operation.as_object_mut() {
        object.remove("problems");
    }
    if let Some(schema) = operation["requestBody"].as_str() {
        operation["requestBody"] = json!({ "required": true, "content": content(schema) });
    } else if let Some(object) = operation.as_object_mut() {
        object.remove("requestBody");
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, response) in responses.iter_mut() {
            let description = reason(status);
            match response.take() {
                Value::String(schema) => {
                    *response = json!({ "description": description, "content": content(&schema) });
                }
                Value::Null => *response = json!({ "description": description }),
                whole => *response = whole,
            }
        }
        let own = problems.as_array().into_iter().flatten().map(ToString::to_string);
        for status in own.chain(refusals(route)).chain(["default".to_owned()]) {
            responses.insert(status, json!({ "$ref": "#/components/responses/Problem" }));
        }
    }
    let mut parameters: Vec<Value> = variables(route.pattern)
        .map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect();
    parameters.extend(operation["parameters"].as_array().cloned().unwrap_or_default());
    operation["parameters"] = parameters.into();
    operation["security"] = match route.access {
        Access::Open => json!([]),
        Access::Read | Access::Write => json!([{ "session": [] }, { "token": [] }]),
        Access::Session => json!([{ "session": [] }]),
    };
    operation
}

fn content(schema: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    json!({ "application/json": { "schema": schema } })
}

fn reason(status: &str) -> &'static str {
    let status = http::StatusCode::from_bytes(status.as_bytes()).ok();
    status.and_then(|status| status.canonical_reason()).unwrap_or("An answer")
}

/// The statuses by which the door turns callers away.
fn refusals(route: &Route) -> impl Iterator<Item = String> {
    let is_closed = route.access != Access::Open;
    let can_be_forbidden = route.method != Method::GET || route.access == Access::Session;
    let statuses = [(is_closed, "401"), (can_be_forbidden, "403")];
    statuses.into_iter().filter(|(is_so, _)| *is_so).map(|(_, status)| status.to_owned())
}

fn variables(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let routes: BTreeSet<_> = routes().map(key).collect();
        let documented: BTreeSet<_> = parts().0.keys().cloned().collect();
        let missing: Vec<_> = routes.difference(&documented).collect();
        let add = "write an operation for each into a file of src/http/openapi";
        assert!(missing.is_empty(), "routes of the table without a document: {missing:#?}; {add}");
        let unknown: Vec<_> = documented.difference(&routes).collect();
        assert!(unknown.is_empty(), "documented, but not in the table of routes: {unknown:#?}");
    }

    #[test]
    fn the_files_are_json_and_no_name_is_in_two_of_them() {
        let mut names = BTreeSet::new();
        for text in PARTS.into_iter().chain([INDEX]) {
            let part: Value = serde_json::from_str(text).unwrap();
            for kind in ["operations", "schemas"] {
                for name in part[kind].as_object().into_iter().flat_map(Map::keys) {
                    assert!(names.insert((kind, name.clone())), "{name} is there twice");
                }
            }
        }
    }

    /// Every value of a key, wherever it stands.
    fn values<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get(key));
                object.values().for_each(|value| values(value, key, found));
            }
            Value::Array(array) => array.iter().for_each(|value| values(value, key, found)),
            _ => {}
        }
    }

    #[test]
    fn what_is_referred_to_is_there_and_used() {
        let document = document();
        let mut references = Vec::new();
        values(document, "$ref", &mut references);
        let references: BTreeSet<_> = references.iter().map(|it| it.as_str().unwrap()).collect();
        for reference in &references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} is nowhere");
        }
        for kind in ["schemas", "parameters", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(references.contains(reference.as_str()), "{reference} is not used");
            }
        }
    }

    #[test]
    fn operations_have_names_words_and_answers() {
        let (operations, _) = parts();
        let mut ids = BTreeSet::new();
        for (key, operation) in operations {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            assert!(!id.is_empty() && ids.insert(id), "{key} needs an operationId of its own");
            assert!(operation["summary"].is_string(), "{key} has no summary");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|it| it.starts_with('2')), "{key} never succeeds");
        }
    }
}
