//! Finds the route of a request. The tree is matchit's; the table is ours.

use futures_util::future::BoxFuture;
use http::{Method, Response};

use super::assets;
use super::body::Body;
use super::call::Call;
use super::problem::Problem;
use super::table::{ASSETS, ROUTES};
use crate::config::QuietEndpoints;
use crate::grpc;

/// A handler, as a plain function pointer.
pub(super) type Handler = fn(Call) -> BoxFuture<'static, Result<Response<Body>, Problem>>;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Open,
    /// Who is signed in, or has a token.
    Read,
    /// Who is signed in, or has a token with write scope.
    Write,
    /// Who is signed in; no token will do, because this is for the page.
    Session,
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) pattern: &'static str,
    /// The pattern with every variable as `{id}`: the `endpoint` of metrics and log lines.
    pub(super) endpoint: &'static str,
    pub(super) access: Access,
    pub(super) handler: Handler,
}

/// What a request was matched to.
#[derive(Debug, Clone)]
pub(super) enum Match {
    Route(&'static Route, Vec<(String, String)>),
    /// A call of the gRPC API; nothing for a method that does not exist.
    Rpc(Option<&'static grpc::Method>),
    /// The path is a call's, the request is none.
    OnlyRpc(&'static grpc::Method),
    /// The path exists with these methods only.
    OtherMethod(&'static str, String),
    Nothing,
}

impl Match {
    /// The `endpoint` label, if any route has this path.
    pub(super) fn endpoint(&self) -> Option<&'static str> {
        match self {
            Self::Route(route, _) => Some(route.endpoint),
            Self::OtherMethod(endpoint, _) => Some(endpoint),
            Self::Rpc(method) => method.map(|method| method.path),
            Self::OnlyRpc(method) => Some(method.path),
            Self::Nothing => None,
        }
    }

    /// Whether this is a request of which nobody wants to read as long as it succeeds.
    pub(super) fn is_quiet(&self, quiet: &QuietEndpoints) -> bool {
        let is_answered = matches!(self, Self::Route(..) | Self::Rpc(_));
        is_answered && self.endpoint().is_some_and(|endpoint| quiet.contains(endpoint))
    }
}

/// All routes.
pub(super) struct Router {
    tree: matchit::Router<Vec<&'static Route>>,
}

impl Router {
    /// Builds the tree; fails if two lines of the table contradict each other.
    pub(super) fn new() -> Result<Self, matchit::InsertError> {
        let mut patterns: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
        for route in ROUTES {
            match patterns.iter_mut().find(|(pattern, _)| *pattern == route.pattern) {
                Some((_, routes)) => routes.push(route),
                None => patterns.push((route.pattern, vec![route])),
            }
        }
        let mut tree = matchit::Router::new();
        for (pattern, routes) in patterns {
            tree.insert(pattern, routes)?;
        }
        Ok(Self { tree })
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Match {
        // HEAD is GET without a body; hyper leaves the body out.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let Ok(found) = self.tree.at(path) else {
            return match assets::exists(path) && method == Method::GET {
                true => Match::Route(&ASSETS, vec![]),
                false => Match::Nothing,
            };
        };
        if let Some(route) = found.value.iter().find(|route| route.method == *method) {
            let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            return Match::Route(route, found.params.iter().map(own).collect());
        }
        let methods: Vec<_> = found.value.iter().map(|route| route.method.as_str()).collect();
        let endpoint = found.value.first().map_or("other", |route| route.endpoint);
        Match::OtherMethod(endpoint, methods.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_the_patterns_with_ids() {
        for route in ROUTES {
            let mut endpoint = String::new();
            for (index, part) in route.pattern.split('/').enumerate() {
                if index > 0 {
                    endpoint.push('/');
                }
                endpoint.push_str(if part.starts_with('{') { "{id}" } else { part });
            }
            assert_eq!(route.endpoint, endpoint);
        }
    }

    #[test]
    fn the_settings_know_every_endpoint() {
        let mut endpoints: Vec<_> = ROUTES.iter().map(|route| route.endpoint).collect();
        endpoints.push(ASSETS.endpoint);
        endpoints.extend(grpc::METHODS.iter().map(|method| method.path));
        endpoints.sort_unstable();
        endpoints.dedup();
        let mut known = crate::config::ENDPOINTS;
        known.sort_unstable();
        assert_eq!(endpoints, known);
    }

    #[test]
    fn paths_find_their_routes() {
        let router = Router::new().unwrap();
        let endpoint = |method, path| router.find(&method, path).endpoint();
        assert_eq!(endpoint(Method::GET, "/api/jails/sshd"), Some("/api/jails/{id}"));
        assert_eq!(endpoint(Method::HEAD, "/health"), Some("/health"));
        assert_eq!(endpoint(Method::GET, "/api/jails/a/b/c"), None);
        assert_eq!(endpoint(Method::GET, "/../etc/passwd"), None);
        assert!(matches!(
            router.find(&Method::DELETE, "/api/jails"),
            Match::OtherMethod("/api/jails", allow) if allow == "GET"
        ));
    }

    #[test]
    fn only_the_documented_routes_are_open_to_strangers() {
        let open: Vec<_> = ROUTES
            .iter()
            .filter(|route| route.access == Access::Open)
            .map(|route| route.pattern)
            .collect();
        assert_eq!(
            open,
            [
                "/",
                "/health",
                "/metrics",
                "/api/auth/session",
                "/api/auth/login",
                "/api/auth/setup",
                "/api/auth/logout",
            ]
        );
    }
}
