-- Both tables grow for ever unless old rows are removed; those are found without looking through
-- the tables.

CREATE INDEX bans_by_end ON bans (unbanned_at) WHERE unbanned_at IS NOT NULL;
CREATE INDEX audit_by_time ON audit (at);
