//! The stack: what a request meets, from the outside in.
//!
//! It is built once and cloned for each connection, so that its limits are the service's and not
//! one connection's.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

use super::Services;
use super::access::dispatch;
use super::body::Body;
use super::headers;
use super::observe::{ObserveLayer, Observed};
use super::problem::Problem;
use super::recover::{RecoverLayer, panicked};
use super::router::{Match, Router};
use super::rpc;
use crate::grpc::Grpc;

/// Requests handled at once; one more is refused at once instead of waiting in memory.
const REQUESTS_MAX: usize = 512;
/// A request that has no answer by then is given up. Longer than any command to fail2ban, whose
/// own actions may take a minute.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(70);

/// The whole service of one connection.
pub(super) type Stack = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Builds the stack.
pub(super) fn build(services: Arc<Services>, grpc: Grpc) -> Result<Stack, matchit::InsertError> {
    let router = Arc::new(Router::new()?);
    let (inner, grpc) = (services.clone(), Arc::new(grpc));
    Ok(BoxCloneSyncService::new(
        ServiceBuilder::new()
            // Route, span, metrics, correlation id: all that follows happens inside the span.
            .layer(ObserveLayer::new(services.clone(), router))
            .layer(headers::content_security_policy())
            .layer(headers::no_sniffing())
            .layer(headers::no_referrer())
            .layer(headers::no_store())
            .option_layer(headers::strict_transport(services.site.https))
            // Whatever fails further in becomes a problem here.
            .layer(RecoverLayer)
            .layer(CatchPanicLayer::custom(panicked))
            .load_shed()
            .concurrency_limit(REQUESTS_MAX)
            .timeout(REQUEST_TIMEOUT)
            // A call of the gRPC API, or: cross-site check, caller, route's access, handler.
            .service_fn(move |request| handle(inner.clone(), grpc.clone(), request)),
    ))
}

async fn handle(
    services: Arc<Services>,
    grpc: Arc<Grpc>,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let observed = request.extensions().get::<Observed>().cloned();
    // Without the outer layer there is no match; this cannot happen in the stack above.
    let Some(Observed { found, client }) = observed else {
        return Ok(Problem::internal("a request passed the outer layer").into_response());
    };
    if let Match::Rpc(method) = found {
        let request = request.map(tonic::body::Body::new);
        return Ok(rpc::boxed(grpc.call(method, client, request).await));
    }
    Ok(dispatch(services, request, found, client).await.unwrap_or_else(Problem::into_response))
}
