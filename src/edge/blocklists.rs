//! The calls about blocklists: texts in, use case, result or failure.

use std::ops::RangeInclusive;

use super::{Failure, Kind, Services};
use crate::auth::Origin;
use crate::blocklists::{self, BLOCKLISTS_MAX, Blocklist, Preview, Setup};
use crate::domain::blocklist::{BlocklistName, BlocklistSource};

/// Vendors block who asks more often than every few minutes; a list that is older than a month is
/// history.
const INTERVAL_SECONDS: RangeInclusive<i64> = 300..=30 * 24 * 3600;
const INTERVAL_SECONDS_DEFAULT: i64 = 24 * 3600;

/// How a list is to be, as a request tells it.
#[derive(Debug)]
pub struct SetupTexts {
    /// What it is called.
    pub name: String,
    /// Where it is had from; nothing leaves it as it is.
    pub source: Option<String>,
    /// Where its entries are banned.
    pub jail: String,
    /// Whether it is imported by itself; it is unless told otherwise.
    pub enabled: Option<bool>,
    /// Whether networks are banned; they are unless told otherwise.
    pub networks: Option<bool>,
    /// How often it is imported; daily unless told otherwise.
    pub interval_seconds: Option<i64>,
}

/// All lists.
pub async fn list(services: &Services) -> Result<Vec<Blocklist>, Failure> {
    Ok(services.blocklists.list().await?)
}

/// One list.
pub async fn get(services: &Services, id: &str) -> Result<Blocklist, Failure> {
    Ok(services.blocklists.get(number(id)?).await?)
}

/// Sets a list up.
pub async fn create(
    services: &Services,
    origin: &Origin,
    texts: SetupTexts,
) -> Result<Blocklist, Failure> {
    let setup = setup(texts)?;
    let missing = || Failure::field("source", "is missing");
    let source = setup.source.clone().ok_or_else(missing)?;
    Ok(services.blocklists.create(origin, setup, source).await?)
}

/// Changes how a list is set up.
pub async fn update(
    services: &Services,
    origin: &Origin,
    id: &str,
    texts: SetupTexts,
) -> Result<Blocklist, Failure> {
    Ok(services.blocklists.update(origin, number(id)?, setup(texts)?).await?)
}

/// Deletes a list and lifts its bans.
pub async fn delete(services: &Services, origin: &Origin, id: &str) -> Result<Blocklist, Failure> {
    Ok(services.blocklists.delete(origin, number(id)?).await?)
}

/// Tells what an import would do.
pub async fn preview(services: &Services, origin: &Origin, id: &str) -> Result<Preview, Failure> {
    Ok(services.blocklists.preview(number(id)?, origin.client).await?)
}

/// Begins an import.
pub async fn import(
    services: &Services,
    origin: &Origin,
    id: &str,
    force: bool,
) -> Result<Blocklist, Failure> {
    Ok(services.blocklists.import(origin, number(id)?, force).await?)
}

fn number(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| blocklists::Error::NotFound.into())
}

fn setup(texts: SetupTexts) -> Result<Setup, Failure> {
    let name: BlocklistName =
        texts.name.trim().parse().map_err(|error| Failure::field("name", error))?;
    let source = texts.source.as_deref().map(str::parse::<BlocklistSource>).transpose();
    let interval_seconds = texts.interval_seconds.unwrap_or(INTERVAL_SECONDS_DEFAULT);
    if !INTERVAL_SECONDS.contains(&interval_seconds) {
        let (min, max) = INTERVAL_SECONDS.into_inner();
        return Err(Failure::field("interval_seconds", format!("must be from {min} to {max}")));
    }
    Ok(Setup {
        name,
        source: source.map_err(|error| Failure::field("source", error))?,
        jail: texts.jail.trim().parse()?,
        enabled: texts.enabled.unwrap_or(true),
        networks: texts.networks.unwrap_or(true),
        interval_seconds,
    })
}

impl From<blocklists::Error> for Failure {
    fn from(error: blocklists::Error) -> Self {
        use crate::blocklists::Error;
        match error {
            Error::NotFound => Self::new(Kind::NotFound, error),
            Error::NameTaken => Self::field("name", error),
            Error::TooMany => Self::new(Kind::Conflict, error),
            Error::JailChanged | Error::UnknownJail(_) => Self::field("jail", error),
            Error::Busy => Self::new(Kind::Conflict, error),
            Error::Stopping => Self::new(Kind::Stopping, error),
            Error::Fail2ban(cause) => Self::from(crate::jails::Error::from(cause)),
            Error::Download(_) | Error::File(_) | Error::List(_) => Self::field("source", error),
            Error::Store(cause) => Self::store(&cause, cause.is_unavailable()),
            Error::Interrupted => Self::internal(error),
        }
    }
}

/// As many lists as there may be.
pub const fn max() -> usize {
    BLOCKLISTS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::temporary;

    #[tokio::test]
    async fn a_database_that_is_away_is_told_as_such() {
        let (_folder, store) = temporary().await;
        store.close().await;
        let error = store.blocklists().await.unwrap_err();
        let failure = Failure::from(blocklists::Error::from(error));
        assert_eq!(failure.kind(), Kind::Unavailable, "{failure:?}");
        assert!(failure.retry_after().is_some());
    }
}
