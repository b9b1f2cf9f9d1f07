//! Errors as RFC 9457 `application/problem+json`, always with the correlation id.

use std::fmt::Display;
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::body::{self, Body};
use crate::edge::Failure;
use crate::telemetry::sanitize::sanitize_for_logging;
use crate::telemetry::span;

/// Something that went wrong, as the client is told.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    allow: Option<String>,
}

/// What is wrong with one field of the request.
#[derive(Debug, Serialize)]
struct FieldError {
    field: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

impl FieldError {
    fn sanitized(&self) -> Self {
        Self { field: self.field, message: sanitize_for_logging(&self.message).into_owned() }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, detail, errors: vec![], retry_after: None, allow: None }
    }

    /// A field that cannot be used: 422.
    pub(super) fn field(field: &'static str, message: impl Display) -> Self {
        Failure::field(field, message).into()
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn unauthorized() -> Self {
        Failure::unauthenticated().into()
    }

    /// The path exists, the method does not.
    pub(super) fn method_not_allowed(allow: String) -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods");
        problem.allow = Some(allow);
        problem
    }

    /// Something was done too often; after the wait it may be done again.
    pub(super) fn too_many_requests(wait: Duration) -> Self {
        let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests; wait");
        problem.retry_after = Some(wait);
        problem
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// A failure of ours. The cause goes to the log, not to the client.
    pub(super) fn internal(error: impl Display) -> Self {
        Failure::internal(error).into()
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let errors: Vec<_> = self.errors.iter().map(FieldError::sanitized).collect();
        let retry_after_seconds = self.retry_after.map(|wait| wait.as_secs().max(1));
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            // It may quote fail2ban, a neighbour or the client itself.
            detail: &sanitize_for_logging(&self.detail),
            correlation_id: span::correlation_id(),
            errors: &errors,
            retry_after_seconds,
        };
        // A document of plain texts and numbers always serializes.
        let bytes = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = body::with_status(self.status, body::full(bytes));
        let headers = response.headers_mut();
        let media_type = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, media_type);
        if let Some(seconds) = retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Everything that both doors call by the same name.
impl<E: Into<Failure>> From<E> for Problem {
    fn from(error: E) -> Self {
        let failure = error.into();
        let mut problem = Self::new(failure.kind().status(), failure.detail());
        problem.retry_after = failure.retry_after();
        let message = failure.message();
        problem.errors.extend(failure.of_field().map(|field| FieldError { field, message }));
        problem
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn no_text_of_a_problem_holds_a_secret() {
        let body = Problem::field("x", "token=hunter2 is wrong").into_response().into_body();
        let bytes = body.collect().await.unwrap().to_bytes();
        let document = String::from_utf8_lossy(&bytes);
        assert!(!document.contains("hunter2"), "{document}");
        assert_eq!(document.matches("token=***").count(), 2, "{document}");
    }
}
