//! Jails and the changes that operators make to them: ban and unban.
//!
//! A change is written to the audit log before it is sent and finished after it, and it runs to
//! its end even when the client that asked for it hangs up.

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::audit::Audit;
use crate::auth::Origin;
use crate::domain::{Address, AuditEntry, Ban, JailName, JailStatus, Subject};
use crate::fail2ban::{Client, Fail2banError};
use crate::history::{Held, History};
use crate::store::{self, AuditResult, NewAudit};
use crate::telemetry::metrics::{BANS_EXECUTED, Fact, UNBANS_EXECUTED, report};
use crate::telemetry::sanitize::sanitize_for_logging;

/// Why a change or a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// fail2ban has no such jail.
    #[error("fail2ban has no jail {0}")]
    UnknownJail(JailName),
    /// fail2ban is away, or too busy to answer in time.
    #[error("{0}")]
    Unavailable(Fail2banError),
    /// fail2ban answered, but not with what was asked for.
    #[error("{0}")]
    Refused(Fail2banError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The address is the caller's own.
    #[error("this is your own address; banning it would lock you out")]
    OwnAddress,
    /// The address is not banned in that jail.
    #[error("{0} is not banned in {1}")]
    NotBanned(Subject, JailName),
    /// The task that made the change was lost.
    #[error("the change was interrupted")]
    Interrupted,
}

