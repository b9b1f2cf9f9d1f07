//! The layer that makes every failure an answer, in one place: inside the span and the metrics,
//! so that failures are counted and have their correlation id.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tower::{BoxError, Layer, Service};

use super::body::{Body, BodyError};
use super::observe::Observed;
use super::problem::Problem;
use super::router::Match;
use super::rpc;
use crate::edge::{Failure, Kind};

/// The body that the layer for panics makes of ours.
type CaughtBody = tower_http::body::UnsyncBoxBody<Bytes, BoxError>;

/// Turns errors of the layers further in into problems, or into statuses for who speaks gRPC.
#[derive(Clone)]
pub(super) struct RecoverLayer;

/// The service of [`RecoverLayer`].
#[derive(Clone)]
pub(super) struct Recover<S>(S);

impl<S> Layer<S> for RecoverLayer {
    type Service = Recover<S>;

    fn layer(&self, inner: S) -> Recover<S> {
        Recover(inner)
    }
}

impl<S> Service<Request<Body>> for Recover<S>
where
    S: Service<Request<Body>, Response = Response<CaughtBody>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The layer that sheds load is always ready; an error would be told again by the call.
        self.0.poll_ready(context).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let observed = request.extensions().get::<Observed>();
        let is_call = observed.is_some_and(|observed| matches!(observed.found, Match::Rpc(_)));
        let response = self.0.call(request);
        Box::pin(async move {
            Ok(match response.await {
                Ok(response) => response.map(|body| body.map_err(BodyError::new).boxed_unsync()),
                Err(error) if is_call => rpc::refused(failure(error)),
                Err(error) => Problem::from(failure(error)).into_response(),
            })
        })
    }
}

fn failure(error: BoxError) -> Failure {
    if error.is::<tower::timeout::error::Elapsed>() {
        Failure::new(Kind::TooLate, "the request took too long")
    } else if error.is::<tower::load_shed::error::Overloaded>() {
        Failure::new(Kind::Overloaded, "too many requests at once; try again")
    } else {
        Failure::internal(error)
    }
}

/// The answer to a request whose handler panicked. The panic itself was told by the hook, with
/// its place.
pub(super) fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    Problem::from(Failure::panicked()).into_response()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body::Body as _;
    use tower::ServiceExt as _;
    use tower::load_shed::error::Overloaded;
    use tower::timeout::error::Elapsed;

    use super::super::body;
    use super::*;

    /// What a failure of a layer further in becomes for a request that was matched so.
    async fn recovered(found: Match, error: BoxError) -> Response<Body> {
        let mut error = Some(error);
        let inner = tower::service_fn(move |_: Request<Body>| {
            let error = error.take().unwrap();
            async move { Err::<Response<CaughtBody>, BoxError>(error) }
        });
        let mut request = Request::new(body::empty());
        request.extensions_mut().insert(Observed { found, client: [127, 0, 0, 1].into() });
        RecoverLayer.layer(inner).oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn each_door_is_told_in_its_own_words() {
        for (status, code) in [(503, "14"), (504, "4"), (500, "13")] {
            let error = || -> BoxError {
                match status {
                    503 => Overloaded::new().into(),
                    504 => Elapsed::new().into(),
                    _ => "broken".into(),
                }
            };
            let answer = recovered(Match::Nothing, error()).await;
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let answer = recovered(Match::Rpc(None), error()).await;
            assert_eq!((answer.status(), answer.body().is_end_stream()), (StatusCode::OK, true));
            assert_eq!(answer.headers()["content-type"], "application/grpc");
            assert_eq!(answer.headers()["grpc-status"], code);
            assert!(answer.headers().contains_key("grpc-status-details-bin"));
        }
    }
}
