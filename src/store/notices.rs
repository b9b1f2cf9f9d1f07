//! Notices to the other instances on a Postgres server (`NOTIFY`), and theirs to this one. In
//! SQLite there are none: a file has nobody to carry them.
//!
//! Notices are heard by who listens at that moment, and get lost with a connection. So they say
//! only what the pages are to be told; what counts is in the tables.

use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::PgListener;
use tokio::time::timeout;

use super::backend::Backend;
use super::{Error, Store};

const CHANNEL: &str = "bangui_live";
/// Postgres takes less than 8000 bytes.
const NOTICE_BYTES_MAX: usize = 7900;
/// A connection on which nothing was heard for so long is asked whether it still is one.
const SILENCE: Duration = Duration::from_secs(30);
/// How long its answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What the other instances say, in the order in which the server heard it.
pub struct Notices {
    listener: PgListener,
    instance: std::sync::Arc<str>,
}

impl Store {
    /// Whether there can be other instances that hear notices.
    pub fn has_notices(&self) -> bool {
        matches!(self.pool, Backend::Postgres(_))
    }

    /// Says something to the other instances that listen. False if it is too long to be said.
    pub async fn notify(&self, notice: &str) -> Result<bool, Error> {
        let Backend::Postgres(pool) = &self.pool else { return Ok(true) };
        let payload = format!("{} {notice}", self.instance);
        if payload.len() > NOTICE_BYTES_MAX {
            return Ok(false);
        }
        let query = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(payload);
        let notify = async { query.execute(pool).await.map(|_| true) };
        self.run("NOTIFY", "notices", notify).await
    }

    /// Listens from now on; nothing in SQLite.
    pub async fn listen(&self) -> Result<Option<Notices>, Error> {
        let Backend::Postgres(pool) = &self.pool else { return Ok(None) };
        let listen = async {
            let mut listener = PgListener::connect_with(pool).await?;
            // Whoever listens has to know of the gap, and then listens anew.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        let listener = self.run("LISTEN", "notices", listen).await?;
        Ok(Some(Notices { listener, instance: self.instance.clone() }))
    }
}

impl Notices {
    /// What another instance says next; nothing when the connection is lost, and perhaps notices
    /// with it.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let notice = match timeout(SILENCE, self.listener.try_recv()).await {
                Ok(Ok(Some(notice))) => notice,
                Ok(Ok(None) | Err(_)) => return None,
                Err(_) => {
                    let question = timeout(ANSWER_TIMEOUT, self.listener.execute("SELECT 1"));
                    if !matches!(question.await, Ok(Ok(_))) {
                        return None;
                    }
                    continue;
                }
            };
            if let Some((instance, text)) = notice.payload().split_once(' ')
                && instance != &*self.instance
            {
                return Some(text.to_owned());
            }
        }
    }
}
