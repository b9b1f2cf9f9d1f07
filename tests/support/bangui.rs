//! The built binary as a child, with what it says on stdout.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::client::Answers;
use super::lines::Lines;
use super::{Client, Fail2ban, OtlpReceiver, Process, SOON, eventually, free_port, inherited};

/// The password of `admin` wherever a test does not choose one.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running BanGUI.
pub(crate) struct Bangui {
    process: Process,
    stdout: Lines,
    stderr: Lines,
    port: u16,
    client: Client,
    data_dir: PathBuf,
    _folder: Option<TempDir>,
}

/// What an ended BanGUI left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// All lines of stdout; each one was a JSON object.
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: Vec<String>,
}

/// How to start one.
#[derive(Clone)]
pub(crate) struct Builder {
    env: Vec<(String, String)>,
    data_dir: Option<PathBuf>,
}

impl Builder {
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.retain(|(own, _)| own != name);
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.retain(|(own, _)| own != name);
        self
    }

    pub(crate) fn fail2ban(self, server: &Fail2ban) -> Self {
        self.socket(&server.socket())
    }

    pub(crate) fn socket(self, path: &Path) -> Self {
        self.env("BANGUI_FAIL2BAN_SOCKET", path.display())
    }

    /// Has its port speak TLS; `stranger` and `admin` do not.
    pub(crate) fn served_tls(self, certificate: &Path, key: &Path) -> Self {
        self.env("BANGUI_TLS_CERT_FILE", certificate.display())
            .env("BANGUI_TLS_KEY_FILE", key.display())
    }

    /// Keeps the state in this folder, for a restart.
    pub(crate) fn data_dir(mut self, folder: &Path) -> Self {
        self.data_dir = Some(folder.to_owned());
        self
    }

    /// Exports to the receiver often, so that tests need not wait.
    pub(crate) fn export_to(self, receiver: &OtlpReceiver, protocol: &str) -> Self {
        self.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .export_often()
    }

    pub(crate) fn export_often(self) -> Self {
        self.env("OTEL_BLRP_SCHEDULE_DELAY", 200)
            .env("OTEL_BSP_SCHEDULE_DELAY", 200)
            .env("OTEL_METRIC_EXPORT_INTERVAL", 300)
    }

    /// Of the scheduled tasks, only the one that removes sessions runs: the others wait for 29
    /// February.
    pub(crate) fn only_session_cleanup(mut self) -> Self {
        for task in ["HISTORY_RETENTION", "HISTORY_SYNC", "BLOCKLIST_REFRESH"] {
            self = self.env(&format!("BANGUI_TASK_{task}_SCHEDULE"), "0 0 29 2 *");
        }
        self
    }

    /// A command line of the binary in this environment.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bangui"));
        // The cache is the scripts' setting; the service would warn of a variable unknown to it.
        command.env_clear().envs(inherited()).env_remove("BANGUI_BUILD_CACHE");
        command.current_dir(folder);
        command.env("BANGUI_DATA_DIR", folder);
        // Nothing of what may run on this machine is asked by accident.
        let nobody = folder.join("no.sock");
        command.env("BANGUI_LISTEN", "127.0.0.1:0").env("BANGUI_FAIL2BAN_SOCKET", nobody);
        let metrics = format!("http://127.0.0.1:{}/metrics", free_port());
        command.env("BANGUI_METRICS_UPSTREAM_URL", &metrics);
        command.env("BANGUI_COLLECTOR_METRICS_URL", metrics);
        command.env("BANGUI_COLLECTOR_LOG_URL", format!("http://127.0.0.1:{}/logs", free_port()));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the service and waits until it is ready.
    pub(crate) fn start(self) -> Bangui {
        let folder = self.data_dir.is_none().then(|| tempfile::tempdir().unwrap());
        let own = folder.as_ref().map(|folder| folder.path().to_owned());
        let data_dir = self.data_dir.clone().or(own).unwrap();
        let mut process = Process::spawn("bangui", &mut self.command(&data_dir));
        let stdout = Lines::of(process.child().stdout.take().unwrap());
        let stderr = Lines::of(process.child().stderr.take().unwrap());
        let port = eventually(SOON, "bangui_ready", || {
            let lines = stdout.so_far();
            if let Some(status) = process.status() {
                panic!("bangui ended with {status}: {lines:#?} {:#?}", stderr.so_far());
            }
            let ready = parse(&lines).into_iter().find(|line| line["event"] == "bangui_ready");
            let address = ready.and_then(|line| Some(line["address"].as_str()?.to_owned()));
            let port = address.and_then(|text| text.rsplit_once(':')?.1.parse().ok());
            port.ok_or_else(|| format!("{lines:#?}"))
        });
        let client = Client::new(format!("http://127.0.0.1:{port}")).checked();
        Bangui { process, stdout, stderr, port, client, data_dir, _folder: folder }
    }
}

