-- Several instances may share the database. Each says every half a minute that it lives, and has
-- its own rows of the audit log to finish and to tell; those of a dead one are anybody's.

CREATE TABLE instances (
    id           TEXT PRIMARY KEY, -- random for each process
    heartbeat_at INTEGER NOT NULL  -- unix seconds, by the database's clock
);

ALTER TABLE audit ADD COLUMN instance TEXT; -- whose row it is; null in rows from before
