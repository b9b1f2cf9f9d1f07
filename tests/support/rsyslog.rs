//! Debian's rsyslog as a child of the test: a syslog server over TLS or in clear.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::lines::Lines;
use super::{Certificates, Process, SOON, eventually, expect, free_port, inherited, script};

/// A first run may have to fetch it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(900);

/// How a server answers to who connects.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Clear,
    Tls(Vec<(&'static str, String)>),
}

impl Security {
    /// TLS with one of the certificates, and their authority for those of clients.
    pub(crate) fn tls(certificates: &Certificates, name: &str) -> Self {
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        Self::Tls(vec![
            ("RSYSLOG_CERT_FILE", path(certificates.certificate(name))),
            ("RSYSLOG_KEY_FILE", path(certificates.key(name))),
            ("RSYSLOG_CA_FILE", path(certificates.certificate("ca"))),
        ])
    }

    /// With one more variable of scripts/serve-rsyslog.sh.
    fn with(self, name: &'static str, value: &str) -> Self {
        let Self::Tls(mut variables) = self else { panic!("{name} is for TLS") };
        variables.push((name, value.to_owned()));
        Self::Tls(variables)
    }

    /// Clients must show a certificate of the authority.
    pub(crate) fn with_client_certificates(self) -> Self {
        self.with("RSYSLOG_CLIENT_CERT_REQUIRED", "true")
    }

    /// Nothing newer than TLS 1.1.
    pub(crate) fn outdated(self) -> Self {
        self.with("RSYSLOG_GNUTLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.1")
    }
}

/// What rsyslog has understood of one record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyslogRecord {
    pub(crate) app_name: String,
    pub(crate) severity: String,
    pub(crate) facility: String,
    pub(crate) hostname: String,
    pub(crate) procid: String,
    pub(crate) msgid: String,
    pub(crate) timestamp: String,
    pub(crate) structured_data: String,
    pub(crate) msg: String,
}

/// A syslog server, which may be killed and started again.
pub(crate) struct Rsyslog {
    folder: TempDir,
    port: u16,
    security: Security,
    process: Option<Process>,
}

impl Rsyslog {
    pub(crate) fn start(security: Security) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut own = Self { folder, port: free_port(), security, process: None };
        own.run();
        own
    }

    /// Starts it, again on the same port and with what it had received, and waits until it listens.
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "rsyslog runs already");
        self.drop_cut_line();
        let log = self.folder.path().join("rsyslog.out");
        let log = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        // The script ends by becoming rsyslog, so the child's id is rsyslog's.
        let mut command = Command::new(script("serve-rsyslog.sh"));
        command.env_clear().envs(inherited());
        command.env("RSYSLOG_PORT", self.port.to_string());
        command.env("RSYSLOG_DIR", self.folder.path()).env("RSYSLOG_ROOT", root());
        match &self.security {
            Security::Clear => command.env("RSYSLOG_TLS", "false"),
            Security::Tls(variables) => command.envs(variables.iter().cloned()),
        };
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut process = Process::spawn("serve-rsyslog.sh", &mut command);
        eventually(SOON, "rsyslog", || {
            if let Some(status) = process.status() {
                panic!("rsyslog ended with {status}: {}", self.said());
            }
            expect(is_listening(self.port), "it does not listen")
        });
        self.process = Some(process);
    }

    /// Starts it again with other certificates, or without any.
    pub(crate) fn restart_with(&mut self, security: Security) {
        if self.process.is_some() {
            self.kill();
        }
        self.security = security;
        self.run();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("rsyslog runs").kill();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("rsyslog runs").end("TERM");
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// From now on it does nothing at all, while its connections stay open.
    pub(crate) fn freeze(&mut self) {
        self.process.as_mut().expect("rsyslog runs").signal("STOP");
    }

    /// Goes on with what it was doing.
    pub(crate) fn thaw(&mut self) {
        self.process.as_mut().expect("rsyslog runs").signal("CONT");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Everything that it has received, oldest first.
    pub(crate) fn records(&self) -> Vec<SyslogRecord> {
        // There is no file before the first record.
        let bytes = fs::read(self.file()).unwrap_or_default();
        // What is no record at all may come from anybody.
        let text = String::from_utf8_lossy(&bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|it| panic!("{it}: {line}"));
        whole.lines().map(parse).collect()
    }

    /// What it says of itself.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("rsyslog.out")).unwrap_or_default()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("records.jsonl")
    }

    /// A kill may have cut the last line off, and the next record would be appended to it.
    fn drop_cut_line(&self) {
        let Ok(bytes) = fs::read(self.file()) else { return };
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        fs::write(self.file(), &bytes[..end]).unwrap();
    }
}

/// The unpacked packages, looked up once: apt takes some seconds for it.
fn root() -> &'static str {
    static ROOT: OnceLock<String> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut command = Command::new(script("debian-packages.sh"));
        command.args(["--with-dependencies", "rsyslog", "rsyslog-gnutls"]);
        command.env_clear().envs(inherited());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::spawn("debian-packages.sh", &mut command);
        let mut stdout = Lines::of(process.child().stdout.take().unwrap());
        let mut stderr = Lines::of(process.child().stderr.take().unwrap());
        let status = process.wait(FETCH_TIMEOUT).expect("debian-packages.sh ends in time");
        assert!(status.success(), "{status}: {}", stderr.finish().join("\n"));
        stdout.finish().pop().expect("debian-packages.sh prints a path")
    })
}

/// Whether somebody listens on a port of 127.0.0.1. A connection would tell, too, but rsyslog would
/// have to complain that it ended within the handshake.
fn is_listening(port: u16) -> bool {
    // The address and the state LISTEN, as the kernel writes them.
    let listener = format!(" 0100007F:{port:04X} 00000000:0000 0A ");
    fs::read_to_string("/proc/net/tcp").unwrap().contains(&listener)
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        // A frozen one cannot be asked to end.
        if let Some(process) = &mut self.process {
            process.signal("CONT");
        }
    }
}
