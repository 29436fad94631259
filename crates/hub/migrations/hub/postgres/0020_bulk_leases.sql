-- How often somebody took a call to many up, and until when the last of them has it.
ALTER TABLE bulk_sends ADD COLUMN carries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE bulk_sends ADD COLUMN lease_until BIGINT;
-- One that stood open may have gone out.
UPDATE bulk_sends SET carries = 1;
