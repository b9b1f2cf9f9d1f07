//! `SchedulerService`.

use tonic::{Request, Response, Status};

use super::Api;
use crate::edge::Failure;
use crate::proto::v1::scheduler_service_server::SchedulerService;
use crate::proto::v1::{GetLockHealthRequest, GetLockHealthResponse};

#[tonic::async_trait]
impl SchedulerService for Api {
    async fn get_lock_health(
        &self,
        _: Request<GetLockHealthRequest>,
    ) -> Result<Response<GetLockHealthResponse>, Status> {
        let health = self.services.lock.get_lock_health().await.map_err(Failure::from)?;
        let lock = health.into();
        Ok(Response::new(GetLockHealthResponse { lock: Some(lock) }))
    }
}
