//! A gRPC call by hand: what no proper client would send, and deadlines that only the server keeps
//! (tonic's client hangs up by itself when its own `grpc-timeout` has passed).

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tonic::{Code, Status};

use super::{Bangui, SOON};

/// What came back.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) http_status: u16,
    pub(crate) head: HeaderMap,
    pub(crate) body: Bytes,
    trailers: Option<HeaderMap>,
}

impl RawAnswer {
    /// The status, wherever it stands.
    pub(crate) fn status(&self) -> Status {
        let of_trailers = self.trailers.as_ref().and_then(Status::from_header_map);
        let mut status = of_trailers.or_else(|| Status::from_header_map(&self.head)).unwrap();
        let id = self.head["x-correlation-id"].to_str().unwrap();
        status.metadata_mut().insert("x-correlation-id", id.parse().unwrap());
        status
    }

    /// The code of an answer that is a head and nothing else.
    #[track_caller]
    pub(crate) fn code_of_head(&self) -> Code {
        assert_eq!((self.http_status, self.body.len()), (200, 0), "{self:?}");
        assert_eq!(self.head["content-type"], "application/grpc");
        assert!(self.trailers.is_none(), "{self:?}");
        self.status().code()
    }
}

/// A message as it goes over the wire.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).unwrap());
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

/// Posts these bytes over HTTP/2 and reads the whole answer.
pub(crate) fn raw_call(
    bangui: &Bangui,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> RawAnswer {
    let mut request = Request::post(format!("http://127.0.0.1:{}{path}", bangui.port()));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("te", "trailers").body(Full::new(body.into())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = runtime.block_on(async {
        tokio::time::timeout(SOON, async {
            let address = ("127.0.0.1", bangui.port());
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            let collected = body.collect().await.unwrap();
            let trailers = collected.trailers().cloned();
            let (http_status, head) = (head.status.as_u16(), head.headers);
            RawAnswer { http_status, head, body: collected.to_bytes(), trailers }
        })
        .await
    });
    answered.expect("no answer in time")
}
