-- People known to an account: one row per account and messenger id. `person_id` joins rows of one person later.
CREATE TABLE contacts (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    messenger TEXT NOT NULL,
    external_id TEXT NOT NULL,
    person_id TEXT,
    display_name TEXT,
    name_search TEXT NOT NULL,
    picture_url TEXT,
    language TEXT,
    status_message TEXT,
    -- Unknown (NULL) for somebody seen only in a group.
    following BOOLEAN,
    blocked_at BIGINT,
    -- LINE's time of the newest act that says something about following; older ones change nothing.
    relation_at BIGINT NOT NULL,
    profile_at BIGINT,
    tags TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account_id, external_id)
);

CREATE INDEX contacts_tenant ON contacts (tenant_id, created_at, id);
CREATE INDEX contacts_person ON contacts (person_id);
