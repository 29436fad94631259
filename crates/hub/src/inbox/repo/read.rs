//! What people read. reads: accounts (whether groups are shown), contacts, users,
//! reply_tokens, deliveries, sends

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::{Arg, Db, DbError, DbResult};
use crate::ids::{AccountId, ContactId, ConversationId, MessageId, TenantId};
use crate::inbox::model::{ContactSummary, Conversation, Delivery, Kind, LastMessage, Media, Message, State};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

/// Whether the account of a conversation shows its groups.
macro_rules! shown_groups {
    () => {
        "EXISTS (SELECT 1 FROM accounts AS a WHERE a.id = c.account_id AND a.group_chats = 'shown')"
    };
}

/// What is in lists and counts: people always, groups where the account shows them (S2-21).
macro_rules! visible {
    () => {
        concat!("(c.kind = 'user' OR ", shown_groups!(), ")")
    };
}

macro_rules! conversation {
    () => {
        concat!("SELECT c.id, c.tenant_id, c.account_id, c.messenger, c.kind, c.external_id, c.title, c.picture_url, c.state, \
            c.snoozed_until, c.unanswered_since, c.unread_count, c.activity_at, c.standby, c.left_at, \
            (c.kind <> 'user' AND NOT ", shown_groups!(), ") AS hidden, \
            p.id AS contact_id, p.display_name, p.picture_url AS contact_picture, p.following, p.blocked_at, \
            u.id AS assignee_id, u.name AS assignee_name, \
            m.id AS last_id, m.direction AS last_direction, m.content AS last_content, m.sort_at AS last_at, \
            (SELECT MAX(t.usable_until) FROM reply_tokens AS t \
                WHERE t.conversation_id = c.id AND t.owner = '' AND t.claimed_by IS NULL) AS free_until \
        FROM conversations AS c \
        LEFT JOIN contacts AS p ON p.id = c.contact_id \
        LEFT JOIN users AS u ON u.id = c.assignee_id \
        LEFT JOIN messages AS m ON m.id = c.last_message_id")
    };
}

macro_rules! message {
    () => {
        "SELECT m.id, m.conversation_id, m.account_id, m.direction, m.origin, m.sender_id, m.sender_name, m.kind, \
            m.content, m.sort_at, m.sent_at, m.edited_at, m.unsent_at, m.image_set_id, m.standby, \
            p.id AS contact_id, p.display_name, p.picture_url, \
            f.state AS media_state, f.blob_key, f.content_type, f.size, f.file_name, \
            d.place, s.state AS delivery_state, s.via, s.cost, s.error_code, s.error_detail \
        FROM messages AS m \
        LEFT JOIN contacts AS p ON p.id = m.contact_id \
        LEFT JOIN media AS f ON f.message_id = m.id \
        LEFT JOIN deliveries AS d ON d.message_id = m.id \
        LEFT JOIN sends AS s ON s.id = d.send_id"
    };
}

