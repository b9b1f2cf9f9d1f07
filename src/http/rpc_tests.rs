//! A panic inside of a call, on the whole stack: the real layers and generated servers around a
//! service of our contract that panics.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Version, header};
use http_body_util::BodyExt as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::super::body;
use super::super::stack::{self, Stack};
use crate::audit::{Audit, Changes};
use crate::auth::Auth;
use crate::config::{ApiToken, ClientIpLogging, LogLevel, QuietEndpoints, Scope, TrustedProxies};
use crate::domain::Secret;
use crate::edge::{Services, Site};
use crate::fail2ban::{Client, Limits};
use crate::grpc::Grpc;
use crate::history::History;
use crate::jails::Jails;
use crate::lock::SchedulerLock;
use crate::proto::v1::jail_service_server::{JailService, JailServiceServer};
use crate::proto::v1::{
    GetAddressHistoryRequest, GetAddressHistoryResponse, GetJailRequest, GetJailResponse,
    ListJailsRequest, ListJailsResponse,
};
use crate::settings::LogSettings;
use crate::store::Store;

const TOKEN: &str = "a-token-of-the-api-for-tests";
const GET_JAIL: &str = "/bangui.v1.JailService/GetJail";
const LIST_JAILS: &str = "/bangui.v1.JailService/ListJails";
const GET_HISTORY: &str = "/bangui.v1.HistoryService/GetAddressHistory";

/// Panics at once, or after it has waited for something, which is polled by another layer.
struct Broken;

#[tonic::async_trait]
impl JailService for Broken {
    async fn list_jails(
        &self,
        _: tonic::Request<ListJailsRequest>,
    ) -> Result<Response<ListJailsResponse>, Status> {
        tokio::task::yield_now().await;
        panic!("a panic behind a wait");
    }

    async fn get_jail(
        &self,
        request: tonic::Request<GetJailRequest>,
    ) -> Result<Response<GetJailResponse>, Status> {
        panic!("a panic about {}", request.get_ref().jail);
    }
}

async fn services(folder: &Path) -> Arc<Services> {
    let store = Store::open(&folder.join("bangui.db")).await.unwrap();
    let client = Client::spawn(folder.join("no.sock"), Limits::default());
    let history = History::start(client.clone(), store.clone()).await.unwrap();
    let audit = Audit::new(store.clone());
    let changes = Changes::new(audit.clone());
    let options = crate::blocklists::Options {
        folder: None,
        allow_private: false,
        lease_seconds: 30,
        slow_seconds: 300,
        trusted_proxies: vec![],
    };
    let blocklists = crate::blocklists::Blocklists::new(
        client.clone(),
        history.clone(),
        changes.clone(),
        store.clone(),
        options,
        CancellationToken::new(),
    );
    let jails = Jails::new(client, history.clone(), changes.clone());
    let token = ApiToken { token: Secret::new(TOKEN.to_owned()), scope: Scope::Read };
    let data_dir = folder.to_owned();
    let auth = Auth::start(store.clone(), audit.clone(), data_dir, None, Some(token));
    let site = Site {
        https: false,
        trusted_proxies: TrustedProxies::default(),
        log_client_ip: ClientIpLogging::Full,
        quiet_endpoints: QuietEndpoints::default(),
        metrics_upstream_url: String::new(),
        instance_id: String::new(),
        jaeger_query_url: None,
        jaeger_ui_url: None,
        export: None,
        export_endpoint: None,
        started_at: jiff::Timestamp::now(),
        started: Instant::now(),
    };
    let lock = SchedulerLock::new(store.clone(), 30).unwrap();
    Arc::new(Services {
        collector: Arc::new(crate::collector::Collector::new("http://127.0.0.1:1/metrics".into())),
        collector_log: crate::collector::OwnLog::new("http://127.0.0.1:1/logs".into()),
        auth: auth.await.unwrap(),
        blocklists,
        jails,
        history,
        log_settings: LogSettings::start(changes.clone(), LogLevel::Info),
        tasks: crate::tasks::Tasks::new(store, lock.clone(), changes, vec![]),
        lock,
        site,
        stop: CancellationToken::new(),
    })
}

/// Makes a call; gives the metadata in front, the message if there is one, and the status.
async fn call(stack: &Stack, path: &str, message: impl Message) -> (HeaderMap, Bytes, Status) {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut framed).unwrap();
    let request = Request::builder().method(Method::POST).version(Version::HTTP_2).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/grpc");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let request = request.body(body::full(framed)).unwrap();
    let (head, body) = stack.clone().oneshot(request).await.unwrap().into_parts();
    assert_eq!(head.status, 200, "a failure is a status of gRPC");
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = Status::from_header_map(&trailers);
    let status = status.or_else(|| Status::from_header_map(&head.headers)).expect("a status");
    (head.headers, body.to_bytes(), status)
}

#[tokio::test]
async fn a_panic_in_a_call_is_an_internal_error_with_its_id_and_the_service_lives_on() {
    // Ids come from spans, and spans from a subscriber, which here is this thread's alone.
    let tracer = SdkTracerProvider::default().tracer("test");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans));

    let folder = tempfile::tempdir().unwrap();
    let services = services(folder.path()).await;
    let mut grpc = Grpc::new(services.clone()).unwrap();
    grpc.replace("bangui.v1.JailService", JailServiceServer::new(Broken));
    let stack = stack::build(services, grpc).unwrap();
    let mut ids = Vec::new();
    for round in 0..3 {
        let get = call(&stack, GET_JAIL, GetJailRequest { jail: "token=hunter2".into() }).await;
        let list = call(&stack, LIST_JAILS, ListJailsRequest {}).await;
        for (metadata, message, status) in [get, list] {
            assert_eq!((status.code(), message.len()), (Code::Internal, 0), "{round}");
            assert!(!format!("{status:?}").contains("hunter2"), "{status:?}");
            let id = metadata["x-correlation-id"].to_str().unwrap().to_owned();
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().reason, "INTERNAL");
            assert_eq!(details.request_info().unwrap().request_id, id);
            ids.push(id);
        }
        // The same stack answers the next call.
        let request = GetAddressHistoryRequest { ip: "192.0.2.1".into(), ..Default::default() };
        let (_, message, status) = call(&stack, GET_HISTORY, request).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        let answer = GetAddressHistoryResponse::decode(&message[5..]).unwrap();
        assert_eq!((answer.ip.as_str(), answer.entries.len()), ("192.0.2.1", 0));
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "each call has its own id");
    assert!(ids.iter().all(|id| id.len() == 32), "{ids:?}");
}
