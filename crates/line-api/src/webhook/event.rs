//! One event, decoded (PLATFORM 16).

use std::borrow::Cow;

use serde_json::Value;

use super::{
    content::Message,
    envelope::{EventHead, SourceHead},
    fields::{Fields, Reason},
    text::decode,
};
use crate::ids::{GroupId, MessageId, RoomId, UserId, WebhookEventId};

/// A webhook event: the common fields, what happened, and the JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `type` as LINE sent it, e.g. `message`; none if missing or not a text.
    pub event_type: Option<String>,
    /// `webhookEventId`, the same again on redelivery.
    pub id: Option<WebhookEventId>,
    /// `timestamp`: when it happened, in ms since 1970; a redelivery keeps it.
    pub timestamp: Option<i64>,
    /// `mode`.
    pub mode: Mode,
    /// `source`; some events have none.
    pub source: Option<Source>,
    /// `deliveryContext.isRedelivery`; false if missing.
    pub is_redelivery: bool,
    /// `replyToken`: opaque, one use, within a minute (PLATFORM 17).
    pub reply_token: Option<String>,
    /// What happened.
    pub kind: EventKind,
    /// The event as LINE sent it, with U+0000 and unpaired surrogates replaced; `null` if it could not be
    /// decoded.
    pub value: Value,
}

/// `mode`: whether the bot may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The ordinary case.
    Active,
    /// Another channel holds the chat; the bot must not send.
    Standby,
    /// Missing, or a value that is not known.
    Unknown,
}

/// `source`: where it happened, and who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A chat with one person.
    User {
        /// Missing for people without consent.
        user_id: Option<UserId>,
    },
    /// A group chat.
    Group {
        /// The group.
        group_id: GroupId,
        /// Who did it; only in events caused by a person, and missing for people without consent.
        user_id: Option<UserId>,
    },
    /// A multi-person chat.
    Room {
        /// The room.
        room_id: RoomId,
        /// Who did it; as in groups.
        user_id: Option<UserId>,
    },
    /// A type that is not known, or a group or room without its id.
    Unknown {
        /// Who did it, if LINE tells.
        user_id: Option<UserId>,
    },
}

/// What happened, by `type`.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// `message`.
    Message(Message),
    /// `messageEdited`: the new version of a text, under the same id; may come before the version it
    /// replaces.
    MessageEdited(Message),
    /// `unsend`.
    Unsend {
        /// The message that was taken back.
        message_id: MessageId,
    },
    /// `follow`: added as a friend.
    Follow {
        /// Whether it lifts a block; LINE calls this not fully reliable.
        is_unblocked: bool,
    },
    /// `unfollow`: blocked.
    Unfollow,
    /// `join`: the bot came into a group or room.
    Join,
    /// `leave`: the bot left or was removed.
    Leave,
    /// `memberJoined`.
    MemberJoined {
        /// Who came; without people who did not consent.
        user_ids: Vec<UserId>,
    },
    /// `memberLeft`.
    MemberLeft {
        /// Who left; without people who did not consent.
        user_ids: Vec<UserId>,
    },
    /// `postback`.
    Postback(Postback),
    /// `videoPlayComplete`; may repeat.
    VideoPlayComplete {
        /// The id given to the video when it was sent.
        tracking_id: String,
    },
    /// `beacon`.
    Beacon(Beacon),
    /// `accountLink`.
    AccountLink {
        /// Whether it worked.
        result: LinkResult,
        /// The caller's own number used once.
        nonce: String,
    },
    /// `membership`.
    Membership {
        /// What happened to it.
        change: MembershipChange,
        /// The membership; a number at LINE.
        membership_id: i64,
    },
    /// `delivery`: a notification message (PNP) reached a telephone.
    Delivery {
        /// SHA-256 of the telephone number, or the caller's delivery tag.
        data: String,
    },
    /// `module`: a module channel was attached or detached.
    Module {
        /// The account's bot user.
        bot_id: UserId,
        /// Which of the two.
        change: ModuleChange,
    },
    /// `activated`: this module channel holds the chat now.
    Activated {
        /// Until when, in ms since 1970.
        expire_at: i64,
    },
    /// `deactivated`: this module channel holds the chat no longer.
    Deactivated,
    /// `botSuspended`: the account was suspended.
    BotSuspended,
    /// `botResumed`: the account is no longer suspended.
    BotResumed,
    /// A `type` that is not known.
    Unknown,
    /// A known `type` without the fields it needs, or JSON that cannot be decoded.
    Malformed {
        /// What is wrong; speaks of fields, never of their content.
        reason: String,
    },
}

