//! What the consumer and the services write.

use crate::clock::Timestamp;
use crate::db::{DbError, DbResult, Tx};
use crate::ids::{AccountId, ContactId, ConversationId, MessageId, TenantId};
use crate::inbox::model::{Kind, State};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

statements! {
    // reads: accounts
    TENANT_OF = { "SELECT tenant_id FROM accounts WHERE id = $1" };
    // What nearly every event finds; the conversation is written to only where something of it is new.
    OPENED = { "SELECT id FROM conversations WHERE account_id = $1 AND external_id = $2 AND standby = $3
        AND (contact_id IS NOT NULL OR CAST($4 AS TEXT) IS NULL)" };
    FIND = { "SELECT id FROM conversations WHERE account_id = $1 AND external_id = $2" };
    OPEN = { "INSERT INTO conversations AS c (id, tenant_id, account_id, messenger, kind, external_id, contact_id,
            title_search, state, unread_count, activity_at, standby, presence_at, created_at, updated_at)
        VALUES ($1, $2, $3, 'line', $4, $5, $6, '', 'open', 0, $7, $8, 0, $9, $9)
        ON CONFLICT (account_id, external_id) DO UPDATE SET
            standby = excluded.standby, contact_id = COALESCE(c.contact_id, excluded.contact_id)
        RETURNING id" };
    // What was taken back before it came is kept without its text.
    ADD = { "INSERT INTO messages (id, tenant_id, account_id, conversation_id, contact_id, direction, origin, sender_id,
            sender_name, external_id, kind, content, content_at, sort_at, edited_at, unsent_at, image_set_id,
            quote_token, read_token, standby, journal_position, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
            CASE WHEN EXISTS (SELECT 1 FROM unsent_messages WHERE account_id = $3 AND external_id = $10)
                THEN NULL ELSE $12 END, $13, $14, $15,
            (SELECT unsent_at FROM unsent_messages WHERE account_id = $3 AND external_id = $10), $16,
            CASE WHEN EXISTS (SELECT 1 FROM unsent_messages WHERE account_id = $3 AND external_id = $10)
                THEN NULL ELSE $17 END, $18, $19, $20, $21)
        ON CONFLICT DO NOTHING RETURNING unsent_at" };
    // A message of the other side: it waits, it is unread, and a closed or snoozed conversation opens. It is the last one
    // unless a newer one came before it.
    RECEIVED = { "UPDATE conversations SET unread_count = unread_count + 1,
            unanswered_since = COALESCE(unanswered_since, $2), state = 'open', snoozed_until = NULL,
            activity_at = CASE WHEN activity_at < $2 THEN $2 ELSE activity_at END, updated_at = $3,
            last_message_id = CASE WHEN last_message_id IS NULL OR (last_message_at, last_message_id) < ($2, $4)
                THEN $4 ELSE last_message_id END,
            last_message_at = CASE WHEN last_message_id IS NULL OR (last_message_at, last_message_id) < ($2, $4)
                THEN $2 ELSE last_message_at END
        WHERE id = $1" };
    // What was taken back before it came, and what is seen only: neither unread nor waiting.
    STIRRED = { "UPDATE conversations SET activity_at = CASE WHEN activity_at < $2 THEN $2 ELSE activity_at END,
            updated_at = $3 WHERE id = $1" };
    ANSWERED = { "UPDATE conversations SET unanswered_since = NULL, unread_count = 0, state = 'open', snoozed_until = NULL,
            activity_at = CASE WHEN activity_at < $2 THEN $2 ELSE activity_at END, updated_at = $3
        WHERE id = $1" };
    SET_LAST = { "UPDATE conversations SET last_message_id = m.id, last_message_at = m.sort_at
        FROM (SELECT id, sort_at FROM messages WHERE conversation_id = $1 AND kind <> 'event'
            ORDER BY sort_at DESC, id DESC LIMIT 1) AS m
        WHERE conversations.id = $1" };
    FIND_EXTERNAL = { "SELECT id, content, content_at, unsent_at, journal_position FROM messages
        WHERE account_id = $1 AND external_id = $2" };
    KEEP_VERSION = { "INSERT INTO message_versions (message_id, content_at, content, journal_position)
        VALUES ($1, $2, $3, $4) ON CONFLICT (message_id, content_at) DO NOTHING" };
    REPLACE_CONTENT = { "UPDATE messages SET content = $2, content_at = $3, edited_at = $4, quote_token = $5,
        journal_position = COALESCE($6, journal_position) WHERE id = $1" };
    UNSEND = { "UPDATE messages SET content = NULL, quote_token = NULL, unsent_at = $2 WHERE id = $1" };
    FORGET_VERSIONS = { "DELETE FROM message_versions WHERE message_id = $1" };
    VERSION_POSITIONS = { "SELECT journal_position FROM message_versions
        WHERE message_id = $1 AND journal_position IS NOT NULL ORDER BY content_at" };
    REMEMBER_UNSENT = { "INSERT INTO unsent_messages (account_id, external_id, unsent_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id, external_id) DO NOTHING" };
    PRESENCE = { "UPDATE conversations SET presence_at = $2, left_at = $3, updated_at = $4
        WHERE id = $1 AND presence_at < $2" };
    SET_TITLE = { "UPDATE conversations SET title = $2, title_search = $3, picture_url = $4, updated_at = $5 WHERE id = $1" };
    READ_ALL = { concat!("UPDATE conversations AS c SET unread_count = 0, updated_at = $4 WHERE c.id = $3 AND",
        in_scope!("c", "$1", "$2")) };
    MARK_UNREAD = { concat!("UPDATE conversations AS c SET unread_count = 1, updated_at = $4
        WHERE c.id = $3 AND c.unread_count = 0 AND", in_scope!("c", "$1", "$2")) };
    SET_STATE = { concat!("UPDATE conversations AS c SET state = $4, snoozed_until = $5,
            unanswered_since = CASE WHEN $4 = 'closed' THEN NULL ELSE c.unanswered_since END, updated_at = $6
        WHERE c.id = $3 AND", in_scope!("c", "$1", "$2")) };
    SET_ASSIGNEE = { concat!("UPDATE conversations AS c SET assignee_id = $4, updated_at = $5 WHERE c.id = $3 AND",
        in_scope!("c", "$1", "$2")) };
    SENT = { "UPDATE messages SET sent_at = $2, external_id = COALESCE($3, external_id), quote_token = $4 WHERE id = $1" };
    WAKE = { "UPDATE conversations SET state = 'open', snoozed_until = NULL, updated_at = $1
        WHERE state = 'snoozed' AND snoozed_until IS NOT NULL AND snoozed_until <= $1
        RETURNING id, tenant_id, account_id" };
}

pub(in crate::inbox) async fn tenant_of(tx: &mut Tx, account: &str) -> DbResult<Option<TenantId>> {
    Ok(tx.opt::<(TenantId,)>(&TENANT_OF, args![account]).await?.map(|(tenant,)| tenant))
}

/// A conversation to be found or opened.
pub(in crate::inbox) struct Opening<'a> {
    pub(in crate::inbox) fresh: &'a ConversationId,
    pub(in crate::inbox) tenant: &'a TenantId,
    pub(in crate::inbox) account: &'a AccountId,
    pub(in crate::inbox) kind: Kind,
    pub(in crate::inbox) external_id: &'a str,
    pub(in crate::inbox) contact: Option<&'a ContactId>,
    pub(in crate::inbox) at: Timestamp,
    pub(in crate::inbox) standby: bool,
    pub(in crate::inbox) now: Timestamp,
}

pub(in crate::inbox) async fn open(tx: &mut Tx, o: &Opening<'_>) -> DbResult<ConversationId> {
    let args = args![o.account, o.external_id, o.standby, o.contact];
    if let Some((id,)) = tx.opt::<(ConversationId,)>(&OPENED, args).await? {
        return Ok(id);
    }
    let args = args![
        o.fresh,
        o.tenant,
        o.account,
        o.kind.as_str(),
        o.external_id,
        o.contact,
        o.at,
        o.standby,
        o.now
    ];
    let row: Option<(ConversationId,)> = tx.opt(&OPEN, args).await?;
    row.map(|(id,)| id).ok_or(DbError::Conflict { table: "conversations" })
}

/// The conversation with a person, group or room, if one was opened.
pub(in crate::inbox) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    external_id: &str,
) -> DbResult<Option<ConversationId>> {
    let row: Option<(ConversationId,)> = tx.opt(&FIND, args![account, external_id]).await?;
    Ok(row.map(|(id,)| id))
}

/// A message to be added.
#[derive(Clone)]
pub(in crate::inbox) struct NewMessage<'a> {
    pub(in crate::inbox) id: &'a MessageId,
    pub(in crate::inbox) tenant: &'a TenantId,
    pub(in crate::inbox) account: &'a AccountId,
    pub(in crate::inbox) conversation: &'a ConversationId,
    pub(in crate::inbox) contact: Option<&'a ContactId>,
    pub(in crate::inbox) inbound: bool,
    pub(in crate::inbox) origin: &'a str,
    pub(in crate::inbox) sender: Option<(&'a str, &'a str)>,
    pub(in crate::inbox) external_id: Option<&'a str>,
    pub(in crate::inbox) kind: &'a str,
    pub(in crate::inbox) content: Option<String>,
    pub(in crate::inbox) content_at: Timestamp,
    pub(in crate::inbox) sort_at: Timestamp,
    pub(in crate::inbox) edited_at: Option<Timestamp>,
    pub(in crate::inbox) image_set_id: Option<&'a str>,
    pub(in crate::inbox) quote_token: Option<&'a str>,
    pub(in crate::inbox) read_token: Option<&'a str>,
    pub(in crate::inbox) standby: bool,
    pub(in crate::inbox) position: Option<i64>,
    pub(in crate::inbox) now: Timestamp,
}

/// A message that was added.
#[derive(Debug, Clone, Copy)]
pub(in crate::inbox) struct Added {
    /// It was taken back before it came.
    pub(in crate::inbox) unsent: bool,
}

/// Adds a message; `None` when the same event or the same message is there already.
pub(in crate::inbox) async fn add(tx: &mut Tx, m: &NewMessage<'_>) -> DbResult<Option<Added>> {
    let args = args![
        m.id,
        m.tenant,
        m.account,
        m.conversation,
        m.contact,
        if m.inbound { "in" } else { "out" },
        m.origin,
        m.sender.map(|(id, _)| id),
        m.sender.map(|(_, name)| name),
        m.external_id,
        m.kind,
        m.content.as_deref(),
        m.content_at,
        m.sort_at,
        m.edited_at,
        m.image_set_id,
        m.quote_token,
        m.read_token,
        m.standby,
        m.position,
        m.now
    ];
    let row: Option<(Option<Timestamp>,)> = tx.opt(&ADD, args).await?;
    Ok(row.map(|(unsent_at,)| Added { unsent: unsent_at.is_some() }))
}

pub(in crate::inbox) async fn received(
    tx: &mut Tx,
    id: &ConversationId,
    message: &MessageId,
    at: Timestamp,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&RECEIVED, args![id, at, now, message]).await
}

pub(in crate::inbox) async fn stirred(
    tx: &mut Tx,
    id: &ConversationId,
    at: Timestamp,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&STIRRED, args![id, at, now]).await
}

pub(in crate::inbox) async fn answered(
    tx: &mut Tx,
    id: &ConversationId,
    at: Timestamp,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&ANSWERED, args![id, at, now]).await
}

pub(in crate::inbox) async fn set_last(tx: &mut Tx, id: &ConversationId) -> DbResult<u64> {
    tx.run(&SET_LAST, args![id]).await
}

/// A message as the messenger's id finds it.
#[derive(sqlx::FromRow)]
pub(in crate::inbox) struct Known {
    pub(in crate::inbox) id: MessageId,
    pub(in crate::inbox) content: Option<String>,
    pub(in crate::inbox) content_at: Timestamp,
    pub(in crate::inbox) unsent_at: Option<Timestamp>,
    pub(in crate::inbox) journal_position: Option<i64>,
}

pub(in crate::inbox) async fn find_external(
    tx: &mut Tx,
    account: &AccountId,
    external_id: &str,
) -> DbResult<Option<Known>> {
    tx.opt(&FIND_EXTERNAL, args![account, external_id]).await
}

pub(in crate::inbox) async fn keep_version(
    tx: &mut Tx,
    message: &MessageId,
    content: &str,
    content_at: Timestamp,
    position: Option<i64>,
) -> DbResult<u64> {
    tx.run(&KEEP_VERSION, args![message, content_at, content, position]).await
}

pub(in crate::inbox) async fn replace_content(
    tx: &mut Tx,
    message: &MessageId,
    content: &str,
    at: Timestamp,
    quote_token: Option<&str>,
    position: Option<i64>,
) -> DbResult<u64> {
    tx.run(&REPLACE_CONTENT, args![message, content, at, at, quote_token, position]).await
}

/// Takes the content away; gives the journal positions of what it said before, so that they can be blanked.
pub(in crate::inbox) async fn unsend(tx: &mut Tx, message: &MessageId, at: Timestamp) -> DbResult<Vec<i64>> {
    let positions: Vec<(i64,)> = tx.all(&VERSION_POSITIONS, args![message]).await?;
    tx.run(&FORGET_VERSIONS, args![message]).await?;
    tx.run(&UNSEND, args![message, at]).await?;
    Ok(positions.into_iter().map(|(position,)| position).collect())
}

pub(in crate::inbox) async fn remember_unsent(
    tx: &mut Tx,
    account: &AccountId,
    external_id: &str,
    at: Timestamp,
) -> DbResult<u64> {
    tx.run(&REMEMBER_UNSENT, args![account, external_id, at]).await
}

/// Notes that the account came into a group or left it; false when something newer is known.
pub(in crate::inbox) async fn set_presence(
    tx: &mut Tx,
    id: &ConversationId,
    at: Timestamp,
    left: bool,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&PRESENCE, args![id, at, left.then_some(at), now]).await? == 1)
}

pub(in crate::inbox) async fn set_title(
    tx: &mut Tx,
    id: &ConversationId,
    title: &str,
    picture_url: Option<&str>,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SET_TITLE, args![id, title, crate::text::searchable(title), picture_url, now]).await
}

pub(in crate::inbox) async fn read_all(
    tx: &mut Tx,
    scope: &Scope,
    id: &ConversationId,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&READ_ALL, args![scope.tenant(), scope.viewer(), id, now]).await
}

/// Makes a conversation count as unread; one that has unread messages stays as it is.
pub(in crate::inbox) async fn mark_unread(
    tx: &mut Tx,
    scope: &Scope,
    id: &ConversationId,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&MARK_UNREAD, args![scope.tenant(), scope.viewer(), id, now]).await
}

pub(in crate::inbox) async fn set_state(
    tx: &mut Tx,
    scope: &Scope,
    id: &ConversationId,
    state: State,
    until: Option<Timestamp>,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SET_STATE, args![scope.tenant(), scope.viewer(), id, state.as_str(), until, now]).await
}

pub(in crate::inbox) async fn set_assignee(
    tx: &mut Tx,
    scope: &Scope,
    id: &ConversationId,
    assignee: Option<&str>,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SET_ASSIGNEE, args![scope.tenant(), scope.viewer(), id, assignee, now]).await
}

pub(in crate::inbox) async fn sent(
    tx: &mut Tx,
    message: &MessageId,
    at: Timestamp,
    external_id: Option<&str>,
    quote_token: Option<&str>,
) -> DbResult<u64> {
    tx.run(&SENT, args![message, at, external_id, quote_token]).await
}

/// Opens the conversations whose snooze is over; gives them.
pub(in crate::inbox) async fn wake(
    tx: &mut Tx,
    now: Timestamp,
) -> DbResult<Vec<(ConversationId, TenantId, AccountId)>> {
    tx.all(&WAKE, args![now]).await
}
