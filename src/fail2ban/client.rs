//! The typed client: one method for each command, with a deadline, a span and a measurement.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::tz::TimeZone;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tracing::{Instrument, Span, field::Empty};

use super::{
    actor::{Actor, Job, Link},
    error::Fail2banError,
    pickle::Value,
    reply::{self, Parsed, ServerError},
    reply_time,
};
use crate::{
    domain::{Ban, JailName, JailStatus, Subject},
    telemetry::metrics,
};

/// How long and how much a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the call to the answer of a command that reads, waiting in the queue included.
    pub read_timeout: Duration,
    /// The same for each ban or unban, whose actions run before the answer (60 s is also the time
    /// that fail2ban gives an action).
    pub change_timeout: Duration,
    /// How many commands may wait.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read_timeout: Duration::from_secs(5),
            change_timeout: Duration::from_secs(60),
            queue: 64,
        }
    }
}

/// A command's names: in metrics, as its words, and as the span's name.
struct Verb {
    name: &'static str,
    words: &'static str,
    span: &'static str,
    is_change: bool,
}

macro_rules! verb {
    ($words:literal, $name:literal) => {
        verb!($words, $name, false)
    };
    ($words:literal, $name:literal, $is_change:literal) => {
        Verb {
            name: $name,
            words: $words,
            span: concat!("fail2ban ", $words),
            is_change: $is_change,
        }
    };
}

static PING: Verb = verb!("ping", "ping");
static STATUS: Verb = verb!("status", "status");
static STATUS_JAIL: Verb = verb!("status jail", "status_jail");
static GET_BANIP: Verb = verb!("get banip", "get_banip");
static GET_BANTIME: Verb = verb!("get bantime", "get_bantime");
static GET_FINDTIME: Verb = verb!("get findtime", "get_findtime");
static GET_IGNOREIP: Verb = verb!("get ignoreip", "get_ignoreip");
static GET_MAXRETRY: Verb = verb!("get maxretry", "get_maxretry");
static GET_LOGTARGET: Verb = verb!("get logtarget", "get_logtarget");
static GET_DBFILE: Verb = verb!("get dbfile", "get_dbfile");
static SET_BANIP: Verb = verb!("set banip", "set_banip", true);
static SET_UNBANIP: Verb = verb!("set unbanip", "set_unbanip", true);

/// A handle on the one connection to fail2ban; clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    jobs: mpsc::Sender<Job>,
    link: watch::Receiver<Link>,
    limits: Limits,
    read_nanoseconds: Arc<AtomicU64>,
    /// Whether the server is thought to know `status J short`; see [`Client::jail_status`].
    knows_short_status: Arc<AtomicBool>,
}

impl Client {
    /// Starts the task that owns the connection; it connects with the first command.
    ///
    /// Must be called within a tokio runtime. The task ends when the last clone is dropped.
    pub fn spawn(path: impl Into<PathBuf>, limits: Limits) -> Self {
        let (jobs, queue) = mpsc::channel(limits.queue.max(1));
        let (link_sender, link) = watch::channel(Link::new());
        let read_nanoseconds = Arc::<AtomicU64>::default();
        let actor = Actor::new(path.into(), queue, link_sender, read_nanoseconds.clone());
        tokio::spawn(actor.run());
        Self {
            jobs,
            link,
            limits,
            read_nanoseconds,
            knows_short_status: Arc::new(AtomicBool::new(true)),
        }
    }

    /// How long fail2ban has been busy with our questions so far. Waiting for a turn does not
    /// count, nor do changes, whose actions may take long without being a burden of ours.
    pub fn read_time(&self) -> Duration {
        Duration::from_nanos(self.read_nanoseconds.load(Ordering::Relaxed))
    }

    /// The state of the connection, to look at or to wait on.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Asks whether the server answers.
    pub async fn ping(&self) -> Result<(), Fail2banError> {
        self.run(&PING, None, &["ping"], reply::pong).await
    }

