//! The only owner of the connection: takes commands from a queue, one after the other.
//!
//! fail2ban serves its socket with one thread, so parallel connections would only wait in the
//! kernel instead of here. Because the exchange runs in this task, a caller that gives up leaves
//! nothing half-written: the reply is still read, or the connection is dropped as a whole.

use std::{
    future::pending,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use tracing::{Instrument as _, Span};

use super::{connection::Connection, error::Fail2banError, pickle::Value, reply};
use crate::telemetry::metrics;

/// The state of the connection to fail2ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether the last thing that happened was good.
    pub connected: bool,
    /// Since when it has been so.
    pub since: Timestamp,
    /// The version that the server told; kept while it is away.
    pub version: Option<String>,
    /// Why it is not connected; `None` while it is.
    pub last_error: Option<String>,
}

impl Link {
    /// The state before anything was tried.
    pub(super) fn new() -> Self {
        Self { connected: false, since: Timestamp::now(), version: None, last_error: None }
    }
}

/// One command on its way to the server.
pub(super) struct Job {
    pub(super) command: &'static str,
    pub(super) words: Vec<String>,
    /// Whether it may be sent a second time when the server hung up before it answered.
    pub(super) is_repeatable: bool,
    pub(super) deadline: Instant,
    /// The command's span: what happens to the connection meanwhile belongs to it.
    pub(super) span: Span,
    pub(super) answer: oneshot::Sender<Result<Value, Fail2banError>>,
}

/// The task behind every [`super::Client`]; it ends when the last of them is dropped.
pub(super) struct Actor {
    path: PathBuf,
    jobs: mpsc::Receiver<Job>,
    link: watch::Sender<Link>,
    read_nanoseconds: Arc<AtomicU64>,
    connection: Option<Connection>,
}

impl Actor {
    pub(super) fn new(
        path: PathBuf,
        jobs: mpsc::Receiver<Job>,
        link: watch::Sender<Link>,
        read_nanoseconds: Arc<AtomicU64>,
    ) -> Self {
        Self { path, jobs, link, read_nanoseconds, connection: None }
    }

    pub(super) async fn run(mut self) {
        while let Some(mut job) = self.next_job().await {
            // Nobody waits for it any more, and it was not sent: leave it.
            if job.answer.is_closed() {
                continue;
            }
            let (started, span) = (Instant::now(), job.span.clone());
            let result = self.serve(&mut job).instrument(span).await;
            if job.is_repeatable {
                let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.read_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
            }
            // The caller may have given up meanwhile; the framing is intact all the same.
            let _ = job.answer.send(result);
        }
    }

    /// Waits for the next command, and watches the idle connection meanwhile.
    async fn next_job(&mut self) -> Option<Job> {
        loop {
            let connection = self.connection.as_ref();
            let ended = async {
                match connection {
                    Some(connection) => connection.ended().await,
                    None => pending().await,
                }
            };
            // Biased, so that a command is not sent into a connection that is known to be over.
            tokio::select! {
                biased;
                error = ended => self.lose(&error.to_string()),
                job = self.jobs.recv() => return job,
            }
        }
    }

    async fn serve(&mut self, job: &mut Job) -> Result<Value, Fail2banError> {
        let was_connected = self.connection.is_some();
        match self.attempt(job).await {
            // The server was restarted behind an idle connection: one fresh try is worth it.
            Err((_, true)) if was_connected && job.is_repeatable => {
                self.attempt(job).await.map_err(|(error, _)| error)
            }
            result => result.map_err(|(error, _)| error),
        }
    }

    /// One try; the flag beside the error tells whether the server just hung up.
    async fn attempt(&mut self, job: &Job) -> Result<Value, (Fail2banError, bool)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect(job.deadline).await.map_err(|error| (error, false))?,
        };
        match timeout_at(job.deadline, connection.exchange(&job.words)).await {
            Ok(Ok(value)) => {
                self.connection = Some(connection);
                Ok(value)
            }
            Ok(Err(error)) => {
                self.lose(&error.to_string());
                let is_hang_up = error.is_hang_up();
                Err((error.into_command_error(job.command), is_hang_up))
            }
            Err(_) => {
                // Its late reply would be taken for the next command's: drop the connection.
                self.lose(&Fail2banError::Timeout.to_string());
                Err((Fail2banError::Timeout, false))
            }
        }
    }

    /// Connects and asks for the version, which proves that a fail2ban answers there.
    async fn connect(&mut self, deadline: Instant) -> Result<Connection, Fail2banError> {
        let greeting = async {
            let mut connection = Connection::open(&self.path, deadline).await?;
            let reply = connection.exchange(&[String::from("version")]).await;
            let value = reply.map_err(|error| error.into_command_error("version"))?;
            let version = match reply::unwrap(value) {
                Ok(value) => reply::text(&value),
                Err(reply::ServerError::Shutdown) => Err("it is shutting down"),
                Err(_) => Err("it does not tell its version"),
            };
            let malformed = |reason: &str| Fail2banError::Malformed {
                command: "version",
                reason: reason.to_owned(),
            };
            Ok((connection, version.map_err(malformed)?))
        };
        let greeted = match timeout_at(deadline, greeting).await {
            Ok(greeted) => greeted,
            Err(_) => Err(Fail2banError::Timeout),
        };
        match greeted {
            Ok((connection, version)) => {
                self.gain(version);
                Ok(connection)
            }
            Err(error) => {
                self.lose(&error.to_string());
                Err(error)
            }
        }
    }

    fn gain(&self, version: String) {
        tracing::info!(name: "fail2ban_connected", version = %version);
        self.link.send_replace(Link {
            connected: true,
            since: Timestamp::now(),
            version: Some(version),
            last_error: None,
        });
    }

    /// Drops the connection, counts the failure, and logs it if it begins an outage.
    fn lose(&mut self, error: &str) {
        self.connection = None;
        metrics::fail2ban_connection_error();
        let mut begins_outage = false;
        self.link.send_if_modified(|link| {
            begins_outage = link.connected || link.last_error.is_none();
            if begins_outage {
                link.since = Timestamp::now();
            }
            let is_news = begins_outage || link.last_error.as_deref() != Some(error);
            link.connected = false;
            link.last_error = Some(error.to_owned());
            is_news
        });
        // Outside of the closure, which holds the channel's lock.
        if begins_outage {
            tracing::error!(name: "fail2ban_connection_lost", error = %error);
        }
    }
}
