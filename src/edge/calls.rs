//! The calls that both doors take: texts in, use case, result or failure.

use super::{Failure, Kind, Services};
use crate::auth::Origin;
use crate::domain::{Address, AddressError, ExplainedEntry, JailName, JailStatus, Subject};
use crate::history::{BanKey, BanPage, BanQuery, Held};
use crate::jails::{Banned, JailDetail};

/// An operator's reason is a sentence.
const REASON_MAX_CHARS: usize = 500;

/// All jails and their counts.
pub fn jails(services: &Services) -> Result<Vec<JailStatus>, Failure> {
    require_connection(services)?;
    Ok(services.history.jails())
}

/// One jail with its settings.
pub async fn jail(services: &Services, jail: &str) -> Result<JailDetail, Failure> {
    Ok(services.jails.detail(&jail.parse()?).await?)
}

/// Which bans to list, as a request tells it; an empty text counts as absent.
pub fn ban_query(
    jail: Option<String>,
    text: Option<String>,
    after: Option<BanKey>,
    limit: usize,
) -> Result<BanQuery, Failure> {
    let given = |text: &String| !text.is_empty();
    Ok(BanQuery {
        jail: jail.filter(given).map(|jail| jail.parse()).transpose()?,
        text: text.filter(given).map(|text| text.to_ascii_lowercase()),
        after,
        limit,
    })
}

/// Bans in force, newest first.
pub fn bans(services: &Services, query: &BanQuery) -> Result<BanPage, Failure> {
    require_connection(services)?;
    Ok(services.history.bans(query))
}

/// Bans an address.
pub async fn ban(
    services: &Services,
    origin: Origin,
    jail: &str,
    ip: &str,
    reason: Option<String>,
) -> Result<Banned, Failure> {
    let jail: JailName = jail.parse()?;
    let address: Address = ip.trim().parse()?;
    let reason = reason.map(|reason| reason.trim().to_owned());
    let reason = reason.filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_MAX_CHARS) {
        let message = format!("must have at most {REASON_MAX_CHARS} characters");
        return Err(Failure::field("reason", message));
    }
    Ok(services.jails.ban(origin, jail, address, reason).await?)
}

/// Lifts a ban.
pub async fn unban(
    services: &Services,
    origin: Origin,
    jail: &str,
    ip: &str,
) -> Result<(), Failure> {
    let jail: JailName = jail.parse()?;
    let ip = subject(services, &jail, ip)?;
    Ok(services.jails.unban(origin, jail, ip).await?)
}

/// The address of a request. Other text is taken only if fail2ban reports just that as banned.
fn subject(services: &Services, jail: &JailName, text: &str) -> Result<Subject, Failure> {
    if let Ok(subject) = Subject::reported(text)
        && services.history.find(jail, &subject).is_some()
    {
        return Ok(subject);
    }
    Ok(Subject::from(text.parse::<Address>()?))
}

/// Why an address is, or was, banned.
#[derive(Debug)]
pub struct AddressHistory {
    /// The address as we write it.
    pub ip: Subject,
    /// Where it is banned now, newest first; nothing while fail2ban is away.
    pub bans: Option<Vec<Held>>,
    /// A page of what was observed, newest first.
    pub entries: Vec<ExplainedEntry>,
    /// Before which row the next page begins, if there is one.
    pub next: Option<i64>,
}

/// Tells of the bans of an address, at most `limit` of those before a row of the history.
pub async fn address_history(
    services: &Services,
    text: &str,
    before: i64,
    limit: usize,
) -> Result<AddressHistory, Failure> {
    let text = text.trim();
    let refusal = || text.parse::<Address>().err().unwrap_or(AddressError::NotAnAddress);
    let ip = Subject::reported(text).map_err(|_| refusal())?;
    let bans = services.history.bans_of(&ip);
    // One more row than asked for tells whether there is a next page.
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut entries = services.history.entries_of(&ip, before, rows).await?;
    if ip.address().is_none() && bans.is_empty() && entries.is_empty() {
        return Err(refusal().into());
    }
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| has_more).map(|row| row.entry.id);
    let bans = services.history.link().connected.then_some(bans);
    Ok(AddressHistory { ip, bans, entries, next })
}

/// Fails while fail2ban is away: what is known then may be wrong.
fn require_connection(services: &Services) -> Result<(), Failure> {
    let link = services.history.link();
    if link.connected {
        return Ok(());
    }
    let why = link.last_error.unwrap_or_else(|| "it was not asked yet".into());
    Err(Failure::new(Kind::Fail2banUnreachable, format!("fail2ban is unreachable: {why}")))
}
