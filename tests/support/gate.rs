//! A way to a server that hears what passes, and can be shut without a word: connections stay open,
//! nothing passes.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Listens in front of a server. Its threads end with the connections, or with the test.
pub(crate) struct Gate {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_shut: Mutex<bool>,
    changed: Condvar,
    /// What each client has sent, oldest connection first.
    heard: Mutex<Vec<Vec<u8>>>,
}

impl State {
    fn wait_until_open(&self) {
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.changed.wait_while(is_shut, |is_shut| *is_shut).unwrap());
    }
}

impl Gate {
    /// An open gate.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let own = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&own);
                thread::spawn(move || connect(client, server, &state));
            }
        });
        Self { address, state }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The bytes that each connection's client has sent, whether or not the server got them.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        self.state.heard.lock().unwrap().clone()
    }

    /// From now on nothing reaches the server, or everything does that came meanwhile. Answers
    /// always pass, so the client knows of all that has arrived.
    pub(crate) fn set_shut(&self, is_shut: bool) {
        *self.state.is_shut.lock().unwrap() = is_shut;
        self.state.changed.notify_all();
    }
}

fn connect(mut client: TcpStream, server: SocketAddr, state: &State) {
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let connection = {
        let mut heard = state.heard.lock().unwrap();
        heard.push(Vec::new());
        heard.len() - 1
    };
    let (mut from_server, mut to_client) =
        (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        // Only an orderly end is passed on: a reset must not look like one.
        if io::copy(&mut from_server, &mut to_client).is_ok() {
            let _ = to_client.shutdown(Shutdown::Write);
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    // Either side may hang up when it likes.
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        state.heard.lock().unwrap()[connection].extend(&buffer[..count]);
        state.wait_until_open();
        // A client that is not told of a reset goes on until it gives up.
        let _ = server.write_all(&buffer[..count]);
    }
    // The server may still have something to say.
    let _ = server.shutdown(Shutdown::Write);
}
