//! Debian's Alertmanager as a child of the test, and a webhook's receiver for it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, Process, eventually, free_port, inherited, script};

/// A first run may have to fetch it.
const READY_TIMEOUT: Duration = Duration::from_secs(900);

/// A running Alertmanager.
pub(crate) struct Alertmanager {
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Alertmanager {
    /// With these variables of scripts/serve-alertmanager.sh.
    pub(crate) fn start(settings: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(script("serve-alertmanager.sh"));
        command.env_clear().envs(inherited());
        command.env("ALERTMANAGER_PORT", port.to_string());
        command.env("ALERTMANAGER_DIR", folder.path());
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let log = fs::File::create(folder.path().join("alertmanager.out")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = Process::spawn("serve-alertmanager.sh", &mut command);
        let mut own = Self { folder, port, process };
        eventually(READY_TIMEOUT, "Alertmanager", || {
            if let Some(status) = own.process.status() {
                panic!("Alertmanager ended with {status}: {}", own.said());
            }
            let answer = own.client().try_send(Method::GET, "/-/ready", None);
            let status = answer.map_err(|error| error.to_string())?.status;
            if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
        });
        own
    }

    /// Where Prometheus sends alerts to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it knows of an alert; the state says whether anybody is told.
    pub(crate) fn alert(&self, name: &str) -> Option<Value> {
        let alerts = self.client().get("/api/v2/alerts").expect(200).json();
        let mut alerts = alerts.as_array().unwrap().iter();
        alerts.find(|alert| alert["labels"]["alertname"] == name).cloned()
    }

    /// Its own log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("alertmanager.out")).unwrap_or_default()
    }

    fn client(&self) -> Client {
        Client::new(format!("http://{}", self.address()))
    }
}

/// What was posted: the path, and the body as JSON.
pub(crate) type Post = (String, Value);

/// A receiver of JSON over HTTP/1.1. Its threads end with the connections, or with the test.
pub(crate) struct Webhook {
    port: u16,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Webhook {
    pub(crate) fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let posts = Arc::<Mutex<Vec<Post>>>::default();
        let own = Arc::clone(&posts);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let posts = Arc::clone(&own);
                thread::spawn(move || while answer(&stream, &posts).is_some() {});
            }
        });
        Self { port, posts }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The alerts that it was told of, each with the path and the message that it was in.
    pub(crate) fn alerts(&self) -> Vec<(String, Value, Value)> {
        let posts = self.posts.lock().unwrap().clone();
        let alerts = posts.into_iter().flat_map(|(path, message)| {
            let alerts = message["alerts"].as_array().unwrap().clone();
            alerts.into_iter().map(move |alert| (path.clone(), message.clone(), alert))
        });
        alerts.collect()
    }
}

/// Takes one request of a connection; nothing at its end.
fn answer(mut stream: &TcpStream, posts: &Mutex<Vec<Post>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        let is_end = reader.read_line(&mut line).ok()? == 0;
        let line = line.trim_end().to_owned();
        match line.is_empty() {
            _ if is_end => return None,
            true => break,
            false => head.push(line),
        }
    }
    let path = head[0].strip_prefix("POST ").expect("a webhook is posted");
    let path = path.split(' ').next().unwrap().to_owned();
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.expect("a length")];
    reader.read_exact(&mut body).ok()?;
    posts.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap()));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}