/// `postback`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postback {
    /// The action's data.
    pub data: String,
    /// `params`: `date`, `time` or `datetime` of a date picker; `newRichMenuAliasId` and `status` of a menu
    /// switch.
    pub params: Vec<(String, String)>,
}

impl Postback {
    /// The value of one of `params`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// `beacon`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beacon {
    /// Hardware id.
    pub hwid: String,
    /// What happened.
    pub kind: BeaconKind,
    /// `dm`: the device's message, in hex.
    pub device_message: Option<String>,
}

/// `beacon.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeaconKind {
    /// Came into range.
    Enter,
    /// Tapped the banner.
    Banner,
    /// Is still in range; repeats, at least 10 s apart.
    Stay,
    /// A value that is not known.
    Unknown,
}

/// `link.result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkResult {
    /// Linked.
    Ok,
    /// Not linked; such an event has neither source nor reply token. Also any value that is not known.
    Failed,
}

/// `membership.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipChange {
    /// Joined.
    Joined,
    /// Left.
    Left,
    /// Renewed.
    Renewed,
    /// A value that is not known.
    Unknown,
}

/// `module.type`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleChange {
    /// Attached.
    Attached {
        /// What the account's owner allowed.
        scopes: Vec<String>,
    },
    /// Detached.
    Detached {
        /// Why, e.g. `bot_deleted`.
        reason: Option<String>,
    },
    /// A value that is not known.
    Unknown,
}

impl Event {
    /// Decodes one event, given as JSON text such as [`RawEvent::raw`](super::RawEvent::raw). Never fails:
    /// see the module's description.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let head = EventHead::parse(raw);
        let (kind, value) = match decode(raw) {
            Ok(value) => (EventKind::read(&value), value),
            Err(reason) => (EventKind::Malformed { reason }, Value::Null),
        };
        Self {
            event_type: head.kind.map(Cow::into_owned),
            id: id(head.id),
            timestamp: head.timestamp,
            mode: match head.mode.as_deref() {
                Some("active") => Mode::Active,
                Some("standby") => Mode::Standby,
                _ => Mode::Unknown,
            },
            source: Source::read(head.source),
            is_redelivery: head.is_redelivery,
            reply_token: head.reply_token.map(Cow::into_owned),
            kind,
            value,
        }
    }

    /// Who did it, if LINE tells.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        self.source.as_ref().and_then(Source::user_id)
    }

    /// The message of a `message` or `messageEdited` event.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match &self.kind {
            EventKind::Message(message) | EventKind::MessageEdited(message) => Some(message),
            _ => None,
        }
    }
}

impl Source {
    fn read(head: SourceHead<'_>) -> Option<Self> {
        let user_id = id(head.user_id);
        Some(match (head.kind?.as_ref(), id(head.group_id), id(head.room_id)) {
            ("user", ..) => Self::User { user_id },
            ("group", Some(group_id), _) => Self::Group { group_id, user_id },
            ("room", _, Some(room_id)) => Self::Room { room_id, user_id },
            _ => Self::Unknown { user_id },
        })
    }

    /// Who did it, if LINE tells.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::User { user_id }
            | Self::Group { user_id, .. }
            | Self::Room { user_id, .. }
            | Self::Unknown { user_id } => user_id.as_ref(),
        }
    }

    /// The id to which a push into this chat is addressed: that of the group or room, else that of the
    /// person.
    #[must_use]
    pub fn chat_id(&self) -> Option<&str> {
        match self {
            Self::Group { group_id, .. } => Some(group_id.as_str()),
            Self::Room { room_id, .. } => Some(room_id.as_str()),
            Self::User { user_id } | Self::Unknown { user_id } => user_id.as_ref().map(UserId::as_str),
        }
    }
}

