//! What people do with their phones: follow, block, write, edit, tap, unsend, read. Each act changes the world and tells the
//! account's webhook. The control API and the phone page both act through here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem};
use crate::events::{Kind, Origin, Queued, message_content};
use crate::messages::{Content, Message, NewMessage, Via, compact};
use crate::sends::Act;
use crate::world::{Chat, World};

/// A message that a phone sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) queued: Queued,
}

/// What a phone sends, read and checked.
#[derive(Debug)]
pub(crate) struct Draft {
    value: Value,
    content: Option<Content>,
}

impl Inner {
    /// Adds the account as a friend, or lifts the block; already friends changes nothing.
    pub(crate) fn follow(&self, person: u64, channel_id: &str) -> Queued {
        let mut world = self.world();
        let Some(channel) = world.channels.get_mut(channel_id) else { return Queued::nothing() };
        let bond = channel.bonds.entry(person).or_default();
        if bond.following {
            return Queued::nothing();
        }
        let unblocked = std::mem::replace(&mut bond.blocked, false);
        bond.following = true;
        let now = self.clock.now();
        let first = bond.followed_at.replace(now).is_none();
        let known = world.people.get(&person).is_some_and(|person| person.traits.is_reached());
        world.sends.stand(channel_id, now, |day| {
            day.followers += u64::from(first);
            day.reaches += u64::from(known);
            day.blocks = day.blocks.saturating_sub(u64::from(unblocked));
        });
        let origin = Origin { chat: Chat::single(channel_id, person), person: Some(person) };
        let fields = json!({ "follow": { "isUnblocked": unblocked } });
        let queued =
            self.emit(&mut world, channel_id, origin, Kind { name: "follow", replyable: true, fields });
        self.greet(&mut world, channel_id, person);
        drop(world);
        self.changed(vec![person]);
        queued
    }

    /// Blocks the account; a second block changes nothing.
    pub(crate) fn unfollow(&self, person: u64, channel_id: &str) -> Queued {
        let mut world = self.world();
        let Some(channel) = world.channels.get_mut(channel_id) else { return Queued::nothing() };
        let bond = channel.bonds.entry(person).or_default();
        if !bond.following {
            return Queued::nothing();
        }
        bond.following = false;
        bond.blocked = true;
        world.rich_menus.settled(channel_id, self.clock.now()).forget(person);
        let known = world.people.get(&person).is_some_and(|person| person.traits.is_reached());
        world.sends.stand(channel_id, self.clock.now(), |day| {
            day.blocks += 1;
            day.reaches = day.reaches.saturating_sub(u64::from(known));
        });
        let origin = Origin { chat: Chat::single(channel_id, person), person: Some(person) };
        let kind = Kind { name: "unfollow", replyable: false, fields: json!({}) };
        let queued = self.emit(&mut world, channel_id, origin, kind);
        drop(world);
        self.changed(vec![person]);
        queued
    }

    /// Sends a message into the person's chat with the account, or into a group.
    pub(crate) fn write(
        &self,
        person: u64,
        channel_id: &str,
        group: Option<String>,
        draft: Draft,
        hide_user_id: bool,
    ) -> Result<Sent, Problem> {
        let mut world = self.world();
        let now = self.clock.now();
        let chat = self.open_chat(&mut world, person, channel_id, group)?;
        if let Some(quoted) = draft.value.get("quotedMessageId").and_then(Value::as_str)
            && world.messages.find(quoted).and_then(|quoted| world.messages.chat_of(quoted)) != Some(&chat)
        {
            return Err(Problem::field("message.quotedMessageId", "is not a message of this chat"));
        }
        let auto_read = world
            .channels
            .get(channel_id)
            .is_some_and(|channel| channel.settings.mark_as_read_mode == "auto");
        let id = self.ids.message_id(now);
        world.messages.add(NewMessage {
            id,
            channel: channel_id,
            chat: &chat,
            author: Some(person),
            text: compact(&draft.value),
            at: now,
            via: Via::Phone,
            read: auto_read,
            content: draft.content,
        });
        let content = world.messages.get(id).map(message_content);
        let fields = json!({ "message": content });
        let viewers = world.viewers(&chat);
        let alone = matches!(chat, Chat::Single { .. });
        let origin = Origin { chat, person: (!hide_user_id).then_some(person) };
        let queued =
            self.emit(&mut world, channel_id, origin, Kind { name: "message", replyable: true, fields });
        if alone {
            let text = draft.value.get("text").and_then(Value::as_str);
            self.auto_reply(&mut world, channel_id, person, text);
        }
        drop(world);
        self.changed(viewers);
        Ok(Sent { message_id: id.to_string(), queued })
    }

