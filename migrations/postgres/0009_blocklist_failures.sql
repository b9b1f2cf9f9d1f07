-- A list whose source fails is asked ever later: how often that happened since its last success.
ALTER TABLE blocklists ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