    /// The names of the jails.
    pub async fn status(&self) -> Result<Vec<JailName>, Fail2banError> {
        self.run(&STATUS, None, &["status"], reply::jail_names).await
    }

    /// The counts of a jail, without the list of its bans, which costs the server time.
    ///
    /// A server that does not know the flavour `short` (before 1.0) answers with the list and
    /// writes a warning into its log; it is asked the plain way from then on.
    pub async fn jail_status(&self, jail: &JailName) -> Result<JailStatus, Fail2banError> {
        let is_short = self.knows_short_status.load(Ordering::Relaxed);
        let words: &[&str] = &["status", jail.as_str(), "short"];
        let words = if is_short { words } else { &words[..2] };
        let parse = |value: &Value| reply::jail_status(jail, value);
        let (status, has_list) = self.run(&STATUS_JAIL, Some(jail), words, parse).await?;
        if is_short && has_list {
            self.knows_short_status.store(false, Ordering::Relaxed);
        }
        Ok(status)
    }

    /// The bans of a jail with their times, in the order in which they end.
    pub async fn bans(&self, jail: &JailName) -> Result<Vec<Ban>, Fail2banError> {
        let words = ["get", jail.as_str(), "banip", "--with-time"];
        let zone = TimeZone::system();
        let parse = |value: &Value| {
            let mut bans = Vec::new();
            for line in reply::lines(value)? {
                bans.extend(reply_time::parse_ban(jail, line?, &zone)?);
            }
            Ok(bans)
        };
        self.run(&GET_BANIP, Some(jail), &words, parse).await
    }

    /// Bans addresses and networks with one command, during which fail2ban serves nobody else: the
    /// caller keeps it short. The count is of those that were not banned before; bans that are in
    /// force are made longer.
    pub async fn ban(&self, jail: &JailName, ips: &[Subject]) -> Result<u64, Fail2banError> {
        self.change(&SET_BANIP, jail, "banip", ips).await
    }

    /// Lifts bans with one command, which the caller keeps short. The count is of those that were
    /// banned.
    pub async fn unban(&self, jail: &JailName, ips: &[Subject]) -> Result<u64, Fail2banError> {
        self.change(&SET_UNBANIP, jail, "unbanip", ips).await
    }

    /// What a jail ignores: addresses, networks and names of hosts.
    pub async fn ignored(&self, jail: &JailName) -> Result<Vec<String>, Fail2banError> {
        let words = ["get", jail.as_str(), "ignoreip"];
        self.run(&GET_IGNOREIP, Some(jail), &words, |value| Ok(reply::texts(value))).await
    }

    /// The length of a jail's bans in seconds; negative for permanent ones.
    pub async fn bantime_seconds(&self, jail: &JailName) -> Result<i64, Fail2banError> {
        let words = ["get", jail.as_str(), "bantime"];
        self.run(&GET_BANTIME, Some(jail), &words, reply::integer).await
    }

    /// The time in seconds within which a jail counts failures.
    pub async fn findtime_seconds(&self, jail: &JailName) -> Result<i64, Fail2banError> {
        let words = ["get", jail.as_str(), "findtime"];
        self.run(&GET_FINDTIME, Some(jail), &words, reply::integer).await
    }

    /// How many failures lead to a ban.
    pub async fn maxretry(&self, jail: &JailName) -> Result<i64, Fail2banError> {
        let words = ["get", jail.as_str(), "maxretry"];
        self.run(&GET_MAXRETRY, Some(jail), &words, reply::integer).await
    }

    /// Where fail2ban logs to: a path, or a word such as `SYSLOG` or `STDOUT`.
    pub async fn log_target(&self) -> Result<String, Fail2banError> {
        self.run(&GET_LOGTARGET, None, &["get", "logtarget"], reply::text).await
    }

