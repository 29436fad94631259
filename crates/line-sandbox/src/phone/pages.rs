//! The pages: who to be, a phone's chats, one chat.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use line_view::Labels;

use crate::Inner;
use crate::messages::Message;
use crate::phone::transcript::{self, Line};
use crate::words::{COOKIE, Words};
use crate::world::{Channel, Chat, Kind, Person, World};

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

/// What every page knows: its language and its own address.
#[derive(Debug)]
struct Frame {
    words: Words,
    path: String,
}

impl Frame {
    fn new(headers: &HeaderMap, uri: &Uri) -> Self {
        Self { words: Words::from_headers(headers), path: uri.path().to_owned() }
    }
}

/// A name with a picture, or with an initial on a colour.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    pub(crate) name: String,
    pub(crate) picture: Option<String>,
    pub(crate) initial: String,
    pub(crate) tint: u32,
}

impl Face {
    pub(crate) fn new(name: &str, picture: Option<String>) -> Self {
        let initial = name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        let tint = name.chars().fold(0_u32, |sum, c| sum.wrapping_mul(31).wrapping_add(u32::from(c))) % 8;
        Self { name: name.to_owned(), picture, initial, tint }
    }

    pub(crate) fn of_person(person: &Person) -> Self {
        Self::new(&person.name, person.picture_url.clone())
    }

    pub(crate) fn of_channel(channel: &Channel) -> Self {
        Self::new(&channel.name, channel.picture_url.clone())
    }
}

/// A person who can be chosen.
#[derive(Debug)]
struct PersonCard {
    user: String,
    face: Face,
    friends: usize,
}

/// An account with what is needed to connect it.
#[derive(Debug)]
struct AccountCard {
    channel: String,
    secret: String,
    basic_id: String,
    face: Face,
    friends: usize,
    endpoint: Option<String>,
    webhook_on: bool,
}

/// A row of a phone's chat list.
#[derive(Debug)]
struct ChatRow {
    id: String,
    face: Face,
    members: Option<usize>,
    last: String,
    last_at: Option<i64>,
    unread: usize,
}

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage {
    frame: Frame,
    people: Vec<PersonCard>,
    accounts: Vec<AccountCard>,
}

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage {
    frame: Frame,
}

#[derive(Template)]
#[template(path = "chats.html")]
struct ChatsPage {
    frame: Frame,
    people: Vec<PersonCard>,
    me: PersonCard,
    /// What follows the person in a link that keeps the same chat open.
    stay: String,
    chats: Vec<ChatRow>,
    strangers: Vec<ChatRow>,
}

#[derive(Template)]
#[template(path = "chats_partial.html")]
struct ChatsPartial {
    frame: Frame,
    me: PersonCard,
    chats: Vec<ChatRow>,
    strangers: Vec<ChatRow>,
}

#[derive(Template)]
#[template(path = "chat.html")]
struct ChatPage {
    frame: Frame,
    people: Vec<PersonCard>,
    me: PersonCard,
    stay: String,
    stickers: Vec<StickerChoice>,
    chat_id: String,
    screen: Screen,
}

#[derive(Template)]
#[template(path = "messages_partial.html")]
struct MessagesPartial {
    frame: Frame,
    screen: Screen,
}

#[derive(Debug)]
struct StickerChoice {
    package: &'static str,
    id: &'static str,
    html: String,
}

/// An open chat, whichever kind, as the person sees it.
#[derive(Debug)]
struct Screen {
    title: Face,
    group: bool,
    /// How many are in the group, the account included.
    members: Option<usize>,
    channel: String,
    following: bool,
    blocked: bool,
    /// The account is no longer in the group.
    left: bool,
    loading_ms: Option<i64>,
    lines: Vec<Line>,
    /// The quick reply buttons of the last message, as HTML.
    quick: String,
}

