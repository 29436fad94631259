//! Events become contacts, conversations and messages: one event, one transaction share, exactly once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use line_api::webhook::{Event, EventKind, Message as LineMessage, Mode, Source};
use serde_json::{Value, json};

use super::jobs;
use super::model::{Kind, event_content, inbound_sort, media_at_line};
use super::repo::{media, write};
use crate::accounts;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::contacts::model::{Act, Contact};
use crate::contacts::{self};
use crate::db::{DbResult, Tx};
use crate::ids::{AccountId, ConversationId, DestinationId, Id, MessageId, TenantId};
use crate::journal::Entry;
use crate::journal::consumer::{Consumer, EventError};
use crate::live::Notice;
use crate::outbox;
use crate::outbox::model::NewToken;

/// The inbox's reader of the journal.
#[derive(Debug)]
pub struct Inbox {
    hub: Hub,
    tenants: Mutex<HashMap<String, TenantId>>,
    notices: Mutex<Vec<Notice>>,
}

/// One event in its place.
struct Arrival<'a> {
    hub: &'a Hub,
    entry: &'a Entry,
    event: &'a Event,
    tenant: TenantId,
    account: AccountId,
    conversation: ConversationId,
    kind: Kind,
    external_id: String,
    contact: Option<Contact>,
    at: Timestamp,
    now: Timestamp,
}

impl Inbox {
    /// The consumer of this hub.
    #[must_use]
    pub fn new(hub: Hub) -> Self {
        Self { hub, tenants: Mutex::default(), notices: Mutex::default() }
    }

