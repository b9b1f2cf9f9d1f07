//! The gRPC side: the generated servers of `proto/` behind one door, without tonic's router.
//!
//! `http` owns the port and its stack; a request that is a call of [`METHODS`] ends in
//! [`Grpc::call`], inside the same span, limits and metrics as every request. Here the caller is
//! recognised, the message read within its limits, the deadline kept, and every failure answered as
//! a status with details. `api` makes the calls of `edge::calls`, as the JSON API does.
//!
//! Only `Authorization: Bearer` is accepted. A session is a cookie, which a browser sends unasked;
//! it would need the checks against other sites, and nothing that speaks gRPC has a session.

mod answer;
mod api;
mod convert;
mod deadline;
mod health;
mod table;

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::server::Builder;

use crate::auth::{Caller, Origin};
use crate::edge::access::{admit, bearer_token};
use crate::edge::listeners::{Listener, Place};
use crate::edge::{Failure, Kind, Services};
use crate::proto::DESCRIPTORS;
pub use crate::proto::code_name;
use crate::proto::v1::ban_service_server::BanServiceServer;
use crate::proto::v1::history_service_server::HistoryServiceServer;
use crate::proto::v1::jail_service_server::JailServiceServer;
use crate::proto::v1::scheduler_service_server::SchedulerServiceServer;
use crate::proto::v1::status_service_server::StatusServiceServer;
use crate::proto::v1::watch_service_server::WatchServiceServer;
use crate::telemetry::span;
use answer::{CallBody, normalised, too_large};
pub use answer::{is_failure_of_ours, refuse};
use api::Api;
use deadline::Deadline;
use health::Alive;
pub use table::{METHODS, Method};

/// The largest message, as in the JSON API: the requests are a few short fields.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// A message of the wire has five bytes in front.
const FRAME_HEAD_BYTES: usize = 5;
/// A message that small is there at once, or is meant to hold a place.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the gRPC side cannot be built: the contract in the binary is damaged.
pub type Error = tonic_reflection::server::Error;

/// One generated server, behind a type that all of them share.
type Door = Box<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// All services, by the names in front of their methods.
pub struct Grpc {
    services: Arc<Services>,
    doors: Vec<(&'static str, Door)>,
}

/// Who makes a call, for its handler.
#[derive(Debug, Clone)]
struct Seen {
    /// Nobody for a call that is open to strangers.
    caller: Option<Caller>,
    client: IpAddr,
}

impl Seen {
    /// Who makes a change, for the audit log.
    fn origin(self) -> Result<Origin, Failure> {
        let caller = self.caller.ok_or_else(Failure::unauthenticated)?;
        Ok(Origin { caller, client: self.client, correlation_id: span::correlation_id() })
    }
}

impl Grpc {
    /// Puts the servers together.
    pub fn new(services: Arc<Services>) -> Result<Self, Error> {
        let api = Api::new(services.clone());
        let described = || {
            Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that the details of errors can be read without their own copies.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        // What grpcurl and others ask first; older ones know the alpha only.
        let reflection = described().build_v1()?.max_decoding_message_size(MESSAGE_MAX_BYTES);
        let alpha = described().build_v1alpha()?.max_decoding_message_size(MESSAGE_MAX_BYTES);
        let doors = vec![
            ("bangui.v1.StatusService", door(StatusServiceServer::new(api.clone()))),
            ("bangui.v1.JailService", door(JailServiceServer::new(api.clone()))),
            ("bangui.v1.BanService", door(BanServiceServer::new(api.clone()))),
            ("bangui.v1.HistoryService", door(HistoryServiceServer::new(api.clone()))),
            ("bangui.v1.WatchService", door(WatchServiceServer::new(api.clone()))),
            ("bangui.v1.SchedulerService", door(SchedulerServiceServer::new(api))),
            ("grpc.health.v1.Health", door(HealthServer::new(Alive))),
            ("grpc.reflection.v1.ServerReflection", door(reflection)),
            ("grpc.reflection.v1alpha.ServerReflection", door(alpha)),
        ];
        Ok(Self { services, doors })
    }

    /// Answers a call; nothing stands for a method that does not exist.
    pub async fn call(
        &self,
        method: Option<&'static Method>,
        client: IpAddr,
        request: Request<Body>,
    ) -> Response<Body> {
        let answered = async {
            let unknown = || Failure::new(Kind::UnknownCall, "no such method");
            self.answer(method.ok_or_else(unknown)?, client, request).await
        };
        // A panic has been told by its hook; here it only must not end the connection.
        match AssertUnwindSafe(answered).catch_unwind().await {
            Ok(Ok(response)) => response,
            Ok(Err(failure)) => refuse(failure),
            Err(_) => refuse(Failure::panicked()),
        }
    }

    async fn answer(
        &self,
        method: &'static Method,
        client: IpAddr,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let deadline = Deadline::of(request.headers())?;
        let caller = match method.needs {
            None => None,
            Some(scope) => {
                let token = bearer_token(request.headers());
                let caller = token.and_then(|token| self.services.auth.caller_of_bearer(token));
                Some(admit(caller, scope)?)
            }
        };
        let place = method.is_endless.then(|| Place::take(Listener::Program)).transpose()?;
        let door = self.doors.iter().find(|(service, _)| *service == method.service());
        let (_, door) = door.ok_or_else(|| Failure::internal("a method without a service"))?;
        let work = async {
            let mut request = if method.takes_stream { request } else { whole(request).await? };
            request.extensions_mut().insert(Seen { caller, client });
            Ok(door(request).await)
        };
        let response = normalised(deadline.keep(work).await?)?;
        let stop = method.is_endless.then(|| self.services.stop.clone());
        Ok(response.map(|body| Body::new(CallBody::new(body, deadline, stop, place))))
    }
}

#[cfg(test)]
impl Grpc {
    /// Puts another server in the place of one, to see what becomes of its failures.
    pub(crate) fn replace<S>(&mut self, service: &'static str, server: S)
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let found = self.doors.iter_mut().find(|(name, _)| *name == service);
        found.expect("a service of the contract").1 = door(server);
    }
}

fn door<S>(server: S) -> Door
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    Box::new(move |request| {
        // The generated servers are always ready.
        let answer = server.clone().call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    })
}

/// Reads the only message of a call, within the limits of the JSON API.
async fn whole(request: Request<Body>) -> Result<Request<Body>, Failure> {
    let (head, body) = request.into_parts();
    let limited = Limited::new(body, MESSAGE_MAX_BYTES + FRAME_HEAD_BYTES).collect();
    let bytes = timeout(MESSAGE_TIMEOUT, limited)
        .await
        .map_err(|_| Failure::new(Kind::TooSlow, "the message came too slowly"))?
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => too_large(),
            None => Failure::new(Kind::Malformed, "the message could not be read"),
        })?
        .to_bytes();
    Ok(Request::from_parts(head, Body::new(Full::new(bytes))))
}
