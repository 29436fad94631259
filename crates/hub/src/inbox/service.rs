//! Reading conversations, answering, and keeping order in them.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::attachments;
use super::model::{Conversation, Kind, Message, State};
use super::repo::{read, write};
use crate::accounts::{self, SenderName, Status};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, LogAndIgnore as _, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, ContactId, ConversationId, MessageId, UserId};
use crate::live::Notice;
use crate::outbox::model::{NewSend, Origin, SettledMessage, Target, TargetKind, Terms};
use crate::outbox::once::Once;
use crate::outbox::{self};
use crate::scope::Scope;
use crate::team::Actor;

pub use super::repo::read::{Counts, Filter};

/// Conversations within the scope, newest activity first.
///
/// # Errors
/// Those of the database.
pub async fn list(hub: &Hub, scope: &Scope, filter: &Filter) -> AppResult<Vec<Conversation>> {
    let mut all = read::list(&hub.db, scope, filter).await?;
    let now = hub.now();
    for conversation in &mut all {
        conversation.free_until = conversation.free_until.filter(|until| *until > now);
    }
    Ok(all)
}

/// One conversation within the scope.
///
/// # Errors
/// 404 when there is none.
pub async fn get(hub: &Hub, scope: &Scope, id: &ConversationId) -> AppResult<Conversation> {
    let mut found =
        read::find(&hub.db, scope, id).await?.ok_or_else(|| AppError::not_found("conversation"))?;
    found.free_until = found.free_until.filter(|until| *until > hub.now());
    Ok(found)
}

/// A conversation, as far as another page names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// The hub's id.
    pub id: ConversationId,
    /// The name of the person or group, once known.
    pub name: Option<String>,
}

/// The conversations of an account within the scope, by LINE's id of the person, group or room.
///
/// # Errors
/// Those of the database.
pub async fn chats(
    hub: &Hub,
    scope: &Scope,
    account: &AccountId,
    external_ids: &[String],
) -> AppResult<HashMap<String, Chat>> {
    let rows = read::chats(&hub.db, scope, account, external_ids).await?;
    Ok(rows.into_iter().map(|(external_id, id, name)| (external_id, Chat { id, name })).collect())
}

/// The conversation with a contact.
///
/// # Errors
/// 404 when there is none within the scope: somebody seen only in a group has no chat with the account.
pub async fn with_contact(hub: &Hub, scope: &Scope, contact: &ContactId) -> AppResult<ConversationId> {
    read::with_contact(&hub.db, scope, contact).await?.ok_or_else(|| AppError::not_found("conversation"))
}

/// How many open conversations wait and how much is unread, of each account within the scope.
///
/// # Errors
/// Those of the database.
pub async fn counts(hub: &Hub, scope: &Scope) -> AppResult<Vec<Counts>> {
    Ok(read::counts(&hub.db, scope).await?)
}

/// Messages of a conversation before a place (the time and id of the oldest one already shown), newest first.
///
/// # Errors
/// 404 when there is no such conversation.
pub async fn messages_before(
    hub: &Hub,
    scope: &Scope,
    conversation: &ConversationId,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> AppResult<Vec<Message>> {
    get(hub, scope, conversation).await?;
    let before = before.unwrap_or((Timestamp(i64::MAX), String::new()));
    Ok(read::messages(&hub.db, scope, conversation, &before, limit).await?)
}

/// One message within the scope.
///
/// # Errors
/// 404 when there is none.
pub async fn message(hub: &Hub, scope: &Scope, id: &MessageId) -> AppResult<Message> {
    read::message(&hub.db, scope, id).await?.ok_or_else(|| AppError::not_found("message"))
}

/// A message with the pictures of its set, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn turn(hub: &Hub, scope: &Scope, message: &Message) -> AppResult<Vec<Message>> {
    Ok(read::turn(&hub.db, scope, message).await?)
}

