//! Bans: list, ban, unban.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::jails::Page;
use crate::edge::calls;
use crate::history::{BanKey, Held};
use crate::jails::Banned;

#[derive(Serialize)]
pub(super) struct BanItem {
    pub(super) jail: String,
    pub(super) ip: String,
    pub(super) banned_at: jiff::Timestamp,
    pub(super) expires_at: Option<jiff::Timestamp>,
    pub(super) reason: Option<String>,
}

impl From<&Held> for BanItem {
    fn from(held: &Held) -> Self {
        Self {
            jail: held.ban.jail.to_string(),
            ip: held.ban.ip.to_string(),
            banned_at: held.ban.banned_at,
            expires_at: held.ban.expires_at,
            reason: held.reason.clone().map(body::clean),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BanRequest {
    jail: String,
    ip: String,
    reason: Option<String>,
}

/// `GET /api/bans?jail=&q=&limit=&cursor=`
pub(in crate::http) async fn list(call: Call) -> Result<Response<Body>, Problem> {
    let after = call.query("cursor").map(|cursor| parse_cursor(&cursor)).transpose()?;
    let query = calls::ban_query(call.query("jail"), call.query("q"), after, call.limit()?)?;
    let page = calls::bans(&call.services, &query)?;
    let last = page.items.last().filter(|_| page.has_more);
    let next = last.map(|held| cursor(&BanKey::of(&held.ban)));
    let items: Vec<_> = page.items.iter().map(BanItem::from).collect();
    body::json(StatusCode::OK, &Page { items, next })
}

/// `POST /api/bans`
pub(in crate::http) async fn ban(call: Call) -> Result<Response<Body>, Problem> {
    let origin = call.origin()?;
    let services = call.services.clone();
    let BanRequest { jail, ip, reason } = body::read_json(call.request).await?;
    let (status, held) = match calls::ban(&services, origin, &jail, &ip, reason).await? {
        Banned::Created(held) => (StatusCode::CREATED, held),
        Banned::Already(held) => (StatusCode::OK, held),
    };
    body::json(status, &BanItem::from(&held))
}

/// `DELETE /api/bans/{jail}/{ip}`
pub(in crate::http) async fn unban(call: Call) -> Result<Response<Body>, Problem> {
    let origin = call.origin()?;
    let (jail, ip) = (call.parameter("jail")?, call.parameter("ip")?);
    calls::unban(&call.services, origin, &jail, &ip).await?;
    Ok(body::no_content())
}

fn cursor(key: &BanKey) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {} {}", key.newest_first, key.jail, key.ip))
}

fn parse_cursor(text: &str) -> Result<BanKey, Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        Some(BanKey {
            newest_first: parts.next()?.parse().ok()?,
            jail: parts.next()?.to_owned(),
            ip: parts.next()?.to_owned(),
        })
    };
    parse().ok_or_else(|| Problem::field("cursor", "is not one that was given out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_garbage_is_refused() {
        let key = BanKey { newest_first: -5, jail: "sshd".into(), ip: "2001:db8::1".into() };
        assert_eq!(parse_cursor(&cursor(&key)).unwrap(), key);
        assert!(parse_cursor("x").is_err() && parse_cursor("").is_err());
    }
}