    async fn tenant(&self, tx: &mut Tx, account: &str) -> Result<TenantId, EventError> {
        let known = self.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned();
        if let Some(tenant) = known {
            return Ok(tenant);
        }
        let tenant = write::tenant_of(tx, account)
            .await?
            .ok_or_else(|| EventError::Park("there is no such account".to_owned()))?;
        self.tenants
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned(), tenant.clone());
        Ok(tenant)
    }

    fn tell(&self, arrival: &Arrival<'_>, kind: &'static str, id: &str) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice {
            tenant: arrival.tenant.clone(),
            account: Some(arrival.account.clone()),
            kind,
            id: id.to_owned(),
            conversation: Some(arrival.conversation.clone()),
        });
    }

    async fn process(&self, tx: &mut Tx, entry: &Entry) -> Result<(), EventError> {
        let raw = entry.raw.as_deref().unwrap_or_default();
        let event = Event::parse(&String::from_utf8_lossy(raw));
        if let EventKind::Malformed { reason } = &event.kind {
            return Err(EventError::Park(format!("LINE's event cannot be read: {reason}")));
        }
        let Some((kind, external_id, user_id)) = event.source.as_ref().and_then(place) else {
            // Events of the account itself, and events whose place LINE does not tell: journaled, nothing to show.
            return Ok(());
        };
        let account = AccountId::parse(&entry.account_id)
            .ok_or_else(|| EventError::Park("there is no such account".to_owned()))?;
        let tenant = self.tenant(tx, &entry.account_id).await?;
        let (hub, now) = (&self.hub, self.hub.now());
        if kind != Kind::User && !accounts::settings::shows_groups(tx, &account).await? {
            let at = inbound_sort(entry.event_at, entry.received_at);
            // What another system answers there needs a place, which stays out of sight as well.
            let owner = match &event.reply_token {
                Some(_) => accounts::replies::at(tx, hub, &account, entry.position, &entry.kind).await?,
                None => None,
            };
            let conversation = match write::find(tx, &account, &external_id).await? {
                Some(conversation) => conversation,
                None if owner.is_none() => return Ok(()),
                None => {
                    let fresh: ConversationId = hub.id();
                    let opening = write::Opening {
                        fresh: &fresh,
                        tenant: &tenant,
                        account: &account,
                        kind,
                        external_id: &external_id,
                        contact: None,
                        at,
                        standby: event.mode == Mode::Standby,
                        now,
                    };
                    write::open(tx, &opening).await?
                }
            };
            let (event, contact) = (&event, None);
            let arrival = Arrival {
                hub,
                entry,
                event,
                tenant,
                account,
                conversation,
                kind,
                external_id,
                contact,
                at,
                now,
            };
            if owner.is_some() {
                remember_token(tx, &arrival, owner.as_ref()).await?;
            }
            return self.hidden(tx, &arrival).await.map_err(EventError::from);
        }
        let act = match (&event.kind, kind) {
            (EventKind::Follow { .. }, _) => Act::Follow,
            (EventKind::Unfollow, _) => Act::Unfollow,
            (_, Kind::User) => Act::Chat,
            (_, Kind::Group | Kind::Room) => Act::Group,
        };
        let contact = match &user_id {
            Some(user) => {
                Some(contacts::service::see(tx, hub, &tenant, &account, user, act, entry.event_at).await?)
            }
            None => None,
        };
        let fresh: ConversationId = hub.id();
        let at = inbound_sort(entry.event_at, entry.received_at);
        let opening = write::Opening {
            fresh: &fresh,
            tenant: &tenant,
            account: &account,
            kind,
            external_id: &external_id,
            contact: contact.as_ref().filter(|_| kind == Kind::User).map(|contact| &contact.id),
            at,
            standby: event.mode == Mode::Standby,
            now,
        };
        let conversation = write::open(tx, &opening).await?;
        let is_new = conversation == fresh;
        let event = &event;
        let arrival =
            Arrival { hub, entry, event, tenant, account, conversation, kind, external_id, contact, at, now };
        if let Some(contact) = &arrival.contact
            && contacts::service::wants_profile(contact, now)
        {
            let group = (kind != Kind::User).then(|| (kind.as_str(), arrival.external_id.as_str()));
            contacts::jobs::fetch_profile(tx, hub, contact, group).await?;
        }
        if is_new && kind == Kind::Group {
            jobs::fetch_group(tx, hub, &arrival.tenant, &arrival.conversation).await?;
        }
        if event.reply_token.is_some() {
            let owner = accounts::replies::at(tx, hub, &arrival.account, entry.position, &entry.kind).await?;
            remember_token(tx, &arrival, owner.as_ref()).await?;
        }
        match &event.kind {
            EventKind::Message(message) => self.message(tx, &arrival, message).await?,
            EventKind::MessageEdited(message) => self.edited(tx, &arrival, message).await?,
            EventKind::Unsend { message_id } => self.unsent(tx, &arrival, message_id.as_str()).await?,
            _ => self.other(tx, &arrival).await?,
        }
        self.tell(&arrival, "conversation", arrival.conversation.as_str());
        Ok(())
    }

    async fn message(&self, tx: &mut Tx, a: &Arrival<'_>, message: &LineMessage) -> DbResult<()> {
        let external_id = message.id.as_str();
        let content = message.raw.to_string();
        let id: MessageId = a.hub.id();
        let Some(added) = write::add(tx, &new_message(a, &id, message, content.clone(), None)).await? else {
            let Some(known) = write::find_external(tx, &a.account, external_id).await? else { return Ok(()) };
            if known.unsent_at.is_some() {
                jobs::blank_journal(tx, a.hub, &a.tenant, a.entry.position).await?;
            } else if known.content_at > a.entry.event_at && known.journal_position != Some(a.entry.position)
            {
                // An edit of it came first: what this event says is the version before.
                let position = Some(a.entry.position);
                write::keep_version(tx, &known.id, &content, a.entry.event_at, position).await?;
                self.tell(a, "message", known.id.as_str());
            }
            return Ok(());
        };
        if added.unsent {
            jobs::blank_journal(tx, a.hub, &a.tenant, a.entry.position).await?;
        } else if media_at_line(&message.raw) || external_media(&message.raw) {
            let file_name = message.raw.get("fileName").and_then(Value::as_str);
            media::expect(tx, &id, &a.tenant, &a.account, file_name, a.now).await?;
            jobs::fetch_media(tx, a.hub, &a.tenant, &id).await?;
        }
        self.arrived(tx, a, &id, added).await
    }

    async fn edited(&self, tx: &mut Tx, a: &Arrival<'_>, message: &LineMessage) -> DbResult<()> {
        let external_id = message.id.as_str();
        let content = message.raw.to_string();
        let Some(known) = write::find_external(tx, &a.account, external_id).await? else {
            let id: MessageId = a.hub.id();
            let new = new_message(a, &id, message, content, Some(a.entry.event_at));
            if let Some(added) = write::add(tx, &new).await? {
                if added.unsent {
                    jobs::blank_journal(tx, a.hub, &a.tenant, a.entry.position).await?;
                }
                self.arrived(tx, a, &id, added).await?;
            }
            return Ok(());
        };
        let position = Some(a.entry.position);
        if known.unsent_at.is_some() {
            jobs::blank_journal(tx, a.hub, &a.tenant, a.entry.position).await?;
            return Ok(());
        }
        if known.content_at >= a.entry.event_at {
            write::keep_version(tx, &known.id, &content, a.entry.event_at, position).await?;
        } else {
            if let Some(before) = &known.content {
                let place = known.journal_position;
                write::keep_version(tx, &known.id, before, known.content_at, place).await?;
            }
            let quote = message.quote_token.as_deref();
            write::replace_content(tx, &known.id, &content, a.entry.event_at, quote, position).await?;
        }
        self.tell(a, "message", known.id.as_str());
        Ok(())
    }

    /// An event of a group that is hidden and was shown before: journaled, and nothing is added (S2-21). What friends took
    /// back is gone all the same, and whether the account is still in the group is known when it is shown again.
    async fn hidden(&self, tx: &mut Tx, a: &Arrival<'_>) -> DbResult<()> {
        match &a.event.kind {
            EventKind::Unsend { message_id } => self.unsent(tx, a, message_id.as_str()).await,
            EventKind::Join | EventKind::Leave => {
                let left = matches!(a.event.kind, EventKind::Leave);
                write::set_presence(tx, &a.conversation, a.entry.event_at, left, a.now).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn unsent(&self, tx: &mut Tx, a: &Arrival<'_>, external_id: &str) -> DbResult<()> {
        write::remember_unsent(tx, &a.account, external_id, a.entry.event_at).await?;
        let Some(known) = write::find_external(tx, &a.account, external_id).await? else { return Ok(()) };
        if known.unsent_at.is_some() {
            return Ok(());
        }
        let mut positions = write::unsend(tx, &known.id, a.entry.event_at).await?;
        positions.extend(known.journal_position);
        for position in positions {
            jobs::blank_journal(tx, a.hub, &a.tenant, position).await?;
        }
        if let Some(blob) = media::forget(tx, &known.id, a.now).await? {
            jobs::delete_blob(tx, a.hub, &a.tenant, &known.id, &blob).await?;
        }
        self.tell(a, "message", known.id.as_str());
        Ok(())
    }

    /// Friend-adds, taps, people who come and go: lines of the transcript that are no messages.
    async fn other(&self, tx: &mut Tx, a: &Arrival<'_>) -> DbResult<()> {
        let name = a.event.event_type.as_deref().unwrap_or("unknown");
        let mut content = event_content(name);
        match &a.event.kind {
            EventKind::Follow { is_unblocked } => put(&mut content, "is_unblocked", json!(is_unblocked)),
            EventKind::Postback(postback) => {
                put(&mut content, "data", json!(postback.data));
                let params: serde_json::Map<String, Value> =
                    postback.params.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                if !params.is_empty() {
                    put(&mut content, "params", Value::Object(params));
                }
            }
            EventKind::MemberJoined { user_ids } | EventKind::MemberLeft { user_ids } => {
                let mut members = Vec::new();
                for user in user_ids {
                    let act = Act::Group;
                    let seen = contacts::service::see(
                        tx,
                        a.hub,
                        &a.tenant,
                        &a.account,
                        user.as_str(),
                        act,
                        a.entry.event_at,
                    )
                    .await?;
                    if contacts::service::wants_profile(&seen, a.now) {
                        let group = Some((a.kind.as_str(), a.external_id.as_str()));
                        contacts::jobs::fetch_profile(tx, a.hub, &seen, group).await?;
                    }
                    members.push(json!(seen.id.as_str()));
                }
                put(&mut content, "members", Value::Array(members));
            }
            EventKind::Join => {
                write::set_presence(tx, &a.conversation, a.entry.event_at, false, a.now).await?;
            }
            EventKind::Leave => {
                write::set_presence(tx, &a.conversation, a.entry.event_at, true, a.now).await?;
            }
            _ => {}
        }
        let id: MessageId = a.hub.id();
        let new =
            write::NewMessage { kind: "event", content: Some(content.to_string()), ..blank_message(a, &id) };
        if write::add(tx, &new).await?.is_some() {
            write::stirred(tx, &a.conversation, a.at, a.now).await?;
            self.tell(a, "message", id.as_str());
        }
        Ok(())
    }

    /// A message is in its place: the conversation waits, unless nobody has to answer it.
    async fn arrived(
        &self,
        tx: &mut Tx,
        a: &Arrival<'_>,
        id: &MessageId,
        added: write::Added,
    ) -> DbResult<()> {
        if added.unsent || a.event.mode == Mode::Standby {
            write::stirred(tx, &a.conversation, a.at, a.now).await?;
            write::set_last(tx, &a.conversation).await?;
        } else {
            write::received(tx, &a.conversation, id, a.at, a.now).await?;
        }
        self.tell(a, "message", id.as_str());
        Ok(())
    }
}

impl Consumer for Inbox {
    fn name(&self) -> &'static str {
        "inbox"
    }

    fn handle<'a>(&'a self, tx: &'a mut Tx, entry: &'a Entry) -> BoxFuture<'a, Result<(), EventError>> {
        self.process(tx, entry).boxed()
    }

    fn settled(&self, committed: bool) {
        let notices = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
        if committed && !notices.is_empty() {
            for notice in notices {
                self.hub.live.publish(notice);
            }
            self.hub.jobs.wake();
        }
    }
}

