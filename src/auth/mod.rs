//! Who may do what: the account, its sessions, and the API token.
//!
//! A session is a random token in a cookie; the store knows its SHA-256 only. Sign-ins are slowed
//! down per client. The module keeps a small memory of tokens that were valid lately, which is
//! enough to decide whether a caller's trace is continued before the request's own span exists;
//! whether a request is *allowed* is always asked of the store.

mod password;
mod setup;
mod throttle;
mod tokens;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::audit::Audit;
use crate::config::{ApiToken, PASSWORD_MAX_BYTES, PASSWORD_MIN_LENGTH, Scope};
use crate::domain::Secret;
use crate::store::{self, AuditResult, Fence, NewAudit, NewSession, Store};
use crate::telemetry::metrics::{CALLERS_REJECTED, SIGN_INS, report};
use password::Passwords;
use setup::SetupCode;
use throttle::Throttle;
pub use tokens::TokenHash as SessionId;
use tokens::{KnownTokens, TokenHash};

/// The name of the first account.
pub const ADMIN: &str = "admin";
/// A session ends after this, used or not.
const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name, the password or the token is wrong.
    #[error("wrong user name or password")]
    Wrong,
    /// The set-up code is wrong.
    #[error("wrong set-up code; `bangui admin setup-code` prints the one that counts")]
    WrongCode,
    /// Too many attempts.
    #[error("too many attempts; wait {} s", .0.as_secs().max(1))]
    Throttled(Duration),
    /// The account exists already.
    #[error("the account was set up already")]
    AlreadySetUp,
    /// The password cannot be used.
    #[error("a password has {PASSWORD_MIN_LENGTH} to {PASSWORD_MAX_BYTES} characters")]
    UnusablePassword,
    /// Passwords cannot be checked right now.
    #[error(transparent)]
    Password(#[from] password::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No random numbers, or no file for the set-up code.
    #[error("{0}")]
    System(String),
}

impl Error {
    /// A word for metrics; there are only these few.
    fn kind(&self) -> &'static str {
        match self {
            Self::Wrong | Self::WrongCode => "wrong_credentials",
            Self::Throttled(_) => "throttled",
            Self::AlreadySetUp => "already_set_up",
            Self::UnusablePassword => "unusable_password",
            Self::Password(_) => "password_check",
            Self::Store(_) => "store",
            Self::System(_) => "system",
        }
    }
}

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's name, or `api-token`.
    pub username: String,
    /// What it may do.
    pub scope: Scope,
    /// The session, if it came with one and not with a token.
    pub session: Option<SessionId>,
}

/// Where a stranger's request comes from.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The client's address.
    pub client: IpAddr,
    /// Trace id of the request.
    pub correlation_id: Option<String>,
}

/// Who asks for a change.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The account or token.
    pub caller: Caller,
    /// Where the request came from.
    pub client: IpAddr,
    /// Trace id of the request.
    pub correlation_id: Option<String>,
}

impl Origin {
    /// The row of a change that it asks for.
    pub fn row(&self, action: &'static str) -> NewAudit {
        NewAudit {
            at: now(),
            actor: self.caller.username.clone(),
            client_ip: self.client.to_string(),
            action,
            correlation_id: self.correlation_id.clone(),
            ..NewAudit::default()
        }
    }
}

/// A session that was just opened. The token leaves in a cookie and is kept nowhere.
#[derive(Debug)]
pub struct OpenedSession {
    /// The cookie's value.
    pub token: Secret<String>,
    /// How long it is valid.
    pub lifetime: Duration,
}

/// Signs people in and out and recognises them.
#[derive(Debug, Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    audit: Audit,
    passwords: Passwords,
    throttle: Throttle,
    known: KnownTokens,
    api_token: Option<(TokenHash, Scope)>,
    setup: SetupCode,
}