pub(super) async fn index(State(inner): State<Arc<Inner>>, headers: HeaderMap, uri: Uri) -> Response {
    let world = inner.world();
    let accounts = world.channels.values().filter(|channel| channel.kind == Kind::Messaging).map(|channel| {
        AccountCard {
            channel: channel.id.clone(),
            secret: channel.secret.clone(),
            basic_id: channel.basic_id.clone(),
            face: Face::of_channel(channel),
            friends: channel.bonds.values().filter(|bond| bond.following).count(),
            endpoint: channel.endpoint.clone(),
            webhook_on: channel.settings.use_webhook,
        }
    });
    let accounts = accounts.collect();
    page(StatusCode::OK, &IndexPage { frame: Frame::new(&headers, &uri), people: people(&world), accounts })
}

/// Remembers the language and goes back.
pub(super) async fn choose_language(
    Path(code): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let Some(words) = Words::of(&code) else { return missing(&headers, &uri) };
    let to = query.get("to").map(String::as_str).unwrap_or_default();
    // Only to a page of ours: `//host` would lead elsewhere.
    let ours = to.starts_with('/') && !to.starts_with("//") && !to.contains('\\');
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", words.code());
    ([(header::SET_COOKIE, cookie)], Redirect::to(if ours { to } else { "/" })).into_response()
}

pub(super) async fn chats(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let Some(person) = world.person(&user) else { return missing(&headers, &uri) };
    let frame = Frame::new(&headers, &uri);
    let (chats, strangers) = chat_rows(&world, person, &frame.words);
    let me = person_card(&world, person);
    page(
        StatusCode::OK,
        &ChatsPage { frame, people: people(&world), me, stay: String::new(), chats, strangers },
    )
}

pub(super) async fn chats_fragment(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let Some(person) = world.person(&user) else { return StatusCode::NOT_FOUND.into_response() };
    let frame = Frame::new(&headers, &uri);
    let (chats, strangers) = chat_rows(&world, person, &frame.words);
    page(StatusCode::OK, &ChatsPartial { frame, me: person_card(&world, person), chats, strangers })
}

