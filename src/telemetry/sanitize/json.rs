//! JSON: by key and string by string, so that a document stays a document.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::rule::Rule;
use super::value::{container_end, is_masked, is_plain, is_space, quoted_end};
use super::{MASK, flat, keys, sanitize_for_logging};

/// What is nested deeper is no field that anybody reads, and recursion must end.
const MAX_DEPTH: usize = 64;

/// Masks what stands under a key that names a secret and sanitizes all other strings.
pub fn sanitize_json(value: &mut Value) {
    sanitize_at(value, 0);
}

fn sanitize_at(value: &mut Value, depth: usize) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if let std::borrow::Cow::Owned(changed) = sanitize_for_logging(text) {
                *text = changed;
            }
        }
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            Rule::Field.count();
            *value = Value::String(MASK.to_owned());
        }
        Value::Array(items) => items.iter_mut().for_each(|item| sanitize_at(item, depth + 1)),
        Value::Object(fields) => {
            let mut renamed = Vec::new();
            for (key, field) in fields.iter_mut() {
                if keys::classify(key).is_some() {
                    mask(field);
                } else {
                    sanitize_at(field, depth + 1);
                }
                if let std::borrow::Cow::Owned(changed) = sanitize_for_logging(key) {
                    renamed.push((key.clone(), changed));
                }
            }
            for (key, changed) in renamed {
                if let Some(field) = fields.remove(&key) {
                    fields.insert(changed, field);
                }
            }
        }
    }
}

/// Masks the value of a field whose key names a secret; whether there is one may be told.
fn mask(field: &mut Value) {
    let masked = field.as_str().is_some_and(is_masked);
    if masked || matches!(field, Value::Null | Value::Bool(_)) {
        return;
    }
    Rule::Field.count();
    *field = Value::String(MASK.to_owned());
}

/// Redacts a text that is one JSON document: `None` if it is none, `Some(None)` if it is one
/// without any secret.
pub(super) fn redact_document(text: &str) -> Option<Option<String>> {
    let trimmed = text.trim_ascii();
    let ends = (trimmed.as_bytes().first()?, trimmed.as_bytes().last()?);
    if !matches!(ends, (b'{', b'}') | (b'[', b']') | (b'"', b'"')) {
        return None;
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut document = Document { text, output: String::new(), copied: 0 };
    document.redact();
    Some(document.finish())
}

/// A valid document on its way to the output.
struct Document<'t> {
    text: &'t str,
    output: String,
    copied: usize,
}

impl Document<'_> {
    fn redact(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'"', &bytes[at..]) {
            let string = self.string_at(at + found);
            at = string.end + 1;
            let after = skip_space(bytes, at);
            self.sanitize_string(string.clone());
            if bytes.get(after) == Some(&b':') && is_secret(&self.text[string]) {
                at = self.mask_value(skip_space(bytes, after + 1));
            }
        }
    }

    /// The content of the string whose opening quote stands at `quote`.
    fn string_at(&self, quote: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let start = quote + 1;
        start..quoted_end(bytes, start, b'"', 0)
    }

    fn sanitize_string(&mut self, string: Range<usize>) {
        if let Some(changed) = flat::redact(&self.text[string.clone()]) {
            self.replace(string, &changed);
        }
    }

    /// Masks the value that starts at `start` and tells where to read on.
    fn mask_value(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let value = match bytes.get(start) {
            Some(b'"') => self.string_at(start),
            Some(b'{' | b'[') => start..container_end(bytes, start, false),
            _ => {
                let part = |byte: &u8| !is_space(*byte) && !matches!(byte, b',' | b'}' | b']');
                start..start + bytes[start..].iter().take_while(|byte| part(byte)).count()
            }
        };
        let content = &self.text[value.clone()];
        if is_plain(content) || is_masked(content) || content.is_empty() {
            return start;
        }
        let end = value.end;
        Rule::Field.count();
        if bytes.get(start) == Some(&b'"') {
            self.replace(value, MASK);
            return end + 1;
        }
        self.replace(value, &format!("\"{MASK}\""));
        end
    }

    fn replace(&mut self, range: Range<usize>, with: &str) {
        self.output.push_str(&self.text[self.copied..range.start]);
        self.output.push_str(with);
        self.copied = range.end;
    }

    fn finish(mut self) -> Option<String> {
        if self.copied == 0 {
            return None;
        }
        self.output.push_str(&self.text[self.copied..]);
        Some(self.output)
    }
}

/// A key may be written with escapes.
fn is_secret(raw: &str) -> bool {
    if !raw.contains('\\') {
        return keys::classify(raw).is_some();
    }
    let unescaped = serde_json::from_str::<String>(&format!("\"{raw}\""));
    unescaped.is_ok_and(|key| keys::classify(&key).is_some())
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| is_space(**byte)).count()
}
