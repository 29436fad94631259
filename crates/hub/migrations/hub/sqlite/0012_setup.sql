-- A guided set-up of one account: what was answered and how far it is, so that leaving and coming back loses nothing.
-- Secrets are never in here.
CREATE TABLE setups (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    -- What the owner has: nothing, account, api, login.
    has TEXT NOT NULL CHECK (has IN ('nothing', 'account', 'api', 'login')),
    -- Which Provider at LINE the channel is to be bound to, and whether it is new.
    provider TEXT,
    provider_kind TEXT CHECK (provider_kind IN ('new', 'existing', 'login')),
    -- The channel's ID as it was typed last, and the word for what LINE or the hub said to it.
    channel_id TEXT,
    failure TEXT,
    account_id TEXT,
    connected_at INTEGER,
    done_at INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL
) STRICT;

CREATE INDEX setups_tenant ON setups (tenant_id, updated_at, id);
CREATE INDEX setups_account ON setups (account_id);
CREATE INDEX setups_channel ON setups (channel_id);

-- A step at LINE that a person says is done, with who and when: no API tells.
CREATE TABLE setup_ticks (
    setup_id TEXT NOT NULL REFERENCES setups (id),
    tenant_id TEXT NOT NULL,
    step TEXT NOT NULL,
    ticked_at INTEGER NOT NULL,
    ticked_by TEXT NOT NULL,
    PRIMARY KEY (setup_id, step)
) STRICT;

CREATE INDEX setup_ticks_tenant ON setup_ticks (tenant_id);
