-- Nobody looks a Login channel up by its LIFF app.
DROP INDEX login_channels_liff;

-- How far the condition had gone when people were last told; what goes further is told once more.
ALTER TABLE alerts ADD COLUMN told_level BIGINT NOT NULL DEFAULT 0;
UPDATE alerts SET told_level = CASE severity WHEN 'failed' THEN 2 ELSE 1 END;
-- The node that saw it last, where it is about one node's machine.
ALTER TABLE alerts ADD COLUMN seen_by TEXT;

-- Tries of a channel of alerts: only so many an hour.
CREATE TABLE alert_tests (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    tested_at BIGINT NOT NULL
);

CREATE INDEX alert_tests_tenant ON alert_tests (tenant_id, tested_at);
CREATE INDEX alert_tests_time ON alert_tests (tested_at);

-- When the doctor first saw LINE's switch on since the account was connected: before that it is being set up.
ALTER TABLE account_rounds ADD COLUMN switched_on_at BIGINT;
-- How many refused requests were history when others began to come lately.
ALTER TABLE account_rounds ADD COLUMN bad_signatures_settled BIGINT NOT NULL DEFAULT 0;
UPDATE account_rounds SET bad_signatures_settled = bad_signatures,
    switched_on_at = (SELECT a.last_event_at FROM accounts AS a WHERE a.id = account_rounds.account_id);

-- Runs of LINE's own test of a webhook. LINE allows a channel 60 an hour, also one whose connecting failed: a run outlives the
-- account's row.
CREATE TABLE webhook_tests (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    tested_at BIGINT NOT NULL,
    by_hand BOOLEAN NOT NULL,
    -- None until LINE has told the outcome.
    success BOOLEAN,
    status_code BIGINT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX webhook_tests_account ON webhook_tests (account_id, tested_at);
CREATE INDEX webhook_tests_channel ON webhook_tests (channel_id, tested_at);
CREATE INDEX webhook_tests_tenant ON webhook_tests (tenant_id);
CREATE INDEX webhook_tests_time ON webhook_tests (tested_at);

INSERT INTO webhook_tests (id, tenant_id, account_id, channel_id, tested_at, by_hand, success, status_code, reason, detail)
SELECT t.id, t.tenant_id, t.account_id, a.channel_id, t.at, t.by_hand, t.success, t.status_code, t.reason, t.detail
FROM account_webhook_tests AS t JOIN accounts AS a ON a.id = t.account_id;

DROP TABLE account_webhook_tests;

-- LINE has this account's own address, whoever set it there: from now on another one there is trouble.
UPDATE accounts SET registered_url = replace(endpoint, '/webhooks/line/' || webhook_key, '')
WHERE registered_url IS NULL AND status <> 'disconnected'
    AND endpoint = replace(endpoint, '/webhooks/line/' || webhook_key, '') || '/webhooks/line/' || webhook_key;
