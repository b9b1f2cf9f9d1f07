-- The audit log is its own outbox: a finished row is told to the log, and marked when its record
-- is known to have been delivered. What a crash or an absent collector left unmarked is told again.

ALTER TABLE audit ADD COLUMN uid TEXT;         -- the record's uid: 32 lower-case hexadecimal digits
ALTER TABLE audit ADD COLUMN traceparent TEXT; -- the request's place in its trace
ALTER TABLE audit ADD COLUMN told_at INTEGER;  -- null until the record is known to be delivered

-- What was written before there was an outbox is no news.
UPDATE audit SET told_at = at;

-- The table grows for ever; what is still to be told is found without looking through it.
CREATE INDEX audit_untold ON audit (id) WHERE told_at IS NULL;