impl Auth {
    /// Prepares sign-in. Makes the first account if a password is given and there is none; with
    /// neither, writes a set-up code into a file that only its owner reads.
    pub async fn start(
        store: Store,
        audit: Audit,
        data_dir: PathBuf,
        admin_password: Option<Secret<String>>,
        api_token: Option<ApiToken>,
    ) -> Result<Self, Error> {
        let passwords = Passwords::new()?;
        create_private_folder(&data_dir)?;
        let setup = SetupCode::in_folder(data_dir);
        if store.has_accounts().await? {
            setup.remove();
        } else if let Some(password) = admin_password {
            let hash = passwords.hash(password).await?;
            store.create_first_account(ADMIN, &hash, now()).await?;
        } else {
            let path = setup.write().map_err(|error| Error::System(error.to_string()))?;
            tracing::warn!(name: "auth_setup_required", path = %path.display());
        }
        let api_token = api_token.map(|api| (TokenHash::of(api.token.expose()), api.scope));
        let (throttle, known) = (Throttle::default(), KnownTokens::default());
        let inner = Inner { store, audit, passwords, throttle, known, api_token, setup };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the first account is still to be made.
    pub async fn is_setup_required(&self) -> Result<bool, Error> {
        Ok(!self.inner.store.has_accounts().await?)
    }

    /// Opens a session for a name and its password.
    pub async fn sign_in(
        &self,
        username: &str,
        password: Secret<String>,
        visitor: &Visitor,
    ) -> Result<OpenedSession, Error> {
        let client = visitor.client;
        let result = self.check_password(username, password, client).await;
        note_attempt(username, client, result.as_ref().err());
        let account_id = result?;
        self.inner.throttle.succeed(client, username);
        record(&self.inner.audit, "login", username, visitor).await?;
        self.open_session(account_id, username, client).await
    }

    async fn check_password(
        &self,
        username: &str,
        password: Secret<String>,
        client: IpAddr,
    ) -> Result<i64, Error> {
        self.inner.throttle.begin(client, username, Instant::now()).map_err(Error::Throttled)?;
        if password.expose().len() > PASSWORD_MAX_BYTES {
            return Err(Error::Wrong);
        }
        let account = self.inner.store.find_account(username).await?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.inner.passwords.verify(password, hash).await?;
        account.filter(|_| fits).map(|account| account.id).ok_or(Error::Wrong)
    }

    /// Makes the first account with the set-up code and opens its session.
    pub async fn set_up(
        &self,
        code: &Secret<String>,
        password: Secret<String>,
        visitor: &Visitor,
    ) -> Result<OpenedSession, Error> {
        let client = visitor.client;
        self.inner.throttle.begin(client, ADMIN, Instant::now()).map_err(Error::Throttled)?;
        if !self.is_setup_required().await? {
            return Err(Error::AlreadySetUp);
        }
        if !self.inner.setup.fits(code.expose()) {
            return Err(Error::WrongCode);
        }
        let hash = self.inner.passwords.hash(usable(password)?).await?;
        if !self.inner.store.create_first_account(ADMIN, &hash, now()).await? {
            return Err(Error::AlreadySetUp);
        }
        self.inner.setup.remove();
        self.inner.throttle.succeed(client, ADMIN);
        record(&self.inner.audit, "account_setup", ADMIN, visitor).await?;
        tracing::info!(name: "auth_account_created", username = ADMIN, client_ip = %client);
        let account = self.inner.store.find_account(ADMIN).await?.ok_or(Error::Wrong)?;
        self.open_session(account.id, ADMIN, client).await
    }

    async fn open_session(
        &self,
        account_id: i64,
        username: &str,
        client: IpAddr,
    ) -> Result<OpenedSession, Error> {
        let token = tokens::random().map_err(Error::System)?;
        let hash = TokenHash::of(token.expose());
        let created_at = now();
        let lifetime_seconds = i64::try_from(SESSION_LIFETIME.as_secs()).unwrap_or(i64::MAX);
        self.inner
            .store
            .create_session(&NewSession {
                token_hash: hash.as_bytes(),
                account_id,
                created_at,
                expires_at: created_at.saturating_add(lifetime_seconds),
                client_ip: &client.to_string(),
            })
            .await?;
        self.inner.known.remember(hash);
        tracing::debug!(name: "auth_session_opened", username);
        Ok(OpenedSession { token, lifetime: SESSION_LIFETIME })
    }

    /// Ends the session of a cookie.
    pub async fn sign_out(&self, token: &str) -> Result<(), Error> {
        let hash = TokenHash::of(token);
        self.inner.known.forget(&hash);
        Ok(self.inner.store.delete_session(hash.as_bytes()).await?)
    }

    /// Removes the sessions that have expired; returns how many. Scheduled: it shows the lock's
    /// fence.
    pub async fn remove_expired_sessions(&self, fence: &Fence) -> Result<u64, Error> {
        Ok(self.inner.store.delete_expired_sessions(fence, now()).await?)
    }

    /// Who the cookie belongs to; nobody when it is unknown or has expired.
    pub async fn caller_of_session(&self, token: &str) -> Result<Option<Caller>, Error> {
        let hash = TokenHash::of(token);
        match self.inner.store.find_session(hash.as_bytes(), now()).await? {
            Some(username) => {
                self.inner.known.remember(hash.clone());
                Ok(Some(Caller { username, scope: Scope::Write, session: Some(hash) }))
            }
            None => {
                self.inner.known.forget(&hash);
                reject(&hash, "session");
                Ok(None)
            }
        }
    }

    /// Who the bearer token belongs to.
    pub fn caller_of_bearer(&self, token: &str) -> Option<Caller> {
        let hash = TokenHash::of(token);
        let scope = self.inner.api_token.as_ref().filter(|(own, _)| *own == hash).map(|it| it.1);
        if scope.is_none() {
            reject(&hash, "bearer");
        }
        Some(Caller { username: "api-token".into(), scope: scope?, session: None })
    }

    /// Whether the token was valid when it was last seen. Good enough to continue a caller's
    /// trace, not to let it do anything.
    pub fn is_known(&self, token: &str) -> bool {
        let hash = TokenHash::of(token);
        self.inner.known.contains(&hash)
            || self.inner.api_token.as_ref().is_some_and(|(own, _)| *own == hash)
    }
}

/// `bangui admin setup-code`: the code that makes the first account.
pub fn setup_code(data_dir: &Path) -> std::io::Result<Secret<String>> {
    SetupCode::in_folder(data_dir.to_owned()).read()
}

/// `bangui admin reset-password`: gives the account a new password and ends its sessions.
pub async fn reset_password(store: &Store, password: Secret<String>) -> Result<bool, Error> {
    let hash = Passwords::new()?.hash(usable(password)?).await?;
    let is_changed = store.create_first_account(ADMIN, &hash, now()).await?
        || store.reset_password(ADMIN, &hash).await?;
    if is_changed {
        let audit = Audit::new(store.clone());
        record_from(&audit, "password_reset", "command line", "local", None).await?;
    }
    Ok(is_changed)
}

async fn record(
    audit: &Audit,
    action: &'static str,
    actor: &str,
    visitor: &Visitor,
) -> Result<(), Error> {
    let client_ip = visitor.client.to_string();
    record_from(audit, action, actor, &client_ip, visitor.correlation_id.clone()).await
}

/// Writes a change that was made. An account's changes are single statements, so there is no time
/// in which they are pending.
async fn record_from(
    audit: &Audit,
    action: &'static str,
    actor: &str,
    client_ip: &str,
    correlation_id: Option<String>,
) -> Result<(), Error> {
    let row = NewAudit {
        at: now(),
        actor: actor.to_owned(),
        client_ip: client_ip.to_owned(),
        action,
        correlation_id,
        ..NewAudit::default()
    };
    let id = audit.begin(row).await?;
    Ok(audit.finish(id, AuditResult::Success, None).await?)
}

/// The folder of the set-up code is its owner's alone.
fn create_private_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Error::System(format!("cannot create {}: {error}", path.display())))
}