impl Bangui {
    pub(crate) fn builder() -> Builder {
        let env = vec![("BANGUI_ADMIN_PASSWORD".to_owned(), PASSWORD.to_owned())];
        Builder { env, data_dir: None }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// From now on keeps what clients are answered.
    pub(crate) fn keep_answers(&mut self) -> Answers {
        self.client.keep_answers()
    }

    /// A client that is not signed in.
    pub(crate) fn stranger(&self) -> Client {
        self.client.clone()
    }

    /// A client that is signed in as `admin`.
    pub(crate) fn admin(&self) -> Client {
        self.client.signed_in(PASSWORD)
    }

    /// Everything on stdout so far that is JSON.
    pub(crate) fn log(&self) -> Vec<Value> {
        parse(&self.stdout.so_far())
    }

    /// The lines of an event so far.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["event"] == name).collect()
    }

    /// Waits for a line of an event that fits.
    pub(crate) fn wait_for(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, &format!("the line `{name}`"), || {
            let found = self.events(name).into_iter().find(&fits);
            found.ok_or_else(|| format!("{:#?}", self.stdout.so_far()))
        })
    }

    pub(crate) fn wait_for_event(&self, name: &str) -> Value {
        self.wait_for(name, |_| true)
    }

    /// Waits until the service says that it is connected to fail2ban and has looked at it.
    pub(crate) fn wait_for_fail2ban(&self, client: &Client) -> Value {
        eventually(SOON, "the connection to fail2ban", || {
            let status = client.get("/api/dashboard/status").expect(200).json();
            let is_there = status["fail2ban"]["sources"]["list"]["healthy"] == true;
            if is_there { Ok(status) } else { Err(status.to_string()) }
        })
    }

    /// Fails if a line of stdout so far is no JSON object.
    pub(crate) fn assert_every_line_is_json(&self) {
        assert_json(&self.stdout.so_far());
    }

    /// Kills the service and gives all that it had said; the last line may be half of one.
    pub(crate) fn kill(mut self) -> Ended {
        self.process.kill();
        let status = self.process.status().expect("it was killed");
        let lines = parse(&self.stdout.finish());
        Ended { status, lines, stderr: self.stderr.finish() }
    }

    /// Ends the service as an init system does and gives all that it said.
    pub(crate) fn stop(mut self) -> Ended {
        let status = self.process.end("TERM");
        let lines = self.stdout.finish();
        assert_json(&lines);
        Ended { status, lines: parse(&lines), stderr: self.stderr.finish() }
    }
}

/// The lines that are JSON objects.
pub(crate) fn parse(lines: &[String]) -> Vec<Value> {
    let values = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter(Value::is_object).collect()
}

#[track_caller]
fn assert_json(lines: &[String]) {
    for line in lines {
        let is_object = serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object());
        assert!(is_object, "a line of stdout is no JSON object: {line:?}");
    }
}
