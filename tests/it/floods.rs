//! One client that takes more than its part leaves the rest to others.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Bangui, PASSWORD, SOON, eventually};

/// As many connections as one client may have.
const CONNECTIONS_PER_CLIENT_MAX: usize = 256;
/// As many strangers as may sign in at once.
const SIGN_INS_MAX: usize = 64;

/// The first line of the answer to a client with this address.
fn answer(port: u16, own: &str, request: &str) -> String {
    let own: SocketAddr = format!("{own}:0").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(own).unwrap();
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let answered = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
        answered.unwrap().unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    })
}

/// A sign-in of which only the head and this much of the body is sent.
fn sign_in(body: &str, length: usize) -> String {
    format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_client_with_many_connections_shuts_nobody_else_out() {
    let bangui = Bangui::builder().start();
    let port = bangui.port();
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut held: Vec<_> = (0..CONNECTIONS_PER_CLIENT_MAX).map(|_| connect()).collect();
    // The client that waited for the start may still have a connection of its own.
    let is_refused = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let closed = stream.read(&mut [0]);
        closed.is_ok_and(|count| count == 0)
    };
    eventually(SOON, "one connection too many", || {
        let mut one_more = connect();
        let refused = is_refused(&mut one_more);
        held.push(one_more);
        if refused { Ok(()) } else { Err(held.len().to_string()) }
    });
    let line = bangui.wait_for_event("http_connection_refused");
    assert_eq!(line["client_ip"], "127.0.0.1");
    let health = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert_eq!(answer(port, "127.0.0.2", health), "HTTP/1.1 200 OK");
    // Places come back.
    drop(held);
    eventually(SOON, "a place for who had too many", || {
        let mut stream = connect();
        if is_refused(&mut stream) { Err("still refused".to_owned()) } else { Ok(()) }
    });
}

#[test]
fn a_client_with_many_slow_sign_ins_keeps_nobody_from_signing_in() {
    let bangui = Bangui::builder().start();
    let port = bangui.port();
    let held: Vec<_> = (0..SIGN_INS_MAX)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(sign_in("{", 100).as_bytes()).unwrap();
            stream
        })
        .collect();
    // All have arrived: those beyond the client's part are refused at once.
    bangui.wait_for("http_request_completed", |line| line["status_code"] == 429);
    let body = format!("{{\"username\":\"admin\",\"password\":\"{PASSWORD}\"}}");
    let whole = sign_in(&body, body.len());
    assert_eq!(answer(port, "127.0.0.2", &whole), "HTTP/1.1 204 No Content");
    assert_eq!(answer(port, "127.0.0.1", &whole), "HTTP/1.1 429 Too Many Requests");
    drop(held);
}
