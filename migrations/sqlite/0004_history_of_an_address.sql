-- Both tables grow for ever; the history of one address is found without looking through them.

CREATE INDEX bans_by_ip ON bans (ip, id);
CREATE INDEX audit_by_ip ON audit (ip, id) WHERE ip IS NOT NULL;
