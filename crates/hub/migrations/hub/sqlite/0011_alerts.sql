-- What is or was wrong: one row for a condition while it lasts, taken up again when it comes back within a day.
CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    -- None where the hub as a whole is meant.
    account_id TEXT,
    -- The account's id or the empty text, because nulls are never equal in an index.
    place TEXT NOT NULL,
    code TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('warning', 'failed')),
    args TEXT NOT NULL,
    -- When it began, this time.
    opened_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    closed_at INTEGER,
    -- How often it has come back.
    returns INTEGER NOT NULL,
    -- Whether people were told that it is on, and not yet that it is over.
    is_told INTEGER NOT NULL CHECK (is_told IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX alerts_open ON alerts (tenant_id, place, code) WHERE closed_at IS NULL;
CREATE INDEX alerts_tenant ON alerts (tenant_id, opened_at, id);
CREATE INDEX alerts_condition ON alerts (tenant_id, place, code, opened_at);
CREATE INDEX alerts_account ON alerts (account_id);
CREATE INDEX alerts_closed ON alerts (closed_at);

-- What is sent about an alert: one row for each recipient, made in the transaction that opened or closed it.
CREATE TABLE alert_notices (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    alert_id TEXT NOT NULL REFERENCES alerts (id),
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'closed')),
    channel TEXT NOT NULL CHECK (channel IN ('email', 'webhook')),
    -- The e-mail address or the webhook's address.
    target TEXT NOT NULL,
    language TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
    -- Why the last attempt failed.
    error TEXT,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

CREATE INDEX alert_notices_tenant ON alert_notices (tenant_id, created_at, id);
CREATE INDEX alert_notices_alert ON alert_notices (alert_id, created_at, id);

-- Whom a tenant wants to be told. Without a row: its owners by e-mail.
CREATE TABLE alert_settings (
    tenant_id TEXT NOT NULL PRIMARY KEY,
    email_on INTEGER NOT NULL CHECK (email_on IN (0, 1)),
    -- A JSON array of addresses; empty means all owners.
    email_to TEXT NOT NULL,
    -- Of mails to addresses that are no user's.
    language TEXT NOT NULL,
    webhook_on INTEGER NOT NULL CHECK (webhook_on IN (0, 1)),
    webhook_url TEXT,
    -- Sealed; signs what is sent.
    webhook_secret TEXT,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;
