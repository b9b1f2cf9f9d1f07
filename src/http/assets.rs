//! The page's files, embedded in the binary.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use rust_embed::RustEmbed;

use super::body::{self, Body};
use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "ui/dist"]
struct Files;

/// Files under this folder carry a hash of their content in their name.
const HASHED_FOLDER: &str = "assets/";

/// Whether the page has a file at this path. The document itself has a route of its own.
pub(super) fn exists(path: &str) -> bool {
    let name = path.trim_start_matches('/');
    !name.is_empty() && name != "index.html" && Files::get(name).is_some()
}

/// Answers with a file, or without its content when the client has it already.
pub(super) fn answer(name: &str, request: &Request<Body>) -> Result<Response<Body>, Problem> {
    let Some(file) = Files::get(name) else {
        return Err(Problem::not_found("no such file; was the page built into this binary?"));
    };
    let hash = file.metadata.sha256_hash();
    let etag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{etag}\"");
    let known = request.headers().get(header::IF_NONE_MATCH);
    let is_known = known.is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let mut response = match is_known {
        true => body::with_status(StatusCode::NOT_MODIFIED, body::empty()),
        false => body::with_status(StatusCode::OK, body::full(Bytes::from(file.data.into_owned()))),
    };
    let headers = response.headers_mut();
    // After an upgrade nobody may be left with a stale document that names files long gone.
    let caching = match name.starts_with(HASHED_FOLDER) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
