//! `WatchService`: the live events, read by each caller at its own speed.
//!
//! The stream is polled only when the caller's window has room, and reads from the bounded memory
//! that all share. What waits here is at most what that memory held once.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

use super::Api;
use crate::edge::{Failure, Services, status};
use crate::history::live::{LiveEvent, News, Position};
use crate::proto::v1::watch_response::Event;
use crate::proto::v1::watch_service_server::WatchService;
use crate::proto::v1::{
    BanEvent, JailsEvent, MissedEvent, StatusEvent, UnbanEvent, WatchRequest, WatchResponse,
};
use crate::telemetry::span;

/// What is told next.
enum Told {
    Live(Arc<LiveEvent>),
    Missed,
}

struct Reader {
    services: Arc<Services>,
    position: Position,
    wake: watch::Receiver<u64>,
    waiting: VecDeque<(Position, Told)>,
}

impl Reader {
    /// The next message; nothing when the service is gone.
    async fn next(&mut self) -> Option<WatchResponse> {
        loop {
            if let Some((position, told)) = self.waiting.pop_front() {
                let event = self.render(told).await;
                return Some(WatchResponse { id: position.to_string(), event: Some(event) });
            }
            // Marked before the look, so that what comes between the two wakes the wait.
            self.wake.mark_unchanged();
            self.collect();
            if self.waiting.is_empty() {
                self.wake.changed().await.ok()?;
            }
        }
    }

    fn collect(&mut self) {
        match self.services.history.live().after(self.position) {
            News::Events(events) => {
                self.position = events.last().map_or(self.position, |(position, _)| *position);
                let told = |(position, event)| (position, Told::Live(event));
                self.waiting.extend(events.into_iter().map(told));
            }
            News::Missed(position) => {
                self.position = position;
                self.waiting.push_back((position, Told::Missed));
            }
        }
    }

    async fn render(&self, told: Told) -> Event {
        let Told::Live(event) = told else { return Event::Missed(MissedEvent {}) };
        match event.as_ref() {
            LiveEvent::Ban { held, is_correction, source, correlation_id } => {
                let mut event = BanEvent {
                    ban: Some(held.into()),
                    is_correction: *is_correction,
                    correlation_id: correlation_id.clone(),
                    ..BanEvent::default()
                };
                event.set_source(super::super::convert::source(source));
                Event::Ban(event)
            }
            LiveEvent::Unban { jail, ip, source, correlation_id } => {
                let mut event = UnbanEvent {
                    jail: jail.to_string(),
                    ip: ip.to_string(),
                    correlation_id: correlation_id.clone(),
                    ..UnbanEvent::default()
                };
                event.set_source(super::super::convert::source(source));
                Event::Unban(event)
            }
            LiveEvent::Jails => {
                let jails = self.services.history.jails();
                Event::Jails(JailsEvent { jails: jails.iter().map(Into::into).collect() })
            }
            LiveEvent::Status => {
                let status = status::state(&self.services).await.into();
                Event::Status(StatusEvent { status: Some(status) })
            }
        }
    }
}

#[tonic::async_trait]
impl WatchService for Api {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let live = self.services.history.live();
        let wake = live.wake();
        let position = match request.get_ref().after_id.as_str() {
            "" => live.now(),
            id => id.parse().map_err(|()| {
                Failure::field("after_id", "is not an id that this service gives out")
            })?,
        };
        // As a page does, the caller first hears how things are.
        let present = [LiveEvent::Status, LiveEvent::Jails];
        let waiting = present.map(|event| (position, Told::Live(Arc::new(event)))).into();
        let reader = Reader { services: self.services.clone(), position, wake, waiting };
        // What is asked of the store meanwhile belongs to no trace that anybody looks for.
        let span = span::unsampled_root(tracing::info_span!("events"));
        let messages = stream::unfold((reader, span), |(mut reader, span)| async move {
            let message = reader.next().instrument(span.clone()).await?;
            Some((Ok(message), (reader, span)))
        });
        Ok(Response::new(messages.boxed()))
    }
}
