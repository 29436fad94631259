//! A chat as the lines a phone shows.

use line_view::{Labels, Place, View};
use serde_json::{Value, json};

use crate::messages::{Message, Via};
use crate::phone::pages::Face;
use crate::world::{Chat, World};

/// How many messages a phone shows; older ones have scrolled away.
const SHOWN: usize = 200;

/// One message on the screen.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: String,
    /// `mine` or `theirs`, for the style.
    pub(super) side: &'static str,
    /// The sender's first line in a row of lines: shows picture and name.
    pub(super) first: bool,
    /// Who wrote it; `None` is the person holding the phone.
    pub(super) who: Option<Face>,
    pub(super) at: i64,
    pub(super) read: bool,
    pub(super) edited: bool,
    pub(super) unsent: bool,
    /// Changes when the line must be drawn again.
    pub(super) state: String,
    /// False for the text of a tapped button, which cannot be taken back.
    pub(super) own_words: bool,
    /// The text that can be edited, on the person's own texts in groups.
    pub(super) editable: Option<String>,
    pub(super) html: String,
}

/// What the end of a chat shows.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) lines: Vec<Line>,
    /// The quick reply buttons of the last message.
    pub(super) quick: String,
}

/// Draws a chat for the person who holds the phone.
pub(super) fn transcript(world: &World, chat: &Chat, me: u64, labels: &Labels) -> Transcript {
    let mut shown: Vec<&Message> = world.messages.of(chat).rev().take(SHOWN).collect();
    shown.reverse();
    let mut lines: Vec<Line> = Vec::with_capacity(shown.len());
    let mut before: Option<String> = None;
    for message in &shown {
        let who = author(world, message, me);
        let name = who.as_ref().map(|who| who.name.clone());
        let own = who.is_none();
        let first = lines.is_empty() || before != name;
        before = if message.unsent { Some(String::new()) } else { name };
        let value = message.value();
        let text = value.get("text").and_then(Value::as_str);
        let editable = text.filter(|_| own && matches!(chat, Chat::Group(_)) && message.via == Via::Phone);
        lines.push(Line {
            id: message.id(),
            side: if own { "mine" } else { "theirs" },
            first,
            who,
            at: message.at,
            read: own && message.read,
            edited: message.edited,
            unsent: message.unsent,
            state: format!(
                "{}{}{}{}",
                u8::from(message.read),
                message.edited,
                message.unsent,
                text.map_or(0, str::len)
            ),
            own_words: message.via == Via::Phone,
            editable: editable.map(str::to_owned),
            html: if message.unsent { String::new() } else { draw(message, labels) },
        });
    }
    let last = shown.last().filter(|last| last.author.is_none() && !last.unsent);
    let quick =
        last.map(|last| line_view::quick_replies(&last.value(), &view(labels, None))).unwrap_or_default();
    Transcript { lines, quick }
}

/// Draws one message; content that LINE would hold comes from the sandbox itself.
fn draw(message: &Message, labels: &Labels) -> String {
    let path = message.content.as_ref().map(|_| format!("/phone-media/{}", message.id));
    line_view::message(&message.value(), &view(labels, path.as_deref()))
}

/// One line of plain words for the chat list.
pub(super) fn summary(message: &Message, labels: &Labels) -> String {
    line_view::summary(&message.value(), labels)
}

/// A sticker as the tray shows it.
pub(super) fn sticker(package: &str, id: &str, labels: &Labels) -> String {
    let message = json!({ "type": "sticker", "packageId": package, "stickerId": id });
    line_view::message(&message, &View { interactive: false, ..view(labels, None) })
}

fn view<'v>(labels: &'v Labels, content_url: Option<&'v str>) -> View<'v> {
    View {
        content_url,
        external_media: true,
        line_pictures: true,
        interactive: true,
        ..View::new(labels, Place::Phone)
    }
}

/// Who a line shows as its sender: the account (under its `sender` name if it gave one), another member, or nobody.
fn author(world: &World, message: &Message, me: u64) -> Option<Face> {
    match message.author {
        Some(person) if person == me => None,
        Some(person) => world.people.get(&person).map(Face::of_person),
        None => {
            let channel = world.channels.get(world.messages.channel_of(message))?;
            let mut face = Face::of_channel(channel);
            if let Some(sender) = message.value().get("sender") {
                let text = |name| sender.get(name).and_then(Value::as_str).map(str::to_owned);
                let name = text("name").unwrap_or(face.name);
                face = Face::new(&name, text("iconUrl").or(face.picture));
            }
            Some(face)
        }
    }
}
