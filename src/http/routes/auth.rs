//! Signing in and out.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use http::{Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::super::access;
use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::cookie;
use super::super::places::{Held, PerClient};
use super::super::problem::Problem;
use crate::auth::OpenedSession;
use crate::domain::Secret;

/// Strangers who sign in at once. They can be as slow as they like with their bodies, so they must
/// not be able to take all the places of requests.
static STRANGERS: Semaphore = Semaphore::const_new(64);
/// Sign-ins of one client at once: a single stranger must not be able to take all of those.
const PER_CLIENT_MAX: usize = 8;
static CLIENTS: LazyLock<PerClient> = LazyLock::new(|| PerClient::new(PER_CLIENT_MAX));
/// A body that is slow is given up by then.
const RETRY_AFTER: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    code: Secret<String>,
    password: Secret<String>,
}

#[derive(Serialize)]
struct SessionState {
    user: Option<User>,
    setup_required: bool,
    version: &'static str,
}

#[derive(Serialize)]
struct User {
    username: String,
}

/// `GET /api/auth/session`: who the browser is, so that the page knows what to show.
pub(in crate::http) async fn session(call: Call) -> Result<Response<Body>, Problem> {
    let caller = access::caller(&call.services, call.request.headers()).await?;
    let state = SessionState {
        setup_required: caller.is_none() && call.services.auth.is_setup_required().await?,
        user: caller.map(|caller| User { username: caller.username }),
        version: env!("CARGO_PKG_VERSION"),
    };
    body::json(StatusCode::OK, &state)
}

/// `POST /api/auth/login`
pub(in crate::http) async fn login(call: Call) -> Result<Response<Body>, Problem> {
    let (auth, https) = (call.services.auth.clone(), call.services.site.https);
    let (visitor, _turn) = (call.visitor(), turn(call.client)?);
    let Login { username, password } = body::read_json(call.request).await?;
    let opened = auth.sign_in(&username, password, &visitor).await?;
    signed_in(&opened, https)
}

/// `POST /api/auth/setup`: makes the first account with the set-up code.
pub(in crate::http) async fn setup(call: Call) -> Result<Response<Body>, Problem> {
    let (auth, https) = (call.services.auth.clone(), call.services.site.https);
    let (visitor, _turn) = (call.visitor(), turn(call.client)?);
    let Setup { code, password } = body::read_json(call.request).await?;
    let opened = auth.set_up(&code, password, &visitor).await?;
    signed_in(&opened, https)
}

/// `POST /api/auth/logout`: ends the session of the cookie, if there is one.
pub(in crate::http) async fn logout(call: Call) -> Result<Response<Body>, Problem> {
    let https = call.services.site.https;
    if let Some(token) = cookie::session_token(call.request.headers(), https) {
        call.services.auth.sign_out(token).await?;
    }
    let mut response = body::no_content();
    response.headers_mut().extend(cookie::clear(https).map(|value| (header::SET_COOKIE, value)));
    Ok(response)
}

fn turn(client: IpAddr) -> Result<(SemaphorePermit<'static>, Held), Problem> {
    let own = CLIENTS.take(client).ok_or_else(|| Problem::too_many_requests(RETRY_AFTER))?;
    let too_many = |_| Problem::unavailable("too many sign-ins at once");
    Ok((STRANGERS.try_acquire().map_err(too_many)?, own))
}

fn signed_in(opened: &OpenedSession, https: bool) -> Result<Response<Body>, Problem> {
    let value = cookie::set(opened.token.expose(), opened.lifetime, https)
        .ok_or_else(|| Problem::internal("the session token does not fit a header"))?;
    let mut response = body::no_content();
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}
