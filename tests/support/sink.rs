//! The sink: the stand-in for vendors' clouds of otel-collector/sink, as a child of the test. Its
//! README tells what it decodes and how it can fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::lines::Lines;
use super::{Client, Process, SOON, eventually, free_port, inherited, script};

/// A first run may have to build it.
const BUILD_TIMEOUT: Duration = Duration::from_secs(900);
/// Another process may take a port between the choice and its use.
const ATTEMPTS: usize = 3;

/// How a sink is to stand there; without anything it takes every key over plain HTTP.
#[derive(Clone, Debug, Default)]
pub(crate) struct SinkOptions {
    arguments: Vec<String>,
    is_tls: bool,
}

impl SinkOptions {
    fn with<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }

    /// Clients must show this API key or token.
    pub(crate) fn key(self, key: &str) -> Self {
        self.with(["--key", key])
    }

    /// Requests to CloudWatch must be signed with this key.
    pub(crate) fn aws(self, access_key_id: &str, secret_access_key: &str) -> Self {
        self.with(["--aws-access-key-id", access_key_id])
            .with(["--aws-secret-access-key", secret_access_key])
    }

    /// TLS with this certificate and its key, which are PEM files.
    pub(crate) fn tls(self, certificate: &str, key: &str) -> Self {
        let own = self.with(["--tls-cert", certificate, "--tls-key", key]);
        Self { is_tls: true, ..own }
    }

    /// The newest version of TLS that it speaks: `1.1`, `1.2` or `1.3`.
    pub(crate) fn tls_max(self, version: &str) -> Self {
        self.with(["--tls-max", version])
    }

    /// Clients must show a certificate of this authority.
    pub(crate) fn client_ca(self, certificate: &str) -> Self {
        self.with(["--client-ca", certificate])
    }

    /// Counts records by their uid and keeps none, for tests with a million of them.
    pub(crate) fn count_only(self) -> Self {
        self.with(["--count-only"])
    }

    /// In front of a real HTTP server, which has what arrives; the sink decodes nothing then.
    pub(crate) fn forward(self, url: &str) -> Self {
        self.with(["--forward", url])
    }

    /// In front of a real TCP server, `host:port`.
    pub(crate) fn forward_tcp(self, address: &str) -> Self {
        self.with(["--forward-tcp", address])
    }
}

/// What a sink has stored. Each record is an object of `vendor`, `headers` and `record`.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) logs: Vec<Value>,
    pub(crate) metrics: Vec<Value>,
    pub(crate) spans: Vec<Value>,
    pub(crate) stats: Vec<Value>,
    /// Every request, answered or not, with its `status` and the `fault` that ruled it.
    pub(crate) requests: Vec<Value>,
}

/// How much has arrived.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Of each vendor, of each kind.
    pub(crate) records: Value,
    /// Of each vendor, of each status; 0 stands for no answer.
    pub(crate) requests: Value,
    /// Log records in which no `uid` was found.
    pub(crate) logs_without_uid: u64,
    /// How often each `uid` arrived.
    pub(crate) uids: BTreeMap<String, u64>,
}

/// A running sink; dropped, it is ended.
pub(crate) struct Sink {
    address: String,
    /// Where its control port is.
    control: String,
    is_tls: bool,
    client: Client,
    stderr: Lines,
    process: Process,
}

impl Sink {
    /// Starts one and waits until it is ready; builds it first when the cache has none.
    pub(crate) fn start(options: &SinkOptions) -> Self {
        let binary = binary();
        for _ in 0..ATTEMPTS {
            if let Some(sink) = Self::attempt(&binary, options) {
                return sink;
            }
        }
        panic!("no free ports in {ATTEMPTS} attempts");
    }

    /// Nothing if a port was taken meanwhile.
    fn attempt(binary: &PathBuf, options: &SinkOptions) -> Option<Self> {
        let addresses = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        Self::at(addresses, binary, options)
    }

