//! An open chat: with an account, in a group, or with another person.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::Inner;
use crate::phone::list::{PersonCard, Side, person_card};
use crate::phone::menu::Menu;
use crate::phone::pages::{Face, Frame, missing, page};
use crate::phone::transcript::{self, Line, Part};
use crate::words::Words;
use crate::world::{Chat, Group, Kind, Person, World};

/// Stickers that LINE lets everyone send (PLATFORM 19, samples).
const STICKERS: [(&str, &str); 12] = [
    ("446", "1988"),
    ("789", "10855"),
    ("1070", "17843"),
    ("11537", "52002734"),
    ("11537", "52002735"),
    ("11537", "52002736"),
    ("11537", "52002738"),
    ("11537", "52002739"),
    ("11537", "52002741"),
    ("11538", "51626494"),
    ("11538", "51626495"),
    ("11538", "51626496"),
];
/// LINE emoji that everyone may send (PLATFORM 19, samples), with the words that stand for them in a text (PLATFORM 16).
const EMOJI: [(&str, &str, &str); 3] = [
    ("5ac1bfd5040ab15980c9b435", "001", "(moon smile)"),
    ("5ac1bfd5040ab15980c9b435", "002", "(moon wink)"),
    ("5a8555cfe6256cc92ea23c2a", "002", "(love)"),
];
/// Characters that every phone's keyboard has.
const FACES: &str = "😀 😄 😊 😍 😅 😂 🙏 👍 👌 👏 💪 🎉 ❤️ 🔥 🌸 ☀️ ☔ 🍜 🍵 🎁";
/// How many members can be mentioned by choosing from a list.
const MENTIONABLE: usize = 100;

