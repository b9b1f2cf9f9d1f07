//! Jails and the changes that operators make to them: ban and unban.
//!
//! A change has its row in the audit log and is made to its end, as all changes are (see
//! [`crate::audit`]).

use crate::audit::{Changes, Interrupted};
use crate::auth::Origin;
use crate::domain::{Address, AuditEntry, Ban, JailName, JailStatus, Subject};
use crate::fail2ban::{Client, Fail2banError};
use crate::history::{Held, History};
use crate::store::{self, NewAudit};
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
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
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
            Self::Interrupted(_) => "interrupted",
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
    changes: Changes,
}

impl Jails {
    /// Puts the use cases together.
    pub fn new(client: Client, history: History, changes: Changes) -> Self {
        Self { client, history, changes }
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
        let row = row(origin.row("ban"), &jail, &address.into(), reason.clone());
        let this = self.clone();
        let change = async move {
            let result = this.ban_now(&origin, &jail, address, reason).await;
            if let Ok(Banned::Already(_)) = &result {
                BANS_EXECUTED.count(&[Some("unchanged"), None]);
            }
            note_failure(&BANS_EXECUTED, "set banip", &jail, &result);
            result
        };
        self.changes.make(row, change).await
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
        let created = self.client.ban(jail, std::slice::from_ref(&subject)).await? > 0;
        if !created && let Some(held) = self.history.find(jail, &subject) {
            return Ok(Banned::Already(held));
        }
        let banned_at = Ban::now();
        let expires_at = Ban::end(banned_at, bantime_seconds);
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
        let row = row(origin.row("unban"), &jail, &ip, None);
        let this = self.clone();
        let change = async move {
            let result = this.unban_now(&origin, &jail, &ip).await;
            note_failure(&UNBANS_EXECUTED, "set unbanip", &jail, &result);
            result
        };
        self.changes.make(row, change).await
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

    /// The newest rows of the audit log before an id.
    pub async fn audit(&self, before: i64, limit: i64) -> Result<Vec<AuditEntry>, Error> {
        Ok(self.changes.audit().list(before, limit).await?)
    }
}

/// Counts a change that was not made, and tells of one that fail2ban did not make: what the
/// operator got wrong is told to the operator alone. One that was made is counted with its event.
fn note_failure<T>(fact: &Fact, command: &str, jail: &JailName, result: &Result<T, Error>) {
    let Err(error) = result else { return };
    fact.count(&[Some("failure"), Some(error.kind())]);
    if let Error::Unavailable(error) | Error::Refused(error) = error {
        tracing::warn!(name: "fail2ban_command_failed", command, jail = %jail, error = %error);
    }
}

/// What is written for good holds no secret. Identifiers pass here too: a name that is none of a
/// jail's is what somebody typed.
fn clean(text: String) -> String {
    sanitize_for_logging(&text).into_owned()
}

fn row(row: NewAudit, jail: &JailName, ip: &Subject, reason: Option<String>) -> NewAudit {
    let (jail, ip) = (Some(clean(jail.to_string())), Some(clean(ip.to_string())));
    NewAudit { jail, ip, reason, ..row }
}