    /// Sends a message to another person; no account hears of it.
    pub(crate) fn write_to_person(&self, person: u64, other: u64, draft: Draft) -> Result<u64, Problem> {
        if person == other {
            return Err(Problem::field("to", "is the person who writes"));
        }
        let Draft { value, content } = draft;
        Ok(self.keep(person, "", &Chat::pair(person, other), &value, content))
    }

    /// Puts a person's message into a chat without telling any account. Gives the message ID.
    pub(crate) fn keep(
        &self,
        person: u64,
        channel_id: &str,
        chat: &Chat,
        value: &Value,
        content: Option<Content>,
    ) -> u64 {
        let now = self.clock.now();
        let mut world = self.world();
        let id = self.ids.message_id(now);
        world.messages.add(NewMessage {
            id,
            channel: channel_id,
            chat,
            author: Some(person),
            text: compact(value),
            at: now,
            via: Via::Phone,
            read: false,
            content,
        });
        let viewers = world.viewers(chat);
        drop(world);
        self.changed(viewers);
        id
    }

    /// Changes the text of a message sent into a group; LINE allows it nowhere else (PLATFORM 16).
    pub(crate) fn edit(&self, person: u64, message_id: &str, text: &str) -> Result<Queued, Problem> {
        let mut world = self.world();
        let Own { message, chat, channel } = own_message(&mut world, person, message_id)?;
        if !matches!(chat, Chat::Group(_)) {
            return Err(Problem::field("messageId", "only messages in groups can be edited"));
        }
        if message.value().get("type").and_then(Value::as_str) != Some("text") {
            return Err(Problem::field("messageId", "only text messages can be edited"));
        }
        message.set_value(&json!({ "type": "text", "text": text }));
        message.edited = true;
        let mut content = message_content(message);
        if let Some(content) = content.as_object_mut() {
            content.remove("markAsReadToken");
        }
        let viewers = world.viewers(&chat);
        let origin = Origin { chat, person: Some(person) };
        let fields = json!({ "message": content });
        let queued = self.emit_where_heard(
            &mut world,
            &channel,
            origin,
            Kind { name: "messageEdited", replyable: true, fields },
        );
        drop(world);
        self.changed(viewers);
        Ok(queued)
    }

    /// Taps a postback action; its display text appears in the chat without an event of its own.
    pub(crate) fn postback(
        &self,
        person: u64,
        channel_id: &str,
        group: Option<String>,
        postback: Value,
        display_text: Option<String>,
    ) -> Result<Queued, Problem> {
        let mut world = self.world();
        let now = self.clock.now();
        let chat = self.open_chat(&mut world, person, channel_id, group)?;
        if let Some(text) = display_text.filter(|text| !text.is_empty()) {
            world.messages.add(NewMessage {
                id: self.ids.message_id(now),
                channel: channel_id,
                chat: &chat,
                author: Some(person),
                text: compact(&json!({ "type": "text", "text": text })),
                at: now,
                via: Via::Postback,
                read: true,
                content: None,
            });
        }
        let viewers = world.viewers(&chat);
        let origin = Origin { chat, person: Some(person) };
        let fields = Value::Object(Map::from_iter([("postback".to_owned(), postback)]));
        let queued =
            self.emit(&mut world, channel_id, origin, Kind { name: "postback", replyable: true, fields });
        drop(world);
        self.changed(viewers);
        Ok(queued)
    }

    /// Takes a message back; its content is gone from then on (PLATFORM 6: 410).
    pub(crate) fn unsend(&self, person: u64, message_id: &str) -> Result<Queued, Problem> {
        let mut world = self.world();
        let Own { message, chat, channel } = own_message(&mut world, person, message_id)?;
        if message.via != Via::Phone {
            return Err(Problem::field("messageId", "a tapped button's text cannot be taken back"));
        }
        message.unsent = true;
        message.set_value(&json!({ "type": message.value().get("type") }));
        if let Some(content) = &mut message.content {
            content.bytes = Bytes::new();
        }
        let viewers = world.viewers(&chat);
        let origin = Origin { chat, person: Some(person) };
        let fields = json!({ "unsend": { "messageId": message_id } });
        let queued = self.emit_where_heard(
            &mut world,
            &channel,
            origin,
            Kind { name: "unsend", replyable: false, fields },
        );
        drop(world);
        self.changed(viewers);
        Ok(queued)
    }

