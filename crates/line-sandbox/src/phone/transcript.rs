//! A chat as the lines a phone shows.

use std::collections::BTreeMap;

use line_view::{Coupon, Labels, Place, Quoted, View};
use serde_json::{Value, json};

use crate::ids::quoted_message;
use crate::messages::{Message, Via};
use crate::phone::coupon;
use crate::phone::pages::Face;
use crate::words::Words;
use crate::world::{Chat, World};

/// How many messages a phone loads at once; older ones come when they are scrolled to.
const LOADED: usize = 50;
/// How many messages are drawn anew at most when something changes.
const REDRAWN: usize = 400;

/// Which messages of a chat to draw.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    /// The newest; at least back to the message named, as far as that is reasonable.
    End(Option<u64>),
    /// Those before a message.
    Before(u64),
}

/// One message on the screen.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: String,
    /// The IDs of all messages in it, with commas between: several pictures that were sent at once are one line.
    pub(super) ids: String,
    /// The set of pictures it shows.
    album: Option<String>,
    pub(super) pictures: usize,
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
    /// What it says in one line, for a reply to it.
    pub(super) words: String,
    pub(super) html: String,
}

/// A part of a chat.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) lines: Vec<Line>,
    /// There are older messages.
    pub(super) older: bool,
    /// The quick reply buttons of the last message.
    pub(super) quick: String,
}

/// Draws a part of a chat for the person who holds the phone.
pub(super) fn transcript(world: &World, chat: &Chat, me: u64, words: &Words, part: Part) -> Transcript {
    let labels = &words.labels();
    let newest = world.messages.of(chat).rev();
    let mut shown: Vec<&Message> = match part {
        Part::Before(id) => newest.skip_while(|message| message.id >= id).take(LOADED + 1).collect(),
        Part::End(None) => newest.take(LOADED + 1).collect(),
        Part::End(Some(id)) => {
            let wanted =
                newest.enumerate().take_while(|(place, message)| *place < LOADED || message.id >= id);
            wanted.map(|(_, message)| message).take(REDRAWN).collect()
        }
    };
    let older = match (part, shown.last()) {
        // The one too many only tells that there is more.
        (Part::Before(_) | Part::End(None), _) => shown.len() > LOADED,
        (Part::End(Some(_)), Some(last)) => {
            world.messages.of(chat).next().is_some_and(|oldest| oldest.id < last.id)
        }
        (_, None) => false,
    };
    if matches!(part, Part::Before(_) | Part::End(None)) {
        shown.truncate(LOADED);
    }
    shown.reverse();
    let mut lines: Vec<Line> = Vec::with_capacity(shown.len());
    let mut before: Option<String> = None;
    for message in &shown {
        let value = message.value();
        let who = author(world, message, &value, me);
        let name = who.as_ref().map(|who| who.name.clone());
        let own = who.is_none();
        let first = lines.is_empty() || before != name;
        before = if message.unsent { Some(String::new()) } else { name };
        let text = value.get("text").and_then(Value::as_str);
        let editable = text.filter(|_| own && matches!(chat, Chat::Group(_)) && message.via == Via::Phone);
        let kept = usize::from(message.content.as_ref().is_some_and(|content| !content.bytes.is_empty()));
        let album = value.pointer("/imageSet/id").and_then(Value::as_str).map(str::to_owned);
        let html = match message.unsent {
            true => String::new(),
            false => draw(world, chat, message, &value, me, words, labels),
        };
        // Pictures that were sent at once stand in one line (PLATFORM 16, `imageSet`).
        if let Some(line) = lines.last_mut().filter(|line| !first && album.is_some() && line.album == album) {
            line.ids.extend([",", &message.id()]);
            line.pictures += 1;
            line.html += &html;
            line.state += &format!("+{}{kept}", u8::from(message.read));
            continue;
        }
        lines.push(Line {
            id: message.id(),
            ids: message.id(),
            album,
            pictures: 1,
            side: if own { "mine" } else { "theirs" },
            first,
            who,
            at: message.at,
            read: own && message.read,
            edited: message.edited,
            unsent: message.unsent,
            state: format!(
                "{}{}{}{kept}{}",
                u8::from(message.read),
                message.edited,
                message.unsent,
                text.map_or(0, str::len)
            ),
            own_words: message.via == Via::Phone,
            editable: editable.map(str::to_owned),
            words: line_view::summary(&value, labels),
            html,
        });
    }
    let last = match part {
        Part::End(_) => shown.last().filter(|last| last.author.is_none() && !last.unsent),
        Part::Before(_) => None,
    };
    let quick =
        last.map(|last| line_view::quick_replies(&last.value(), &view(labels, None))).unwrap_or_default();
    Transcript { lines, older, quick }
}

