//! The whole stack as `make run` starts it, on ports of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::lines::Lines;
use super::process::signal_process;
use super::{
    API_TOKEN, Builder, Client, PASSWORD, Process, bangui, eventually, free_port, inherited, script,
};

/// A first run may have to build the collector and Jaeger.
const READY_TIMEOUT: Duration = Duration::from_secs(1800);
/// BanGUI, then the collector, then the rest are given time to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);
/// Another process may take a port between the choice and its use.
const ATTEMPTS: usize = 3;

/// The lines with which the run tells that a part is there.
const READY_LINES: [&str; 5] = [
    "ready http://",
    "fail2ban is ready",
    "the collector is ready",
    "Jaeger is ready",
    "Prometheus is ready",
];

/// A running stack; dropped, it is stopped, and nothing of it may be left.
pub(crate) struct Stack {
    folder: TempDir,
    process: Process,
    stdout: Lines,
    ports: Ports,
}

#[derive(Clone, Copy)]
struct Ports {
    bangui: u16,
    otlp: u16,
    exposition: u16,
    prometheus: u16,
    jaeger: u16,
}

impl Stack {
    /// Starts everything and waits until all of it is ready.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these variables beside, which BanGUI and the collector read alike.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        for _ in 0..ATTEMPTS {
            if let Some(stack) = Self::attempt(settings) {
                return stack;
            }
        }
        panic!("no free ports in {ATTEMPTS} attempts");
    }

    fn attempt(settings: &[(&str, &str)]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port;
        let ports = Ports {
            bangui: port(),
            otlp: port(),
            exposition: port(),
            prometheus: port(),
            jaeger: port(),
        };
        // A shell that runs the tests in the background ignores SIGINT, and so would the script.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT").arg(script("run.sh")).env_clear().envs(inherited());
        command
            .env("RUN_BINARY", env!("CARGO_BIN_EXE_bangui"))
            .env("RUN_DIR", folder.path())
            .env("RUN_REPLAY", "false")
            .env("BANGUI_ADMIN_PASSWORD", PASSWORD)
            .env("BANGUI_API_TOKEN", API_TOKEN)
            .env("BANGUI_API_TOKEN_SCOPE", "write")
            .env("RUN_PORT", ports.bangui.to_string())
            .env("RUN_OTLP_GRPC_PORT", ports.otlp.to_string())
            .env("RUN_OTLP_HTTP_PORT", port().to_string())
            .env("RUN_EXPOSITION_PORT", ports.exposition.to_string())
            .env("RUN_PROMETHEUS_PORT", ports.prometheus.to_string())
            .env("RUN_JAEGER_PORT", ports.jaeger.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = Process::spawn("run.sh", &mut command);
        let stdout = Lines::of(process.child().stdout.take().unwrap());
        let stderr = Lines::of(process.child().stderr.take().unwrap());
        let mut stack = Self { folder, process, stdout, ports };
        stack.wait_until_ready(&stderr).then_some(stack)
    }

    /// False if a port was taken meanwhile.
    fn wait_until_ready(&mut self, stderr: &Lines) -> bool {
        eventually(READY_TIMEOUT, "the whole stack", || {
            let lines = self.stdout.so_far();
            if let Some(status) = self.process.status() {
                let error = stderr.so_far().join("\n");
                let is_about_ports = error.contains("in use") || error.contains("are both");
                assert!(is_about_ports, "run.sh ended with {status}: {error}\n{lines:#?}");
                return Ok(false);
            }
            let said = |text: &str| lines.iter().find(|line| line.contains(text));
            if let Some(line) = said("left out:") {
                panic!("not the whole stack: {line}");
            }
            let missing: Vec<_> = READY_LINES.iter().filter(|it| said(it).is_none()).collect();
            if missing.is_empty() { Ok(true) } else { Err(format!("without {missing:?}")) }
        })
    }

    pub(crate) fn bangui(&self) -> Client {
        Client::new(format!("http://127.0.0.1:{}", self.ports.bangui))
    }

    /// A shell beside BanGUI, whose commands export to the same collector.
    pub(crate) fn shell(&self) -> Builder {
        let of = |port: u16| format!("http://127.0.0.1:{port}");
        let builder = bangui::Bangui::builder().env("BANGUI_API_TOKEN", API_TOKEN);
        let builder = builder.env("BANGUI_ADDRESS", of(self.ports.bangui));
        builder.env("OTEL_EXPORTER_OTLP_ENDPOINT", of(self.ports.otlp))
    }

    pub(crate) fn collector_exposition(&self) -> Client {
        Client::new(format!("http://127.0.0.1:{}", self.ports.exposition))
    }

    pub(crate) fn prometheus(&self) -> Client {
        Client::new(format!("http://127.0.0.1:{}", self.ports.prometheus))
    }

    pub(crate) fn jaeger(&self) -> Client {
        Client::new(format!("http://127.0.0.1:{}", self.ports.jaeger))
    }

    /// Ends its fail2ban, by the id that it has written down.
    pub(crate) fn end_fail2ban(&self) {
        let id = std::fs::read_to_string(self.file("fail2ban.pid")).unwrap();
        signal_process("TERM", id.trim().parse().unwrap());
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The lines of BanGUI's stdout, from the copy that the run keeps.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file("bangui.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        bangui::parse(&lines)
    }

    /// Stops the run as Ctrl-C does. Tells which of its processes were left; those are killed.
    fn stop(&mut self) -> (bool, Vec<String>) {
        let descendants = descendants(self.process.id());
        self.process.signal("INT");
        let has_ended = self.process.wait(STOP_TIMEOUT).is_some();
        let left: Vec<_> = descendants.iter().filter(|it| it.is_alive()).collect();
        for process in &left {
            signal_process("KILL", process.id);
        }
        (has_ended, left.iter().map(|process| process.name.clone()).collect())
    }

    /// Stops the run and fails if anything of it is left.
    pub(crate) fn finish(mut self) {
        let (has_ended, left) = self.stop();
        assert!(has_ended, "run.sh does not end after Ctrl-C");
        assert!(left.is_empty(), "run.sh left processes: {left:?}");
        assert_eq!(self.process.status().and_then(|status| status.code()), Some(0));
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.process.status().is_none() {
            self.stop();
        }
    }
}

/// A process as it was seen; its start time tells it from a later one with the same id.
struct Seen {
    id: u32,
    name: String,
    started: String,
}

impl Seen {
    fn read(id: u32) -> Option<(Self, u32)> {
        let stat = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"));
        let stat = stat.ok()?;
        // The name is in parentheses and may hold spaces; the fields after it may not.
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let (state, parent, started) = (fields.first()?, fields.get(1)?, fields.get(19)?);
        let name = head.split_once('(')?.1.to_owned();
        let is_zombie = *state == "Z";
        let seen = Self { id, name, started: (*started).to_owned() };
        if is_zombie { None } else { Some((seen, parent.parse().ok()?)) }
    }

    fn is_alive(&self) -> bool {
        Self::read(self.id).is_some_and(|(now, _)| now.started == self.started)
    }
}

/// All processes below one.
fn descendants(root: u32) -> Vec<Seen> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut all: Vec<(Seen, u32)> = ids.filter_map(Seen::read).collect();
    let (mut found, mut parents) = (Vec::new(), vec![root]);
    while let Some(parent) = parents.pop() {
        let (children, others) = all.into_iter().partition(|(_, of)| *of == parent);
        all = others;
        for (child, _) in Vec::<(Seen, u32)>::from_iter(children) {
            parents.push(child.id);
            found.push(child);
        }
    }
    found
}
