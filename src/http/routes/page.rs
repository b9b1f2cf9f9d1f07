//! The page: its document and its files.

use http::Response;

use super::super::assets;
use super::super::body::Body;
use super::super::call::Call;
use super::super::problem::Problem;

/// `GET /`
pub(in crate::http) async fn index(call: Call) -> Result<Response<Body>, Problem> {
    assets::answer("index.html", &call.request)
}

/// `GET` of a file of the page.
pub(in crate::http) async fn asset(call: Call) -> Result<Response<Body>, Problem> {
    assets::answer(call.request.uri().path().trim_start_matches('/'), &call.request)
}
