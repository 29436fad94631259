-- The last finding of each check of an account, and since when it is so.
CREATE TABLE account_checks (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    code TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ok', 'warning', 'failed', 'unknown')),
    variant TEXT NOT NULL,
    -- The values that its words name, JSON.
    args TEXT NOT NULL,
    checked_at BIGINT NOT NULL,
    -- The last state but unknown, and since when it is that one.
    judged TEXT NOT NULL,
    since BIGINT NOT NULL,
    -- The last time that it failed, once that was over.
    gap_from BIGINT,
    gap_until BIGINT,
    PRIMARY KEY (account_id, code)
);

CREATE INDEX account_checks_tenant ON account_checks (tenant_id);

-- When each account is examined next, and what the door's counters were then.
CREATE TABLE account_rounds (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    next_at BIGINT NOT NULL,
    bad_signatures BIGINT NOT NULL,
    bad_signature_at BIGINT,
    oversized BIGINT NOT NULL,
    oversized_at BIGINT
);

CREATE INDEX account_rounds_tenant ON account_rounds (tenant_id);
CREATE INDEX account_rounds_next ON account_rounds (next_at);

-- Runs of LINE's own test of the webhook; LINE allows 60 an hour.
CREATE TABLE account_webhook_tests (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    by_hand BOOLEAN NOT NULL,
    success BOOLEAN NOT NULL,
    status_code BIGINT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX account_webhook_tests_account ON account_webhook_tests (account_id, at);
CREATE INDEX account_webhook_tests_tenant ON account_webhook_tests (tenant_id);

-- The hours since 1970 in which events came in: an account's rhythm.
CREATE TABLE account_hours (
    account_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    tenant_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    PRIMARY KEY (account_id, hour)
);

CREATE INDEX account_hours_tenant ON account_hours (tenant_id);