    /// The file of fail2ban's own database; nothing where it keeps none.
    pub async fn database_file(&self) -> Result<Option<String>, Fail2banError> {
        self.run(&GET_DBFILE, None, &["get", "dbfile"], reply::text_or_none).await
    }

    async fn change(
        &self,
        verb: &'static Verb,
        jail: &JailName,
        subcommand: &str,
        ips: &[Subject],
    ) -> Result<u64, Fail2banError> {
        if ips.is_empty() {
            return Ok(0);
        }
        let ips: Vec<String> = ips.iter().map(ToString::to_string).collect();
        let mut words = vec!["set", jail.as_str(), subcommand];
        words.extend(ips.iter().map(String::as_str));
        self.run(verb, Some(jail), &words, reply::count).await
    }

    /// Runs one command inside its span and measures it.
    async fn run<T>(
        &self,
        verb: &'static Verb,
        jail: Option<&JailName>,
        words: &[&str],
        parse: impl FnOnce(&Value) -> Parsed<T>,
    ) -> Result<T, Fail2banError> {
        let span = tracing::info_span!(
            "fail2ban",
            otel.name = verb.span,
            otel.kind = "client",
            otel.status_code = Empty,
            error.type = Empty,
            bangui.fail2ban.command = verb.words,
            bangui.fail2ban.jail = jail.map(JailName::as_str),
            network.transport = "unix",
        );
        // Recorded through this handle: the current span is another one where a filter drops ours.
        let own_span = span.clone();
        let command = async {
            let started = Instant::now();
            let result = self.exchange(verb, words).await.and_then(|reply| {
                let value = reply::unwrap(reply).map_err(|error| refusal(verb, jail, error))?;
                parse(&value).map_err(|reason| malformed(verb, reason))
            });
            let error_type = result.as_ref().err().map(Fail2banError::error_type);
            if let Some(error_type) = error_type {
                own_span.record("otel.status_code", "ERROR").record("error.type", error_type);
            }
            let seconds = started.elapsed().as_secs_f64();
            metrics::fail2ban_command(verb.name, seconds, error_type);
            result
        };
        command.instrument(span).await
    }

    /// Puts a command into the queue and waits for its reply until the deadline.
    async fn exchange(&self, verb: &'static Verb, words: &[&str]) -> Result<Value, Fail2banError> {
        let limits = &self.limits;
        let timeout = if verb.is_change { limits.change_timeout } else { limits.read_timeout };
        let deadline = Instant::now() + timeout;
        let (answer, reply) = oneshot::channel();
        let job = Job {
            command: verb.words,
            words: words.iter().map(|&word| word.to_owned()).collect(),
            is_repeatable: !verb.is_change,
            deadline,
            span: Span::current(),
            answer,
        };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Fail2banError::Busy,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        match timeout_at(deadline, reply).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(stopped()),
            Err(_) => Err(Fail2banError::Timeout),
        }
    }
}

/// The task is gone, which happens only while the runtime shuts down.
fn stopped() -> Fail2banError {
    Fail2banError::Unreachable { error: String::from("the client has stopped") }
}

fn malformed(verb: &Verb, reason: &str) -> Fail2banError {
    Fail2banError::Malformed { command: verb.words, reason: reason.to_owned() }
}

fn refusal(verb: &Verb, jail: Option<&JailName>, error: ServerError) -> Fail2banError {
    match (error, jail) {
        (ServerError::Exception { class, .. }, Some(jail))
            if class.rsplit('.').next() == Some("UnknownJailException") =>
        {
            Fail2banError::UnknownJail(jail.clone())
        }
        (ServerError::Exception { class, message }, _) => Fail2banError::Refused { class, message },
        (ServerError::Shutdown, _) => {
            Fail2banError::Unreachable { error: String::from("the server is shutting down") }
        }
        (ServerError::Malformed, _) => malformed(verb, "it is no reply of fail2ban"),
    }
}
