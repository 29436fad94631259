-- One account for each LINE Login channel: LINE links one official account to each. Where two were saved at the same moment,
-- the first account keeps it.
DELETE FROM login_channels WHERE EXISTS (
    SELECT 1 FROM login_channels AS o
    WHERE o.tenant_id = login_channels.tenant_id AND o.channel_id = login_channels.channel_id
        AND o.account_id < login_channels.account_id
);

DROP INDEX login_channels_tenant;
CREATE UNIQUE INDEX login_channels_tenant ON login_channels (tenant_id, channel_id);

-- "Another provider" was a guess until now; from now on it is kept only where it was shown.
UPDATE login_channels SET provider_match = 'unknown', provider_checked_at = NULL WHERE provider_match = 'other';

-- The channel and a hash of who logged in, while a test waits for its code; no user ID.
ALTER TABLE login_tests ADD COLUMN subject TEXT;
