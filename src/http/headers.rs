//! Headers that stand on every answer.

use http::{HeaderName, HeaderValue, header};
use tower_http::set_header::SetResponseHeaderLayer;

/// The page loads nothing from elsewhere, runs no inline code and is shown in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

fn fixed(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

pub(super) fn content_security_policy() -> SetResponseHeaderLayer<HeaderValue> {
    fixed(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)
}

pub(super) fn no_sniffing() -> SetResponseHeaderLayer<HeaderValue> {
    fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}

pub(super) fn no_referrer() -> SetResponseHeaderLayer<HeaderValue> {
    fixed(header::REFERRER_POLICY, "no-referrer")
}

/// Answers are about now and about one user: nothing may keep them.
pub(super) fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    fixed(header::CACHE_CONTROL, "no-store")
}

/// Over https the browser is told to stay there for a year.
pub(super) fn strict_transport(https: bool) -> Option<SetResponseHeaderLayer<HeaderValue>> {
    https.then(|| fixed(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"))
}
