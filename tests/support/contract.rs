//! Holds every answer that a test gets from BanGUI against the document of its API: the status must
//! be one that is documented, the body what the schema says, and nothing that it does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bangui::http::openapi_document;
use http::HeaderMap;
use jsonschema::Validator;
use serde_json::{Value, json};

/// The path's template in the document; nothing for what is no part of the API.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let parts: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let own: Vec<_> = template.split('/').collect();
        let is_variable = |own: &str, part: &str| own.starts_with('{') && !part.is_empty();
        own.len() == parts.len()
            && own.iter().zip(&parts).all(|(own, part)| own == part || is_variable(own, part))
    };
    let paths = openapi_document()["paths"].as_object().unwrap();
    let exact = paths.keys().find(|template| *template == path);
    exact.or_else(|| paths.keys().find(|template| fits(template))).map(String::as_str)
}

/// Fails unless this answer is documented.
#[track_caller]
pub(super) fn check(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &str) {
    let Some(template) = template(path) else { return };
    let operation = &openapi_document()["paths"][template][method.to_ascii_lowercase().as_str()];
    // Other methods are refused for the table's sake, and HEAD has no body.
    if operation.is_null() {
        return;
    }
    let place = format!("{method} {template} {status}");
    let responses = &operation["responses"];
    let response = match &responses[status.to_string().as_str()] {
        Value::Null if status >= 400 => &responses["default"],
        known => known,
    };
    assert!(!response.is_null(), "{place} is not in the document of the API");
    let response = match response["$ref"].as_str() {
        Some(reference) => openapi_document().pointer(&reference[1..]).unwrap(),
        None => response,
    };
    let Some(content) = response["content"].as_object() else {
        assert!(body.is_empty(), "{place} has no content in the document, and here: {body}");
        return;
    };
    let media_type = headers.get("content-type").and_then(|it| it.to_str().ok()).unwrap_or("");
    let media_type = media_type.split(';').next().unwrap();
    let schema =
        &content.get(media_type).unwrap_or_else(|| panic!("{place} is {media_type:?}"))["schema"];
    if media_type.ends_with("json") {
        let body: Value = serde_json::from_str(body).unwrap();
        let found: Vec<_> = validator(schema)
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(found.is_empty(), "{place} is not as documented: {found:#?} in {body}");
    }
}

/// What a schema says, with nothing beside it. Each is prepared once.
fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let prepare = || {
        let mut whole = schema.clone();
        let mut schemas = json!({ "schemas": openapi_document()["components"]["schemas"] });
        close(&mut schemas);
        whole["components"] = schemas;
        whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        let options = jsonschema::options().should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap())
    };
    Arc::clone(known.entry(schema.to_string()).or_insert_with(prepare))
}

/// Clients must bear properties that they do not know; tests must find those that nobody wrote
/// down.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("properties").is_some_and(Value::is_object) {
                object.entry("additionalProperties").or_insert(false.into());
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn is_refused(method: &'static str, path: &'static str, status: u16, body: Value) -> bool {
        let result = catch_unwind(move || {
            let mut headers = HeaderMap::new();
            let kind = if status < 400 { "application/json" } else { "application/problem+json" };
            headers.insert("content-type", kind.parse().unwrap());
            check(method, path, status, &headers, &body.to_string());
        });
        result.is_err()
    }

    #[test]
    fn what_is_not_as_documented_is_found() {
        let health = json!({ "status": "ok", "degraded": [], "version": "1" });
        assert!(!is_refused("GET", "/health?x", 200, health.clone()));
        assert!(is_refused("GET", "/health", 201, health.clone()), "another status");
        let change = |key: &str, value: Value| {
            let mut other = health.clone();
            other[key] = value;
            other
        };
        let other = change("status", "fine".into());
        assert!(is_refused("GET", "/health", 200, other), "another word");
        let other = change("note", "new".into());
        assert!(is_refused("GET", "/health", 200, other), "one property more");
        let other = json!({ "status": "ok", "degraded": [] });
        assert!(is_refused("GET", "/health", 200, other), "one less");
        assert!(is_refused("GET", "/api/jails/sshd", 404, json!({ "title": "no" })), "no problem");
        assert!(!is_refused("GET", "/somewhere/else", 200, json!(1)), "no part of the API");
    }
}
