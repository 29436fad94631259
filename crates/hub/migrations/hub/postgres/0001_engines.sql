-- Where each consumer of the journal stands. The fence grows with every new holder, so that a late one changes nothing.
CREATE TABLE journal_cursors (
    consumer TEXT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    position BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Events that a consumer could not process. They hold back nothing; a person can look at them and replay them.
CREATE TABLE parked_events (
    consumer TEXT NOT NULL,
    position BIGINT NOT NULL,
    account_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    error TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    parked_at BIGINT NOT NULL,
    PRIMARY KEY (consumer, position)
);

CREATE INDEX parked_events_account ON parked_events (account_id, position);

-- Background work: ready, running under a lease, done, or dead (seen and retried by a person).
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedupe_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'done', 'dead')),
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);

CREATE INDEX jobs_due ON jobs (lane, state, run_at, id);
CREATE INDEX jobs_tenant ON jobs (tenant_id, state, created_at, id);
-- For the deletion of old ones.
CREATE INDEX jobs_done ON jobs (finished_at, id) WHERE state = 'done';
-- One live job for one thing: enqueuing it twice is one job.
CREATE UNIQUE INDEX jobs_dedupe ON jobs (kind, dedupe_key) WHERE state = 'ready';
