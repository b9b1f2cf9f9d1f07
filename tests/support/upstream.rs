//! An HTTP server of the test's own that answers as badly as it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How it answers every request.
#[derive(Clone)]
pub(crate) enum Manner {
    /// With this text, after a while.
    Text(String, Duration),
    /// Not at all.
    Silence,
    /// With a head, then a line every tenth of a second for ever.
    Trickle,
    /// With a head, then as much as is taken.
    Flood,
}

/// A listening server; its threads end with the connections, or with the test.
pub(crate) struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) fn start(manner: &Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let (manner, seen) = (manner.clone(), Arc::clone(&requests));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (manner, seen) = (manner.clone(), Arc::clone(&seen));
                // It ends when the client hangs up, which is no failure of the test.
                thread::spawn(move || serve(client, &manner, &seen));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// How many requests have come so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, manner: &Manner, seen: &AtomicUsize) -> std::io::Result<()> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n";
    let mut request = [0; 4096];
    if client.read(&mut request)? == 0 {
        return Ok(());
    }
    seen.fetch_add(1, Ordering::SeqCst);
    match manner {
        Manner::Text(text, wait) => {
            thread::sleep(*wait);
            client.write_all(HEAD)?;
            client.write_all(text.as_bytes())
        }
        // Until the client hangs up.
        Manner::Silence => client.read(&mut request).map(|_| ()),
        Manner::Trickle => {
            client.write_all(HEAD)?;
            loop {
                client.write_all(b"a{instance=\"here\"} 1\n")?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Manner::Flood => {
            client.write_all(HEAD)?;
            let line = format!("a{{instance=\"here\",b=\"{}\"}} 1\n", "b".repeat(1000));
            let lines = line.repeat(100);
            loop {
                client.write_all(lines.as_bytes())?;
            }
        }
    }
}
