//! Debian's Prometheus as `make run` starts it, with our rules, but that it scrapes once a second.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, Process, eventually, free_port, inherited, script};

/// A first run may have to fetch it.
const READY_TIMEOUT: Duration = Duration::from_secs(900);

/// A running Prometheus.
pub(crate) struct Monitor {
    folder: TempDir,
    client: Client,
    process: Process,
}

/// One series of an answer: its labels, and its samples as times and values.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) labels: Value,
    pub(crate) samples: Vec<(f64, f64)>,
}

impl Monitor {
    /// Scrapes these services (host:port), with these variables of scripts/serve-prometheus.sh
    /// beside.
    pub(crate) fn start(targets: &[String], settings: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(script("serve-prometheus.sh"));
        command.env_clear().envs(inherited());
        command.env("PROMETHEUS_PORT", port.to_string());
        command.env("PROMETHEUS_DIR", folder.path());
        command.env("PROMETHEUS_TARGET", targets.join(","));
        command.env("PROMETHEUS_INTERVAL_SECONDS", "1");
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let log = fs::File::create(folder.path().join("prometheus.out")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = Process::spawn("serve-prometheus.sh", &mut command);
        let client = Client::new(format!("http://127.0.0.1:{port}"));
        eventually(READY_TIMEOUT, "Prometheus", || {
            if let Some(status) = process.status() {
                panic!("Prometheus ended with {status}: {}", said(folder.path()));
            }
            let answer = client.try_send(Method::GET, "/-/ready", None);
            let status = answer.map_err(|error| error.to_string())?.status;
            if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
        });
        Self { folder, client, process }
    }

    /// Its id, to see that it runs.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The answer to a query at this moment: vectors have one sample a series, ranges several.
    pub(crate) fn query(&self, query: &str) -> Vec<Series> {
        self.ask(&[("query", query)])
    }

    /// The same at another moment, in seconds since 1970.
    pub(crate) fn query_at(&self, query: &str, seconds: f64) -> Vec<Series> {
        self.ask(&[("query", query), ("time", &seconds.to_string())])
    }

    fn ask(&self, parameters: &[(&str, &str)]) -> Vec<Series> {
        let mut encoded = form_urlencoded::Serializer::new(String::new());
        encoded.extend_pairs(parameters);
        let answer = self.client.get(&format!("/api/v1/query?{}", encoded.finish())).json();
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer} {}", self.said());
        let series = answer["data"]["result"].as_array().unwrap().iter();
        series.map(|it| Series { labels: it["metric"].clone(), samples: samples(it) }).collect()
    }

    /// The value of the only series of an answer.
    pub(crate) fn value(&self, query: &str) -> Result<f64, String> {
        match &self.query(query)[..] {
            [Series { samples, .. }] if samples.len() == 1 => Ok(samples[0].1),
            others => Err(format!("{query}: {others:?}")),
        }
    }

    fn said(&self) -> String {
        said(self.folder.path())
    }
}

fn said(folder: &Path) -> String {
    fs::read_to_string(folder.join("prometheus.out")).unwrap_or_default()
}

fn samples(series: &Value) -> Vec<(f64, f64)> {
    let sample = |pair: &Value| (pair[0].as_f64().unwrap(), number(pair[1].as_str().unwrap()));
    match series["values"].as_array() {
        Some(values) => values.iter().map(sample).collect(),
        None => vec![sample(&series["value"])],
    }
}

/// Prometheus writes infinities with their sign.
fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
