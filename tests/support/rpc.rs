//! A client of BanGUI's gRPC API, generated from the same contract as the server.

use std::sync::Arc;
use std::time::Duration;

use bangui::proto::v1::ban_service_client::BanServiceClient;
use bangui::proto::v1::history_service_client::HistoryServiceClient;
use bangui::proto::v1::jail_service_client::JailServiceClient;
use bangui::proto::v1::scheduler_service_client::SchedulerServiceClient;
use bangui::proto::v1::status_service_client::StatusServiceClient;
use bangui::proto::v1::watch_service_client::WatchServiceClient;
use bangui::proto::v1::{WatchRequest, WatchResponse};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_types::StatusExt as _;

use super::{Bangui, SOON};

/// The token of the API wherever a test does not choose one.
pub(crate) const API_TOKEN: &str = "a-token-of-the-api-for-tests";

/// A caller with a connection of its own.
#[derive(Clone)]
pub(crate) struct Rpc {
    runtime: Arc<Runtime>,
    channel: Channel,
    headers: Vec<(&'static str, String)>,
}

impl Rpc {
    /// A stranger.
    pub(crate) fn connect(bangui: &Bangui) -> Self {
        Self::connect_with(bangui, |endpoint| endpoint)
    }

    pub(crate) fn connect_with(bangui: &Bangui, set: impl Fn(Endpoint) -> Endpoint) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", bangui.port()));
        let channel = runtime.block_on(set(endpoint.unwrap()).connect()).unwrap();
        Self { runtime: Arc::new(runtime), channel, headers: vec![] }
    }

    /// The same caller, sending one more header with each call.
    pub(crate) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut caller = self.clone();
        caller.headers.push((name, value.into()));
        caller
    }

    pub(crate) fn token(&self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn scheduler(&self) -> SchedulerServiceClient<Channel> {
        SchedulerServiceClient::new(self.channel())
    }

    pub(crate) fn history(&self) -> HistoryServiceClient<Channel> {
        HistoryServiceClient::new(self.channel())
    }

    pub(crate) fn status(&self) -> StatusServiceClient<Channel> {
        StatusServiceClient::new(self.channel())
    }

    pub(crate) fn jails(&self) -> JailServiceClient<Channel> {
        JailServiceClient::new(self.channel())
    }

    pub(crate) fn bans(&self) -> BanServiceClient<Channel> {
        BanServiceClient::new(self.channel())
    }

    /// A message with this caller's headers.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        for (name, value) in &self.headers {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    /// Waits for an answer, within the limit of all waits.
    pub(crate) fn wait<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Response<T>, Status> {
        let waited = self.runtime.block_on(async { timeout(SOON, call).await });
        waited.expect("no answer in time")
    }

    /// Begins a call and hangs up after a while.
    pub(crate) fn give_up<T>(
        &self,
        after: Duration,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) {
        let waited = self.runtime.block_on(async { timeout(after, call).await });
        assert!(waited.is_err(), "the call was answered");
    }

    /// All messages of a stream that ends by itself.
    pub(crate) fn all<T>(&self, stream: Response<Streaming<T>>) -> Vec<T> {
        let mut stream = stream.into_inner();
        let mut messages = Vec::new();
        while let Some(message) = self.next(&mut stream).expect("a message") {
            messages.push(message);
        }
        messages
    }

    /// The next message of a stream.
    pub(crate) fn next<T>(&self, stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
        let waited = self.runtime.block_on(async { timeout(SOON, stream.message()).await });
        waited.expect("no message in time")
    }

    /// Opens the stream of live events.
    pub(crate) fn watch(&self, after_id: &str) -> Result<Streaming<WatchResponse>, Status> {
        let request = self.request(WatchRequest { after_id: after_id.to_owned() });
        let mut client = WatchServiceClient::new(self.channel());
        Ok(self.wait(client.watch(request))?.into_inner())
    }
}

/// What a program can tell of a failure: its reason and the field that cannot be used.
pub(crate) fn reason_and_field(status: &Status) -> (String, Option<String>) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "bangui");
    let id = metadata(status.metadata(), "x-correlation-id");
    let request = details.request_info().unwrap_or_else(|| panic!("no RequestInfo: {status:?}"));
    assert_eq!((request.request_id.as_str(), id.len()), (id.as_str(), 32));
    let field = details.bad_request().map(|it| it.field_violations[0].field.clone());
    (info.reason.clone(), field)
}

/// A text of the metadata; empty when it is absent.
pub(crate) fn metadata(metadata: &tonic::metadata::MetadataMap, name: &str) -> String {
    metadata.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}
