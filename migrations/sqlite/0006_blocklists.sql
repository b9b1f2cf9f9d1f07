-- Lists of addresses that are imported into jails, how their last import went, and which entries
-- they have brought. All times are unix seconds by this database's clock.

CREATE TABLE blocklists (
    id               INTEGER PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    source           TEXT NOT NULL,    -- an address or a path; may hold a key: shown masked only
    jail             TEXT NOT NULL,
    enabled          BOOLEAN NOT NULL,
    networks         BOOLEAN NOT NULL, -- whether networks are banned, or addresses only
    interval_seconds BIGINT NOT NULL,
    deleted_at       BIGINT,           -- since then its bans are being lifted
    etag             TEXT,             -- what the source called the version that is in force
    last_modified    TEXT,
    -- Who imports it now. A claim that is not renewed in time may be taken by another.
    claim            TEXT,
    claim_until      BIGINT,
    started_at       BIGINT,
    finished_at      BIGINT,
    succeeded_at     BIGINT,
    result           TEXT CHECK (result IN ('running', 'completed', 'unchanged', 'failed')),
    error_type       TEXT,
    error            TEXT,
    entries          BIGINT NOT NULL DEFAULT 0,
    added            BIGINT NOT NULL DEFAULT 0,
    renewed          BIGINT NOT NULL DEFAULT 0,
    removed          BIGINT NOT NULL DEFAULT 0,
    refused          BIGINT NOT NULL DEFAULT 0,
    duration_ms      BIGINT NOT NULL DEFAULT 0,
    correlation_id   TEXT
);

-- An entry is written as pending before its ban is made and as placed after it, so that a crash in
-- between leaves a trace: nobody else's ban is ever taken for the list's, and none is forgotten.
CREATE TABLE blocklist_entries (
    blocklist_id BIGINT NOT NULL REFERENCES blocklists (id) ON DELETE CASCADE,
    entry        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'placed', 'held')),
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (blocklist_id, entry)
);

-- What one list no longer wants, another may still want.
CREATE INDEX blocklist_entries_by_entry ON blocklist_entries (entry);
-- The judgements of operators about a jail's addresses, newest first.
CREATE INDEX audit_by_jail ON audit (jail, id) WHERE action IN ('ban', 'unban');
