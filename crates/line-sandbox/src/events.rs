//! Makes webhook events with every field that strict parsers need (PLATFORM 16) and puts them into the channel's queue.

use serde_json::{Map, Value, json};

use crate::Inner;
use crate::ids::{quote_token, read_token};
use crate::messages::Message;
use crate::webhook::{Parcel, REPLY_TOKEN_MS};
use crate::world::{Chat, ReplyToken, World};

/// No reply token outlives its event longer than this (PLATFORM 17).
const REPLY_TOKEN_FORGOTTEN_MS: i64 = 20 * 60_000;

/// Who or what an event speaks of.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) chat: Chat,
    /// The person named in `source`; `None` for events without one and for people who hide their ID.
    pub(crate) person: Option<u64>,
}

/// What became of an act: the event's ID when one was made, and whether it was queued for the webhook.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) event_id: Option<String>,
    pub(crate) delivered: bool,
}

impl Queued {
    /// An act that changed nothing, so that LINE sends nothing.
    pub(crate) fn nothing() -> Self {
        Self { event_id: None, delivered: false }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({ "webhookEventId": self.event_id, "delivered": self.delivered })
    }
}

/// An event kind with its own fields; replyable kinds carry a reply token (PLATFORM 16).
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) replyable: bool,
    pub(crate) fields: Value,
}

/// To whom an event goes.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    /// The channel whose webhook it is: the account's own, or a module's.
    pub(crate) channel: String,
    /// The account's channel.
    pub(crate) account: String,
    /// Another channel holds the chat, so that the recipient may not answer.
    pub(crate) standby: bool,
}

impl Inner {
    /// Makes the event and queues it for the account's webhook, and for the modules that listen. Exactly one of them holds the chat.
    pub(crate) fn emit(&self, world: &mut World, channel_id: &str, origin: Origin, kind: Kind) -> Queued {
        let now = self.clock.now();
        let modules = world.modules.listeners(channel_id);
        let holder = world.modules.holder(channel_id, &origin.chat, now);
        let recipient = |channel: &str, standby: bool| Recipient {
            channel: channel.to_owned(),
            account: channel_id.to_owned(),
            standby,
        };
        for module in modules {
            let to = recipient(&module, holder != module);
            self.send_event(world, &to, Some(origin.clone()), kind.clone());
        }
        let standby = world.channels.get(channel_id).is_some_and(|channel| channel.settings.standby);
        self.send_event(world, &recipient(channel_id, standby || holder != channel_id), Some(origin), kind)
    }

    /// Queues one channel's event when its webhook is switched on and has an address. Events about no chat have no origin.
    pub(crate) fn send_event(
        &self,
        world: &mut World,
        to: &Recipient,
        origin: Option<Origin>,
        kind: Kind,
    ) -> Queued {
        let now = self.clock.now();
        let source = origin.as_ref().map(|origin| source(world, &to.account, origin));
        let destination = world.bot(&to.account);
        let Some(channel) = world.channels.get(&to.channel) else { return Queued::nothing() };
        let event_id = self.ids.event_id(now);
        let mut event = json!({
            "type": kind.name,
            "mode": if to.standby { "standby" } else { "active" },
            "timestamp": now,
            "webhookEventId": event_id,
            "deliveryContext": { "isRedelivery": false },
        });
        if !channel.settings.use_webhook || channel.endpoint.is_none() {
            // Nothing is sent and nothing is queued (PLATFORM 15).
            return Queued { event_id: Some(event_id), delivered: false };
        }
        let reply_token = (kind.replyable && !to.standby).then(|| self.ids.hex32());
        if let Some(object) = event.as_object_mut() {
            // Only a failed account link says nothing of anybody (PLATFORM 16).
            let silent =
                |origin: &Origin| matches!(origin.chat, Chat::Single { .. }) && origin.person.is_none();
            if let Some(source) = source.filter(|_| !origin.as_ref().is_some_and(silent)) {
                object.insert("source".into(), source);
            }
            if let Value::Object(fields) = kind.fields {
                object.extend(fields);
            }
            // An event of nobody says so by a null; LINE leaves out what has no value (PLATFORM 16).
            if object.get("source").is_some_and(Value::is_null) {
                object.remove("source");
            }
            if let Some(token) = &reply_token {
                object.insert("replyToken".into(), token.clone().into());
            }
        }
        let parcel = Parcel { event, reply_token: reply_token.clone(), destination };
        let sent = channel.outgoing.send(parcel).is_ok();
        if let (Some(token), Some(origin)) = (reply_token, origin) {
            let (channel, chat) = (to.account.clone(), origin.chat);
            let valid_until = now + REPLY_TOKEN_MS;
            let kept = ReplyToken { channel, chat, event_at: now, valid_until, used: false };
            let lives = |token: &ReplyToken| token.event_at + REPLY_TOKEN_FORGOTTEN_MS > now;
            world.reply_tokens.keep(token, kept, lives);
        }
        Queued { event_id: Some(event_id), delivered: sent }
    }
}

/// The `source` of an event (PLATFORM 16).
fn source(world: &World, channel_id: &str, origin: &Origin) -> Value {
    let mut source = match &origin.chat {
        Chat::Single { .. } | Chat::Pair(..) => json!({ "type": "user" }),
        Chat::Group(id) if id.starts_with('R') => json!({ "type": "room", "roomId": id }),
        Chat::Group(id) => json!({ "type": "group", "groupId": id }),
    };
    if let (Some(person), Some(object)) = (origin.person, source.as_object_mut())
        && let Some(user_id) = user_id(world, channel_id, person)
    {
        object.insert("userId".into(), user_id.into());
    }
    source
}

/// A person's user ID as the channel sees it.
pub(crate) fn user_id(world: &World, channel_id: &str, person: u64) -> Option<String> {
    let provider = &world.channels.get(channel_id)?.provider;
    world.people.get(&person)?.user_ids.get(provider).cloned()
}

/// The `message` of a message event, from what the phone sent (PLATFORM 16, message content).
pub(crate) fn message_content(message: &Message) -> Value {
    let mut content = match message.value() {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    content.insert("id".into(), message.id().into());
    content.insert("markAsReadToken".into(), read_token(message.id).into());
    let kind = content.get("type").and_then(Value::as_str).unwrap_or("text");
    if matches!(kind, "text" | "image" | "video" | "sticker") {
        content.insert("quoteToken".into(), quote_token(message.id).into());
    }
    Value::Object(content)
}