/// The name may be a password typed into the wrong field, so only one that exists is written.
fn note_attempt(username: &str, client: IpAddr, error: Option<&Error>) {
    let username = if username == ADMIN { ADMIN } else { "(unknown)" };
    let client_ip = client.to_string();
    match error {
        None => report!(
            name: "user_login_attempt",
            level: info,
            counts: SIGN_INS["success", None],
            username,
            client_ip,
            success = true,
        ),
        Some(error) => report!(
            name: "user_login_attempt",
            level: warn,
            counts: SIGN_INS["failure", error.kind()],
            username,
            client_ip,
            success = false,
        ),
    }
}

fn usable(password: Secret<String>) -> Result<Secret<String>, Error> {
    let text = password.expose();
    if text.chars().count() < PASSWORD_MIN_LENGTH || text.len() > PASSWORD_MAX_BYTES {
        return Err(Error::UnusablePassword);
    }
    Ok(password)
}

fn reject(hash: &TokenHash, kind: &'static str) {
    report!(
        name: "auth_token_validation_failed",
        level: error,
        counts: CALLERS_REJECTED[kind],
        token_hash = hash.short(),
        kind,
    );
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::temporary;

    const VISITOR: Visitor =
        Visitor { client: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), correlation_id: None };

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_session_opens_is_recognised_and_ends() {
        let (folder, store) = temporary().await;
        let password = Some(secret("correct horse"));
        let auth =
            Auth::start(store.clone(), Audit::new(store), folder.path().into(), password, None)
                .await
                .unwrap();
        assert!(matches!(auth.sign_in(ADMIN, secret("wrong"), &VISITOR).await, Err(Error::Wrong)));
        let opened = auth.sign_in(ADMIN, secret("correct horse"), &VISITOR).await.unwrap();
        let token = opened.token.expose();
        assert!(auth.is_known(token));
        let caller = auth.caller_of_session(token).await.unwrap().unwrap();
        assert_eq!((caller.username.as_str(), caller.scope), (ADMIN, Scope::Write));
        auth.sign_out(token).await.unwrap();
        assert!(!auth.is_known(token));
        assert_eq!(auth.caller_of_session(token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_setup_code_makes_the_account_once() {
        let (folder, store) = temporary().await;
        let auth = Auth::start(store.clone(), Audit::new(store), folder.path().into(), None, None)
            .await
            .unwrap();
        let path = folder.path().join("setup-code");
        let code = std::fs::read_to_string(&path).unwrap();
        let code = secret(code.trim());
        let wrong = auth.set_up(&secret("0000"), secret("long enough"), &VISITOR).await;
        assert!(matches!(wrong, Err(Error::WrongCode)));
        let short = auth.set_up(&code, secret("short"), &VISITOR).await;
        assert!(matches!(short, Err(Error::UnusablePassword)));
        auth.set_up(&code, secret("long enough"), &VISITOR).await.unwrap();
        assert!(!path.exists(), "a used code is removed");
        let again = auth.set_up(&code, secret("long enough"), &VISITOR).await;
        assert!(matches!(again, Err(Error::AlreadySetUp)));
    }

    #[tokio::test]
    async fn the_bearer_token_has_its_scope() {
        let (folder, store) = temporary().await;
        let api = ApiToken { token: secret("0123456789abcdef"), scope: Scope::Read };
        let auth =
            Auth::start(store.clone(), Audit::new(store), folder.path().into(), None, Some(api))
                .await
                .unwrap();
        assert_eq!(auth.caller_of_bearer("0123456789abcdef").unwrap().scope, Scope::Read);
        assert_eq!(auth.caller_of_bearer("0123456789abcdeX"), None);
    }
}