/// An answer to be sent.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 1–5 LINE message objects.
    pub messages: Vec<Value>,
    /// What it may cost.
    pub terms: Terms,
    /// Who wants it.
    pub origin: Origin,
    /// The same for every try of one call ([`Once`]); without it each try is a call of its own.
    pub once: Option<String>,
}

/// Puts an answer into the conversation and the outbox, in one transaction; gives the queued messages in order. A repeat of
/// the call queues nothing and gives the messages of the first.
///
/// # Errors
/// 422 with LINE's findings, 409 `disconnected`, `blocked`, `standby`, `groups_hidden` or
/// `left`, 402 `paid_send_refused` or `quota_exhausted`; then nothing is
/// kept. 409 `idempotency_key_reused` when a call of that name wanted something else.
pub async fn send(
    hub: &Hub,
    scope: &Scope,
    actor: &Actor,
    id: &ConversationId,
    answer: Answer,
) -> AppResult<Vec<Message>> {
    let conversation = get(hub, scope, id).await?;
    let once = answer.once.as_deref().map(|key| called(&conversation, key, &answer.messages));
    if let Some(before) = taken(hub, scope, once.as_ref()).await? {
        return Ok(before);
    }
    match queue(hub, actor, &conversation, answer, once.as_ref()).await {
        Ok(ids) => listed(hub, scope, &ids).await,
        // A twin that ran at the same time may have been faster, and have used up what this one was refused.
        Err(refusal) => taken(hub, scope, once.as_ref()).await?.ok_or(refusal),
    }
}

fn called(conversation: &Conversation, key: &str, wanted: &[Value]) -> Once {
    Once::new(&conversation.tenant_id, &conversation.account_id, &conversation.id, key, wanted)
}

/// What an earlier try of the call has queued, as it stands now.
async fn taken(hub: &Hub, scope: &Scope, once: Option<&Once>) -> AppResult<Option<Vec<Message>>> {
    let Some(once) = once else { return Ok(None) };
    let Some(ids) = outbox::once::taken(hub, once).await? else { return Ok(None) };
    listed(hub, scope, &ids).await.map(Some)
}

async fn listed(hub: &Hub, scope: &Scope, ids: &[MessageId]) -> AppResult<Vec<Message>> {
    let mut messages = Vec::with_capacity(ids.len());
    for id in ids {
        messages.push(message(hub, scope, id).await?);
    }
    Ok(messages)
}

/// Notes the call's key, where it has one; an error when an earlier try has noted it.
async fn take(tx: &mut Tx, hub: &Hub, once: Option<&Once>, messages: &[MessageId]) -> AppResult<()> {
    let Some(once) = once else { return Ok(()) };
    if outbox::once::take(tx, hub, once, messages).await? {
        return Ok(());
    }
    Err(AppError::conflict("idempotency_key_running", "the same call has just been made; ask again"))
}

