//! JSON: by key and string by string, so that a document stays a document.
//!
//! A document that comes as text keeps its order, its numbers and its white space: only what is
//! secret is written anew. One that comes as a value gets the same changes.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::lines::KeyLines;
use super::list::{self, Arguments};
use super::rules::Rule;
use super::value::{container_end, is_masked, is_plain, is_space, quoted_end};
use super::{MASK, keys, pass, sanitize_for_logging, scan};

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
            if let Cow::Owned(changed) = sanitize_for_logging(text) {
                *text = changed;
            }
        }
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => {
            Rule::Field.count();
            *value = Value::String(MASK.to_owned());
        }
        Value::Array(items) => sanitize_items(items, depth),
        Value::Object(fields) => {
            let mut renamed = Vec::new();
            let named = named_value(fields);
            for (key, field) in fields.iter_mut() {
                let clean = sanitize_for_logging(key);
                // What is left of a key without its secret is a key too.
                let is_secret = |key: &str| keys::classify(key).is_some();
                if named.as_deref() == Some(key) {
                    mask(field, Rule::NamedPair);
                } else if is_secret(key) || is_secret(&clean) {
                    mask(field, Rule::Field);
                } else {
                    sanitize_at(field, depth + 1);
                }
                if let Cow::Owned(changed) = clean {
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

fn sanitize_items(items: &mut Vec<Value>, depth: usize) {
    // The lines of a private key may be the items of a list.
    let mut key_lines = KeyLines::default();
    items.retain(|item| item.as_str().is_none_or(|text| !key_lines.belongs(text)));
    let mut arguments = Arguments::default();
    let count = items.len();
    for (index, item) in items.iter_mut().enumerate() {
        match item {
            Value::String(text) => match arguments.secret(text, index + 1 == count) {
                Some(start) => {
                    Rule::Argument.count();
                    *text = list::masked_from(text, start);
                }
                None => sanitize_at(item, depth + 1),
            },
            Value::Number(number) => {
                if arguments.secret(&number.to_string(), index + 1 == count).is_some() {
                    mask(item, Rule::Argument);
                }
            }
            _ => {
                arguments.skip();
                sanitize_at(item, depth + 1);
            }
        }
    }
}

/// The field that holds the value, where another one says that it is a secret.
fn named_value(fields: &serde_json::Map<String, Value>) -> Option<String> {
    let is_secret = |(key, name): (&String, &Value)| {
        list::is_name_field(key) && name.as_str().is_some_and(list::names_secret)
    };
    fields.iter().any(is_secret).then_some(())?;
    fields.keys().find(|key| list::is_value_field(key)).cloned()
}

/// Masks the value of a field whose key names a secret; whether there is one may be told.
fn mask(field: &mut Value, rule: Rule) {
    let masked = field.as_str().is_some_and(|text| text.is_empty() || is_masked(text));
    if masked || matches!(field, Value::Null | Value::Bool(_)) {
        return;
    }
    rule.count();
    *field = Value::String(MASK.to_owned());
}

/// Sanitizes a text that has to be one JSON value: the text with only the secrets changed.
///
/// # Errors
/// The text is no JSON value.
pub fn sanitize_json_text(text: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text)?;
    Ok(sanitize_for_logging(text))
}

/// Redacts a text that is one JSON document: `None` if it is none, `Some(None)` if it is one
/// without any secret.
pub(super) fn redact_document(text: &str, nesting: usize) -> Option<Option<String>> {
    let trimmed = text.trim_ascii();
    let ends = (trimmed.as_bytes().first()?, trimmed.as_bytes().last()?);
    if !matches!(ends, (b'{', b'}') | (b'[', b']') | (b'"', b'"')) {
        return None;
    }
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut document = Document { text, nesting, changes: Vec::new() };
    document.read(skip_space(text.as_bytes(), 0));
    Some(document.finish())
}

/// A valid document, and what is to be changed in it.
struct Document<'t> {
    text: &'t str,
    nesting: usize,
    changes: Vec<(Range<usize>, String)>,
}

impl Document<'_> {
    /// Reads the value that starts at `at` and tells where it ends.
    fn read(&mut self, at: usize) -> usize {
        match self.text.as_bytes().get(at) {
            Some(b'"') => {
                let string = self.string_at(at);
                let end = string.end + 1;
                self.sanitize_string(string);
                end
            }
            Some(b'{') => self.read_object(at),
            Some(b'[') => self.read_array(at),
            _ => self.value_at(at).end,
        }
    }

    fn read_object(&mut self, open: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, open + 1);
        let (mut names_secret, mut value_field) = (false, None);
        while bytes.get(at) == Some(&b'"') {
            let key = self.string_at(at);
            let start = skip_space(bytes, skip_space(bytes, key.end + 1) + 1);
            let name = decoded(&self.text[key.clone()]);
            let is_secret = keys::classify(&name).is_some();
            self.sanitize_string(key);
            let value = self.value_at(start);
            if bytes.get(start) == Some(&b'"') && list::is_name_field(&name) {
                names_secret |= list::names_secret(&decoded(&self.text[value.clone()]));
            }
            if value_field.is_none() && list::is_value_field(&name) {
                value_field = Some(start);
            }
            at = match is_secret && self.mask(start, Rule::Field) {
                true => value.end + usize::from(bytes.get(start) == Some(&b'"')),
                false => self.read(start),
            };
            at = skip_comma(bytes, at);
        }
        if let Some(start) = value_field.filter(|_| names_secret) {
            self.mask(start, Rule::NamedPair);
        }
        at + 1
    }

    fn read_array(&mut self, open: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut at = skip_space(bytes, open + 1);
        let mut arguments = Arguments::default();
        while !matches!(bytes.get(at), Some(b']') | None) {
            let start = at;
            at = self.read(start);
            let next = skip_space(bytes, at);
            let item = match bytes[start] {
                b'"' => decoded(&self.text[start + 1..at - 1]),
                b'-' | b'0'..=b'9' => Cow::Borrowed(&self.text[start..at]),
                _ => {
                    arguments.skip();
                    Cow::Borrowed("")
                }
            };
            match arguments.secret(&item, bytes.get(next) == Some(&b']')) {
                Some(0) => {
                    self.mask(start, Rule::Argument);
                }
                Some(secret) if bytes[start] == b'"' => {
                    Rule::Argument.count();
                    let clean = list::masked_from(&item, secret);
                    self.changes.push((start + 1..at - 1, escaped(&clean)));
                }
                _ => {}
            }
            at = skip_comma(bytes, next);
        }
        at + 1
    }

    /// The content of the string whose opening quote stands at `quote`.
    fn string_at(&self, quote: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let start = quote + 1;
        start..quoted_end(bytes, start, b'"', 0)
    }

    /// The value that starts at `start`, without quotes.
    fn value_at(&self, start: usize) -> Range<usize> {
        let bytes = self.text.as_bytes();
        match bytes.get(start) {
            Some(b'"') => self.string_at(start),
            Some(b'{' | b'[') => start..container_end(bytes, start, false),
            _ => {
                let part = |byte: &u8| !is_space(*byte) && !matches!(byte, b',' | b'}' | b']');
                start..start + bytes[start..].iter().take_while(|byte| part(byte)).count()
            }
        }
    }

    fn sanitize_string(&mut self, string: Range<usize>) {
        let raw = &self.text[string.clone()];
        if !scan::any(raw) {
            return;
        }
        if let Some(changed) = pass(&decoded(raw), self.nesting + 1) {
            self.changes.push((string, escaped(&changed)));
        }
    }

    /// Masks the value that starts at `start`, if it can be a secret.
    fn mask(&mut self, start: usize, rule: Rule) -> bool {
        let value = self.value_at(start);
        let content = &self.text[value.clone()];
        let is_string = self.text.as_bytes().get(start) == Some(&b'"');
        if content.is_empty() || is_masked(content) || (!is_string && is_plain(content)) {
            return false;
        }
        rule.count();
        let mask = if is_string { MASK.to_owned() } else { format!("\"{MASK}\"") };
        self.changes.push((value, mask));
        true
    }

    fn finish(mut self) -> Option<String> {
        if self.changes.is_empty() {
            return None;
        }
        // A change of a whole stands before those in it: at the same start the longer one first.
        self.changes.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut output = String::with_capacity(self.text.len());
        let mut copied = 0;
        let mut last = None;
        for (range, with) in self.changes {
            if range.start < copied || last == Some(range.clone()) {
                continue;
            }
            output.push_str(&self.text[copied..range.start]);
            output.push_str(&with);
            copied = range.end;
            last = Some(range);
        }
        output.push_str(&self.text[copied..]);
        Some(output)
    }
}

/// A string as it is written between quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A string as it is meant: it may be written with escapes.
fn decoded(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    // Half of a surrogate pair is the only escape that is none in a valid document.
    let decoded = serde_json::from_str::<String>(&format!("\"{raw}\""));
    decoded.map_or(Cow::Borrowed(raw), Cow::Owned)
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_space(**byte)).count()
}

fn skip_comma(bytes: &[u8], at: usize) -> usize {
    let at = skip_space(bytes, at);
    if bytes.get(at) == Some(&b',') { skip_space(bytes, at + 1) } else { at }
}