pub(super) async fn chat(
    State(inner): State<Arc<Inner>>,
    Path((user, chat)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let now = inner.clock.now();
    let world = inner.world();
    let frame = Frame::new(&headers, &uri);
    let labels = frame.words.labels();
    let found = world.person(&user).and_then(|me| Some((me, open(&world, me, &chat, now, &labels)?)));
    let Some((me, screen)) = found else { return missing(&headers, &uri) };
    let sticker =
        |(package, id)| StickerChoice { package, id, html: transcript::sticker(package, id, &labels) };
    page(
        StatusCode::OK,
        &ChatPage {
            frame,
            people: people(&world),
            me: person_card(&world, me),
            // Others are not in this group, but may chat with the same account.
            stay: if screen.group { String::new() } else { format!("/{chat}") },
            stickers: STICKERS.map(sticker).into(),
            chat_id: chat,
            screen,
        },
    )
}

pub(super) async fn messages_fragment(
    State(inner): State<Arc<Inner>>,
    Path((user, chat)): Path<(String, String)>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let now = inner.clock.now();
    let world = inner.world();
    let frame = Frame::new(&headers, &uri);
    let found = world.person(&user).and_then(|me| open(&world, me, &chat, now, &frame.words.labels()));
    let Some(screen) = found else { return StatusCode::NOT_FOUND.into_response() };
    page(StatusCode::OK, &MessagesPartial { frame, screen })
}

/// Opens a chat by channel ID or group ID; `None` when the person has no such chat.
fn open(world: &World, me: &Person, id: &str, now: i64, labels: &Labels) -> Option<Screen> {
    if let Some(group) = world.groups.get(id) {
        let drawn = transcript::transcript(world, &Chat::Group(id.to_owned()), me.number, labels);
        return group.members.contains(&me.number).then(|| Screen {
            title: Face::new(&group.name, group.picture_url.clone()),
            group: true,
            members: Some(group.members.len() + usize::from(group.bot_inside)),
            channel: group.channel.clone(),
            following: true,
            blocked: false,
            left: !group.bot_inside,
            loading_ms: None,
            lines: drawn.lines,
            quick: drawn.quick,
        });
    }
    if let Some(other) = world.person(id) {
        let drawn = transcript::transcript(world, &Chat::pair(me.number, other.number), me.number, labels);
        return (me.number != other.number).then(|| Screen {
            title: Face::of_person(other),
            group: true,
            members: None,
            channel: String::new(),
            following: true,
            blocked: false,
            left: false,
            loading_ms: None,
            lines: drawn.lines,
            quick: drawn.quick,
        });
    }
    let channel = world.channels.get(id).filter(|channel| channel.kind == Kind::Messaging)?;
    let bond = world.bond(id, me.number);
    let drawn = transcript::transcript(world, &Chat::single(id, me.number), me.number, labels);
    Some(Screen {
        title: Face::of_channel(channel),
        group: false,
        members: None,
        channel: id.to_owned(),
        following: bond.following,
        blocked: bond.blocked,
        left: false,
        loading_ms: bond.loading_until.map(|until| until - now).filter(|left| *left > 0),
        lines: drawn.lines,
        quick: drawn.quick,
    })
}

/// The chats of a phone, newest first, and the accounts that are not friends yet.
fn chat_rows(world: &World, person: &Person, words: &Words) -> (Vec<ChatRow>, Vec<ChatRow>) {
    let labels = words.labels();
    let row = |id: &str, face: Face, members: Option<usize>, chat: &Chat| {
        let last = world.messages.of(chat).next_back();
        let said = |message: &Message| match message.unsent {
            true => String::new(),
            false => transcript::summary(message, &labels),
        };
        let unread =
            world.messages.of(chat).filter(|message| message.author.is_none() && !message.read).count();
        // Reading is known of the chat with the account only; in a group nobody sees who has read.
        let unread = if members.is_none() { unread } else { 0 };
        let (last, last_at) = (last.map(said).unwrap_or_default(), last.map(|message| message.at));
        ChatRow { id: id.to_owned(), face, members, last, last_at, unread }
    };
    let (mut chats, mut strangers) = (Vec::new(), Vec::new());
    for channel in world.channels.values().filter(|channel| channel.kind == Kind::Messaging) {
        let bond = world.bond(&channel.id, person.number);
        let found =
            row(&channel.id, Face::of_channel(channel), None, &Chat::single(&channel.id, person.number));
        if bond.following || bond.blocked || found.last_at.is_some() {
            chats.push(found);
        } else {
            strangers.push(ChatRow { last: channel.basic_id.clone(), ..found });
        }
    }
    for group in world.groups.values().filter(|group| group.members.contains(&person.number)) {
        let face = Face::new(&group.name, group.picture_url.clone());
        let members = group.members.len() + usize::from(group.bot_inside);
        chats.push(row(&group.id, face, Some(members), &Chat::Group(group.id.clone())));
    }
    for other in world.people.values().filter(|other| other.number != person.number) {
        let chat = Chat::pair(person.number, other.number);
        if world.messages.of(&chat).next().is_some() {
            chats.push(row(&other.user(), Face::of_person(other), None, &chat));
        }
    }
    chats.sort_by_key(|chat| std::cmp::Reverse(chat.last_at));
    (chats, strangers)
}

fn people(world: &World) -> Vec<PersonCard> {
    world.people.values().map(|person| person_card(world, person)).collect()
}

fn person_card(world: &World, person: &Person) -> PersonCard {
    let friends = world
        .channels
        .values()
        .filter(|channel| channel.bonds.get(&person.number).is_some_and(|bond| bond.following))
        .count();
    PersonCard { user: person.user(), face: Face::of_person(person), friends }
}

fn missing(headers: &HeaderMap, uri: &Uri) -> Response {
    page(StatusCode::NOT_FOUND, &MissingPage { frame: Frame::new(headers, uri) })
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to draw a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