async fn queue(
    hub: &Hub,
    actor: &Actor,
    conversation: &Conversation,
    answer: Answer,
    once: Option<&Once>,
) -> AppResult<Vec<MessageId>> {
    check(hub, conversation, &answer).await?;
    let target = target(conversation);
    let price = outbox::service::price(hub, &conversation.account_id, &conversation.id, &target).await?;
    outbox::service::admit(&price, answer.terms)?;
    let now = hub.now();
    let name = name_for_friends(hub, conversation, actor).await?;
    let sign = |content: Value| match &name {
        Some(name) if content.get("sender").is_none() => line_api::message::from_sender(content, name, None),
        _ => content,
    };
    let queued: Vec<(MessageId, Value)> =
        answer.messages.into_iter().map(|content| (hub.id(), sign(content))).collect();
    let ids: Vec<MessageId> = queued.iter().map(|(id, _)| id.clone()).collect();
    let mut tx = hub.db.begin().await?;
    take(&mut tx, hub, once, &ids).await?;
    let contents: Vec<&Value> = queued.iter().map(|(_, content)| content).collect();
    let owner = (&conversation.tenant_id, &conversation.account_id);
    attachments::mark_sent(&mut tx, hub, owner, &contents).await?;
    for (message, content) in &queued {
        let new = write::NewMessage {
            id: message,
            tenant: &conversation.tenant_id,
            account: &conversation.account_id,
            conversation: &conversation.id,
            contact: None,
            inbound: false,
            origin: answer.origin.as_str(),
            sender: Some(who(actor)),
            external_id: None,
            kind: line_api::message::kind(content),
            content: Some(content.to_string()),
            content_at: now,
            // Several lines of one answer keep their order by their ids, which grow.
            sort_at: now,
            edited_at: None,
            image_set_id: None,
            quote_token: None,
            read_token: None,
            standby: false,
            position: None,
            now,
        };
        write::add(&mut tx, &new).await?;
    }
    let new = NewSend {
        tenant: conversation.tenant_id.clone(),
        account: conversation.account_id.clone(),
        conversation: conversation.id.clone(),
        target,
        messages: queued,
        origin: answer.origin,
        actor: who(actor).0.to_owned(),
        terms: answer.terms,
        extras: outbox::model::Extras::default(),
    };
    outbox::service::enqueue(&mut tx, hub, &new).await?;
    write::answered(&mut tx, &conversation.id, now, now).await?;
    write::set_last(&mut tx, &conversation.id).await?;
    tx.commit().await?;
    hub.outbox.wake();
    for message in &ids {
        tell(hub, conversation, "message", message.as_str());
    }
    tell(hub, conversation, "conversation", conversation.id.as_str());
    Ok(ids)
}

/// The name that friends read above a colleague's answer in place of the account's, where the account is set so: the
/// display name in this hub, cut to LINE's limit; none where LINE would refuse it (PLATFORM 19, S3-08).
async fn name_for_friends(
    hub: &Hub,
    conversation: &Conversation,
    actor: &Actor,
) -> AppResult<Option<String>> {
    let Actor::User { name, .. } = actor else { return Ok(None) };
    let scope = Scope::tenant_wide(conversation.tenant_id.clone());
    let account = accounts::service::get(hub, &scope, &conversation.account_id).await?;
    if account.sender_name == SenderName::Account {
        return Ok(None);
    }
    let mut units = 0;
    let fits = |c: &char| {
        units += c.len_utf16();
        units <= line_api::limits::SENDER_NAME
    };
    let name = name.trim().chars().take_while(fits).collect::<String>().trim_end().to_owned();
    let trial = line_api::message::from_sender(line_api::message::text("."), &name, None);
    let is_taken = line_api::validate::messages(&Value::Array(vec![trial])).is_ok();
    Ok(Some(name).filter(|_| is_taken))
}

/// The sender of an answer, as the transcript shows them: id and name.
fn who(actor: &Actor) -> (&str, &str) {
    match actor {
        Actor::User { id, name } => (id.as_str(), name),
        Actor::Key { id, name } => (id.as_str(), name),
        Actor::System(name) => ("", name),
    }
}

pub(super) fn target(conversation: &Conversation) -> Target {
    let kind = match conversation.kind {
        Kind::User => TargetKind::User,
        Kind::Group => TargetKind::Group,
        Kind::Room => TargetKind::Room,
    };
    Target { kind, id: conversation.external_id.clone() }
}

