//! `GET /api/openapi.json`: what the API is, for programs and for those who write them.

use http::{Response, StatusCode};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::openapi;
use super::super::problem::Problem;

/// The document, which is the same for everybody.
pub(in crate::http) async fn document(_call: Call) -> Result<Response<Body>, Problem> {
    body::json(StatusCode::OK, openapi::document())
}
