//! Conversations, messages, and the rules that need no database.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::{AccountId, ContactId, ConversationId, MessageId, TenantId};

/// Who stands on the other side of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One person.
    User,
    /// A group.
    Group,
    /// A multi-person chat of the old kind.
    Room,
}

impl Kind {
    /// `user`, `group` or `room`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Room => "room",
        }
    }

    /// Reads [`Kind::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Room].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whether anybody has to look at a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Yes.
    Open,
    /// Later: at a time, or with the next message.
    Snoozed,
    /// Done; a new message opens it again.
    Closed,
}

impl State {
    /// `open`, `snoozed` or `closed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Snoozed => "snoozed",
            Self::Closed => "closed",
        }
    }

    /// Reads [`State::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Snoozed, Self::Closed].into_iter().find(|state| state.as_str() == text)
    }
}

/// A conversation as a list shows it.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The hub's id.
    pub id: ConversationId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The account.
    pub account_id: AccountId,
    /// `line`.
    pub messenger: String,
    /// Person, group or room.
    pub kind: Kind,
    /// The messenger's id of the person, group or room.
    pub external_id: String,
    /// The person; `None` for groups and rooms.
    pub contact: Option<ContactSummary>,
    /// A group's name.
    pub title: Option<String>,
    /// A group's picture.
    pub picture_url: Option<String>,
    /// Open, snoozed or closed.
    pub state: State,
    /// When a snooze ends; `None` means "with the next message".
    pub snoozed_until: Option<Timestamp>,
    /// Who is responsible: the user's id and name.
    pub assignee: Option<(String, String)>,
    /// Since when the other side waits for an answer.
    pub unanswered_since: Option<Timestamp>,
    /// Messages that nobody has looked at.
    pub unread_count: i64,
    /// The newest message.
    pub last_message: Option<LastMessage>,
    /// What the list is ordered by, newest first.
    pub activity_at: Timestamp,
    /// Held by a module channel: LINE lets nobody else send.
    pub standby: bool,
    /// When the account left the group.
    pub left_at: Option<Timestamp>,
    /// A group of an account whose groups are hidden: in no list, and nothing can be sent (S2-21).
    pub hidden: bool,
    /// Until when an answer is free, if it still is.
    pub free_until: Option<Timestamp>,
}

/// Of a contact, what a list shows.
#[derive(Debug, Clone)]
pub struct ContactSummary {
    /// The hub's id.
    pub id: ContactId,
    /// The name, once known.
    pub display_name: Option<String>,
    /// The picture.
    pub picture_url: Option<String>,
    /// A friend now.
    pub following: Option<bool>,
    /// Since when they block the account.
    pub blocked_at: Option<Timestamp>,
}

/// Of the newest message, what a list shows.
#[derive(Debug, Clone)]
pub struct LastMessage {
    /// The hub's id.
    pub id: MessageId,
    /// Whether the other side wrote it.
    pub inbound: bool,
    /// The content; `None` when unsent.
    pub content: Option<Value>,
    /// When.
    pub at: Timestamp,
}

/// One line of a transcript.
#[derive(Debug, Clone)]
pub struct Message {
    /// The hub's id.
    pub id: MessageId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The account.
    pub account_id: AccountId,
    /// Who wrote it, on the other side: contact id, name, picture.
    pub contact: Option<(String, Option<String>, Option<String>)>,
    /// Whether the other side wrote it.
    pub inbound: bool,
    /// contact, agent, automation, campaign, api, proxy or system.
    pub origin: String,
    /// The user or key that sent it.
    pub sender_id: Option<String>,
    /// Their name at that time.
    pub sender_name: Option<String>,
    /// LINE's `type`, or `event`.
    pub kind: String,
    /// LINE's message object; `None` when unsent.
    pub content: Option<Value>,
    /// The place in the transcript, with the id.
    pub sort_at: Timestamp,
    /// When LINE took it.
    pub sent_at: Option<Timestamp>,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// When it was taken back.
    pub unsent_at: Option<Timestamp>,
    /// Pictures that were sent at once share this.
    pub image_set_id: Option<String>,
    /// Seen only: another channel answers here.
    pub standby: bool,
    /// How the media stands: state, content type, size in bytes, file name.
    pub media: Option<Media>,
    /// How the sending stands.
    pub delivery: Option<Delivery>,
    /// What it said before it was edited, oldest first.
    pub versions: Vec<(Timestamp, Value)>,
}

/// The media of a message.
#[derive(Debug, Clone)]
pub struct Media {
    /// waiting, kept, gone or failed.
    pub state: String,
    /// Where it lies.
    pub blob_key: Option<String>,
    /// As LINE told it, checked by a look at the first bytes.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: Option<i64>,
    /// The name of a file.
    pub file_name: Option<String>,
}

/// The sending of a message, as the outbox tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// queued, sent, failed or unknown.
    pub state: String,
    /// reply or push.
    pub via: Option<String>,
    /// Messages of the month's quota that it cost.
    pub cost: i64,
    /// Why it failed: code and words.
    pub error: Option<(String, String)>,
}

/// The place of an inbound message: the earlier of LINE's time and our receipt (CONTRACT "Messages").
#[must_use]
pub fn inbound_sort(event_at: Timestamp, received_at: Timestamp) -> Timestamp {
    event_at.min(received_at)
}

/// A line of the transcript that is no message: `{"type":"event","event":…}`.
#[must_use]
pub fn event_content(event: &str) -> Value {
    json!({ "type": "event", "event": event })
}

/// Whether a message's media lies at LINE and must be fetched; by its content object (PLATFORM 16).
#[must_use]
pub fn media_at_line(content: &Value) -> bool {
    let kind = content.get("type").and_then(Value::as_str).unwrap_or_default();
    let provider = content.pointer("/contentProvider/type").and_then(Value::as_str);
    match kind {
        // A file has no contentProvider: LINE always holds it.
        "file" => true,
        "image" | "video" | "audio" => provider != Some("external"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_that_line_holds() {
        // PLATFORM 16: contentProvider {type line/external}; files have none.
        let held = |value: Value| media_at_line(&value);
        assert!(held(json!({"type":"image","contentProvider":{"type":"line"}})));
        assert!(held(json!({"type":"file","fileName":"a.pdf"})));
        assert!(!held(json!({"type":"video","contentProvider":{"type":"external"}})));
        assert!(!held(json!({"type":"text"})));
    }

    #[test]
    fn an_inbound_message_stands_at_the_earlier_time() {
        assert_eq!(inbound_sort(Timestamp(5), Timestamp(9)), Timestamp(5));
        assert_eq!(inbound_sort(Timestamp(20), Timestamp(9)), Timestamp(9));
    }
}
