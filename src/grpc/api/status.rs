//! `StatusService`.

use tonic::{Request, Response, Status};

use super::Api;
use crate::edge::status;
use crate::proto::v1::status_service_server::StatusService;
use crate::proto::v1::{GetStatusRequest, GetStatusResponse};

#[tonic::async_trait]
impl StatusService for Api {
    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let status = status::state(&self.services).await.into();
        Ok(Response::new(GetStatusResponse { status: Some(status) }))
    }
}
