-- All messages with one person, group or room on one account.
CREATE TABLE conversations (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    messenger TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group', 'room')),
    external_id TEXT NOT NULL,
    contact_id TEXT REFERENCES contacts (id),
    -- A group's name; a person's name and picture are read from the contact.
    title TEXT,
    title_search TEXT NOT NULL,
    picture_url TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'snoozed', 'closed')),
    snoozed_until BIGINT,
    assignee_id TEXT,
    -- The oldest message of the other side that nobody has answered; NULL when answered.
    unanswered_since BIGINT,
    unread_count BIGINT NOT NULL,
    last_message_id TEXT,
    last_message_at BIGINT,
    activity_at BIGINT NOT NULL,
    -- A module channel holds the chat: LINE lets nobody else send.
    standby BOOLEAN NOT NULL,
    -- LINE's time of the newest join or leave of a group.
    presence_at BIGINT NOT NULL,
    left_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account_id, external_id)
);

CREATE INDEX conversations_tenant ON conversations (tenant_id, activity_at, id);
CREATE INDEX conversations_account ON conversations (account_id, activity_at, id);
CREATE INDEX conversations_contact ON conversations (contact_id);
CREATE INDEX conversations_assignee ON conversations (assignee_id);
CREATE INDEX conversations_snoozed ON conversations (state, snoozed_until);

-- One message or one act (a friend-add, a tap), either direction. Order is (sort_at, id), fixed at insert.
CREATE TABLE messages (
    id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    contact_id TEXT REFERENCES contacts (id),
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
    origin TEXT NOT NULL,
    sender_id TEXT,
    sender_name TEXT,
    -- The messenger's own id of the message.
    external_id TEXT,
    kind TEXT NOT NULL,
    -- LINE's message object; NULL when it was unsent.
    content TEXT,
    -- LINE's time of this content: a newer edit wins, whichever comes first.
    content_at BIGINT NOT NULL,
    sort_at BIGINT NOT NULL,
    sent_at BIGINT,
    edited_at BIGINT,
    unsent_at BIGINT,
    image_set_id TEXT,
    quote_token TEXT,
    read_token TEXT,
    standby BOOLEAN NOT NULL,
    journal_position BIGINT,
    created_at BIGINT NOT NULL
);

CREATE INDEX messages_conversation ON messages (conversation_id, sort_at, id);
CREATE UNIQUE INDEX messages_external ON messages (account_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX messages_journal ON messages (account_id, journal_position) WHERE journal_position IS NOT NULL;
CREATE INDEX messages_contact ON messages (contact_id);

-- What an edited message said before, oldest first.
CREATE TABLE message_versions (
    message_id TEXT NOT NULL REFERENCES messages (id),
    content_at BIGINT NOT NULL,
    content TEXT NOT NULL,
    journal_position BIGINT,
    PRIMARY KEY (message_id, content_at)
);

-- Messages that were unsent before they arrived: when they come, nothing of them is kept.
CREATE TABLE unsent_messages (
    account_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    unsent_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, external_id)
);

-- The media of a message: fetched by a job soon after arrival, because LINE keeps it for an unpublished time.
CREATE TABLE media (
    message_id TEXT NOT NULL PRIMARY KEY REFERENCES messages (id),
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'kept', 'gone', 'failed')),
    blob_key TEXT,
    content_type TEXT,
    file_name TEXT,
    size BIGINT,
    error TEXT,
    updated_at BIGINT NOT NULL
);

CREATE INDEX media_blob ON media (blob_key);

-- Pictures that agents attach: shown to LINE at an unguessable, lasting public address.
CREATE TABLE attachments (
    key TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    blob_key TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- When a message with it was first queued; what never is goes after a day.
    sent_at BIGINT
);

CREATE INDEX attachments_tenant ON attachments (tenant_id, created_at);
CREATE INDEX attachments_unsent ON attachments (created_at) WHERE sent_at IS NULL;
CREATE INDEX attachments_blob ON attachments (blob_key);