    /// Tells the account, unless it has left the group: what happens there is nothing to it any more.
    fn emit_where_heard(&self, world: &mut World, channel: &str, origin: Origin, kind: Kind) -> Queued {
        match &origin.chat {
            Chat::Group(id) if world.groups.get(id).is_none_or(|group| !group.bot_inside) => {
                Queued::nothing()
            }
            _ => self.emit(world, channel, origin, kind),
        }
    }

    /// Opens the chat: the account's messages count as read. LINE has no event for it. Gives how many were unread.
    pub(crate) fn read(&self, person: u64, channel_id: &str) -> usize {
        let mut world = self.world();
        let chat = Chat::single(channel_id, person);
        let mut seen = Vec::new();
        world.messages.change_back(&chat, |message| {
            if message.author.is_none() && !message.read {
                message.read = true;
                seen.push(message.id);
            }
            true
        });
        let (count, now) = (seen.len(), self.clock.now());
        for message in seen {
            world.sends.react(person, message, Act::Seen, now);
        }
        drop(world);
        if count > 0 {
            self.changed(vec![person]);
        }
        count
    }

    /// The chat an act happens in. A blocked account cannot be written to; writing without friendship is allowed.
    fn open_chat(
        &self,
        world: &mut World,
        person: u64,
        channel_id: &str,
        group: Option<String>,
    ) -> Result<Chat, Problem> {
        if let Some(group) = group {
            return Ok(Chat::Group(group));
        }
        let now = self.clock.now();
        let channel = world
            .channels
            .get_mut(channel_id)
            .ok_or_else(|| Problem::field("channelId", format!("there is no channel {channel_id}")))?;
        let bond = channel.bonds.entry(person).or_default();
        if bond.blocked {
            return Err(Problem::conflict("the person has blocked this account; follow again first"));
        }
        bond.wrote_at = Some(now);
        Ok(Chat::single(channel_id, person))
    }
}

/// A person's own message and where it stands.
struct Own<'w> {
    message: &'w mut Message,
    chat: Chat,
    channel: String,
}

/// A message that the person wrote and has not taken back.
fn own_message<'w>(world: &'w mut World, person: u64, message_id: &str) -> Result<Own<'w>, Problem> {
    let unknown = || Problem::field("messageId", format!("there is no message {message_id}"));
    let message = world.messages.find(message_id).ok_or_else(unknown)?;
    let (id, chat) = (message.id, world.messages.chat_of(message).cloned().ok_or_else(unknown)?);
    let channel = world.messages.channel_of(message).to_owned();
    match world.messages.get_mut(id).ok_or_else(unknown)? {
        message if message.author != Some(person) => {
            Err(Problem::field("messageId", "is not a message of this person"))
        }
        message if message.unsent => Err(Problem::field("messageId", "has been taken back")),
        message => Ok(Own { message, chat, channel }),
    }
}

/// Texts longer than this cannot be typed into LINE (PLATFORM 19).
const TEXT_LIMIT: usize = 5_000;

impl Draft {
    /// A plain text, as a tapped button sends it.
    pub(crate) fn text(text: &str) -> Self {
        Self { value: json!({ "type": "text", "text": text }), content: None }
    }

