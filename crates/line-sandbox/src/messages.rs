//! The messages of all chats: one list in the order of their ids, which grow. Made for a million of them in little memory: a message
//! names its chat by a number, and what it says is compact JSON text, shared by all who got the same.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::Chat;

/// How a message came into its chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    /// A person wrote it.
    Phone,
    /// The text of a tapped button, which no event tells of.
    Postback,
    Reply,
    Push,
    /// OA Manager answered by itself.
    Manager,
    Multicast,
    Narrowcast,
    Broadcast,
    /// A notification message to a phone number.
    Pnp,
}

impl Via {
    /// The word of a timeline; `None` for what a person wrote.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Phone => None,
            Self::Postback => Some("postback"),
            Self::Reply => Some("reply"),
            Self::Push => Some("push"),
            Self::Manager => Some("manager"),
            Self::Multicast => Some("multicast"),
            Self::Narrowcast => Some("narrowcast"),
            Self::Broadcast => Some("broadcast"),
            Self::Pnp => Some("pnp"),
        }
    }
}

/// A message of either side.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: u64,
    /// The person who wrote it; `None` is the account.
    pub(crate) author: Option<u64>,
    /// When LINE got it, in ms.
    pub(crate) at: i64,
    text: Arc<str>,
    pub(crate) content: Option<Box<Content>>,
    room: u32,
    pub(crate) via: Via,
    pub(crate) read: bool,
    pub(crate) edited: bool,
    pub(crate) unsent: bool,
}

impl Message {
    /// The message ID as LINE writes it.
    pub(crate) fn id(&self) -> String {
        self.id.to_string()
    }

    /// The message object: as the phone sent it (without bytes), or as the account sent it.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Replaces the message object.
    pub(crate) fn set_value(&mut self, value: &Value) {
        self.text = compact(value);
    }
}

/// A message object as it is kept. Many recipients of the same message share one.
pub(crate) fn compact(value: &Value) -> Arc<str> {
    value.to_string().into()
}

/// The bytes of a picture, video, audio or file.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) bytes: Bytes,
    pub(crate) content_type: String,
    /// LINE still prepares the content until then (PLATFORM 6: 202).
    pub(crate) ready_at: i64,
    /// Preparation ends in `failed` instead of `succeeded`.
    pub(crate) fails: bool,
}

/// What is needed to put a message at the end of a chat.
#[derive(Debug)]
pub(crate) struct NewMessage<'a> {
    /// From `Ids::message_id`, so larger than every one before.
    pub(crate) id: u64,
    /// The account's channel.
    pub(crate) channel: &'a str,
    pub(crate) chat: &'a Chat,
    pub(crate) author: Option<u64>,
    pub(crate) text: Arc<str>,
    pub(crate) at: i64,
    pub(crate) via: Via,
    pub(crate) read: bool,
    pub(crate) content: Option<Content>,
}

/// A chat with its messages.
#[derive(Debug)]
struct Room {
    chat: Chat,
    channel: String,
    /// Places in the list, oldest first.
    messages: Vec<u32>,
}

/// All messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    list: Vec<Message>,
    rooms: Vec<Room>,
    by_chat: HashMap<Chat, u32>,
    /// Places of messages that changed since they were last asked for; `None` while nobody asks.
    changed: Option<Vec<usize>>,
}