impl EventKind {
    fn read(event: &Value) -> Self {
        Self::try_read(event).unwrap_or_else(|reason| Self::Malformed { reason })
    }

    fn try_read(event: &Value) -> Result<Self, Reason> {
        if !event.is_object() {
            return Err("not an object".to_owned());
        }
        let fields = Fields::of(event, "");
        let message =
            || event.get("message").ok_or_else(|| "no object `message`".to_owned()).and_then(Message::read);
        Ok(match fields.text("type")?.as_str() {
            "message" => Self::Message(message()?),
            "messageEdited" => Self::MessageEdited(message()?),
            "unsend" => Self::Unsend { message_id: fields.object("unsend")?.id("messageId")? },
            "follow" => Self::Follow {
                is_unblocked: fields
                    .maybe_object("follow")
                    .and_then(|follow| follow.flag("isUnblocked"))
                    .unwrap_or(false),
            },
            "unfollow" => Self::Unfollow,
            "join" => Self::Join,
            "leave" => Self::Leave,
            "memberJoined" => Self::MemberJoined { user_ids: members(fields.object("joined")?) },
            "memberLeft" => Self::MemberLeft { user_ids: members(fields.object("left")?) },
            "postback" => Self::Postback(Postback::read(fields.object("postback")?)?),
            "videoPlayComplete" => Self::VideoPlayComplete {
                tracking_id: fields.object("videoPlayComplete")?.text("trackingId")?,
            },
            "beacon" => Self::Beacon(Beacon::read(fields.object("beacon")?)?),
            "accountLink" => Self::account_link(fields.object("link")?)?,
            "membership" => Self::membership(fields.object("membership")?)?,
            "delivery" => Self::Delivery { data: fields.object("delivery")?.text("data")? },
            "module" => Self::module(fields.object("module")?)?,
            "activated" => Self::Activated { expire_at: fields.object("chatControl")?.integer("expireAt")? },
            "deactivated" => Self::Deactivated,
            "botSuspended" => Self::BotSuspended,
            "botResumed" => Self::BotResumed,
            _ => Self::Unknown,
        })
    }

    fn account_link(link: Fields<'_>) -> Result<Self, Reason> {
        let result = if link.text("result")? == "ok" { LinkResult::Ok } else { LinkResult::Failed };
        Ok(Self::AccountLink { result, nonce: link.text("nonce")? })
    }

    fn membership(membership: Fields<'_>) -> Result<Self, Reason> {
        let change = match membership.text("type")?.as_str() {
            "joined" => MembershipChange::Joined,
            "left" => MembershipChange::Left,
            "renewed" => MembershipChange::Renewed,
            _ => MembershipChange::Unknown,
        };
        Ok(Self::Membership { change, membership_id: membership.integer("membershipId")? })
    }

    fn module(module: Fields<'_>) -> Result<Self, Reason> {
        let change = match module.text("type")?.as_str() {
            "attached" => ModuleChange::Attached { scopes: module.texts("scopes") },
            "detached" => ModuleChange::Detached { reason: module.maybe_text("reason") },
            _ => ModuleChange::Unknown,
        };
        Ok(Self::Module { bot_id: module.id("botId")?, change })
    }
}

impl Postback {
    fn read(fields: Fields<'_>) -> Result<Self, Reason> {
        let params = fields.maybe_object("params").into_iter().flat_map(Fields::pairs);
        Ok(Self {
            data: fields.text("data")?,
            params: params.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        })
    }
}

impl Beacon {
    fn read(fields: Fields<'_>) -> Result<Self, Reason> {
        Ok(Self {
            hwid: fields.text("hwid")?,
            kind: match fields.text("type")?.as_str() {
                "enter" => BeaconKind::Enter,
                "banner" => BeaconKind::Banner,
                "stay" => BeaconKind::Stay,
                _ => BeaconKind::Unknown,
            },
            device_message: fields.maybe_text("dm"),
        })
    }
}

fn id<Id: From<String>>(text: Option<Cow<'_, str>>) -> Option<Id> {
    text.map(|text| text.into_owned().into())
}

fn members(fields: Fields<'_>) -> Vec<UserId> {
    fields.objects("members").filter_map(|member| member.maybe_id("userId")).collect()
}
