//! Debian's Postgres as a private server: one for all tests of a program, and a database for each.
//! The crate's own tests include this file, too.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

/// The first start fetches the package.
const START_TIMEOUT: Duration = Duration::from_secs(300);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A running server. It ends with this value, and with the process at the latest.
pub(crate) struct Postgres {
    child: Child,
    folder: TempDir,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that the tests of this program share. Its end is the end of the program, which
    /// closes its standard input.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(folder.path(), port);
        let mut server = Self { child, folder, port, databases: AtomicU32::new(0) };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&mut self) {
        let until = Instant::now() + START_TIMEOUT;
        let (url, mut last) = (self.url("postgres"), String::new());
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("Postgres ended with {status}: {}", self.log());
            }
            match run(&url, "SELECT 1") {
                Ok(()) => return,
                Err(error) => last = error.to_string(),
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        panic!("Postgres does not answer: {last}; {}", self.log());
    }

    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.path().join(name));
        let log = read("postgres.log").or_else(|_| read("serve.log")).unwrap_or_default();
        log.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }

    /// Where a database of it is found.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://bangui:bangui@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, empty database.
    pub(crate) fn create_database(&self) -> String {
        let name = format!("bangui_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let sql = format!("CREATE DATABASE {name}");
        run(&self.url("postgres"), &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        self.url(&name)
    }

    /// Ends the server at once, as a crash does.
    #[allow(dead_code)]
    pub(crate) fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // Inside of a user namespace it has the same number, since only users are mapped.
        let kill =
            format!("kill -s QUIT {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.05; done");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Starts a server that was killed.
    #[allow(dead_code)]
    pub(crate) fn start_again(&mut self) {
        // The script that watched the first one would remove its data at its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn(self.folder.path(), self.port);
        self.wait_until_it_answers();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Where the package is unpacked; apt is asked once.
fn root() -> &'static str {
    static ROOT: OnceLock<String> = OnceLock::new();
    ROOT.get_or_init(|| {
        let output = Command::new(script()).arg("--root").stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    })
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/serve-postgres.sh")
}

fn spawn(folder: &Path, port: u16) -> Child {
    let said = std::fs::File::create(folder.join("serve.log")).unwrap();
    Command::new(script())
        .env("POSTGRES_ROOT", root())
        .env("POSTGRES_DIR", folder)
        .env("POSTGRES_PORT", port.to_string())
        .env("POSTGRES_UNTIL_EOF", "1")
        // Power is not cut in a test, and ten instances with all their connections fit in.
        .env("POSTGRES_OPTIONS", "-c fsync=off -c max_connections=200")
        .stdin(Stdio::piped())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .spawn()
        .unwrap()
}

/// Runs one statement on a connection of its own, also from within a runtime.
pub(crate) fn run(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    std::thread::scope(|scope| {
        let work = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(url).await?;
                connection.execute(AssertSqlSafe(sql.to_owned())).await?;
                connection.close().await
            })
        };
        scope.spawn(work).join().unwrap()
    })
}
