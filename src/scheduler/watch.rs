//! Watches fail2ban without being a burden to it.
//!
//! fail2ban answers its socket with one thread, and its lists cost it time. So the watch asks for
//! counts, asks for a list only when counts changed or the log told of a ban, and paces itself by
//! how long fail2ban was busy with its last round: at most 1 % of the time. The log is read from
//! its file, which costs fail2ban nothing, and makes a ban visible at once.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::domain::{JailName, JailStatus};
use crate::fail2ban::{Client, LogEvent, LogTail};
use crate::history::{History, LogSource};
use crate::telemetry::metrics::{self, JailCounts};
use crate::telemetry::span;

/// How often the log file is looked at.
const LOG_INTERVAL: Duration = Duration::from_millis(250);
/// The pause between rounds, whatever they cost.
const POLL_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// However much a round costs, the next comes after this.
const POLL_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// The share of time that a round may take is one in so many.
const COST_FACTOR: u32 = 100;
/// The pause after a round that failed: an absent fail2ban is not burdened by being asked again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// After a connection fail2ban restores its bans little by little; only after this time is an
/// absence from its list believed.
const SETTLING: Duration = Duration::from_secs(10);
/// fail2ban writes its unban lines some time before it says that it stops; the list after such a
/// line waits this long, so that a restart is recognised as one.
const UNBAN_GRACE: Duration = Duration::from_secs(2);

/// The watch and what it remembers between rounds.
pub(super) struct Watch {
    client: Client,
    history: History,
    tail: Option<LogTail>,
    next_poll: Instant,
    /// Whether the next poll was put off once already; steady unbans must not put it off for ever.
    is_put_off: bool,
    /// The connection that was last asked, by its beginning.
    connection: Option<Timestamp>,
    /// From when on absences are believed.
    settled_at: Instant,
}

impl Watch {
    /// A watch that has not looked yet.
    pub(super) fn new(client: Client, history: History) -> Self {
        let now = Instant::now();
        Self {
            client,
            history,
            tail: None,
            next_poll: now,
            is_put_off: false,
            connection: None,
            settled_at: now,
        }
    }

    /// Watches until it is told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOG_INTERVAL) => {}
            }
            self.read_log().await;
            if Instant::now() >= self.next_poll {
                self.poll().await;
                self.count();
            }
        }
    }

    async fn poll(&mut self) {
        let quiet = span::unsampled_root(tracing::info_span!("watch", bangui.task.name = "watch"));
        let busy_before = self.client.read_time();
        let result = self.round().instrument(quiet).await;
        self.is_put_off = false;
        let pause = match result {
            Some(()) => {
                let cost = self.client.read_time().saturating_sub(busy_before);
                let pause = cost.saturating_mul(COST_FACTOR);
                pause.clamp(POLL_INTERVAL_MIN, POLL_INTERVAL_MAX)
            }
            None => RETRY_INTERVAL,
        };
        self.next_poll = Instant::now() + pause;
    }

    /// One round; nothing when fail2ban did not answer. The failure itself was told where
    /// connections are handled.
    async fn round(&mut self) -> Option<()> {
        // A connection that is not the last one is a restart, also if nobody saw the old one end.
        let is_settled = Instant::now() >= self.settled_at && self.is_same_connection();
        let stale = self.history.poll(is_settled).await.ok();
        if !self.is_same_connection() {
            self.connection_changed().await;
            return stale.map(drop);
        }
        for jail in stale? {
            self.list(&jail, is_settled).await;
        }
        Some(())
    }

    fn is_same_connection(&self) -> bool {
        let link = self.history.link();
        link.connected.then_some(link.since) == self.connection
    }

    /// A list is asked for because something happened, so this is a trace worth keeping.
    async fn list(&self, jail: &JailName, is_settled: bool) {
        let observe = observation(jail);
        async {
            let correlation_id = span::correlation_id();
            // A failure leaves the list out of date, so that the next round asks again.
            let _ = self.history.list(jail, is_settled, correlation_id).await;
        }
        .instrument(observe)
        .await;
    }

    /// fail2ban came or went. When it came, everything is new until it has settled.
    async fn connection_changed(&mut self) {
        let link = self.history.link();
        self.connection = link.connected.then_some(link.since);
        self.settled_at = Instant::now() + SETTLING;
        if self.connection.is_none() {
            return self.history.disconnected();
        }
        self.history.status_changed();
        match self.client.log_target().await {
            Ok(target) if target.starts_with('/') => {
                // The same file goes on being read where it was, so that no line is lost.
                let is_same = |tail: &LogTail| tail.path().as_os_str() == target.as_str();
                if !self.tail.as_ref().is_some_and(is_same) {
                    self.tail = Some(LogTail::open(target));
                }
            }
            Ok(target) => self.no_log(format!("fail2ban logs to {target}, which is not a file")),
            Err(error) => self.no_log(error.to_string()),
        }
    }

    fn no_log(&mut self, reason: String) {
        self.tail = None;
        self.history.set_log_source(LogSource { path: None, error: Some(reason) });
    }

    /// Tells the gauges; while fail2ban is away they have nothing to tell.
    fn count(&self) {
        let (jails, bans) = self.history.totals();
        metrics::set_counts(self.connection.map(|_| (bans, jails)));
        let counts = |jail: JailStatus| {
            let JailStatus { currently_banned: banned, currently_failed: failing, .. } = jail;
            let (bans, failures) = (jail.total_banned, jail.total_failed);
            (jail.name.to_string(), JailCounts { banned, failing, bans, failures })
        };
        metrics::set_jails(self.connection.map(|_| self.history.jails().into_iter().map(counts)));
    }

    async fn read_log(&mut self) {
        let Some(tail) = &mut self.tail else { return };
        let path = Some(tail.path().display().to_string());
        let events = match tail.poll() {
            Ok(events) => events,
            Err(error) => {
                let error = Some(error.to_string());
                return self.history.set_log_source(LogSource { path, error });
            }
        };
        self.history.set_log_source(LogSource { path, error: None });
        let now = Instant::now();
        for event in &events {
            match event {
                LogEvent::ShuttingDown
                | LogEvent::Starting
                | LogEvent::Stopped
                | LogEvent::JailStopped(_)
                | LogEvent::JailStarted(_) => self.settled_at = now + SETTLING,
                LogEvent::Unban(..) | LogEvent::Flushed(_) if !self.is_put_off => {
                    self.is_put_off = true;
                    self.next_poll = self.next_poll.max(now + UNBAN_GRACE);
                }
                _ => {}
            }
        }
        let is_ban = |event: &LogEvent| matches!(event, LogEvent::Ban(..));
        if let Some(LogEvent::Ban(jail, _)) = events.iter().find(|event| is_ban(event)) {
            let observe = observation(jail);
            let history = self.history.clone();
            async move { history.logged(events, span::correlation_id()).await }
                .instrument(observe)
                .await;
            self.count();
        }
    }
}

fn observation(jail: &JailName) -> tracing::Span {
    span::root(tracing::info_span!(
        "observe",
        otel.name = "observe bans",
        bangui.task.name = "watch",
        bangui.fail2ban.jail = %jail,
    ))
}
