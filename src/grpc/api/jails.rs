//! `JailService`.

use tonic::{Request, Response, Status};

use super::Api;
use crate::edge::calls;
use crate::proto::v1::jail_service_server::JailService;
use crate::proto::v1::{
    GetJailRequest, GetJailResponse, Jail, ListJailsRequest, ListJailsResponse,
};

#[tonic::async_trait]
impl JailService for Api {
    async fn list_jails(
        &self,
        _: Request<ListJailsRequest>,
    ) -> Result<Response<ListJailsResponse>, Status> {
        let jails = calls::jails(&self.services)?.iter().map(Jail::from).collect();
        Ok(Response::new(ListJailsResponse { jails }))
    }

    async fn get_jail(
        &self,
        request: Request<GetJailRequest>,
    ) -> Result<Response<GetJailResponse>, Status> {
        let detail = calls::jail(&self.services, &request.get_ref().jail).await?;
        Ok(Response::new(detail.into()))
    }
}