async fn check(hub: &Hub, conversation: &Conversation, answer: &Answer) -> AppResult<()> {
    let messages = Value::Array(answer.messages.clone());
    let rules = line_api::validate::Rules { loopback_http: hub.config.is_loopback() };
    if let Err(refusal) = line_api::validate::messages_with(&messages, rules) {
        let mut fields: Vec<FieldError> = refusal
            .details
            .iter()
            .map(|detail| {
                let field = detail.property.clone().unwrap_or_else(|| "messages".to_owned());
                FieldError::new(field, "refused_by_line", detail.message.clone().unwrap_or_default())
            })
            .collect();
        if fields.is_empty() {
            fields.push(FieldError::new("messages", "refused_by_line", refusal.message));
        }
        return Err(AppError::invalid(fields));
    }
    let scope = Scope::tenant_wide(conversation.tenant_id.clone());
    let account = accounts::service::get(hub, &scope, &conversation.account_id).await?;
    if account.status == Status::Disconnected {
        return Err(accounts::service::disconnected());
    }
    if conversation.contact.as_ref().is_some_and(|contact| contact.blocked_at.is_some()) {
        return Err(AppError::conflict(
            "blocked",
            "the friend has blocked the account; nothing can be sent until they lift the block",
        ));
    }
    if conversation.standby {
        return Err(AppError::conflict("standby", "another channel handles this conversation at LINE"));
    }
    if conversation.hidden {
        let detail = "groups of this account are hidden; show them in the account's settings to answer here";
        return Err(AppError::conflict("groups_hidden", detail));
    }
    if conversation.left_at.is_some() {
        return Err(AppError::conflict("left", "the account is no longer in this group"));
    }
    Ok(())
}

/// Sends a failed message, or one whose outcome is unknown, again: a person's decision, with a key of its own. The
/// messages that shared its call go with it. A repeat of the call changes nothing.
///
/// # Errors
/// 404 when there is no such message, 409 when it did not end as `seen`, and those of [`send`].
pub async fn send_again(
    hub: &Hub,
    scope: &Scope,
    actor: &Actor,
    id: &MessageId,
    terms: Terms,
    once: Option<&str>,
) -> AppResult<Message> {
    let message = message(hub, scope, id).await?;
    let conversation = get(hub, scope, &message.conversation_id).await?;
    let wanted = [json!({ "again": id.as_str() })];
    let once = once.map(|key| called(&conversation, key, &wanted));
    if taken(hub, scope, once.as_ref()).await?.is_none()
        && let Err(refusal) =
            queue_again(hub, scope, actor, &message, &conversation, terms, once.as_ref()).await
        && taken(hub, scope, once.as_ref()).await?.is_none()
    {
        return Err(refusal);
    }
    self::message(hub, scope, id).await
}

async fn queue_again(
    hub: &Hub,
    scope: &Scope,
    actor: &Actor,
    message: &Message,
    conversation: &Conversation,
    terms: Terms,
    once: Option<&Once>,
) -> AppResult<()> {
    let id = &message.id;
    let seen = message
        .delivery
        .as_ref()
        .and_then(|delivery| outbox::model::State::parse(&delivery.state))
        .ok_or_else(|| AppError::not_found("outgoing message"))?;
    let messages = message.content.iter().cloned().collect();
    check(hub, conversation, &Answer { messages, terms, origin: Origin::Agent, once: None }).await?;
    let price =
        outbox::service::price(hub, &conversation.account_id, &conversation.id, &target(conversation))
            .await?;
    outbox::service::admit(&price, terms)?;
    let mut tx = hub.db.begin().await?;
    take(&mut tx, hub, once, std::slice::from_ref(id)).await?;
    outbox::service::again(&mut tx, hub, scope, id, seen, who(actor).0.to_owned(), terms).await?;
    let detail = json!({ "was": seen.as_str() });
    let subject = ("message.sent_again", id.as_str());
    crate::team::service::audit(&mut tx, hub, scope.tenant(), actor, subject, &detail).await?;
    tx.commit().await?;
    hub.outbox.wake();
    tell(hub, conversation, "message", id.as_str());
    Ok(())
}

/// A change to a conversation; absent parts stay.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The new state, and for a snooze its end (`None`: with the next message).
    pub state: Option<(State, Option<Timestamp>)>,
    /// The new assignee's user id, or nobody.
    pub assignee: Option<Option<String>>,
    /// Everything is read, or (false) somebody shall look at it once more.
    pub read: Option<bool>,
}