impl Error {
    /// A word for metrics; there are only these few.
    fn kind(&self) -> &'static str {
        match self {
            Self::UnknownJail(_) => "unknown_jail",
            Self::Unavailable(error) | Self::Refused(error) => error.error_type(),
            Self::Store(_) => "store",
            Self::OwnAddress => "own_address",
            Self::NotBanned(..) => "not_banned",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Fail2banError> for Error {
    fn from(error: Fail2banError) -> Self {
        match error {
            Fail2banError::UnknownJail(jail) => Self::UnknownJail(jail),
            Fail2banError::Refused { .. } | Fail2banError::Malformed { .. } => Self::Refused(error),
            Fail2banError::Unreachable { .. }
            | Fail2banError::PermissionDenied { .. }
            | Fail2banError::Timeout
            | Fail2banError::Busy => Self::Unavailable(error),
        }
    }
}

/// How a ban ended.
#[derive(Debug)]
pub enum Banned {
    /// It is in force now.
    Created(Held),
    /// It was in force already.
    Already(Held),
}

/// A jail with its settings.
#[derive(Debug, Clone)]
pub struct JailDetail {
    /// Its counts.
    pub status: JailStatus,
    /// How long a ban lasts; negative is for ever.
    pub bantime_seconds: i64,
    /// Within which time failures count.
    pub findtime_seconds: i64,
    /// How many failures lead to a ban.
    pub maxretry: i64,
}

/// The use cases around jails; cheap to clone.
#[derive(Debug, Clone)]
pub struct Jails {
    client: Client,
    history: History,
    audit: Audit,
    /// Changes that are under way, so that the service does not stop in the middle of one.
    changes: TaskTracker,
}

impl Jails {
    /// Puts the use cases together. Changes that an earlier process left unfinished are marked so.
    pub async fn start(client: Client, history: History, audit: Audit) -> Result<Self, Error> {
        audit.take_over().await?;
        Ok(Self { client, history, audit, changes: TaskTracker::new() })
    }

    /// Waits for the changes that are under way; further ones must not begin.
    pub async fn finish_changes(&self) {
        self.changes.close();
        self.changes.wait().await;
    }

    /// A jail with its settings, asked of fail2ban.
    pub async fn detail(&self, jail: &JailName) -> Result<JailDetail, Error> {
        Ok(JailDetail {
            status: self.client.jail_status(jail).await?,
            bantime_seconds: self.client.bantime_seconds(jail).await?,
            findtime_seconds: self.client.findtime_seconds(jail).await?,
            maxretry: self.client.maxretry(jail).await?,
        })
    }

    /// Bans an address.
    pub async fn ban(
        &self,
        origin: Origin,
        jail: JailName,
        address: Address,
        reason: Option<String>,
    ) -> Result<Banned, Error> {
        if address.ip() == origin.client.to_canonical() {
            return Err(Error::OwnAddress);
        }
        // A pasted secret must stand neither in the store nor on every page that is open.
        let reason = reason.map(clean);
        let this = self.clone();
        self.to_the_end(async move {
            let audit = audit("ban", &origin, &jail, address.into(), reason.clone());
            let id = this.audit.begin(audit).await?;
            let result = this.ban_now(&origin, &jail, address, reason).await;
            if let Ok(Banned::Already(_)) = &result {
                BANS_EXECUTED.count(&[Some("unchanged"), None]);
            }
            note_failure(&BANS_EXECUTED, &result);
            this.finish(id, "set banip", &jail, result).await
        })
        .await
    }

    async fn ban_now(
        &self,
        origin: &Origin,
        jail: &JailName,
        address: Address,
        reason: Option<String>,
    ) -> Result<Banned, Error> {
        let subject = Subject::from(address);
        // fail2ban does not say until when it bans; the next list corrects what is computed here.
        // This is asked first, so that a change that was made is never reported as failed.
        let bantime_seconds = self.client.bantime_seconds(jail).await?;
        let _change = self.history.begin_change(jail, &subject);
        let created = self.client.ban(jail, &[address]).await? > 0;
        if !created && let Some(held) = self.history.find(jail, &subject) {
            return Ok(Banned::Already(held));
        }
        let banned_at = Ban::now();
        let expires_at = (bantime_seconds >= 0)
            .then(|| banned_at.checked_add(SignedDuration::from_secs(bantime_seconds)).ok())
            .flatten();
        let ban = Ban { jail: jail.clone(), ip: subject, banned_at, expires_at };
        let held = Held { ban, reason };
        self.history.operator_banned(held.clone(), origin.correlation_id.clone()).await;
        if !created {
            return Ok(Banned::Already(held));
        }
        report!(
            name: "ban_executed",
            level: info,
            counts: BANS_EXECUTED["success", None],
            jail = %jail,
            ip = %address,
            duration_seconds = bantime_seconds,
            reason = held.reason.as_deref(),
        );
        Ok(Banned::Created(held))
    }

    /// Lifts a ban.
    pub async fn unban(&self, origin: Origin, jail: JailName, ip: Subject) -> Result<(), Error> {
        let this = self.clone();
        self.to_the_end(async move {
            let audit = audit("unban", &origin, &jail, ip.clone(), None);
            let id = this.audit.begin(audit).await?;
            let result = this.unban_now(&origin, &jail, &ip).await;
            note_failure(&UNBANS_EXECUTED, &result);
            this.finish(id, "set unbanip", &jail, result).await
        })
        .await
    }

    async fn unban_now(&self, origin: &Origin, jail: &JailName, ip: &Subject) -> Result<(), Error> {
        let _change = self.history.begin_change(jail, ip);
        let count = self.client.unban(jail, std::slice::from_ref(ip)).await?;
        self.history.operator_unbanned(jail, ip, count > 0, origin.correlation_id.clone()).await;
        if count == 0 {
            return Err(Error::NotBanned(ip.clone(), jail.clone()));
        }
        report!(
            name: "unban_executed",
            level: info,
            counts: UNBANS_EXECUTED["success", None],
            jail = %jail,
            ip = %ip,
        );
        Ok(())
    }

    /// Writes to the audit log how a change ended. If that cannot be written, the change has
    /// still happened: the row stays pending, and the log says why.
    async fn finish<T>(
        &self,
        audit_id: i64,
        command: &'static str,
        jail: &JailName,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        let detail = result.as_ref().err().map(|error| clean(error.to_string()));
        // What the operator got wrong is told to the operator; the log has what fail2ban got wrong.
        if let Err(Error::Unavailable(error) | Error::Refused(error)) = &result {
            tracing::warn!(name: "fail2ban_command_failed", command, jail = %jail, error = %error);
        }
        let outcome = if result.is_ok() { AuditResult::Success } else { AuditResult::Failure };
        if let Err(error) = self.audit.finish(audit_id, outcome, detail.as_deref()).await {
            tracing::error!(name: "audit_write_failed", audit_id, error = %error);
        }
        result
    }

    /// Runs a change in a task of its own: dropping the request must not leave it half done.
    async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.changes.spawn(change.in_current_span());
        task.await.unwrap_or(Err(Error::Interrupted))
    }

    /// The newest rows of the audit log before an id.
    pub async fn audit(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, Error> {
        Ok(self.audit.list(before, limit).await?)
    }
}

/// Counts a change that was not made. One that was made is counted with its event.
fn note_failure<T>(fact: &Fact, result: &Result<T, Error>) {
    if let Err(error) = result {
        fact.count(&[Some("failure"), Some(error.kind())]);
    }
}

/// What is written for good holds no secret. Identifiers pass here too: a name that is none of a
/// jail's is what somebody typed.
fn clean(text: String) -> String {
    sanitize_for_logging(&text).into_owned()
}

fn audit(
    action: &'static str,
    origin: &Origin,
    jail: &JailName,
    ip: Subject,
    reason: Option<String>,
) -> NewAudit {
    NewAudit {
        at: Timestamp::now().as_second(),
        actor: origin.caller.username.clone(),
        client_ip: origin.client.to_string(),
        action,
        jail: Some(clean(jail.to_string())),
        ip: Some(clean(ip.to_string())),
        reason,
        correlation_id: origin.correlation_id.clone(),
        ..NewAudit::default()
    }
}
