//! One client that takes more than its part leaves the rest to others.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::support::{Bangui, SOON, eventually};

/// As many connections as one client may have.
const CONNECTIONS_PER_CLIENT_MAX: usize = 256;

/// The first line of an answer to a client with this address.
fn health(port: u16, own: &str) -> String {
    let own: SocketAddr = format!("{own}:0").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(own).unwrap();
        let mut stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        let request = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let answered = tokio::time::timeout(SOON, stream.read_to_string(&mut answer)).await;
        answered.unwrap().unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    })
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
    assert_eq!(health(port, "127.0.0.2"), "HTTP/1.1 200 OK");
    // Places come back.
    drop(held);
    eventually(SOON, "a place for who had too many", || {
        let mut stream = connect();
        if is_refused(&mut stream) { Err("still refused".to_owned()) } else { Ok(()) }
    });
}
