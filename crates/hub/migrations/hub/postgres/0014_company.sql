-- What a tenant says about itself: for LINE's forms, for its friends, and for its own people.
CREATE TABLE companies (
    tenant_id TEXT NOT NULL PRIMARY KEY REFERENCES tenants (id),
    -- The public name of the hosted privacy policy and terms.
    legal_key TEXT NOT NULL,
    name TEXT,
    country TEXT CHECK (country IN ('TW', 'JP', 'TH', 'other')),
    site_url TEXT,
    privacy_url TEXT,
    terms_url TEXT,
    privacy_text TEXT,
    terms_text TEXT,
    support_url TEXT,
    -- A JSON object from a stage of set-up to the address of its video.
    videos TEXT NOT NULL,
    -- Set by the operator.
    expires_at BIGINT,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL
);

CREATE UNIQUE INDEX companies_legal_key ON companies (legal_key);
