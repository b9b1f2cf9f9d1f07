//! Who may make a call.

use http::{HeaderMap, header};
use tracing::Span;

use super::{Failure, Kind};
use crate::auth::Caller;
use crate::config::Scope;

/// Checks that a caller is known and may do what needs this scope. From here on the request's span
/// and its lines have the caller's name.
pub fn admit(caller: Option<Caller>, needed: Scope) -> Result<Caller, Failure> {
    let caller = caller.ok_or_else(Failure::unauthenticated)?;
    Span::current().record("user.id", caller.username.as_str());
    if needed == Scope::Write && caller.scope == Scope::Read {
        return Err(Failure::new(Kind::Forbidden, "this token may read only"));
    }
    Ok(caller)
}

/// The token behind `Authorization: Bearer`.
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
