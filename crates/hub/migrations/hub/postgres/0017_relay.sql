-- Where an account's events are passed on. The cursor is the destination's own: `position` is settled or has a row in
-- `relay_units`, `done` lists the first positions of what is settled above it. The fence grows with every new holder.
CREATE TABLE destinations (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    -- A JSON object.
    filter TEXT NOT NULL,
    signing TEXT NOT NULL CHECK (signing IN ('line', 'own')),
    -- The destination's own signing secret, sealed.
    secret TEXT,
    active BOOLEAN NOT NULL,
    halt TEXT CHECK (halt IN ('gone', 'loop', 'failing')),
    failing_since BIGINT,
    concurrency BIGINT NOT NULL,
    rate BIGINT,
    timeout_ms BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    -- A JSON array.
    done TEXT NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    last_at BIGINT,
    last_status BIGINT,
    last_ms BIGINT,
    last_error TEXT,
    serial BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX destinations_account ON destinations (tenant_id, account_id, created_at) WHERE deleted_at IS NULL;
CREATE INDEX destinations_of_account ON destinations (account_id);

-- Requests that a destination did not take at once, those that wait behind them, and those that a person wants again.
CREATE TABLE relay_units (
    id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    -- A JSON array of the chats of its events.
    chats TEXT NOT NULL,
    is_replay BOOLEAN NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('retrying', 'refused', 'expired', 'skipped')),
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    failed_at BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (destination_id, id)
);

CREATE INDEX relay_units_standing ON relay_units (tenant_id, destination_id, standing, first_position);

-- The log of attempts: all that failed, and of those that succeeded the newest of each batch. Bounded per destination.
CREATE TABLE relay_attempts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    -- The unit's name to the destination.
    delivery TEXT NOT NULL,
    first_position BIGINT NOT NULL,
    last_position BIGINT NOT NULL,
    -- A JSON array of the events' ids.
    event_ids TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT,
    ms BIGINT NOT NULL,
    error TEXT,
    said TEXT NOT NULL,
    next_at BIGINT
);

CREATE INDEX relay_attempts_destination ON relay_attempts (destination_id, at, id);
CREATE INDEX relay_attempts_tenant ON relay_attempts (tenant_id);

-- Counts of a destination's attempts in each five minutes, for a day.
CREATE TABLE relay_counts (
    destination_id TEXT NOT NULL,
    begins_at BIGINT NOT NULL,
    ok BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    ms BIGINT NOT NULL,
    PRIMARY KEY (destination_id, begins_at)
);
