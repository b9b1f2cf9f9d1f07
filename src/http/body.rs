//! Bodies: one boxed type for both directions, and reading JSON within a limit.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;
pub(super) use crate::edge::clean;

/// An error of a body, whatever made it. A type of its own, because a boxed error with its
/// lifetime parameter keeps the compiler from seeing that handlers are `Send`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct BodyError(Box<dyn std::error::Error + Send + Sync>);

impl BodyError {
    pub(super) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// A body of either direction.
pub(super) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// The largest request body: the API's requests are a few short fields.
const REQUEST_MAX_BYTES: usize = 64 * 1024;
/// A body that small is there at once, or is meant to hold a place.
const REQUEST_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body without content.
pub(super) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is there as a whole.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// An answer without content.
pub(super) fn no_content() -> Response<Body> {
    with_status(StatusCode::NO_CONTENT, empty())
}

/// An answer with a JSON body.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response<Body>, Problem> {
    let bytes = serde_json::to_vec(value).map_err(Problem::internal)?;
    let mut response = with_status(status, full(bytes));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// An answer with a status.
pub(super) fn with_status(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Reads a JSON request. Only `application/json` is taken, because a browser cannot send that
/// across sites without asking first.
pub(super) async fn read_json<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let is_json = content_type.and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        let detail = "the body must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = Limited::new(request.into_body(), REQUEST_MAX_BYTES).collect();
    let bytes = timeout(REQUEST_BODY_TIMEOUT, body)
        .await
        .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"))?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => {
                let detail = format!("the body is larger than {REQUEST_MAX_BYTES} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
            }
            None => Problem::new(StatusCode::BAD_REQUEST, "the body could not be read"),
        })?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| {
        // The parser's message names a place and a type; it may quote input, so only that is told.
        let detail = format!(
            "the body is not the expected JSON (line {}, column {})",
            error.line(),
            error.column()
        );
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}