impl Messages {
    /// Puts a message at the end of its chat.
    pub(crate) fn add(&mut self, new: NewMessage<'_>) {
        let (Ok(place), Ok(next_room)) = (u32::try_from(self.list.len()), u32::try_from(self.rooms.len()))
        else {
            tracing::error!("the sandbox holds 4 billion messages; one more is dropped");
            return;
        };
        let room = match self.by_chat.get(new.chat) {
            Some(room) => *room,
            None => {
                let room =
                    Room { chat: new.chat.clone(), channel: new.channel.to_owned(), messages: Vec::new() };
                self.rooms.push(room);
                self.by_chat.insert(new.chat.clone(), next_room);
                next_room
            }
        };
        if let Some(room) = self.rooms.get_mut(room as usize) {
            room.messages.push(place);
        }
        self.list.push(Message {
            id: new.id,
            author: new.author,
            at: new.at,
            text: new.text,
            content: new.content.map(Box::new),
            room,
            via: new.via,
            read: new.read,
            edited: false,
            unsent: false,
        });
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.list.binary_search_by_key(&id, |message| message.id).ok()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Message> {
        self.list.get(self.place(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Message> {
        let place = self.place(id)?;
        if let Some(changed) = &mut self.changed {
            changed.push(place);
        }
        self.list.get_mut(place)
    }

    /// The message of an ID as LINE writes it.
    pub(crate) fn find(&self, id: &str) -> Option<&Message> {
        self.get(id.parse().ok()?)
    }

    /// The chat in which a message stands.
    pub(crate) fn chat_of(&self, message: &Message) -> Option<&Chat> {
        Some(&self.rooms.get(message.room as usize)?.chat)
    }

    /// The channel of the account in whose chat a message stands; empty where there is none.
    pub(crate) fn channel_of(&self, message: &Message) -> &str {
        self.rooms.get(message.room as usize).map_or("", |room| &room.channel)
    }

    /// All chats that have messages.
    pub(crate) fn chats(&self) -> impl Iterator<Item = &Chat> {
        self.rooms.iter().map(|room| &room.chat)
    }

    /// The messages of a chat, oldest first; also from the end.
    pub(crate) fn of(&self, chat: &Chat) -> impl DoubleEndedIterator<Item = &Message> {
        self.places(chat).iter().filter_map(|place| self.list.get(*place as usize))
    }

    /// Changes messages of a chat, newest first, until `change` answers false.
    pub(crate) fn change_back(&mut self, chat: &Chat, mut change: impl FnMut(&mut Message) -> bool) {
        let Some(room) = self.by_chat.get(chat).and_then(|room| self.rooms.get(*room as usize)) else {
            return;
        };
        for place in room.messages.iter().rev() {
            let Some(message) = self.list.get_mut(*place as usize) else { return };
            let before = (message.read, message.edited, message.unsent);
            let go_on = change(message);
            if let (Some(changed), true) =
                (&mut self.changed, before != (message.read, message.edited, message.unsent))
            {
                changed.push(*place as usize);
            }
            if !go_on {
                return;
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// The message at a place of the list.
    pub(crate) fn at(&self, place: usize) -> Option<&Message> {
        self.list.get(place)
    }

    /// From now on changed messages are noted.
    pub(crate) fn track(&mut self) {
        self.changed = Some(Vec::new());
    }

    /// The places of what changed since the last call, each once.
    pub(crate) fn take_changed(&mut self) -> Vec<usize> {
        let mut changed = self.changed.replace(Vec::new()).unwrap_or_default();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn places(&self, chat: &Chat) -> &[u32] {
        let room = self.by_chat.get(chat).and_then(|room| self.rooms.get(*room as usize));
        room.map_or(&[], |room| &room.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(messages: &mut Messages, id: u64, chat: &Chat, author: Option<u64>) {
        let text = compact(&serde_json::json!({ "type": "text", "text": id.to_string() }));
        let new = NewMessage {
            id,
            channel: "10",
            chat,
            author,
            text,
            at: 0,
            via: Via::Phone,
            read: false,
            content: None,
        };
        messages.add(new);
    }

    #[test]
    fn a_chat_holds_its_own_messages_in_order() {
        let (a, b) = (Chat::single("10", 1), Chat::Group("C1".into()));
        let mut messages = Messages::default();
        for (id, chat) in [(3, &a), (5, &b), (9, &a)] {
            add(&mut messages, id, chat, Some(1));
        }
        assert_eq!(messages.of(&a).map(|message| message.id).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(messages.of(&Chat::single("10", 2)).count(), 0);
        let found = messages.find("5").unwrap();
        assert_eq!((messages.chat_of(found), messages.channel_of(found)), (Some(&b), "10"));
        assert_eq!(found.value()["text"], "5");
        assert!(messages.find("4").is_none());
    }

    #[test]
    fn changes_go_back_until_told_to_stop() {
        let chat = Chat::single("10", 1);
        let mut messages = Messages::default();
        for id in 1..=4 {
            add(&mut messages, id, &chat, None);
        }
        messages.change_back(&chat, |message| {
            message.read = true;
            message.id > 3
        });
        assert_eq!(
            messages.of(&chat).map(|message| message.read).collect::<Vec<_>>(),
            [false, false, true, true]
        );
    }
}
