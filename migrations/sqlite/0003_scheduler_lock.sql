-- Which instance runs the scheduled tasks. src/lock/mod.rs argues why this is right. The one row
-- is made by the first instance that takes the lock; heartbeat_at is written and compared by this
-- database's clock alone.
CREATE TABLE scheduler_lock (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    pid               INTEGER,          -- of the holder, for people; null when it was released
    hostname          TEXT,             -- the same
    heartbeat_at      INTEGER NOT NULL, -- unix seconds
    heartbeat_timeout INTEGER NOT NULL, -- seconds without a heartbeat after which it may be taken
    epoch             INTEGER NOT NULL, -- one more with each acquisition, never less
    owner             TEXT              -- random for each process; null when it was released
);

-- Epochs are worth nothing if they can begin anew, and deleting the row is how people take a lock
-- away: its epoch is kept for the next row.
CREATE TABLE scheduler_lock_epoch (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
);

CREATE TRIGGER scheduler_lock_epoch_is_kept BEFORE DELETE ON scheduler_lock
BEGIN
    INSERT INTO scheduler_lock_epoch (id, epoch) VALUES (1, OLD.epoch)
    ON CONFLICT (id) DO UPDATE SET epoch = max(epoch, excluded.epoch);
END;

CREATE TRIGGER scheduler_lock_epoch_grows BEFORE UPDATE ON scheduler_lock
WHEN NEW.epoch < OLD.epoch
BEGIN
    SELECT RAISE(ABORT, 'the epoch must not become less');
END;

-- Expired sessions are looked for by time, over all accounts.
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
