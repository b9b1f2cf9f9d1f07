//! `HistoryService`.

use tonic::{Request, Response, Status};

use super::Api;
use crate::edge::{Failure, calls};
use crate::proto::v1::history_service_server::HistoryService;
use crate::proto::v1::{GetAddressHistoryRequest, GetAddressHistoryResponse};

/// Entries of a page, if the caller does not say, and at most; as in the JSON API.
const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1000;

#[tonic::async_trait]
impl HistoryService for Api {
    async fn get_address_history(
        &self,
        request: Request<GetAddressHistoryRequest>,
    ) -> Result<Response<GetAddressHistoryResponse>, Status> {
        let GetAddressHistoryRequest { ip, page_size, page_token } = request.into_inner();
        let limit = limit(page_size)?;
        let before = match page_token.as_str() {
            "" => i64::MAX,
            token => token
                .parse()
                .map_err(|_| Failure::field("page_token", "is not one that was given out"))?,
        };
        let found = calls::address_history(&self.services, &ip, before, limit).await?;
        Ok(Response::new(found.into()))
    }
}

fn limit(page_size: i32) -> Result<usize, Failure> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(PAGE_DEFAULT),
        Ok(limit) if limit <= PAGE_MAX => Ok(limit),
        _ => Err(Failure::field("page_size", format!("must be a number from 1 to {PAGE_MAX}"))),
    }
}
