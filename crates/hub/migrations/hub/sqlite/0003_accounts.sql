-- Connected accounts. A disconnected one keeps its row, because its history stays and the same channel may come back.
CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    messenger TEXT NOT NULL CHECK (messenger IN ('line')),
    channel_id TEXT NOT NULL,
    -- The unguessable end of the webhook's address; a new one at every connecting.
    webhook_key TEXT NOT NULL,
    bot_user_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    basic_id TEXT NOT NULL,
    premium_id TEXT,
    picture_url TEXT,
    chat_mode TEXT NOT NULL,
    mark_as_read_mode TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test')),
    status TEXT NOT NULL CHECK (status IN ('connected', 'attention', 'disconnected')),
    -- Why attention is needed: webhook_off, webhook_elsewhere, webhook_missing, credentials.
    attention TEXT,
    -- The webhook's address at LINE before connecting, to put it back at the end.
    found_endpoint TEXT,
    -- What LINE said last: its address, its switch, and when it was asked.
    endpoint TEXT,
    endpoint_active INTEGER CHECK (endpoint_active IN (0, 1)),
    checked_at INTEGER,
    -- Counted in memory by the webhook door, written now and then.
    last_verified_at INTEGER,
    last_event_at INTEGER,
    oversized INTEGER NOT NULL,
    bad_signatures INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- Who changed the settings last: a person's or an API key's name at that time.
    updated_by TEXT,
    disconnected_at INTEGER
) STRICT;

CREATE UNIQUE INDEX accounts_webhook_key ON accounts (webhook_key);
CREATE UNIQUE INDEX accounts_tenant_channel ON accounts (tenant_id, messenger, channel_id);
-- Only one tenant of a hub holds a channel at a time.
CREATE UNIQUE INDEX accounts_held ON accounts (messenger, channel_id) WHERE status <> 'disconnected';

-- Credentials, sealed. One that was replaced stays valid for checking signatures until valid_until.
CREATE TABLE account_secrets (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('channel_secret', 'access_token')),
    serial INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    valid_until INTEGER,
    PRIMARY KEY (account_id, kind, serial)
) STRICT;

CREATE INDEX account_secrets_tenant ON account_secrets (tenant_id);

-- Webhook bodies for this very account whose signature did not fit: checked again when a new secret is saved.
CREATE TABLE quarantine (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    body BLOB NOT NULL,
    size INTEGER NOT NULL,
    signature TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

CREATE INDEX quarantine_account ON quarantine (account_id, id);
CREATE INDEX quarantine_tenant ON quarantine (tenant_id);
CREATE INDEX quarantine_received ON quarantine (received_at);
