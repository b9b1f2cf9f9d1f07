//! A server of blocklists that a test tells what to answer, and how badly.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer.
#[derive(Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Before the first byte.
    pub(crate) wait: Duration,
    /// Whether the body goes on for ever.
    pub(crate) is_endless: bool,
}

impl Reply {
    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

#[derive(Default)]
struct State {
    replies: HashMap<String, Reply>,
    /// Heads of requests, each as it came.
    requests: Vec<String>,
}

/// A listening server; its threads end with the connections, or with the test.
pub(crate) struct ListServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl ListServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&own);
                // It ends when the client hangs up, which is no failure of the test.
                thread::spawn(move || serve(client, &state));
            }
        });
        Self { address, state }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a path, which includes its query.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on answers a path so.
    pub(crate) fn set(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(path.to_owned(), reply);
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(mut client: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(client.try_clone()?);
    while reader.read_line(&mut head)? > 2 {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut state = state.lock().unwrap();
        state.requests.push(head.clone());
        state.replies.get(&path).cloned().unwrap_or(Reply::status(404))
    };
    thread::sleep(reply.wait);
    let etag = reply.headers.iter().find(|(name, _)| *name == "etag").map(|(_, value)| value);
    let is_known = etag.is_some_and(|etag| head.contains(&format!("if-none-match: {etag}")));
    let status = if is_known { 304 } else { reply.status };
    write!(client, "HTTP/1.1 {status} x\r\nconnection: close\r\n")?;
    for (name, value) in &reply.headers {
        write!(client, "{name}: {value}\r\n")?;
    }
    if !reply.is_endless && !is_known {
        write!(client, "content-length: {}\r\n", reply.body.len())?;
    }
    client.write_all(b"\r\n")?;
    if is_known {
        return Ok(());
    }
    client.write_all(&reply.body)?;
    if reply.is_endless {
        loop {
            client.write_all(&b"198.51.100.7\n".repeat(1000))?;
        }
    }
    Ok(())
}
