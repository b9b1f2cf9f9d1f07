-- The last runs of each scheduled task, so that a restart knows what was done and the page can show
-- it. Times are this database's clock, in unix seconds; a run keeps its row until 50 later ones of
-- the same task have begun, and the last one that succeeded is kept in any case.
CREATE TABLE task_runs (
    id             INTEGER PRIMARY KEY,
    task           TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER,          -- null while it runs
    duration_ms    INTEGER,          -- null while it runs, and when nobody saw its end
    result         TEXT NOT NULL CHECK (result IN ('running', 'completed', 'failed', 'interrupted')),
    changes        INTEGER,          -- how many things a completed run changed
    error          TEXT,             -- why it did not complete
    correlation_id TEXT,             -- its trace
    requested_by   TEXT              -- the account, or api-token; null when it was due
);

CREATE INDEX task_runs_by_task ON task_runs (task, id);

-- Runs that were asked for and have not begun: one a task at most. Any instance writes here; the one
-- with the scheduler's lock takes them away.
CREATE TABLE task_requests (
    task         TEXT PRIMARY KEY,
    requested_at INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    traceparent  TEXT                -- the request's place in its trace, which the run continues
);
