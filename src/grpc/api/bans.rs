//! `BanService`.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryFutureExt as _};
use tonic::{Request, Response, Status};

use super::{Api, change};
use crate::edge::{Failure, Services, calls};
use crate::history::{BanKey, BanQuery, Held};
use crate::jails::Banned;
use crate::proto::v1::ban_service_server::BanService;
use crate::proto::v1::{
    Ban, BanRequest, BanResponse, ListBansRequest, ListBansResponse, UnbanRequest, UnbanResponse,
};

/// Bans that a listing holds at once. Each page sorts all bans, so there should be few of them;
/// each holds its bans until they are sent, so they should not be large.
const PAGE_BANS: usize = 5000;

/// A listing on its way.
struct Listing {
    services: Arc<Services>,
    query: BanQuery,
    waiting: VecDeque<Held>,
    has_more: bool,
}

impl Listing {
    /// Takes the next page.
    fn fill(&mut self) -> Result<(), Failure> {
        let page = calls::bans(&self.services, &self.query)?;
        self.query.after = page.items.last().map(|held| BanKey::of(&held.ban));
        self.has_more = page.has_more;
        self.waiting.extend(page.items);
        Ok(())
    }

    async fn next(mut self) -> Result<Option<(ListBansResponse, Self)>, Status> {
        if self.waiting.is_empty() && self.has_more {
            self.fill()?;
        }
        let Some(held) = self.waiting.pop_front() else { return Ok(None) };
        Ok(Some((ListBansResponse { ban: Some(Ban::from(&held)) }, self)))
    }
}

#[tonic::async_trait]
impl BanService for Api {
    type ListBansStream = BoxStream<'static, Result<ListBansResponse, Status>>;

    async fn list_bans(
        &self,
        request: Request<ListBansRequest>,
    ) -> Result<Response<Self::ListBansStream>, Status> {
        let ListBansRequest { jail, query } = request.into_inner();
        let query = calls::ban_query(Some(jail), Some(query), None, PAGE_BANS)?;
        let services = self.services.clone();
        let waiting = VecDeque::new();
        let mut listing = Listing { services, query, waiting, has_more: false };
        // The first page is taken here, so that a refusal is the whole answer.
        listing.fill()?;
        Ok(Response::new(stream::try_unfold(listing, Listing::next).boxed()))
    }

    async fn ban(&self, request: Request<BanRequest>) -> Result<Response<BanResponse>, Status> {
        let (origin, BanRequest { jail, ip, reason }) = change(request)?;
        let banned = calls::ban(&self.services, origin, &jail, &ip, Some(reason)).await?;
        let (held, already_banned) = match &banned {
            Banned::Created(held) => (held, false),
            Banned::Already(held) => (held, true),
        };
        Ok(Response::new(BanResponse { ban: Some(held.into()), already_banned }))
    }

    async fn unban(
        &self,
        request: Request<UnbanRequest>,
    ) -> Result<Response<UnbanResponse>, Status> {
        let (origin, UnbanRequest { jail, ip }) = change(request)?;
        calls::unban(&self.services, origin, &jail, &ip).err_into::<Status>().await?;
        Ok(Response::new(UnbanResponse {}))
    }
}
