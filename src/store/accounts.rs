//! Accounts and their sessions.

use super::backend::on;
use super::{Error, Store};
use crate::domain::Secret;

/// Sessions per account; the oldest end when another begins.
const SESSIONS_PER_ACCOUNT_MAX: i64 = 20;

/// One account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Row id.
    pub id: i64,
    /// PHC string of the password.
    pub password_hash: Secret<String>,
}

/// A session to be stored.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// SHA-256 of the token.
    pub token_hash: &'a [u8],
    /// Whose session it is.
    pub account_id: i64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Where it was opened from.
    pub client_ip: &'a str,
}

impl Store {
    /// Whether the first account was made.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("SELECT 1 FROM accounts LIMIT 1").fetch_optional(pool).await?.is_some()
        });
        self.run("SELECT", "accounts", query).await
    }

    /// Makes the first account; false when there is one already.
    pub async fn create_first_account(
        &self,
        username: &str,
        password_hash: &str,
        created_at: i64,
    ) -> Result<bool, Error> {
        // Two at once, which Postgres admits, have the same name.
        let query = on!(self.pool, pool => {
            sqlx::query(
                "INSERT INTO accounts (username, password_hash, created_at) \
                 SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM accounts) \
                 ON CONFLICT (username) DO NOTHING",
            )
            .bind(username)
            .bind(password_hash)
            .bind(created_at)
            .execute(pool)
            .await?
            .rows_affected()
        });
        Ok(self.run("INSERT", "accounts", query).await? == 1)
    }

    /// The account of a name.
    pub async fn find_account(&self, username: &str) -> Result<Option<Account>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_as("SELECT id, password_hash FROM accounts WHERE username = $1")
                .bind(username)
                .fetch_optional(pool)
                .await?
        });
        let row: Option<(i64, String)> = self.run("SELECT", "accounts", query).await?;
        Ok(row.map(|(id, password_hash)| Account { id, password_hash: Secret::new(password_hash) }))
    }

    /// Gives an account a new password and ends all its sessions; false when there is none.
    pub async fn reset_password(&self, username: &str, hash: &str) -> Result<bool, Error> {
        self.run("UPDATE", "accounts", async {
            // Together: a crash in between must not leave sessions of the old password.
            let mut transaction = self.begin().await?;
            let changed = on!(mut transaction, connection => {
                let changed =
                    sqlx::query("UPDATE accounts SET password_hash = $1 WHERE username = $2")
                        .bind(hash)
                        .bind(username)
                        .execute(&mut *connection)
                        .await?;
                sqlx::query(
                    "DELETE FROM sessions WHERE account_id = \
                     (SELECT id FROM accounts WHERE username = $1)",
                )
                .bind(username)
                .execute(connection)
                .await?;
                changed.rows_affected()
            })
            .await?;
            transaction.commit().await?;
            Ok(changed == 1)
        })
        .await
    }

    /// Stores a session and ends the account's oldest ones beyond the limit.
    pub async fn create_session(&self, session: &NewSession<'_>) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query(
                "INSERT INTO sessions (token_hash, account_id, created_at, expires_at, client_ip) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(session.token_hash)
            .bind(session.account_id)
            .bind(session.created_at)
            .bind(session.expires_at)
            .bind(session.client_ip)
            .execute(pool)
            .await?;
        });
        self.run("INSERT", "sessions", query).await?;
        // There is no word for "all the others" that both databases know; so many there never are.
        let query = on!(self.pool, pool => {
            sqlx::query(
                "DELETE FROM sessions WHERE expires_at <= $1 OR token_hash IN \
                 (SELECT token_hash FROM sessions WHERE account_id = $2 \
                  ORDER BY created_at DESC LIMIT 1000000 OFFSET $3)",
            )
            .bind(session.created_at)
            .bind(session.account_id)
            .bind(SESSIONS_PER_ACCOUNT_MAX)
            .execute(pool)
            .await?;
        });
        self.run("DELETE", "sessions", query).await
    }

    /// The account's name of a token's session, unless that has expired.
    pub async fn find_session(&self, token_hash: &[u8], now: i64) -> Result<Option<String>, Error> {
        let query = on!(self.pool, pool => {
            sqlx::query_scalar(
                "SELECT accounts.username FROM sessions \
                 JOIN accounts ON accounts.id = sessions.account_id \
                 WHERE token_hash = $1 AND expires_at > $2",
            )
            .bind(token_hash)
            .bind(now)
            .fetch_optional(pool)
            .await?
        });
        self.run("SELECT", "sessions", query).await
    }

    /// Ends a session.
    pub async fn delete_session(&self, token_hash: &[u8]) -> Result<(), Error> {
        let query = on!(self.pool, pool => {
            sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
                .bind(token_hash)
                .execute(pool)
                .await?;
        });
        self.run("DELETE", "sessions", query).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    on_both!(
        only_the_first_account_is_made,
        sessions_expire_end_and_are_limited,
        a_new_password_ends_the_sessions,
    );

    async fn only_the_first_account_is_made(store: Store) {
        assert!(store.create_first_account("admin", "a", 1).await.unwrap());
        assert!(!store.create_first_account("other", "b", 1).await.unwrap());
        let account = store.find_account("admin").await.unwrap().unwrap();
        assert_eq!(account.password_hash.expose(), "a");
        assert!(store.find_account("other").await.unwrap().is_none());
    }

    async fn sessions_expire_end_and_are_limited(store: Store) {
        store.create_first_account("admin", "a", 1).await.unwrap();
        let account_id = store.find_account("admin").await.unwrap().unwrap().id;
        for n in 0..=SESSIONS_PER_ACCOUNT_MAX {
            let token_hash = [u8::try_from(n).unwrap(); 32];
            let session = NewSession {
                token_hash: &token_hash,
                account_id,
                created_at: 100 + n,
                expires_at: 1000,
                client_ip: "192.0.2.1",
            };
            store.create_session(&session).await.unwrap();
        }
        assert!(store.find_session(&[0; 32], 200).await.unwrap().is_none(), "the oldest ended");
        assert!(store.find_session(&[1; 32], 200).await.unwrap().is_some());
        assert!(store.find_session(&[1; 32], 1000).await.unwrap().is_none(), "expired");
        store.delete_session(&[1; 32]).await.unwrap();
        assert!(store.find_session(&[1; 32], 200).await.unwrap().is_none(), "ended");
    }

    async fn a_new_password_ends_the_sessions(store: Store) {
        store.create_first_account("admin", "a", 1).await.unwrap();
        let session = NewSession {
            token_hash: &[7; 32],
            account_id: 1,
            created_at: 1,
            expires_at: 1000,
            client_ip: "192.0.2.1",
        };
        store.create_session(&session).await.unwrap();
        assert!(store.reset_password("admin", "b").await.unwrap());
        assert!(store.find_session(&[7; 32], 2).await.unwrap().is_none());
        assert!(!store.reset_password("nobody", "b").await.unwrap());
    }
}
