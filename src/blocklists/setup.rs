//! Setting lists up: create, change, delete, each as a row of the audit log.

use super::{Blocklist, Blocklists, Error};
use crate::auth::Origin;
use crate::domain::JailName;
use crate::domain::blocklist::{BlocklistName, BlocklistSource};
use crate::store::{BlocklistRow, NewAudit, NewBlocklist};

/// Lists are labels of metrics, and each is asked for at its vendor's.
pub const BLOCKLISTS_MAX: usize = 20;

/// How a list is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What it is called.
    pub name: BlocklistName,
    /// Where it is had from; nothing leaves it as it is.
    pub source: Option<BlocklistSource>,
    /// Where its entries are banned.
    pub jail: JailName,
    /// Whether it is imported by itself.
    pub enabled: bool,
    /// Whether networks are banned, or addresses only.
    pub networks: bool,
    /// How often it is imported.
    pub interval_seconds: i64,
}

impl Blocklists {
    /// Sets up a list.
    pub async fn create(
        &self,
        origin: &Origin,
        setup: Setup,
        source: BlocklistSource,
    ) -> Result<Blocklist, Error> {
        self.require_jail(&setup.jail)?;
        if self.inner.store.blocklists().await?.len() >= BLOCKLISTS_MAX {
            return Err(Error::TooMany);
        }
        let words = format!("{} from {}", setup.name, source.shown());
        let this = self.clone();
        let new = new(&setup, &source);
        let change = async move {
            let id = this.inner.store.create_blocklist(&new).await?.ok_or(Error::NameTaken)?;
            this.count().await?;
            this.get(id).await
        };
        self.recorded("blocklist_create", origin, &setup.jail, words, change).await
    }

    /// Changes how a list is set up.
    pub async fn update(&self, origin: &Origin, id: i64, setup: Setup) -> Result<Blocklist, Error> {
        let row = self.unlocked(id).await?;
        if row.jail != setup.jail.as_str() {
            return Err(Error::JailChanged);
        }
        let stored = row.source.0.expose().parse().map_err(|_| Error::NotFound);
        let source = setup.source.clone().map_or(stored, Ok)?;
        let words = format!("{} from {}", setup.name, source.shown());
        let this = self.clone();
        let new = new(&setup, &source);
        let change = async move {
            if !this.inner.store.update_blocklist(id, &new).await? {
                return Err(Error::NameTaken);
            }
            this.count().await?;
            this.get(id).await
        };
        self.recorded("blocklist_update", origin, &setup.jail, words, change).await
    }

    /// Deletes a list. Its bans are lifted in the background, after which it is gone.
    pub async fn delete(&self, origin: &Origin, id: i64) -> Result<Blocklist, Error> {
        let row = self.unlocked(id).await?;
        let jail: JailName = row.jail.parse().map_err(|_| Error::NotFound)?;
        let this = self.clone();
        let change = async move {
            this.inner.store.mark_blocklist_deleted(id).await?;
            this.count().await?;
            this.get(id).await
        };
        let deleted = self.recorded("blocklist_delete", origin, &jail, row.name, change).await?;
        // What cannot be begun now is done by the scheduler.
        let _ = self.begin_import(id, true, None).await;
        Ok(deleted)
    }

    /// Has a list imported now, in the background. With `force`, a list that lost most of its
    /// entries is believed.
    pub async fn import(&self, origin: &Origin, id: i64, force: bool) -> Result<Blocklist, Error> {
        let row = self.unlocked(id).await?;
        let jail: JailName = row.jail.parse().map_err(|_| Error::NotFound)?;
        let words = if force { format!("{}, forced", row.name) } else { row.name };
        let (this, client) = (self.clone(), origin.client);
        let change = async move {
            this.begin_import(id, force, Some(client)).await?;
            this.get(id).await
        };
        self.recorded("blocklist_import", origin, &jail, words, change).await
    }

    /// A list that exists and is not being deleted.
    pub(super) async fn unlocked(&self, id: i64) -> Result<BlocklistRow, Error> {
        let row = self.inner.store.blocklist(id).await?.ok_or(Error::NotFound)?;
        if row.deleted_at.is_some() { Err(Error::Busy) } else { Ok(row) }
    }

    /// While fail2ban is away, nobody knows its jails, and the import will tell.
    fn require_jail(&self, jail: &JailName) -> Result<(), Error> {
        let jails = self.inner.history.jails();
        let is_known = jails.is_empty() || jails.iter().any(|status| status.name == *jail);
        if is_known { Ok(()) } else { Err(Error::UnknownJail(jail.clone())) }
    }

    /// Makes a change with its row of the audit log.
    fn recorded<T: Send + 'static>(
        &self,
        action: &'static str,
        origin: &Origin,
        jail: &JailName,
        words: String,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> {
        let (jail, reason) = (Some(jail.to_string()), Some(words));
        self.inner.changes.make(NewAudit { jail, reason, ..origin.row(action) }, change)
    }
}

fn new(setup: &Setup, source: &BlocklistSource) -> NewBlocklist {
    NewBlocklist {
        name: setup.name.to_string(),
        source: source.secret_text(),
        jail: setup.jail.to_string(),
        enabled: setup.enabled,
        networks: setup.networks,
        interval_seconds: setup.interval_seconds,
    }
}