/// Changes a conversation.
///
/// # Errors
/// 404 when there is none, 422 for an assignee who is not of this tenant.
pub async fn change(
    hub: &Hub,
    scope: &Scope,
    actor: &Actor,
    id: &ConversationId,
    change: Change,
) -> AppResult<Conversation> {
    let before = get(hub, scope, id).await?;
    if let Some(Some(user)) = &change.assignee {
        let everybody = Scope::tenant_wide(scope.tenant().clone());
        let members = crate::team::service::members(hub, &everybody).await?;
        if !members.iter().any(|member| member.id.as_str() == user) {
            return Err(AppError::invalid_field("assignee_id", "unknown", "there is no such user"));
        }
    }
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    match change.read {
        Some(true) => _ = write::read_all(&mut tx, scope, id, now).await?,
        Some(false) => _ = write::mark_unread(&mut tx, scope, id, now).await?,
        None => {}
    }
    if let Some((state, until)) = change.state {
        write::set_state(&mut tx, scope, id, state, until, now).await?;
        let detail = json!({ "from": before.state.as_str(), "to": state.as_str() });
        let subject = ("conversation.state", id.as_str());
        crate::team::service::audit(&mut tx, hub, scope.tenant(), actor, subject, &detail).await?;
    }
    if let Some(assignee) = &change.assignee {
        write::set_assignee(&mut tx, scope, id, assignee.as_deref(), now).await?;
        let detail = json!({ "to": assignee });
        let subject = ("conversation.assigned", id.as_str());
        crate::team::service::audit(&mut tx, hub, scope.tenant(), actor, subject, &detail).await?;
    }
    tx.commit().await?;
    tell(hub, &before, "conversation", id.as_str());
    get(hub, scope, id).await
}

/// Tells colleagues that somebody writes an answer: nothing of it, and not with every key.
///
/// # Errors
/// 404 when there is no such conversation.
pub async fn writing(hub: &Hub, scope: &Scope, user: &UserId, id: &ConversationId) -> AppResult<()> {
    let conversation = get(hub, scope, id).await?;
    hub.live.publish_seldom(notice(&conversation, "writing", user.as_str()), hub.now());
    Ok(())
}

fn tell(hub: &Hub, conversation: &Conversation, kind: &'static str, id: &str) {
    hub.live.publish(notice(conversation, kind, id));
}

fn notice(conversation: &Conversation, kind: &'static str, id: &str) -> Notice {
    Notice {
        tenant: conversation.tenant_id.clone(),
        account: Some(conversation.account_id.clone()),
        kind,
        id: id.to_owned(),
        conversation: Some(conversation.id.clone()),
    }
}

/// Opens the conversations whose snooze is over.
///
/// # Errors
/// Those of the database.
pub async fn wake_snoozed(hub: &Hub) -> DbResult<usize> {
    let mut tx = hub.db.begin().await?;
    let woken = write::wake(&mut tx, hub.now()).await?;
    tx.commit().await?;
    for (id, tenant, account) in &woken {
        hub.live.publish(Notice {
            tenant: tenant.clone(),
            account: Some(account.clone()),
            kind: "conversation",
            id: id.as_str().to_owned(),
            conversation: Some(id.clone()),
        });
    }
    Ok(woken.len())
}

/// Opens snoozed conversations in time, until the hub stops.
///
/// # Errors
/// None; database trouble is logged and waits.
pub async fn watch_snoozes(hub: Hub) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_secs(5)) => {}
            () = hub.stop.cancelled() => return Ok(()),
        }
        wake_snoozed(&hub).await.map(drop).log_and_ignore("opening snoozed conversations");
    }
}

/// What the outbox announces: LINE took a message, so that it has LINE's id and can be quoted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent;

impl outbox::SendListener for Sent {
    fn settled<'a>(
        &'a self,
        tx: &'a mut Tx,
        messages: &'a [SettledMessage],
    ) -> futures_util::future::BoxFuture<'a, DbResult<()>> {
        Box::pin(async move {
            for settled in messages {
                let delivery = &settled.delivery;
                if delivery.state == outbox::model::State::Sent {
                    let (external, quote) =
                        (delivery.line_message_id.as_deref(), delivery.quote_token.as_deref());
                    write::sent(tx, &delivery.message, settled.at, external, quote).await?;
                }
            }
            Ok(())
        })
    }
}
