-- One row: who this journal is. Cursors store the epoch, so that a journal that was put back or exchanged is noticed.
CREATE TABLE journal_identity (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL
) STRICT;

-- LINE's request as it came: exact bytes and signature, kept once.
CREATE TABLE journal_requests (
    id INTEGER NOT NULL PRIMARY KEY,
    body BLOB,
    signature TEXT NOT NULL
) STRICT;

-- One row per event, in order. `body_start` and `body_len` say where in the request's bytes the event stands.
CREATE TABLE journal_entries (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    request_id INTEGER NOT NULL,
    body_start INTEGER NOT NULL,
    body_len INTEGER NOT NULL,
    kind TEXT NOT NULL,
    has_event_id INTEGER NOT NULL CHECK (has_event_id IN (0, 1)),
    redelivered INTEGER NOT NULL CHECK (redelivered IN (0, 1)),
    blanked INTEGER NOT NULL DEFAULT 0 CHECK (blanked IN (0, 1)),
    event_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX journal_entries_dedupe ON journal_entries (account_id, dedupe_key);
