-- The first shape of the store. All times are unix seconds (UTC).

CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY,
    username      TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL, -- PHC string, Argon2id
    created_at    INTEGER NOT NULL
);

-- A session is known by the SHA-256 of its token, so that a stolen database opens no session.
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    client_ip  TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX sessions_by_account ON sessions (account_id, created_at);

-- One row for every change by a user. It is written before the change ("pending") and finished
-- after it, so that a crash in between leaves a trace.
CREATE TABLE audit (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL,
    actor          TEXT NOT NULL,
    client_ip      TEXT NOT NULL,
    action         TEXT NOT NULL,
    jail           TEXT,
    ip             TEXT,
    reason         TEXT,
    result         TEXT NOT NULL CHECK (result IN ('pending', 'success', 'failure')),
    detail         TEXT,
    correlation_id TEXT
);

-- What was observed of fail2ban's bans; fail2ban itself forgets them on unban and purge.
CREATE TABLE bans (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    jail           TEXT NOT NULL,
    ip             TEXT NOT NULL,
    banned_at      INTEGER NOT NULL,
    expires_at     INTEGER,
    unbanned_at    INTEGER,
    source         TEXT NOT NULL CHECK (source IN ('log', 'list', 'operator')),
    unban_source   TEXT CHECK (unban_source IN ('log', 'list', 'operator')),
    reason         TEXT,
    correlation_id TEXT
);

-- An address is banned once at a time in a jail.
CREATE UNIQUE INDEX bans_open ON bans (jail, ip) WHERE unbanned_at IS NULL;
CREATE INDEX bans_by_time ON bans (banned_at);
