-- Who may use an event's reply token: '' is the hub, else the id of a destination. Fixed when the event is processed, by
-- what held at its place in the journal.
ALTER TABLE reply_tokens ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- Who owns the reply tokens of an account's events after a place in the journal, up to the place of the next row.
CREATE TABLE reply_owners (
    account_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    -- The journal to which the place belongs.
    epoch INTEGER NOT NULL,
    after_position INTEGER NOT NULL,
    -- '' is the hub, else the id of a destination.
    owner TEXT NOT NULL,
    -- A JSON object: the type of an event, and its owner where that is another one.
    owners TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (account_id, epoch, after_position)
) STRICT;

CREATE INDEX reply_owners_tenant ON reply_owners (tenant_id, account_id, changed_at);

-- Secrets of a destination's second signature in the Standard Webhooks form, sealed: the present one, and the one before it
-- for as long as both sign.
ALTER TABLE destinations ADD COLUMN standard_secret TEXT;
ALTER TABLE destinations ADD COLUMN standard_before TEXT;
ALTER TABLE destinations ADD COLUMN standard_until INTEGER;