    /// Reads the `message` object of `POST /users/{user}/messages`. `now` is when LINE receives it.
    pub(crate) fn read(fields: &Fields, now: i64) -> Result<Self, Problem> {
        let kinds = ["text", "sticker", "image", "video", "audio", "file", "location"];
        let kind = fields.word("type", &kinds)?.ok_or_else(|| Problem::field("type", "is missing"))?;
        let mut value = Map::new();
        value.insert("type".into(), kind.as_str().into());
        let mut content = None;
        match kind.as_str() {
            "text" => {
                let text = fields.text("text")?;
                if text.encode_utf16().count() > TEXT_LIMIT {
                    return Err(Problem::field("text", "must not be longer than 5000 characters"));
                }
                value.insert("text".into(), text.into());
                copy(fields, &mut value, &["emojis", "mention", "quotedMessageId"]);
            }
            "sticker" => {
                value.insert("packageId".into(), fields.text("packageId")?.into());
                value.insert("stickerId".into(), fields.text("stickerId")?.into());
                let kind = fields.optional_text("stickerResourceType")?.unwrap_or_else(|| "STATIC".into());
                value.insert("stickerResourceType".into(), kind.into());
                copy(fields, &mut value, &["keywords", "text", "quotedMessageId"]);
            }
            "location" => {
                for (field, bound) in [("latitude", 90.0), ("longitude", 180.0)] {
                    let degrees = fields.number(field)?.ok_or_else(|| Problem::field(field, "is missing"))?;
                    if degrees.abs() > bound {
                        return Err(Problem::field(field, format!("must lie between -{bound} and {bound}")));
                    }
                    value.insert(field.into(), degrees.into());
                }
                copy(fields, &mut value, &["title", "address"]);
            }
            _ => content = Self::read_media(fields, &kind, &mut value, now)?,
        }
        Ok(Self { value: Value::Object(value), content })
    }

    fn read_media(
        fields: &Fields,
        kind: &str,
        value: &mut Map<String, Value>,
        now: i64,
    ) -> Result<Option<Content>, Problem> {
        if kind == "file" {
            value.insert("fileName".into(), fields.text("fileName")?.into());
        }
        if let Some(duration) = fields.whole("duration")?.filter(|_| matches!(kind, "video" | "audio")) {
            value.insert("duration".into(), duration.into());
        }
        if let Some(set) = fields.value("imageSet").filter(|_| kind == "image") {
            let well_formed = set.get("id").is_some_and(Value::is_string)
                && ["index", "total"].iter().all(|name| set.get(name).is_none_or(Value::is_u64));
            if !well_formed {
                return Err(Problem::field("imageSet", "must be {\"id\", \"index\"?, \"total\"?}"));
            }
            value.insert("imageSet".into(), set.clone());
        }
        if let Some(url) = fields.optional_text("originalContentUrl")?.filter(|_| kind != "file") {
            // As from `liff.sendMessages`: LINE holds no copy (PLATFORM 16).
            let mut provider = json!({ "type": "external", "originalContentUrl": url });
            if let (Some(preview), Some(provider)) =
                (fields.optional_text("previewImageUrl")?, provider.as_object_mut())
            {
                provider.insert("previewImageUrl".into(), preview.into());
            }
            value.insert("contentProvider".into(), provider);
            return Ok(None);
        }
        let base64 = fields.text("contentBase64")?;
        let bytes = STANDARD.decode(base64).map_err(|_| Problem::field("contentBase64", "is not base64"))?;
        if bytes.is_empty() {
            return Err(Problem::field("contentBase64", "must not be empty"));
        }
        if kind == "file" {
            value.insert("fileSize".into(), bytes.len().into());
        } else {
            value.insert("contentProvider".into(), json!({ "type": "line" }));
        }
        let file_name = value.get("fileName").and_then(Value::as_str).unwrap_or_default();
        let content_type = content_type(kind, file_name, &bytes).to_owned();
        let preparing = fields.whole("preparingMs")?.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
        let fails = fields.boolean("preparingFails")?.unwrap_or(false);
        Ok(Some(Content {
            bytes: bytes.into(),
            content_type,
            ready_at: now.saturating_add(preparing),
            fails,
        }))
    }
}

fn copy(fields: &Fields, value: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(field) = fields.value(name) {
            value.insert((*name).to_owned(), field.clone());
        }
    }
}

/// The `Content-Type` under which LINE serves received content (PLATFORM 6).
fn content_type(kind: &str, file_name: &str, bytes: &[u8]) -> &'static str {
    match kind {
        "image" if bytes.starts_with(b"\x89PNG") => "image/png",
        "image" if bytes.starts_with(b"GIF8") => "image/gif",
        "image" => "image/jpeg",
        "video" => "video/mp4",
        "audio" => "audio/x-m4a",
        _ => match file_name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "txt" => "text/plain",
            "pdf" => "application/pdf",
            "csv" => "text/csv",
            "zip" => "application/zip",
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            _ => "application/octet-stream",
        },
    }
}