#[derive(Template)]
#[template(path = "chat.html")]
struct ChatPage {
    frame: Frame,
    side: Side,
    me: PersonCard,
    me_user: String,
    stickers: Vec<StickerChoice>,
    emoji: [(&'static str, &'static str, &'static str); 3],
    faces: Vec<&'static str>,
    mentionable: Vec<Mentionable>,
    chat_id: String,
    screen: Screen,
    /// What the message field holds at the start (`line.me/R/oaMessage`, PLATFORM 25).
    text: String,
}

#[derive(Template)]
#[template(path = "messages_partial.html")]
struct MessagesPartial {
    frame: Frame,
    me_user: String,
    screen: Screen,
}

#[derive(Debug)]
struct StickerChoice {
    package: &'static str,
    id: &'static str,
    html: String,
}

/// Somebody in a group who can be mentioned, by the user ID that the account sees.
#[derive(Debug)]
struct Mentionable {
    id: String,
    face: Face,
    /// The account itself (PLATFORM 16: `isSelf`).
    account: bool,
}

/// An open chat, whichever kind, as the person sees it.
#[derive(Debug)]
struct Screen {
    title: Face,
    kind: ScreenKind,
    /// How many are in the group, the account included.
    members: Option<usize>,
    /// The account's channel; empty between two people.
    channel: String,
    following: bool,
    blocked: bool,
    /// The account is no longer in the group.
    left: bool,
    loading_ms: Option<i64>,
    lines: Vec<Line>,
    /// There are older messages than the first line.
    older: bool,
    /// The quick reply buttons of the last message, as HTML.
    quick: String,
    menu: Option<Menu>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScreenKind {
    Account,
    Group,
    Person,
}

impl Screen {
    fn is_account(&self) -> bool {
        self.kind == ScreenKind::Account
    }

    fn is_group(&self) -> bool {
        self.kind == ScreenKind::Group
    }

    fn is_person(&self) -> bool {
        self.kind == ScreenKind::Person
    }
}

pub(super) async fn chat(
    State(inner): State<Arc<Inner>>,
    Path((user, chat)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let frame = Frame::new(&headers, &uri);
    let labels = frame.words.labels();
    let found = world
        .person(&user)
        .and_then(|me| Some((me, open(&inner, &world, me, &chat, &frame.words, Part::End(None))?)));
    let Some((me, screen)) = found else { return missing(&headers, &uri) };
    let sticker =
        |(package, id)| StickerChoice { package, id, html: transcript::sticker(package, id, &labels) };
    let group = world.groups.get(&chat);
    page(
        StatusCode::OK,
        &ChatPage {
            frame,
            // Others are not in this chat, but may chat with the same account.
            side: Side::new(&world, if screen.is_account() { format!("/{chat}") } else { String::new() }),
            me: person_card(me),
            me_user: me.user(),
            stickers: STICKERS.map(sticker).into(),
            emoji: EMOJI,
            faces: FACES.split(' ').collect(),
            mentionable: group.map(|group| mentionable(&world, group, me.number)).unwrap_or_default(),
            chat_id: chat,
            screen,
            text: query.get("text").cloned().unwrap_or_default(),
        },
    )
}

/// The end of the chat (back to the message `from`, which the phone already shows), or what came before the message `before`.
pub(super) async fn messages_fragment(
    State(inner): State<Arc<Inner>>,
    Path((user, chat)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let frame = Frame::new(&headers, &uri);
    let id = |name: &str| query.get(name).and_then(|id| id.parse().ok());
    let part = id("before").map_or_else(|| Part::End(id("from")), Part::Before);
    let found = world.person(&user).and_then(|me| open(&inner, &world, me, &chat, &frame.words, part));
    let Some(screen) = found else { return StatusCode::NOT_FOUND.into_response() };
    page(StatusCode::OK, &MessagesPartial { frame, me_user: user, screen })
}

/// Opens a chat by channel ID, group ID or another person's `u…`; `None` when the person has no such chat.
fn open(inner: &Inner, world: &World, me: &Person, id: &str, words: &Words, part: Part) -> Option<Screen> {
    let screen = |kind, title, chat: &Chat| {
        let drawn = transcript::transcript(world, chat, me.number, words, part);
        Screen {
            title,
            kind,
            members: None,
            channel: String::new(),
            following: true,
            blocked: false,
            left: false,
            loading_ms: None,
            lines: drawn.lines,
            older: drawn.older,
            quick: drawn.quick,
            menu: None,
        }
    };
    if let Some(group) = world.groups.get(id) {
        let face = Face::new(&group.name, group.picture_url.clone());
        return group.members.contains(&me.number).then(|| Screen {
            members: Some(group.members.len() + usize::from(group.bot_inside)),
            channel: group.channel.clone(),
            left: !group.bot_inside,
            ..screen(ScreenKind::Group, face, &Chat::Group(id.to_owned()))
        });
    }
    if let Some(other) = world.person(id).filter(|other| other.number != me.number) {
        let chat = Chat::pair(me.number, other.number);
        return Some(screen(ScreenKind::Person, Face::of_person(other), &chat));
    }
    let channel = world.channels.get(id).filter(|channel| channel.kind == Kind::Messaging)?;
    let bond = world.bond(id, me.number);
    Some(Screen {
        channel: id.to_owned(),
        following: bond.following,
        blocked: bond.blocked,
        loading_ms: bond.loading_until.map(|until| until - inner.clock.now()).filter(|left| *left > 0),
        menu: inner.rich_menu_of(world, id, me.number).map(|shown| Menu::new(&shown)),
        ..screen(ScreenKind::Account, Face::of_channel(channel), &Chat::single(id, me.number))
    })
}

/// Who can be mentioned in a group: the account, then the members but oneself.
fn mentionable(world: &World, group: &Group, me: u64) -> Vec<Mentionable> {
    let Some(channel) = world.channels.get(&group.channel) else { return Vec::new() };
    let account =
        Mentionable { id: channel.bot_user_id.clone(), face: Face::of_channel(channel), account: true };
    let others = group.members.iter().filter(|number| **number != me).filter_map(|number| {
        let person = world.people.get(number)?;
        let id = person.user_ids.get(&channel.provider)?.clone();
        Some(Mentionable { id, face: Face::of_person(person), account: false })
    });
    group.bot_inside.then_some(account).into_iter().chain(others).take(MENTIONABLE).collect()
}
