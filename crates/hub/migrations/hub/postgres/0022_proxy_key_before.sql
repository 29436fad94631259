-- The key that a destination had before, which works beside the new one for a while; NULL without one.
ALTER TABLE proxy_keys ADD COLUMN before_hash BYTEA;
ALTER TABLE proxy_keys ADD COLUMN before_hint TEXT;
ALTER TABLE proxy_keys ADD COLUMN before_until BIGINT;
ALTER TABLE proxy_keys ADD COLUMN before_used_at BIGINT;

CREATE UNIQUE INDEX proxy_keys_before ON proxy_keys (before_hash) WHERE before_hash IS NOT NULL;
