//! The door: cross-site requests are refused, callers are recognised, then the handler is called.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};

use super::Services;
use super::body::Body;
use super::call::Call;
use super::cookie;
use super::problem::Problem;
use super::router::{Access, Match, Route};
use crate::auth::Caller;
use crate::config::Scope;
use crate::edge;

/// Answers a request that `observe` has matched.
pub(super) async fn dispatch(
    services: Arc<Services>,
    request: Request<Body>,
    found: Match,
    client: IpAddr,
) -> Result<Response<Body>, Problem> {
    let (route, parameters) = match found {
        Match::Route(route, parameters) => (route, parameters),
        Match::OtherMethod(_, allow) => return Err(Problem::method_not_allowed(allow)),
        Match::OnlyRpc(_) | Match::Rpc(_) => {
            let detail = "this path speaks gRPC (application/grpc over HTTP/2) only";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        Match::Nothing => return Err(Problem::not_found("no such path")),
    };
    if is_cross_site(&request) {
        let detail = "requests from other sites are refused";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let caller = admit(&services, route, request.headers()).await?;
    (route.handler)(Call { services, request, parameters, client, caller }).await
}

/// Recognises the caller and checks that the route is open to it.
async fn admit(
    services: &Services,
    route: &Route,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    let needed = match route.access {
        Access::Open => return Ok(None),
        Access::Read => Scope::Read,
        Access::Write | Access::Session => Scope::Write,
    };
    let caller = edge::access::admit(caller(services, headers).await?, needed)?;
    if route.access == Access::Session && caller.session.is_none() {
        let detail = "this is for the page, not for tokens";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(Some(caller))
}

/// Who sends the request: a token comes before a cookie, because it was sent on purpose.
pub(super) async fn caller(
    services: &Services,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Problem> {
    if let Some(token) = edge::access::bearer_token(headers) {
        return Ok(services.auth.caller_of_bearer(token));
    }
    match cookie::session_token(headers, services.site.https) {
        Some(token) => Ok(services.auth.caller_of_session(token).await?),
        None => Ok(None),
    }
}

/// Whether a browser sends a change on behalf of another site (Fetch Metadata, then Origin). A
/// client that sends neither header is not a browser.
fn is_cross_site(request: &Request<Body>) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = header(header::ORIGIN.as_str()) else { return false };
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = authority.or_else(|| header(header::HOST.as_str()));
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    host.is_none() || origin_host != host
}

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;

    fn cross_site(method: Method, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri("/api/bans");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_cross_site(&request.body(body::empty()).unwrap())
    }

    #[test]
    fn changes_from_other_sites_are_refused() {
        let post = |headers: &[(&str, &str)]| cross_site(Method::POST, headers);
        assert!(post(&[("sec-fetch-site", "cross-site")]));
        assert!(post(&[("sec-fetch-site", "same-site")]));
        assert!(post(&[("origin", "https://evil.example"), ("host", "bans.example")]));
        assert!(post(&[("origin", "null"), ("host", "bans.example")]));
        assert!(!post(&[("sec-fetch-site", "same-origin")]));
        assert!(!post(&[("origin", "http://bans.example:8000"), ("host", "bans.example:8000")]));
        assert!(!post(&[]), "a program");
        assert!(!cross_site(Method::GET, &[("sec-fetch-site", "cross-site")]));
    }
}