    /// The same at the address that it is to have; nothing if that is taken.
    fn at([listen, control]: [String; 2], binary: &PathBuf, options: &SinkOptions) -> Option<Self> {
        let mut command = Command::new(binary);
        command.args(["--listen", &listen, "--control", &control]).args(&options.arguments);
        command.env_clear().envs(inherited());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn("sink", &mut command);
        let stdout = Lines::of(process.child().stdout.take().unwrap());
        let mut stderr = Lines::of(process.child().stderr.take().unwrap());
        let is_ready = eventually(SOON, "the sink", || {
            if let Some(status) = process.status() {
                let said = stderr.finish().join("\n");
                assert!(said.contains("in use"), "the sink ended with {status}: {said}");
                return Ok(false);
            }
            if stdout.so_far().is_empty() { Err("no line".to_owned()) } else { Ok(true) }
        });
        is_ready.then(|| Self {
            client: Client::new(format!("http://{control}")),
            address: listen,
            control,
            is_tls: options.is_tls,
            stderr,
            process,
        })
    }

    /// Ends it, and starts another one at the same address, which has received nothing yet.
    pub(crate) fn restart_with(&mut self, options: &SinkOptions) {
        self.process.kill();
        let addresses = [self.address.clone(), self.control.clone()];
        *self = Self::at(addresses, &binary(), options).expect("its address is still free");
    }

    /// Where it takes data, as a URL without a path.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.address)
    }

    /// Where it takes data, as `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Changes how it behaves; the change is in force on return.
    #[track_caller]
    pub(crate) fn set_mode(&self, mode: &Value) {
        self.client.put("/mode", mode).expect(200);
    }

    /// Serves as it should again.
    #[track_caller]
    pub(crate) fn set_ok(&self) {
        self.set_mode(&json!({ "mode": "ok" }));
    }

    /// Everything that it has stored.
    pub(crate) fn received(&self) -> Received {
        let mut all = Received::default();
        let mut since = 0;
        loop {
            let path = format!("/received?since={since}");
            let mut page = self.client.get(&path).expect(200).json();
            let mut list = |name: &str| match page[name].take() {
                Value::Array(list) => list,
                other => panic!("{name} is no list: {other}"),
            };
            all.logs.extend(list("logs"));
            all.metrics.extend(list("metrics"));
            all.spans.extend(list("spans"));
            all.stats.extend(list("stats"));
            all.requests.extend(list("requests"));
            since = page["next"].as_u64().unwrap();
            if page["more"] == false {
                return all;
            }
        }
    }

    /// Totals, and how often each record arrived: cheap even for a hundred thousand of them.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.client.get("/counts").expect(200).json();
        let uids = match counts["uids"].take() {
            Value::Object(uids) => uids,
            // Left out while there are none.
            _ => serde_json::Map::default(),
        };
        Counts {
            records: counts["records"].take(),
            requests: counts["requests"].take(),
            logs_without_uid: counts["logs_without_uid"].as_u64().unwrap(),
            uids: uids.into_iter().map(|(uid, count)| (uid, count.as_u64().unwrap())).collect(),
        }
    }

    /// How many log records have arrived, copies among them.
    pub(crate) fn log_records(&self) -> u64 {
        let counts = self.client.get("/counts?uids=false").expect(200).json();
        let vendors = counts["records"].as_object().unwrap().values();
        vendors.filter_map(|vendor| vendor["logs"].as_u64()).sum()
    }

    /// Forgets what it has stored and counted.
    pub(crate) fn clear(&self) {
        self.client.delete("/received").expect(204);
    }

    /// What it has written to its standard error.
    pub(crate) fn said(&self) -> Vec<String> {
        self.stderr.so_far()
    }
}

/// The binary, built once for all tests of a run.
fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let mut command = Command::new(script("build-sink.sh"));
    command.env_clear().envs(inherited());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn("build-sink.sh", &mut command);
    let mut stdout = Lines::of(process.child().stdout.take().unwrap());
    let mut stderr = Lines::of(process.child().stderr.take().unwrap());
    let status = process.wait(BUILD_TIMEOUT).expect("build-sink.sh ends in time");
    let said = stderr.finish().join("\n");
    assert!(status.success(), "build-sink.sh ended with {status}: {said}");
    stdout.finish().pop().expect("build-sink.sh prints a path").into()
}
