-- The LINE Login channel of an account: one at most, because LINE links one official account to each.
CREATE TABLE login_channels (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    -- The channel's secret; none while the account is disconnected.
    serial INTEGER NOT NULL,
    sealed TEXT,
    -- The hub's public address when the channel was saved last, by which the callback's is seen to have changed.
    public_url TEXT NOT NULL,
    -- The LIFF app, and what LINE said of it when it was asked last.
    liff_id TEXT,
    liff_endpoint TEXT,
    liff_view TEXT,
    liff_bot_prompt TEXT,
    liff_scopes TEXT,
    -- LIFF apps of the channel; IDs of others that stand for this account too.
    liff_count INTEGER NOT NULL,
    liff_twins TEXT NOT NULL,
    liff_fault TEXT,
    liff_checked_at INTEGER,
    -- Since when somebody changes the app at LINE; two at once would make two.
    liff_turn INTEGER,
    -- What only a login showed: whether both channels are of one provider.
    provider_match TEXT NOT NULL CHECK (provider_match IN ('same', 'other', 'unknown')),
    provider_checked_at INTEGER,
    -- What LINE does not report is a dated tick.
    linked_at INTEGER,
    linked_by TEXT,
    share_ready_at INTEGER,
    share_ready_by TEXT,
    -- Switches.
    share INTEGER NOT NULL CHECK (share IN (0, 1)),
    add_friend INTEGER NOT NULL CHECK (add_friend IN (0, 1)),
    updated_at INTEGER NOT NULL,
    updated_by TEXT
) STRICT;

CREATE INDEX login_channels_tenant ON login_channels (tenant_id, channel_id);
CREATE INDEX login_channels_channel ON login_channels (channel_id);
CREATE INDEX login_channels_liff ON login_channels (liff_id);

-- Tests of the login: what each one found.
CREATE TABLE login_tests (
    id TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('login', 'liff')),
    started_at INTEGER NOT NULL,
    started_by TEXT NOT NULL,
    -- When somebody went to LINE with it.
    opened_at INTEGER,
    -- The code that came back, hashed, so that the same one twice is one login.
    code_hash TEXT,
    finished_at INTEGER,
    findings TEXT NOT NULL
) STRICT;

CREATE INDEX login_tests_account ON login_tests (account_id, started_at);
CREATE INDEX login_tests_tenant ON login_tests (tenant_id);
