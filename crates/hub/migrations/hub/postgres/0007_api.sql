-- Results of unsafe API calls that came with an Idempotency-Key, kept 24 hours.
CREATE TABLE idempotency_keys (
    api_key_id TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- SHA-256 of the body, in hexadecimal digits.
    body_hash TEXT NOT NULL,
    -- NULL while the first call runs.
    status BIGINT,
    content_type TEXT,
    body BYTEA,
    -- Until when the first call may still be running; after that it died with its process.
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (api_key_id, method, path, idempotency_key)
);

CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