statements! {
    FIND = { concat!(conversation!(), " WHERE c.id = $3 AND", in_scope!("c", "$1", "$2")) };
    KNOWS = { "SELECT id FROM conversations WHERE account_id = $1 AND external_id = $2" };
    PLACE_OF = { "SELECT c.kind, p.external_id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id
        LEFT JOIN contacts AS p ON p.id = m.contact_id
        WHERE m.account_id = $1 AND m.external_id = $2 AND m.direction = 'in'" };
    WITH_CONTACT = { concat!("SELECT c.id FROM conversations AS c WHERE c.contact_id = $3 AND c.kind = 'user' AND",
        in_scope!("c", "$1", "$2")) };
    COUNTS = { concat!("SELECT c.account_id, CAST(SUM(CASE WHEN c.unanswered_since IS NULL THEN 0 ELSE 1 END) AS BIGINT),
            CAST(SUM(c.unread_count) AS BIGINT), COUNT(*)
        FROM conversations AS c WHERE c.state = 'open' AND ", visible!(), " AND", in_scope!("c", "$1", "$2"),
        " GROUP BY c.account_id ORDER BY c.account_id") };
    PAGE = { concat!(message!(), " WHERE m.conversation_id = $3 AND", in_scope!("m", "$1", "$2"),
        " AND (m.sort_at, m.id) < ($4, $5) ORDER BY m.sort_at DESC, m.id DESC LIMIT $6") };
    MESSAGE = { concat!(message!(), " WHERE m.id = $3 AND", in_scope!("m", "$1", "$2")) };
    TURN = { concat!(message!(), " WHERE m.conversation_id = $3
            AND (m.id = $4 OR m.image_set_id = (SELECT one.image_set_id FROM messages AS one WHERE one.id = $4))
            AND", in_scope!("m", "$1", "$2"), " ORDER BY m.sort_at, m.id") };
    // What friends did since a moment, messages before acts; by LINE's clock and by ours, so that what is older and comes late
    // is not taken for new.
    CAME = { concat!("SELECT m.conversation_id, c.title, p.display_name, m.kind, m.content, m.sort_at
        FROM conversations AS c
        JOIN messages AS m ON m.conversation_id = c.id AND m.direction = 'in' AND m.sort_at >= $4 AND m.created_at >= $5
        LEFT JOIN contacts AS p ON p.id = m.contact_id
        WHERE c.account_id = $3 AND c.activity_at >= $4 AND ", visible!(), " AND", in_scope!("c", "$1", "$2"),
        " ORDER BY CASE WHEN m.kind = 'event' THEN 1 ELSE 0 END, m.sort_at DESC, m.id DESC LIMIT 1") };
    // By the conversations where something happened lately, each with its messages by time: both are indexed.
    WROTE = { "SELECT c.external_id, m.content FROM conversations AS c
        JOIN messages AS m ON m.conversation_id = c.id AND m.sort_at >= $3
        WHERE c.tenant_id = $1 AND c.account_id = $2 AND c.kind = 'user' AND c.activity_at >= $3
            AND m.direction = 'in' AND m.kind = 'text' AND LENGTH(m.content) < 1000
        ORDER BY m.sort_at DESC, m.id DESC LIMIT 500" };
    VERSIONS = { concat!("SELECT v.message_id, v.content_at, v.content FROM message_versions AS v
        JOIN messages AS m ON m.id = v.message_id
        WHERE m.conversation_id = $3 AND", in_scope!("m", "$1", "$2"), " ORDER BY v.message_id, v.content_at") };
}

/// Whether there is a conversation with this person, group or room.
pub(in crate::inbox) async fn knows(db: &Db, account: &AccountId, external_id: &str) -> DbResult<bool> {
    Ok(db.opt::<(ConversationId,)>(&KNOWS, args![account, external_id]).await?.is_some())
}

/// The kind of chat that a message came into, and who wrote it.
pub(in crate::inbox) async fn place_of(
    db: &Db,
    account: &AccountId,
    external_id: &str,
) -> DbResult<Option<(String, Option<String>)>> {
    db.opt(&PLACE_OF, args![account, external_id]).await
}

#[derive(sqlx::FromRow)]
struct ConversationRow {
    id: ConversationId,
    tenant_id: TenantId,
    account_id: AccountId,
    messenger: String,
    kind: String,
    external_id: String,
    title: Option<String>,
    picture_url: Option<String>,
    state: String,
    snoozed_until: Option<Timestamp>,
    unanswered_since: Option<Timestamp>,
    unread_count: i64,
    activity_at: Timestamp,
    standby: bool,
    left_at: Option<Timestamp>,
    hidden: bool,
    contact_id: Option<ContactId>,
    display_name: Option<String>,
    contact_picture: Option<String>,
    following: Option<bool>,
    blocked_at: Option<Timestamp>,
    assignee_id: Option<String>,
    assignee_name: Option<String>,
    last_id: Option<MessageId>,
    last_direction: Option<String>,
    last_content: Option<String>,
    last_at: Option<Timestamp>,
    free_until: Option<Timestamp>,
}

fn wrong(table: &'static str, column: &'static str, id: &str) -> DbError {
    DbError::Inconsistent { table, column, id: id.to_owned() }
}

fn json(text: Option<&str>, id: &str) -> DbResult<Option<Value>> {
    text.map(|text| serde_json::from_str(text).map_err(|_| wrong("messages", "content", id))).transpose()
}

impl TryFrom<ConversationRow> for Conversation {
    type Error = DbError;

    fn try_from(row: ConversationRow) -> DbResult<Self> {
        let id = row.id.as_str().to_owned();
        let content = json(row.last_content.as_deref(), &id)?;
        let last_message = row.last_id.map(|id| LastMessage {
            id,
            inbound: row.last_direction.as_deref() == Some("in"),
            content,
            at: row.last_at.unwrap_or(row.activity_at),
        });
        Ok(Self {
            kind: Kind::parse(&row.kind).ok_or_else(|| wrong("conversations", "kind", &id))?,
            state: State::parse(&row.state).ok_or_else(|| wrong("conversations", "state", &id))?,
            id: row.id,
            tenant_id: row.tenant_id,
            account_id: row.account_id,
            messenger: row.messenger,
            external_id: row.external_id,
            contact: row.contact_id.map(|id| ContactSummary {
                id,
                display_name: row.display_name,
                picture_url: row.contact_picture,
                following: row.following,
                blocked_at: row.blocked_at,
            }),
            title: row.title,
            picture_url: row.picture_url,
            snoozed_until: row.snoozed_until,
            assignee: row.assignee_id.map(|id| (id, row.assignee_name.unwrap_or_default())),
            unanswered_since: row.unanswered_since,
            unread_count: row.unread_count,
            last_message,
            activity_at: row.activity_at,
            standby: row.standby,
            left_at: row.left_at,
            hidden: row.hidden,
            free_until: row.free_until,
        })
    }
}

pub(in crate::inbox) async fn find(
    db: &Db,
    scope: &Scope,
    id: &ConversationId,
) -> DbResult<Option<Conversation>> {
    let row: Option<ConversationRow> = db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await?;
    row.map(Conversation::try_from).transpose()
}

pub(in crate::inbox) async fn with_contact(
    db: &Db,
    scope: &Scope,
    contact: &ContactId,
) -> DbResult<Option<ConversationId>> {
    let row: Option<(ConversationId,)> =
        db.opt(&WITH_CONTACT, args![scope.tenant(), scope.viewer(), contact]).await?;
    Ok(row.map(|(id,)| id))
}

/// Which conversations to list, newest activity first.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Only of this account.
    pub account: Option<AccountId>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only those that wait for an answer (true), or that do not.
    pub unanswered: Option<bool>,
    /// Only with unread messages.
    pub unread: bool,
    /// Only assigned to this user.
    pub assignee: Option<String>,
    /// Part of the person's or group's name.
    pub q: Option<String>,
    /// Only groups and rooms, or only people.
    pub kind: Option<Kind>,
    /// After this one: its activity and id.
    pub after: Option<(Timestamp, String)>,
    /// At most this many.
    pub limit: i64,
}

pub(in crate::inbox) async fn list(db: &Db, scope: &Scope, filter: &Filter) -> DbResult<Vec<Conversation>> {
    let mut args = args![scope.tenant(), scope.viewer()];
    let mut text =
        String::from(concat!(conversation!(), " WHERE ", visible!(), " AND", in_scope!("c", "$1", "$2")));
    let mut also = |clause: &str, values: Vec<Arg>| {
        let mut clause = clause.to_owned();
        for value in values {
            args.push(value);
            clause = clause.replacen('?', &format!("${}", args.len()), 1);
        }
        text.push_str(&clause);
    };
    if let Some(account) = &filter.account {
        also(" AND c.account_id = ?", args![account]);
    }
    if let Some(state) = filter.state {
        also(" AND c.state = ?", args![state.as_str()]);
    }
    match filter.unanswered {
        Some(true) => also(" AND c.unanswered_since IS NOT NULL", args![]),
        Some(false) => also(" AND c.unanswered_since IS NULL", args![]),
        None => {}
    }
    if filter.unread {
        also(" AND c.unread_count > 0", args![]);
    }
    if let Some(assignee) = &filter.assignee {
        also(" AND c.assignee_id = ?", args![assignee]);
    }
    match filter.kind {
        Some(Kind::User) => also(" AND c.kind = 'user'", args![]),
        Some(_) => also(" AND c.kind <> 'user'", args![]),
        None => {}
    }
    if let Some(q) = filter.q.as_deref().filter(|q| !q.trim().is_empty()) {
        let pattern = crate::text::like(q);
        also(
            " AND (p.name_search LIKE ? ESCAPE '\\' OR c.title_search LIKE ? ESCAPE '\\')",
            args![pattern.as_str(), pattern.as_str()],
        );
    }
    if let Some((at, id)) = &filter.after {
        also(" AND (c.activity_at, c.id) < (?, ?)", args![*at, id]);
    }
    also(" ORDER BY c.activity_at DESC, c.id DESC LIMIT ?", args![filter.limit]);
    let rows: Vec<ConversationRow> = db.all_built(text, args).await?;
    rows.into_iter().map(Conversation::try_from).collect()
}

/// The conversations of an account with these people, groups or rooms: with whom, its id, its name.
pub(in crate::inbox) async fn chats(
    db: &Db,
    scope: &Scope,
    account: &AccountId,
    external_ids: &[String],
) -> DbResult<Vec<(String, ConversationId, Option<String>)>> {
    if external_ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = args![scope.tenant(), scope.viewer(), account];
    args.extend(external_ids.iter().map(Arg::from));
    let places: Vec<_> = (4..=args.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        concat!(
            "SELECT c.external_id, c.id, COALESCE(c.title, p.display_name) FROM conversations AS c \
             LEFT JOIN contacts AS p ON p.id = c.contact_id WHERE ",
            visible!(),
            " AND",
            in_scope!("c", "$1", "$2"),
            " AND c.account_id = $3 AND c.external_id IN ({}) ORDER BY c.id"
        ),
        places.join(", ")
    );
    db.all_built(text, args).await
}

/// Of one account's open conversations: how many wait for an answer, how many messages are unread, how many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The account.
    pub account: String,
    /// Conversations that wait for an answer.
    pub unanswered: i64,
    /// Unread messages.
    pub unread: i64,
    /// Open conversations.
    pub open: i64,
}

pub(in crate::inbox) async fn counts(db: &Db, scope: &Scope) -> DbResult<Vec<Counts>> {
    let rows: Vec<(String, i64, i64, i64)> = db.all(&COUNTS, args![scope.tenant(), scope.viewer()]).await?;
    Ok(rows
        .into_iter()
        .map(|(account, unanswered, unread, open)| Counts { account, unanswered, unread, open })
        .collect())
}

/// What a friend did.
#[derive(Debug)]
pub(in crate::inbox) struct Came {
    pub(in crate::inbox) conversation: ConversationId,
    /// The friend's name, or the group's.
    pub(in crate::inbox) who: Option<String>,
    /// LINE's `type`, or `event` for what is no message.
    pub(in crate::inbox) kind: String,
    pub(in crate::inbox) content: Option<Value>,
    pub(in crate::inbox) at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct CameRow {
    conversation_id: ConversationId,
    title: Option<String>,
    display_name: Option<String>,
    kind: String,
    content: Option<String>,
    sort_at: Timestamp,
}

/// The newest message that came in for an account since a moment of ours, where LINE's clock may be behind by `behind`; where
/// none did, the newest act of a friend.
pub(in crate::inbox) async fn came(
    db: &Db,
    scope: &Scope,
    account: &AccountId,
    since: Timestamp,
    behind: Duration,
) -> DbResult<Option<Came>> {
    let args = args![scope.tenant(), scope.viewer(), account, since.minus(behind), since];
    let Some(row) = db.opt::<CameRow>(&CAME, args).await? else { return Ok(None) };
    Ok(Some(Came {
        content: json(row.content.as_deref(), row.conversation_id.as_str())?,
        conversation: row.conversation_id,
        who: row.display_name.or(row.title),
        kind: row.kind,
        at: row.sort_at,
    }))
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: MessageId,
    conversation_id: ConversationId,
    account_id: AccountId,
    direction: String,
    origin: String,
    sender_id: Option<String>,
    sender_name: Option<String>,
    kind: String,
    content: Option<String>,
    sort_at: Timestamp,
    sent_at: Option<Timestamp>,
    edited_at: Option<Timestamp>,
    unsent_at: Option<Timestamp>,
    image_set_id: Option<String>,
    standby: bool,
    contact_id: Option<String>,
    display_name: Option<String>,
    picture_url: Option<String>,
    media_state: Option<String>,
    blob_key: Option<String>,
    content_type: Option<String>,
    size: Option<i64>,
    file_name: Option<String>,
    place: Option<i64>,
    delivery_state: Option<String>,
    via: Option<String>,
    cost: Option<i64>,
    error_code: Option<String>,
    error_detail: Option<String>,
}

impl TryFrom<MessageRow> for Message {
    type Error = DbError;

    fn try_from(row: MessageRow) -> DbResult<Self> {
        let content = json(row.content.as_deref(), row.id.as_str())?;
        Ok(Self {
            id: row.id,
            conversation_id: row.conversation_id,
            account_id: row.account_id,
            contact: row.contact_id.map(|id| (id, row.display_name, row.picture_url)),
            inbound: row.direction == "in",
            origin: row.origin,
            sender_id: row.sender_id,
            sender_name: row.sender_name,
            kind: row.kind,
            content,
            sort_at: row.sort_at,
            sent_at: row.sent_at,
            edited_at: row.edited_at,
            unsent_at: row.unsent_at,
            image_set_id: row.image_set_id,
            standby: row.standby,
            media: row.media_state.map(|state| Media {
                state,
                blob_key: row.blob_key,
                content_type: row.content_type,
                size: row.size,
                file_name: row.file_name,
            }),
            delivery: row.delivery_state.map(|state| Delivery {
                // What is on its way is still queued to those who look from outside.
                state: if state == "sending" { "queued".to_owned() } else { state },
                via: row.via,
                // The call's price stands on its first message.
                cost: if row.place == Some(0) { row.cost.unwrap_or(0) } else { 0 },
                error: row.error_code.map(|code| (code, row.error_detail.unwrap_or_default())),
            }),
            versions: Vec::new(),
        })
    }
}

/// A page of messages before `before` (its time and id), newest first as stored; the caller turns it round.
pub(in crate::inbox) async fn messages(
    db: &Db,
    scope: &Scope,
    conversation: &ConversationId,
    before: &(Timestamp, String),
    limit: i64,
) -> DbResult<Vec<Message>> {
    let args = args![scope.tenant(), scope.viewer(), conversation, before.0, &before.1, limit];
    with_versions(db, scope, conversation, db.all(&PAGE, args).await?).await
}

/// A message with the pictures of its set, oldest first.
pub(in crate::inbox) async fn turn(db: &Db, scope: &Scope, of: &Message) -> DbResult<Vec<Message>> {
    let args = args![scope.tenant(), scope.viewer(), &of.conversation_id, &of.id];
    with_versions(db, scope, &of.conversation_id, db.all(&TURN, args).await?).await
}

async fn with_versions(
    db: &Db,
    scope: &Scope,
    conversation: &ConversationId,
    rows: Vec<MessageRow>,
) -> DbResult<Vec<Message>> {
    let mut messages: Vec<Message> = rows.into_iter().map(Message::try_from).collect::<DbResult<_>>()?;
    if messages.iter().any(|m| m.edited_at.is_some()) {
        let versions: Vec<(String, Timestamp, String)> =
            db.all(&VERSIONS, args![scope.tenant(), scope.viewer(), conversation]).await?;
        for (id, at, content) in versions {
            if let Some(message) = messages.iter_mut().find(|m| m.id.as_str() == id)
                && let Some(content) = json(Some(&content), &id)?
            {
                message.versions.push((at, content));
            }
        }
    }
    Ok(messages)
}

pub(in crate::inbox) async fn message(db: &Db, scope: &Scope, id: &MessageId) -> DbResult<Option<Message>> {
    let row: Option<MessageRow> = db.opt(&MESSAGE, args![scope.tenant(), scope.viewer(), id]).await?;
    row.map(Message::try_from).transpose()
}

/// Who wrote short texts in a chat of their own since a moment, and LINE's message objects, the newest first; 500 at most.
/// What they say is compared by who asks: a keyboard may have made its digits wide, or a person have grouped them.
pub(in crate::inbox) async fn wrote(
    db: &Db,
    tenant: &TenantId,
    account: &AccountId,
    since: Timestamp,
) -> DbResult<Vec<(String, String)>> {
    db.all(&WROTE, args![tenant, account, since]).await
}
