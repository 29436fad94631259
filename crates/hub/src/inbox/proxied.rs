//! What another system sends into a chat through the proxy: it stands in the conversation under that system's name.

use serde_json::Value;

use super::jobs;
use super::model::Kind;
use super::repo::{read, write};
use super::service::target;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::contacts::model::Act;
use crate::contacts::{self};
use crate::db::{DbResult, Tx};
use crate::error::AppResult;
use crate::ids::{AccountId, ConversationId, MessageId, SendId, TenantId};
use crate::live::Notice;
use crate::outbox::model::{Extras, NewSend, Origin, Target, TargetKind, Terms};
use crate::outbox::{self};
use crate::scope::Scope;

/// Messages of another system.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// The account.
    pub account: &'a AccountId,
    /// The chat.
    pub target: Target,
    /// The system's id and name.
    pub sender: (&'a str, &'a str),
    /// 1–5 valid message objects.
    pub messages: Vec<Value>,
    /// What may be paid.
    pub terms: Terms,
    /// What is asked for beside the messages.
    pub extras: Extras,
    /// The reply token to be used, and until when.
    pub token: Option<(&'a str, Timestamp)>,
}

/// Where they were put.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The send.
    pub send: SendId,
    conversation: ConversationId,
    messages: Vec<MessageId>,
}

/// The chat of a conversation.
///
/// # Errors
/// 404 when there is no such conversation.
pub async fn chat(hub: &Hub, scope: &Scope, conversation: &ConversationId) -> AppResult<Target> {
    Ok(target(&super::service::get(hub, scope, conversation).await?))
}

/// Whether there is a conversation with this person, group or room.
///
/// # Errors
/// Those of the database.
pub async fn knows(hub: &Hub, account: &AccountId, external_id: &str) -> DbResult<bool> {
    read::knows(&hub.db, account, external_id).await
}

/// Where a message came in, by LINE's ID of it: `user`, `group` or `room`, and who wrote it, where LINE told.
///
/// # Errors
/// Those of the database.
pub async fn came(
    hub: &Hub,
    account: &AccountId,
    external_id: &str,
) -> DbResult<Option<(&'static str, Option<String>)>> {
    let found = read::place_of(&hub.db, account, external_id).await?;
    Ok(found.and_then(|(kind, person)| Some((Kind::parse(&kind)?.as_str(), person))))
}

/// Puts messages into their conversation, which is opened if there is none, and into the outbox. `None` when another send
/// took the reply token: then the transaction must be rolled back. Call [`announce`] after the commit.
///
/// # Errors
/// Those of the database.
pub async fn post(tx: &mut Tx, hub: &Hub, post: Post<'_>) -> DbResult<Option<Posted>> {
    let now = hub.now();
    let conversation = match write::find(tx, post.account, &post.target.id).await? {
        Some(conversation) => conversation,
        None => open(tx, hub, &post).await?,
    };
    let queued: Vec<(MessageId, Value)> =
        post.messages.into_iter().map(|content| (hub.id(), content)).collect();
    for (message, content) in &queued {
        let new = write::NewMessage {
            id: message,
            tenant: post.tenant,
            account: post.account,
            conversation: &conversation,
            contact: None,
            inbound: false,
            origin: Origin::Proxy.as_str(),
            sender: Some(post.sender),
            external_id: None,
            kind: line_api::message::kind(content),
            content: Some(content.to_string()),
            content_at: now,
            sort_at: now,
            edited_at: None,
            image_set_id: None,
            quote_token: None,
            read_token: None,
            standby: false,
            position: None,
            now,
        };
        write::add(tx, &new).await?;
    }
    let messages = queued.iter().map(|(id, _)| id.clone()).collect();
    let new = NewSend {
        tenant: post.tenant.clone(),
        account: post.account.clone(),
        conversation: conversation.clone(),
        target: post.target,
        messages: queued,
        origin: Origin::Proxy,
        actor: post.sender.0.to_owned(),
        terms: post.terms,
        extras: post.extras,
    };
    let send = match post.token {
        Some(token) => outbox::proxied::enqueue_reply(tx, hub, &new, token).await?,
        None => Some(outbox::service::enqueue(tx, hub, &new).await?.send),
    };
    let Some(send) = send else { return Ok(None) };
    write::answered(tx, &conversation, now, now).await?;
    write::set_last(tx, &conversation).await?;
    Ok(Some(Posted { send, conversation, messages }))
}

/// Opens a conversation with somebody whom no event has shown yet.
async fn open(tx: &mut Tx, hub: &Hub, post: &Post<'_>) -> DbResult<ConversationId> {
    let now = hub.now();
    let kind = match post.target.kind {
        TargetKind::User => Kind::User,
        TargetKind::Group => Kind::Group,
        TargetKind::Room => Kind::Room,
    };
    let contact = if kind == Kind::User {
        let (user, act) = (&post.target.id, Act::Group);
        let seen = contacts::service::see(tx, hub, post.tenant, post.account, user, act, now).await?;
        if contacts::service::wants_profile(&seen, now) {
            contacts::jobs::fetch_profile(tx, hub, &seen, None).await?;
        }
        Some(seen)
    } else {
        None
    };
    let opening = write::Opening {
        fresh: &hub.id(),
        tenant: post.tenant,
        account: post.account,
        kind,
        external_id: &post.target.id,
        contact: contact.as_ref().map(|contact| &contact.id),
        at: now,
        standby: false,
        now,
    };
    let conversation = write::open(tx, &opening).await?;
    if kind == Kind::Group {
        jobs::fetch_group(tx, hub, post.tenant, &conversation).await?;
    }
    Ok(conversation)
}

/// Wakes the outbox and tells browsers; after the commit.
pub fn announce(hub: &Hub, tenant: &TenantId, account: &AccountId, posted: &Posted) {
    hub.outbox.wake();
    let notice = |kind, id: &str| Notice {
        tenant: tenant.clone(),
        account: Some(account.clone()),
        kind,
        id: id.to_owned(),
        conversation: Some(posted.conversation.clone()),
    };
    for message in &posted.messages {
        hub.live.publish(notice("message", message.as_str()));
    }
    hub.live.publish(notice("conversation", posted.conversation.as_str()));
}
