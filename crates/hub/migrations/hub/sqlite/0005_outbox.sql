-- Reply tokens as they came with events. One is claimed by one send, or by another system, and never given out again.
CREATE TABLE reply_tokens (
    account_id TEXT NOT NULL,
    token TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    event_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    usable_until INTEGER NOT NULL,
    claimed_by TEXT,
    PRIMARY KEY (account_id, token)
) STRICT;

CREATE INDEX reply_tokens_conversation ON reply_tokens (conversation_id, usable_until);
CREATE INDEX reply_tokens_tenant ON reply_tokens (tenant_id);
CREATE INDEX reply_tokens_age ON reply_tokens (usable_until);

-- One row per conversation that was ever written to: it numbers the sends, and holding it orders those who enqueue.
CREATE TABLE send_lanes (
    conversation_id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    last_number INTEGER NOT NULL
) STRICT;

CREATE INDEX send_lanes_tenant ON send_lanes (tenant_id);
CREATE INDEX send_lanes_account ON send_lanes (account_id);

-- One row is one call that LINE sees. `body` and `retry_key` are on disk before the first try and stay as they are
-- until the request is replaced by another one.
CREATE TABLE sends (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    target_kind TEXT NOT NULL CHECK (target_kind IN ('user', 'group', 'room')),
    target TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('agent', 'automation', 'campaign', 'api', 'proxy', 'system')),
    actor TEXT NOT NULL,
    allow_paid INTEGER NOT NULL CHECK (allow_paid IN (0, 1)),
    max_cost INTEGER NOT NULL,
    message_count INTEGER NOT NULL CHECK (message_count BETWEEN 1 AND 5),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown')),
    via TEXT CHECK (via IN ('reply', 'push')),
    reply_token TEXT,
    token_until INTEGER,
    retry_key TEXT,
    body BLOB,
    cost INTEGER,
    members INTEGER,
    members_at INTEGER,
    open_attempt INTEGER NOT NULL CHECK (open_attempt IN (0, 1)),
    presumed INTEGER NOT NULL CHECK (presumed IN (0, 1)),
    attempts INTEGER NOT NULL,
    first_attempt_at INTEGER,
    attempt_started_at INTEGER,
    lease_until INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    error_code TEXT,
    error_detail TEXT,
    line_request_id TEXT,
    again_of TEXT,
    created_at INTEGER NOT NULL,
    settled_at INTEGER,
    forgotten_at INTEGER,
    UNIQUE (conversation_id, number)
) STRICT;

CREATE INDEX sends_due ON sends (account_id, next_attempt_at, id) WHERE state = 'queued';
CREATE INDEX sends_leased ON sends (lease_until) WHERE state = 'sending';
CREATE INDEX sends_unsettled ON sends (conversation_id, number) WHERE state IN ('queued', 'sending');
CREATE INDEX sends_account ON sends (account_id, settled_at);
CREATE INDEX sends_tenant ON sends (tenant_id, settled_at);
CREATE INDEX sends_again ON sends (again_of);
CREATE INDEX sends_kept ON sends (settled_at, id) WHERE forgotten_at IS NULL;

-- The way of each outgoing message: which call carries it, at which place, and what LINE made of it.
CREATE TABLE deliveries (
    message_id TEXT NOT NULL PRIMARY KEY,
    send_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 4),
    content TEXT NOT NULL,
    line_message_id TEXT,
    quote_token TEXT,
    UNIQUE (send_id, place)
) STRICT;

CREATE INDEX deliveries_tenant ON deliveries (tenant_id);
CREATE INDEX deliveries_account ON deliveries (account_id);
CREATE INDEX deliveries_line_message ON deliveries (line_message_id);

-- What LINE last said of the month's quota of an account.
CREATE TABLE quota_readings (
    account_id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    quota INTEGER,
    used INTEGER NOT NULL,
    read_at INTEGER NOT NULL
) STRICT;

CREATE INDEX quota_readings_tenant ON quota_readings (tenant_id);

-- What calls that may come again have queued. Written with the messages, so that a repeat finds either both or neither.
CREATE TABLE once_keys (
    conversation_id TEXT NOT NULL,
    once_key TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    -- SHA-256 of what the call wants.
    wanted BLOB NOT NULL,
    -- Its messages, in order, by commas.
    message_ids TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, once_key)
) STRICT;

CREATE INDEX once_keys_tenant ON once_keys (tenant_id);
CREATE INDEX once_keys_account ON once_keys (account_id);
CREATE INDEX once_keys_age ON once_keys (created_at);
