-- The last finding of each check of an account, and since when it is so.
CREATE TABLE account_checks (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    code TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ok', 'warning', 'failed', 'unknown')),
    variant TEXT NOT NULL,
    -- The values that its words name, JSON.
    args TEXT NOT NULL,
    checked_at INTEGER NOT NULL,
    -- The last state but unknown, and since when it is that one.
    judged TEXT NOT NULL,
    since INTEGER NOT NULL,
    -- The last time that it failed, once that was over.
    gap_from INTEGER,
    gap_until INTEGER,
    PRIMARY KEY (account_id, code)
) STRICT;

CREATE INDEX account_checks_tenant ON account_checks (tenant_id);

-- When each account is examined next, and what the door's counters were then.
CREATE TABLE account_rounds (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    bad_signatures INTEGER NOT NULL,
    bad_signature_at INTEGER,
    oversized INTEGER NOT NULL,
    oversized_at INTEGER
) STRICT;

CREATE INDEX account_rounds_tenant ON account_rounds (tenant_id);
CREATE INDEX account_rounds_next ON account_rounds (next_at);

-- Runs of LINE's own test of the webhook; LINE allows 60 an hour.
CREATE TABLE account_webhook_tests (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    by_hand INTEGER NOT NULL CHECK (by_hand IN (0, 1)),
    success INTEGER NOT NULL CHECK (success IN (0, 1)),
    status_code INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX account_webhook_tests_account ON account_webhook_tests (account_id, at);
CREATE INDEX account_webhook_tests_tenant ON account_webhook_tests (tenant_id);

-- The hours since 1970 in which events came in: an account's rhythm.
CREATE TABLE account_hours (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    hour INTEGER NOT NULL,
    PRIMARY KEY (account_id, hour)
) STRICT;

CREATE INDEX account_hours_tenant ON account_hours (tenant_id);
