-- What a send asks for beside its messages (a JSON object, NULL where it asks for nothing), and LINE's refusal for another
-- system that waits for it (a JSON array of status and body).
ALTER TABLE sends ADD COLUMN extras TEXT;
ALTER TABLE sends ADD COLUMN line_answer TEXT;

CREATE INDEX sends_proxied ON sends (tenant_id, actor, created_at) WHERE origin = 'proxy';

-- By which a destination calls LINE through the hub: one each, made anew in its place.
CREATE TABLE proxy_keys (
    destination_id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- SHA-256 of the key, which is shown once.
    key_hash BLOB NOT NULL,
    hint TEXT NOT NULL,
    -- By commas.
    scopes TEXT NOT NULL,
    -- Messages of the quota in LINE's month; NULL without a limit.
    monthly_paid_limit INTEGER,
    reply_as_push INTEGER NOT NULL CHECK (reply_as_push IN (0, 1)),
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE UNIQUE INDEX proxy_keys_hash ON proxy_keys (key_hash);
CREATE INDEX proxy_keys_tenant ON proxy_keys (tenant_id);
CREATE INDEX proxy_keys_account ON proxy_keys (account_id);

-- The retry keys of a destination's pushes, for 24 hours, and the sends they stand for.
CREATE TABLE proxy_retries (
    destination_id TEXT NOT NULL,
    retry_key TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    send_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (destination_id, retry_key)
) STRICT;

CREATE INDEX proxy_retries_tenant ON proxy_retries (tenant_id);
CREATE INDEX proxy_retries_send ON proxy_retries (send_id);
CREATE INDEX proxy_retries_age ON proxy_retries (created_at);

-- Calls that send to many at once. `body` and `retry_key` are on disk before the first try.
CREATE TABLE bulk_sends (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('multicast', 'broadcast', 'narrowcast')),
    origin TEXT NOT NULL,
    actor TEXT NOT NULL,
    retry_key TEXT NOT NULL,
    body BLOB,
    message_count INTEGER NOT NULL,
    -- NULL where LINE alone knows.
    cost INTEGER,
    state TEXT NOT NULL CHECK (state IN ('sending', 'sent', 'failed', 'unknown')),
    error_detail TEXT,
    line_request_id TEXT,
    line_answer TEXT,
    created_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;

CREATE INDEX bulk_sends_tenant ON bulk_sends (tenant_id, settled_at);
CREATE INDEX bulk_sends_account ON bulk_sends (account_id);
CREATE INDEX bulk_sends_actor ON bulk_sends (tenant_id, actor, created_at);
CREATE INDEX bulk_sends_open ON bulk_sends (created_at) WHERE state = 'sending';
CREATE INDEX bulk_sends_kept ON bulk_sends (settled_at) WHERE body IS NOT NULL;
