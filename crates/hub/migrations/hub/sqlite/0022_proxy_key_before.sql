-- The key that a destination had before, which works beside the new one for a while; NULL without one.
ALTER TABLE proxy_keys ADD COLUMN before_hash BLOB;
ALTER TABLE proxy_keys ADD COLUMN before_hint TEXT;
ALTER TABLE proxy_keys ADD COLUMN before_until INTEGER;
ALTER TABLE proxy_keys ADD COLUMN before_used_at INTEGER;

CREATE UNIQUE INDEX proxy_keys_before ON proxy_keys (before_hash) WHERE before_hash IS NOT NULL;
