//! The session cookie. Over https its name binds it to this host and to TLS (`__Host-` of
//! RFC 6265bis).

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

const PLAIN: &str = "bangui_session";
const SECURE: &str = "__Host-bangui_session";
/// A longer value is not one of ours.
const TOKEN_MAX_BYTES: usize = 128;

fn name(https: bool) -> &'static str {
    if https { SECURE } else { PLAIN }
}

/// The token in the request's cookie.
pub(super) fn session_token(headers: &HeaderMap, https: bool) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|it| it.split_once('='));
    let (_, token) = pairs.find(|(own, _)| own.trim() == name(https))?;
    Some(token.trim()).filter(|token| !token.is_empty() && token.len() <= TOKEN_MAX_BYTES)
}

/// The header that keeps a session in the browser.
pub(super) fn set(token: &str, lifetime: Duration, https: bool) -> Option<HeaderValue> {
    header_value(token, lifetime.as_secs(), https)
}

/// The header that makes the browser forget it.
pub(super) fn clear(https: bool) -> Option<HeaderValue> {
    header_value("", 0, https)
}

fn header_value(token: &str, max_age_seconds: u64, https: bool) -> Option<HeaderValue> {
    let name = name(https);
    let secure = if https { "; Secure" } else { "" };
    let text = format!(
        "{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_seconds}{secure}"
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_round_trips() {
        let mut headers = HeaderMap::new();
        let cookie = HeaderValue::from_static("a=b; bangui_session=tok_en-1; c=d");
        headers.insert(header::COOKIE, cookie);
        assert_eq!(session_token(&headers, false), Some("tok_en-1"));
        assert_eq!(session_token(&headers, true), None, "a plain cookie is no secure one");
    }

    #[test]
    fn over_https_the_cookie_is_bound() {
        let value = set("t", Duration::from_secs(60), true).unwrap();
        let text = value.to_str().unwrap();
        assert!(text.starts_with("__Host-bangui_session=t; Path=/;") && text.ends_with("Secure"));
    }
}
