//! A phone's chat list, the people whose phones can be opened, sharing into chats, and several phones side by side.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::Inner;
use crate::messages::Message;
use crate::phone::pages::{Face, Frame, missing, page};
use crate::phone::transcript;
use crate::words::Words;
use crate::world::{Chat, Kind, Person, World};

/// How many people a list shows before it has to be searched.
const PEOPLE_SHOWN: usize = 40;
/// How many chats a list shows; the newest.
const CHATS_SHOWN: usize = 100;
/// LINE counts no further on a chat's badge.
const UNREAD_SHOWN: usize = 999;

/// A person who can be chosen.
#[derive(Debug)]
pub(super) struct PersonCard {
    pub(super) user: String,
    pub(super) face: Face,
}

/// The people beside a phone.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) people: Vec<PersonCard>,
    /// There are more than shown, so a search field helps.
    pub(super) many: bool,
    /// What follows the person in a link that keeps the same chat open.
    pub(super) stay: String,
}

impl Side {
    pub(super) fn new(world: &World, stay: String) -> Self {
        let (people, many) = people(world, "");
        Self { people, many, stay }
    }
}

/// A row of a phone's chat list.
#[derive(Debug)]
pub(super) struct ChatRow {
    id: String,
    face: Face,
    members: Option<usize>,
    last: String,
    last_at: Option<i64>,
    unread: usize,
}

/// What a phone's list shows.
#[derive(Debug)]
struct Chats {
    chats: Vec<ChatRow>,
    /// Accounts that are not friends yet.
    strangers: Vec<ChatRow>,
}

#[derive(Template)]
#[template(path = "chats.html")]
struct ChatsPage {
    frame: Frame,
    side: Side,
    me: PersonCard,
    list: Chats,
}

#[derive(Template)]
#[template(path = "chats_partial.html")]
struct ChatsPartial {
    frame: Frame,
    me: PersonCard,
    list: Chats,
}

#[derive(Template)]
#[template(path = "people_partial.html")]
struct PeoplePartial {
    me: String,
    side: Side,
}

#[derive(Template)]
#[template(path = "share.html")]
struct SharePage {
    frame: Frame,
    side: Side,
    me: PersonCard,
    list: Chats,
    text: String,
}

#[derive(Template)]
#[template(path = "phones.html")]
struct PhonesPage {
    frame: Frame,
    phones: Vec<PersonCard>,
    others: Vec<PersonCard>,
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
    let (me, side) = (person_card(person), Side::new(&world, String::new()));
    let list = chat_rows(&world, person, &frame.words);
    page(StatusCode::OK, &ChatsPage { frame, side, me, list })
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
    let list = chat_rows(&world, person, &frame.words);
    page(StatusCode::OK, &ChatsPartial { frame, me: person_card(person), list })
}

/// The people whose names hold `q`, as links of the list beside a phone; `me` is the one whose phone is open.
pub(super) async fn people_fragment(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let given = |name: &str| query.get(name).cloned().unwrap_or_default();
    let (people, many) = people(&inner.world(), &given("q"));
    page(StatusCode::OK, &PeoplePartial { me: given("me"), side: Side { people, many, stay: given("stay") } })
}

/// Where to share a text: LINE's screen behind `line.me/R/share` (PLATFORM 25).
pub(super) async fn share(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let Some(person) = world.person(&user) else { return missing(&headers, &uri) };
    let frame = Frame::new(&headers, &uri);
    let (me, side) = (person_card(person), Side::new(&world, String::new()));
    let list = chat_rows(&world, person, &frame.words);
    let text = query.get("text").cloned().unwrap_or_default();
    page(StatusCode::OK, &SharePage { frame, side, me, list, text })
}

/// Several phones on one page: `?users=u1,u2`; without it the first two people's.
pub(super) async fn phones(
    State(inner): State<Arc<Inner>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    let world = inner.world();
    let phones: Vec<&Person> = match query.get("users") {
        Some(users) => users.split(',').filter_map(|user| world.person(user.trim())).collect(),
        None => world.people.values().take(2).collect(),
    };
    let phones = phones.into_iter().map(person_card).collect();
    let others = people(&world, "").0;
    page(StatusCode::OK, &PhonesPage { frame: Frame::new(&headers, &uri), phones, others })
}

/// The chats of a phone, newest first, and the accounts that are not friends yet.
fn chat_rows(world: &World, person: &Person, words: &Words) -> Chats {
    let labels = words.labels();
    let row = |id: &str, face: Face, members: Option<usize>, chat: &Chat| {
        let last = world.messages.of(chat).next_back();
        let said = |message: &Message| match message.unsent {
            true => String::new(),
            false => transcript::summary(message, &labels),
        };
        // Reading is known of the chat with the account only; in a group nobody sees who has read. What is read is read in order.
        let theirs = world.messages.of(chat).rev().filter(|message| message.author.is_none());
        let unread = theirs.take(UNREAD_SHOWN).take_while(|message| !message.read).count();
        let unread = if matches!(chat, Chat::Single { .. }) { unread } else { 0 };
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
    for chat in world.messages.chats() {
        let other = match chat {
            Chat::Pair(one, other) if *one == person.number => other,
            Chat::Pair(other, one) if *one == person.number => other,
            _ => continue,
        };
        if let Some(other) = world.people.get(other) {
            chats.push(row(&other.user(), Face::of_person(other), None, chat));
        }
    }
    chats.sort_by_key(|chat| std::cmp::Reverse(chat.last_at));
    chats.truncate(CHATS_SHOWN);
    strangers.truncate(CHATS_SHOWN);
    Chats { chats, strangers }
}

/// The first people whose names (or `u…`) hold `wanted`, and whether there are more.
pub(super) fn people(world: &World, wanted: &str) -> (Vec<PersonCard>, bool) {
    let wanted = wanted.trim().to_lowercase();
    let fits = |person: &&Person| person.name.to_lowercase().contains(&wanted) || person.user() == wanted;
    let mut found = world.people.values().filter(fits);
    let cards = found.by_ref().take(PEOPLE_SHOWN).map(person_card).collect();
    (cards, found.next().is_some())
}

pub(super) fn person_card(person: &Person) -> PersonCard {
    PersonCard { user: person.user(), face: Face::of_person(person) }
}
