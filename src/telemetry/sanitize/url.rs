//! URLs and headers as attributes: by the names of their parts.
//!
//! The semantic conventions want `REDACTED` in the attributes of a URL, where text gets `***`.

use std::borrow::Cow;

use super::value::is_masked;
use super::{MASK, keys, sanitize_for_logging, scan};

/// What stands in place of a secret in a URL.
const REDACTED: &str = "REDACTED";

/// Parameters that are secret by the conventions for `url.full` and say so by no stem.
const PARAMETERS: [&str; 5] =
    ["awsaccesskeyid", "sig", "signature", "x-amz-credential", "x-goog-signature"];

/// A URL, whole or without its host, with `REDACTED` in place of its secrets: what stands before
/// the host, the values of parameters that name a secret, and a path with a secret in it.
pub fn sanitize_url(url: &str) -> Cow<'_, str> {
    let (scheme, rest) = match url.find("://") {
        Some(at) if !url[..at].contains(['/', '?', '#']) => url.split_at(at + 3),
        _ => ("", url),
    };
    let authority_end = match scheme {
        "" => 0,
        _ => authority_end(rest),
    };
    let (authority, rest) = rest.split_at(authority_end);
    let path_end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, rest) = rest.split_at(path_end);
    let clean_authority = sanitize_authority(authority);
    let clean_path = sanitize_url_path(path);
    let clean_rest = sanitize_parameters(rest);
    if let (Cow::Borrowed(_), Cow::Borrowed(_)) = (&clean_authority, &clean_rest)
        && clean_path == path
    {
        return Cow::Borrowed(url);
    }
    let slash = if path.starts_with('/') && clean_path != path { "/" } else { "" };
    Cow::Owned(format!("{scheme}{clean_authority}{slash}{clean_path}{clean_rest}"))
}

/// Where the authority ends. A password with a raw slash in it reaches to the `@` behind.
fn authority_end(rest: &str) -> usize {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let before = &rest[..end];
    if before.contains('@') || before.rsplit_once(':').is_none_or(|(_, port)| is_port(port)) {
        return end;
    }
    let Some(at) = rest.rfind('@') else { return end };
    at + rest[at..].find(['/', '?', '#']).unwrap_or(rest.len() - at)
}

fn sanitize_authority(authority: &str) -> Cow<'_, str> {
    let Some((user, host)) = authority.rsplit_once('@') else { return Cow::Borrowed(authority) };
    let clean = if user.contains(':') { "REDACTED:REDACTED" } else { REDACTED };
    if user == clean {
        return Cow::Borrowed(authority);
    }
    Cow::Owned(format!("{clean}@{host}"))
}

/// The parameters of a query and of a fragment.
fn sanitize_parameters(text: &str) -> Cow<'_, str> {
    let mut output = String::new();
    let mut changed = false;
    for parameter in text.split_inclusive(['?', '#', '&', ';']) {
        let (body, separator) = match parameter.char_indices().next_back() {
            Some((at, '?' | '#' | '&' | ';')) => parameter.split_at(at),
            _ => (parameter, ""),
        };
        match body.split_once('=') {
            Some((name, value)) if is_secret(name, value) => {
                changed = true;
                output.extend([name, "=", REDACTED, separator]);
            }
            None if is_secret("", body) => {
                changed = true;
                output.extend([REDACTED, separator]);
            }
            _ => output.push_str(parameter),
        }
    }
    if changed { Cow::Owned(output) } else { Cow::Borrowed(text) }
}

/// Tells whether a parameter must not be shown.
fn is_secret(name: &str, value: &str) -> bool {
    if value.is_empty() || value == REDACTED || is_masked(value) {
        return false;
    }
    let name = decoded(name);
    let by_name = PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(&name))
        || keys::classify(&name).is_some();
    by_name || !is_benign(value) || !is_benign(&decoded(value))
}

/// The path of a URL, or `REDACTED` when there is a secret in it as it stands or percent-decoded.
/// No part of such a path is worth a risk.
pub fn sanitize_url_path(path: &str) -> &str {
    if is_benign(path) && is_benign(&decoded(path)) { path } else { REDACTED }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn is_benign(text: &str) -> bool {
    matches!(sanitize_for_logging(text), Cow::Borrowed(_))
}

/// The value of a header: masked whole if its name is that of a secret, as a URL where it is one,
/// else as text.
pub fn sanitize_header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    const URLS: [&str; 5] = ["content-location", "location", "origin", "referer", "refresh"];
    if keys::classify(name).is_some() {
        return Cow::Borrowed(if value.is_empty() { value } else { MASK });
    }
    if URLS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return sanitize_url(value);
    }
    sanitize_for_logging(value)
}

/// Tells whether a field holds a URL or a part of one, by the names of the conventions.
pub(super) fn is_url_field(key: &str) -> bool {
    matches!(key, "url.full" | "url.query" | "url.fragment" | "http.url" | "http.target")
}

/// The value of such a field. The prefilter decides for all fields of a record at once, so it
/// has to decide here too.
pub(super) fn sanitize_url_field(value: &str) -> Cow<'_, str> {
    if !scan::any(value) {
        return Cow::Borrowed(value);
    }
    // A query comes without its question mark; a URL never has `=` before one.
    let is_query = !value.contains("://") && !value.starts_with('/');
    if is_query { sanitize_parameters(value) } else { sanitize_url(value) }
}