fn put(content: &mut Value, name: &str, value: Value) {
    if let Some(object) = content.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Where an event happened: kind, id of the person or group, and the person who did it.
fn place(source: &Source) -> Option<(Kind, String, Option<String>)> {
    let user = |id: &Option<line_api::ids::UserId>| id.as_ref().map(|id| id.as_str().to_owned());
    match source {
        Source::User { user_id } => {
            let user = user(user_id)?;
            Some((Kind::User, user.clone(), Some(user)))
        }
        Source::Group { group_id, user_id } => {
            Some((Kind::Group, group_id.as_str().to_owned(), user(user_id)))
        }
        Source::Room { room_id, user_id } => Some((Kind::Room, room_id.as_str().to_owned(), user(user_id))),
        Source::Unknown { .. } => None,
    }
}

fn external_media(content: &Value) -> bool {
    content.pointer("/contentProvider/originalContentUrl").is_some_and(Value::is_string)
}

fn blank_message<'a>(a: &'a Arrival<'_>, id: &'a MessageId) -> write::NewMessage<'a> {
    write::NewMessage {
        id,
        tenant: &a.tenant,
        account: &a.account,
        conversation: &a.conversation,
        contact: a.contact.as_ref().map(|contact| &contact.id),
        inbound: true,
        origin: "contact",
        sender: None,
        external_id: None,
        kind: "event",
        content: None,
        content_at: a.entry.event_at,
        sort_at: a.at,
        edited_at: None,
        image_set_id: None,
        quote_token: None,
        read_token: None,
        standby: a.event.mode == Mode::Standby,
        position: Some(a.entry.position),
        now: a.now,
    }
}

/// Keeps the event's reply token, with the system whose it is.
async fn remember_token(tx: &mut Tx, a: &Arrival<'_>, owner: Option<&DestinationId>) -> DbResult<()> {
    let Some(token) = &a.event.reply_token else { return Ok(()) };
    let token = NewToken {
        tenant: &a.tenant,
        account: &a.account,
        conversation: &a.conversation,
        token,
        position: a.entry.position,
        event_at: a.entry.event_at,
        received_at: a.entry.received_at,
        redelivered: a.entry.redelivered,
        owner,
    };
    outbox::service::remember_token(tx, &token).await
}

fn new_message<'a>(
    a: &'a Arrival<'_>,
    id: &'a MessageId,
    message: &'a LineMessage,
    content: String,
    edited_at: Option<Timestamp>,
) -> write::NewMessage<'a> {
    write::NewMessage {
        external_id: Some(message.id.as_str()),
        kind: message.kind(),
        content: Some(content),
        edited_at,
        image_set_id: message.image_set().map(|set| set.id.as_str()),
        quote_token: message.quote_token.as_deref(),
        read_token: message.mark_as_read_token.as_deref(),
        ..blank_message(a, id)
    }
}
