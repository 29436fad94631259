-- Key pairs by which a channel issues its own tokens in place of its secret (PLATFORM 4.2), before or after connecting.
CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    -- LINE's name of the public key; known once LINE issued a token by it.
    kid TEXT,
    public_jwk TEXT NOT NULL,
    -- The private part, sealed; removed a day after the key was retired.
    sealed TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'active', 'retired')),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    activated_at BIGINT,
    activated_by TEXT,
    retired_at BIGINT
);

CREATE INDEX signing_keys_tenant ON signing_keys (tenant_id, channel_id, created_at);
-- A channel's tokens are issued by one key at a time.
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (tenant_id, channel_id) WHERE state = 'active';

-- What was changed about one thing: the history of an account's credentials.
CREATE INDEX audit_log_subject ON audit_log (tenant_id, subject, at);
