-- What people decide about an account, beside what LINE says of it.
-- The name that colleagues read, apart from LINE's.
ALTER TABLE accounts ADD COLUMN display_label TEXT;
-- What kind of account it is: LINE tells only whether it gives the list of followers, a person says the rest.
ALTER TABLE accounts ADD COLUMN kind TEXT CHECK (kind IN ('unverified', 'verified', 'premium'));
ALTER TABLE accounts ADD COLUMN kind_at BIGINT;
ALTER TABLE accounts ADD COLUMN kind_by TEXT;
ALTER TABLE accounts ADD COLUMN lists_followers BOOLEAN;
ALTER TABLE accounts ADD COLUMN lists_followers_at BIGINT;
ALTER TABLE accounts ADD COLUMN market TEXT CHECK (market IN ('tw', 'jp', 'th', 'other'));
-- Who connected it first: a person's or an API key's name at that time.
ALTER TABLE accounts ADD COLUMN connected_by TEXT;
-- The hub's public address under which it was connected; LINE still calls that one when the address changes.
ALTER TABLE accounts ADD COLUMN registered_url TEXT;
ALTER TABLE accounts ADD COLUMN group_chats TEXT NOT NULL DEFAULT 'shown' CHECK (group_chats IN ('shown', 'hidden'));
ALTER TABLE accounts ADD COLUMN sender_name TEXT NOT NULL DEFAULT 'account' CHECK (sender_name IN ('account', 'agent'));
-- Where people answer: only here (a), or in LINE's chat as well (b).
ALTER TABLE accounts ADD COLUMN plan TEXT NOT NULL DEFAULT 'a' CHECK (plan IN ('a', 'b'));
ALTER TABLE accounts ADD COLUMN greeting_owner TEXT NOT NULL DEFAULT 'hub' CHECK (greeting_owner IN ('hub', 'line', 'nobody'));
ALTER TABLE accounts ADD COLUMN keyword_owner TEXT NOT NULL DEFAULT 'hub' CHECK (keyword_owner IN ('hub', 'line', 'nobody'));
ALTER TABLE accounts ADD COLUMN away_owner TEXT NOT NULL DEFAULT 'hub' CHECK (away_owner IN ('hub', 'line', 'nobody'));
ALTER TABLE accounts ADD COLUMN bot_owner TEXT NOT NULL DEFAULT 'hub' CHECK (bot_owner IN ('hub', 'line', 'nobody'));

-- What only a person can see in LINE's consoles, ticked with a date.
CREATE TABLE account_ticks (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    tick TEXT NOT NULL,
    ticked_at BIGINT NOT NULL,
    -- A person's or an API key's name at that time.
    ticked_by TEXT NOT NULL,
    PRIMARY KEY (account_id, tick)
);

CREATE INDEX account_ticks_tenant ON account_ticks (tenant_id);

-- Who changed a block of an account's settings last; the audit log has the whole history.
CREATE TABLE account_blocks (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    tenant_id TEXT NOT NULL,
    block TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (account_id, block)
);

CREATE INDEX account_blocks_tenant ON account_blocks (tenant_id);
