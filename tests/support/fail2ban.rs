//! Debian's fail2ban as a private server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::{Process, SOON, eventually, inherited, script};

/// A server in a folder of its own.
pub(crate) struct Fail2ban {
    folder: TempDir,
    env: Vec<(String, String)>,
    process: Option<Process>,
}

impl Fail2ban {
    /// A server that is not started yet; the variables are those of the script.
    pub(crate) fn new(env: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let folder = tempfile::tempdir().unwrap();
        Self { folder, env: env.iter().map(own).collect(), process: None }
    }

    /// A running server with the jail `sshd`.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(env: &[(&str, &str)]) -> Self {
        let mut server = Self::new(env);
        server.run();
        server
    }

    /// Starts the server and waits until its jails run.
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none(), "the server runs already");
        let started_before = self.started_jails();
        let output = std::fs::File::create(self.folder.path().join("server.out")).unwrap();
        let mut command = Command::new(script("serve-fail2ban.sh"));
        command.arg(self.folder.path()).env_clear().envs(inherited());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut process = Process::spawn("serve-fail2ban.sh", &mut command);
        let wanted = started_before + self.jails();
        eventually(SOON, "fail2ban's jails", || {
            if let Some(status) = process.status() {
                panic!("fail2ban ended with {status}: {}", self.text("server.out"));
            }
            let (started, log) = (self.started_jails(), self.text("fail2ban.log"));
            if started >= wanted { Ok(()) } else { Err(log) }
        });
        self.process = Some(process);
    }

    /// Ends the server as its init system does.
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("the server runs").end("TERM");
    }

    /// Ends the server without a word.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("the server runs").kill();
    }

    /// Stops the server in the middle of whatever it does, and lets it go on.
    pub(crate) fn signal(&mut self, signal: &str) {
        self.process.as_mut().expect("the server runs").signal(signal);
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        self.run();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("fail2ban.sock")
    }

    /// Lets an address attack the jail `sshd` until it is banned.
    pub(crate) fn attack(&self, ip: &str) {
        self.attack_jail("sshd", ip);
    }

    pub(crate) fn attack_jail(&self, jail: &str, ip: &str) {
        let log = if jail == "sshd" { "auth.log".to_owned() } else { format!("{jail}.log") };
        attack(&self.folder.path().join(log), ip);
    }

    /// Sends a command with Debian's own client.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        client(&self.socket(), words)
    }

    /// The addresses that the server itself says are banned.
    pub(crate) fn banned(&self, jail: &str) -> Vec<String> {
        banned(&self.socket(), jail)
    }

    fn jails(&self) -> usize {
        let names = self.env.iter().find(|(name, _)| name == "FAIL2BAN_JAILS");
        names.map_or(1, |(_, names)| names.split_whitespace().count())
    }

    fn started_jails(&self) -> usize {
        let log = self.text("fail2ban.log");
        log.lines().filter(|line| line.contains("Jail '") && line.ends_with("' started")).count()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// Appends as many failures to a log as a ban needs.
pub(crate) fn attack(log: &Path, ip: &str) {
    let mut command = Command::new(script("attack.sh"));
    let status = command.arg(log).arg(ip).env_clear().envs(inherited()).status().unwrap();
    assert!(status.success(), "attack.sh failed: {status}");
}

/// The addresses that a server says are banned.
pub(crate) fn banned(socket: &Path, jail: &str) -> Vec<String> {
    let answer = client(socket, &["get", jail, "banip"]);
    answer.split_whitespace().map(str::to_owned).collect()
}

/// Runs `fail2ban-client` of the same package as the server.
fn client(socket: &Path, words: &[&str]) -> String {
    let root = package_root();
    let output = Command::new("/usr/bin/python3")
        .arg(root.join("usr/bin/fail2ban-client"))
        .arg("-c")
        .arg(socket.with_file_name("conf"))
        .arg("-s")
        .arg(socket)
        .args(words)
        .env_clear()
        .envs(inherited())
        .env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"))
        .output()
        .expect("/usr/bin/python3 is missing: install python3");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "fail2ban-client {words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The folder into which Debian's package was unpacked.
fn package_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut command = Command::new(script("debian-packages.sh"));
        let output = command.arg("fail2ban").env_clear().envs(inherited()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "Debian's fail2ban cannot be had: {error}");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}
