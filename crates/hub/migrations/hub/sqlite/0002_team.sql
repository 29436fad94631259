-- Customers of the hub; their data is apart.
CREATE TABLE tenants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX tenants_name ON tenants (name_key);

-- People who work in the hub. An e-mail address (kept in lower case) belongs to one of them.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('owner', 'agent')),
    password_hash TEXT NOT NULL,
    language TEXT,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER,
    disabled_at INTEGER
) STRICT;

CREATE UNIQUE INDEX users_email ON users (email);
CREATE INDEX users_tenant ON users (tenant_id, created_at, id);

-- The accounts that an agent may see; owners see all.
CREATE TABLE account_grants (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    account_id TEXT NOT NULL,
    PRIMARY KEY (user_id, account_id)
) STRICT;

CREATE INDEX account_grants_tenant ON account_grants (tenant_id);
CREATE INDEX account_grants_account ON account_grants (account_id);

-- Signed-in browsers: SHA-256 of the cookie's token.
CREATE TABLE sessions (
    token_hash BLOB NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_tenant ON sessions (tenant_id);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Keys of the API: SHA-256 of the key, and its last four characters to tell it by.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    name TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    hint TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE UNIQUE INDEX api_keys_hash ON api_keys (key_hash);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at, id);

-- Addresses that work once: the first owner, an invited user, the demo's way in. SHA-256 of the token.
CREATE TABLE one_time_links (
    token_hash BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('owner', 'invitation', 'entry')),
    tenant_id TEXT REFERENCES tenants (id),
    user_id TEXT REFERENCES users (id),
    email TEXT,
    role TEXT CHECK (role IN ('owner', 'agent')),
    account_ids TEXT NOT NULL,
    -- Who made an invitation: it ends when they may no longer invite.
    created_by TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX one_time_links_tenant ON one_time_links (tenant_id, created_at);
CREATE INDEX one_time_links_user ON one_time_links (user_id);
CREATE INDEX one_time_links_creator ON one_time_links (created_by);

-- Attempts to sign in by what they have in common (SHA-256 of an e-mail address or of a network address).
CREATE TABLE sign_in_attempts (
    subject BLOB NOT NULL PRIMARY KEY,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL
) STRICT;

-- Who changed what. The actor's name is kept as it was.
CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'key', 'system')),
    actor_id TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX audit_log_tenant ON audit_log (tenant_id, at, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id);
