//! Opens a database on a Postgres server, which several instances share.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use tokio::time::{Instant, sleep, timeout};

use super::backend::Backend;
use super::{Error, Store, is_unavailable};
use crate::domain::Secret;

/// Connections of one instance. Ten instances stay within the hundred that a server allows by
/// default.
const CONNECTIONS_MAX: u32 = 8;
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that is given back may take to answer; a server that is out of reach
/// answers no more, and its connections must not stay counted.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server is waited for at the start, and the pause between attempts.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const START_PAUSE: Duration = Duration::from_secs(1);

/// What each connection is told first. A statement ends by itself in time; a transaction whose
/// instance is stopped in its midst ends too, and with it whatever it has locked. The server gives
/// up a connection whose other end is gone.
const SESSION: &str = "\
    SET default_transaction_isolation = 'read committed'; \
    SET statement_timeout = '30s'; \
    SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '30s'; \
    SET tcp_keepalives_idle = 30; \
    SET tcp_keepalives_interval = 10; \
    SET tcp_keepalives_count = 3";

/// Migrations take longer, and whoever starts second waits for the first.
const MIGRATION_SESSION: &str = "SET statement_timeout = '10min'; SET lock_timeout = '10min'";

impl Store {
    /// Opens a database on a server and brings it up to date. Instances that start together do
    /// that one after the other.
    /// A server that is not there yet, as when both start together, is waited for.
    pub async fn open_postgres(url: &Secret<String>) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url.expose()).map_err(failed)?;
        migrate(connect(&options).await?).await?;
        let store = Self::new(Backend::Postgres(pool(options)))?;
        store.instance_begins().await?;
        Ok(store)
    }
}

/// A connection for work that takes long, to a database that is brought up to date first.
pub(super) async fn prepared(url: &Secret<String>) -> Result<PgConnection, Error> {
    let options = PgConnectOptions::from_str(url.expose()).map_err(failed)?;
    migrate(connect(&options).await?).await?;
    let mut connection = connect(&options).await?;
    connection.execute(MIGRATION_SESSION).await.map_err(failed)?;
    Ok(connection)
}

fn failed(error: sqlx::Error) -> Error {
    Error::Statement { operation: "OPEN", collection: "database", error }
}

/// Connects, and tries again for a while if the server is away. What will not be otherwise in a
/// minute, such as a wrong password, is told at once.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let until = Instant::now() + START_TIMEOUT;
    let mut is_told = false;
    loop {
        let attempt = timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await;
        let error = match attempt.unwrap_or_else(|_| Err(timed_out())) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        if !is_unavailable(&error) || Instant::now() >= until {
            return Err(failed(error));
        }
        if !std::mem::replace(&mut is_told, true) {
            let timeout_seconds = START_TIMEOUT.as_secs();
            tracing::warn!(name: "database_unreachable", error = %error, timeout_seconds);
        }
        sleep(START_PAUSE).await;
    }
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// On a connection of its own, which has other limits.
async fn migrate(mut connection: PgConnection) -> Result<(), Error> {
    connection.execute(MIGRATION_SESSION).await.map_err(failed)?;
    sqlx::migrate!("migrations/postgres").run(&mut connection).await?;
    // All is done; whether the server hears the farewell does not matter.
    let _ = timeout(RELEASE_TIMEOUT, connection.close()).await;
    Ok(())
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SESSION).await.map(drop) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                timeout(RELEASE_TIMEOUT, connection.ping())
                    .await
                    .unwrap_or_else(|_| Err(timed_out()))
                    .map(|()| true)
            })
        })
        .connect_lazy_with(options)
}
