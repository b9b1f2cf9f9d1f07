//! The wire side of the OTLP receiver: gRPC and http/protobuf on one port.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::read::GzDecoder;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

/// A gRPC message is preceded by a flag and its length.
const GRPC_PREFIX_BYTES: usize = 5;
/// gRPC's status for a server that cannot serve right now.
const GRPC_UNAVAILABLE: &str = "14";

/// What takes the payloads: the path and the protobuf message; false refuses them.
pub(super) type Sink = Arc<dyn Fn(&str, Bytes) -> bool + Send + Sync>;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves until its runtime ends.
pub(super) async fn serve(listener: TcpListener, sink: Sink) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&sink)));
            // A client that breaks its connection has its own reasons.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

pub(super) async fn listen(address: SocketAddr) -> TcpListener {
    TcpListener::bind(address).await.expect("the receiver's port is free")
}

async fn answer(request: Request<Incoming>, sink: Sink) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let is_grpc = is_grpc(request.headers());
    let is_gzip = request.headers().get("content-encoding").is_some_and(|it| it == "gzip");
    let Ok(body) = request.into_body().collect().await else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    let body = body.to_bytes();
    if !is_grpc {
        let body = if is_gzip { unzipped(&body) } else { body };
        let is_taken = sink(&path, body);
        let refusal = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(plain(if is_taken { StatusCode::OK } else { refusal }));
    }
    assert_eq!(body[0], 0, "compressed, which nobody asked for");
    let is_taken = sink(&path, body.slice(GRPC_PREFIX_BYTES..));
    Ok(grpc(if is_taken { "0" } else { GRPC_UNAVAILABLE }))
}

/// The collector compresses what it sends over HTTP.
fn unzipped(body: &[u8]) -> Bytes {
    let mut out = Vec::new();
    GzDecoder::new(body).read_to_end(&mut out).expect("gzip");
    out.into()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let media_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| text.starts_with("application/grpc"))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()).boxed_unsync());
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("application/x-protobuf");
    response.headers_mut().insert("content-type", media_type);
    response
}

/// An empty message and the trailers that end a call.
fn grpc(status: &'static str) -> Response<Body> {
    let mut message = BytesMut::new();
    message.put_bytes(0, GRPC_PREFIX_BYTES);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let frames = [Ok(Frame::data(message.freeze())), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
    let media_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", media_type);
    response
}
