//! Our collector as a child of the test, which may be killed and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, Process, eventually, free_port, inherited, line_of_otlp_json, script};

/// A first run may have to build the collector.
const READY_TIMEOUT: Duration = Duration::from_secs(1800);

/// What every batch in the collector's file begins with. It cannot stand inside of a text, whose
/// quotes are escaped.
const BATCH_START: &str = "{\"resourceLogs\":";

/// Its ports, by the variables of the script; each destination has a hop of its own, and
/// some a relay.
const PORTS: [&str; 17] = [
    "OTLP_GRPC_PORT",
    "HEALTH_PORT",
    "OTLP_HTTP_PORT",
    "EXPOSITION_PORT",
    "TELEMETRY_PORT",
    "OWN_LOG_PAGE_PORT",
    "OWN_LOG_PORT",
    "HOP_DATADOG_PORT",
    "HOP_PAPERTRAIL_PORT",
    "HOP_ELASTICSEARCH_PORT",
    "HOP_NEWRELIC_PORT",
    "HOP_SPLUNK_PORT",
    "HOP_CLOUDWATCH_PORT",
    "HOP_OTLP_PORT",
    "RELAY_DATADOG_TRACES_PORT",
    "RELAY_DATADOG_METRICS_PORT",
    "RELAY_CLOUDWATCH_PORT",
];

/// A collector with our configuration, on ports and in a folder of its own. Nobody listens where
/// it sends traces to, so those only fill its queue.
pub(crate) struct Collector {
    folder: TempDir,
    /// The variables of the script that are ports.
    ports: Vec<(&'static str, u16)>,
    /// What chooses its destinations.
    settings: Vec<(String, String)>,
    process: Option<Process>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these variables beside, which choose where it sends what.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let ports = PORTS.map(|name| (name, free_port())).into();
        let folder = tempfile::tempdir().unwrap();
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let settings = settings.collect();
        let mut own = Self { folder, ports, settings, process: None };
        own.run();
        own
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "the collector runs already");
        let log = self.folder.path().join("collector.out");
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        // The script ends by becoming the collector, so the child's id is the collector's.
        let mut command = Command::new(script("serve-collector.sh"));
        command.env_clear().envs(inherited());
        command.envs(self.ports.iter().map(|(name, port)| (name, port.to_string())));
        command.env("COLLECTOR_DIR", self.state());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.env("JAEGER_OTLP_ENDPOINT", format!("127.0.0.1:{}", free_port()));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = Process::spawn("serve-collector.sh", &mut command);
        let health = Client::new(format!("http://127.0.0.1:{}", self.port("HEALTH_PORT")));
        eventually(READY_TIMEOUT, "the collector", || {
            if let Some(status) = process.status() {
                panic!("the collector ended with {status}: {}", self.said());
            }
            let answer = health.try_send(Method::GET, "/", None);
            let status = answer.map_err(|error| error.to_string())?.status;
            if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
        });
        self.process = Some(process);
    }

    /// Changes one of its settings for the next run; an empty value takes it away.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(own, _)| own != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().expect("the collector runs");
        process.signal("TERM");
        // The longest that it has been seen to take is 17 s.
        let ended = process.wait(Duration::from_secs(60));
        assert!(ended.is_some(), "the collector does not end: {}", self.said());
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.as_ref().expect("the collector runs").id()
    }

    /// Has it read its configuration again, files of secrets too.
    pub(crate) fn reload(&mut self) {
        self.process.as_mut().expect("the collector runs").signal("HUP");
    }

    /// The folder of its state.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// One of the ports that it was given, by its variable.
    pub(crate) fn port(&self, name: &str) -> u16 {
        let found = self.ports.iter().find(|(own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no port {name}")).1
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the collector runs").kill();
    }

    /// Where it takes OTLP over gRPC.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port("OTLP_GRPC_PORT"))
    }

    /// The batches of log records that it has written, oldest first, as lines. What a kill has cut
    /// off was never acknowledged, and is left out.
    pub(crate) fn batches(&self) -> Vec<Vec<Value>> {
        let mut batches = Vec::new();
        for text in self.files() {
            let starts: Vec<_> = text.match_indices(BATCH_START).map(|(at, _)| at).collect();
            let ends = starts.iter().skip(1).copied().chain([text.len()]);
            for (start, end) in starts.iter().zip(ends) {
                let batch = text[*start..end].trim_end();
                if serde_json::from_str::<Value>(batch).is_ok() {
                    batches.push(line_of_otlp_json(batch));
                }
            }
        }
        batches
    }

    /// The file of records, and before it those that it has outgrown; their names hold the time.
    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.state()) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        let is_log = |path: &Path| path.to_string_lossy().ends_with(".jsonl");
        paths.retain(|path| is_log(path));
        paths.sort_by_key(|path| (path.ends_with("logs.jsonl"), path.clone()));
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        paths.into_iter().map(read).collect()
    }

    /// Its own log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("collector.out")).unwrap_or_default()
    }
}
