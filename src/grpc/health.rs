//! `grpc.health.v1`: serving whenever the process serves, fail2ban or not, as `/health` says it.

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::table::METHODS;
use crate::edge::{Failure, Kind};

/// Says that the process serves. Nothing changes as long as anybody can hear it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alive;

/// An empty name means the whole server.
fn is_known(service: &str) -> bool {
    service.is_empty() || METHODS.iter().any(|method| method.service() == service)
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Alive {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Failure::new(Kind::NotFound, "no such service").into());
        }
        Ok(Response::new(answer(ServingStatus::Serving)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // By the protocol an unknown service is an answer here and no failure.
        let status = match is_known(&request.get_ref().service) {
            true => ServingStatus::Serving,
            false => ServingStatus::ServiceUnknown,
        };
        let first = stream::iter([Ok(answer(status))]);
        Ok(Response::new(first.chain(stream::pending()).boxed()))
    }
}
