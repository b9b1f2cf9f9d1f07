//! Debian's Prometheus as a private server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::{Client, Process, SOON, eventually, expect, free_port, inherited, script};

/// A running server.
pub(crate) struct Prometheus {
    client: Client,
    _process: Process,
    _folder: TempDir,
}

/// A sample: its labels with its name among them, and its value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

impl Prometheus {
    /// Scrapes once a second what the configuration names.
    pub(crate) fn start(scrape_configs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prometheus.yml");
        let global = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n";
        std::fs::write(&file, format!("{global}{scrape_configs}")).unwrap();
        let said = std::fs::File::create(folder.path().join("prometheus.out")).unwrap();
        let port = free_port();
        let mut command = Command::new(root().join("usr/bin/prometheus"));
        command.env_clear().envs(inherited());
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=warn");
        command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
        let mut process = Process::spawn("prometheus", &mut command);
        let client = Client::new(format!("http://127.0.0.1:{port}"));
        eventually(SOON, "Prometheus", || {
            if let Some(status) = process.status() {
                let path = folder.path().join("prometheus.out");
                panic!("it ended with {status}: {}", std::fs::read_to_string(path).unwrap());
            }
            let answer = client.try_send(http::Method::GET, "/-/ready", None);
            let status = answer.map_err(|error| error.to_string())?.status;
            expect(status == 200, status.to_string())
        });
        Self { client, _process: process, _folder: folder }
    }

    /// What its API answers; anything but a success fails the test.
    #[track_caller]
    pub(crate) fn api(&self, path: &str) -> Value {
        self.client.get(&format!("/api/v1/{path}")).expect(200).json()["data"].take()
    }

    /// The samples that a query finds now; a `+` in it is written as `%2B`.
    #[track_caller]
    pub(crate) fn query(&self, query: &str) -> Vec<Sample> {
        let found = self.api(&format!("query?query={query}"));
        let sample = |it: &Value| {
            let labels = serde_json::from_value(it["metric"].clone()).unwrap();
            (labels, it["value"][1].as_str().unwrap().parse().unwrap())
        };
        found["result"].as_array().unwrap().iter().map(sample).collect()
    }
}

/// The unpacked package, fetched once for all tests of a run.
fn root() -> &'static PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut command = Command::new(script("debian-packages.sh"));
        command.arg("prometheus").env_clear().envs(inherited()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "debian-packages.sh prometheus: {said}");
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}