/// Draws one message; content that LINE would hold comes from the sandbox itself.
fn draw(
    world: &World,
    chat: &Chat,
    message: &Message,
    value: &Value,
    me: u64,
    words: &Words,
    labels: &Labels,
) -> String {
    let path = message.content.as_ref().map(|_| format!("/phone-media/{}", message.id));
    let quoted = quoted(world, chat, value, me, labels);
    let names = names(world, message, value);
    let coupon_id = value.get("couponId").and_then(Value::as_str);
    let coupon = coupon_id.and_then(|id| coupon::card(world, world.messages.channel_of(message), id, words));
    let shown = View {
        quoted: quoted.as_ref().map(|(name, words, picture)| Quoted {
            name,
            words,
            picture_url: picture.as_deref(),
        }),
        names: Some(&names),
        coupon: coupon.as_ref().map(|coupon| Coupon {
            title: &coupon.title,
            reward: &coupon.reward,
            period: &coupon.period,
            image_url: coupon.image.as_deref(),
        }),
        ..view(labels, path.as_deref())
    };
    // An account quotes by token, a phone by ID (PLATFORM 17); on the page both lead to the message.
    let by_token = value.get("quoteToken").and_then(Value::as_str).and_then(quoted_message);
    match (by_token, value.as_object()) {
        (Some(id), Some(fields)) => {
            let mut fields = fields.clone();
            fields.insert("quotedMessageId".into(), id.to_string().into());
            line_view::message(&Value::Object(fields), &shown)
        }
        _ => line_view::message(value, &shown),
    }
}

/// Who wrote the quoted message, what it says, and its picture.
fn quoted(
    world: &World,
    chat: &Chat,
    value: &Value,
    me: u64,
    labels: &Labels,
) -> Option<(String, String, Option<String>)> {
    let id = value.get("quotedMessageId").and_then(|id| id.as_str()?.parse().ok());
    let token = value.get("quoteToken").and_then(Value::as_str);
    let id = id.or_else(|| quoted_message(token?))?;
    let message = world.messages.get(id).filter(|message| world.messages.chat_of(message) == Some(chat))?;
    let value = message.value();
    let who = author(world, message, &value, me).or_else(|| world.people.get(&me).map(Face::of_person))?;
    if message.unsent {
        return Some((who.name, labels.unavailable.clone(), None));
    }
    let kind = value.get("type").and_then(Value::as_str);
    let own =
        message.content.as_ref().filter(|_| kind == Some("image")).map(|_| format!("/phone-media/{id}"));
    let sent = value.get("previewImageUrl").and_then(Value::as_str).map(str::to_owned);
    Some((who.name, line_view::summary(&value, labels), own.or(sent)))
}

/// The names of the people whom a `textV2` mentions, by user ID.
fn names(world: &World, message: &Message, value: &Value) -> BTreeMap<String, String> {
    let Some(channel) = world.channels.get(world.messages.channel_of(message)) else {
        return BTreeMap::new();
    };
    let substitutions = value.get("substitution").and_then(Value::as_object);
    let mentioned = substitutions.into_iter().flatten().filter_map(|(_, substitution)| {
        let id = substitution.get("mentionee")?.get("userId")?.as_str()?;
        let person = world.people.get(&world.person_by_id(&channel.provider, id)?)?;
        Some((id.to_owned(), person.name.clone()))
    });
    mentioned.collect()
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
fn author(world: &World, message: &Message, value: &Value, me: u64) -> Option<Face> {
    match message.author {
        Some(person) if person == me => None,
        Some(person) => world.people.get(&person).map(Face::of_person),
        None => {
            let channel = world.channels.get(world.messages.channel_of(message))?;
            let mut face = Face::of_channel(channel);
            if let Some(sender) = value.get("sender") {
                let text = |name| sender.get(name).and_then(Value::as_str).map(str::to_owned);
                let name = text("name").unwrap_or(face.name);
                face = Face::new(&name, text("iconUrl").or(face.picture));
            }
            Some(face)
        }
    }
}
