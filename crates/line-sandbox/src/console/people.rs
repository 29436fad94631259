//! The people who have phones, and one of them.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::Inner;
use crate::console::{Frame, Place, Visit, missing};
use crate::phone::{Face, page};
use crate::traits::Traits;
use crate::world::{Kind, Person, World};

/// How many people a page lists.
const SHOWN: usize = 100;

/// A person in a list.
#[derive(Debug)]
pub(super) struct PersonRow {
    pub(super) user: String,
    pub(super) face: Face,
    pub(super) language: String,
    pub(super) status_message: String,
    pub(super) friends: usize,
}

impl PersonPage {
    /// Tells whether the value is the person's.
    fn is(known: &Option<String>, value: &str) -> bool {
        known.as_deref() == Some(value)
    }

    fn text(known: &Option<String>) -> &str {
        known.as_deref().unwrap_or_default()
    }
}

impl PersonRow {
    pub(super) fn new(world: &World, person: &Person) -> Self {
        let follows = |channel: &&crate::world::Channel| {
            channel.bonds.get(&person.number).is_some_and(|bond| bond.following)
        };
        Self {
            user: person.user(),
            face: Face::of_person(person),
            language: person.language.clone().unwrap_or_default(),
            status_message: person.status_message.clone().unwrap_or_default(),
            friends: world.channels.values().filter(follows).count(),
        }
    }
}

#[derive(Template)]
#[template(path = "console_people.html")]
struct PeoplePage {
    frame: Frame,
    people: Vec<PersonRow>,
    search: String,
    found: usize,
}

#[derive(Template)]
#[template(path = "console_person.html")]
struct PersonPage {
    frame: Frame,
    person: PersonRow,
    picture_url: String,
    traits: Traits,
    user_ids: Vec<UserId>,
    accounts: Vec<AccountRow>,
}

/// A person's user ID under a provider.
#[derive(Debug)]
struct UserId {
    provider: String,
    user_id: String,
}

/// What is between the person and an account.
#[derive(Debug)]
struct AccountRow {
    channel: String,
    face: Face,
    following: bool,
    blocked: bool,
}

pub(super) async fn list(State(inner): State<Arc<Inner>>, visit: Visit) -> Response {
    let world = inner.world();
    let search = visit.asked("q").unwrap_or_default().to_owned();
    let wanted = search.to_lowercase();
    let matches = |person: &&Person| {
        wanted.is_empty()
            || person.name.to_lowercase().contains(&wanted)
            || person.user() == wanted
            || person.user_ids.values().any(|id| id.eq_ignore_ascii_case(&wanted))
    };
    let found: Vec<&Person> = world.people.values().filter(matches).collect();
    let people = found.iter().take(SHOWN).map(|person| PersonRow::new(&world, person)).collect();
    let found = found.len();
    let frame = visit.frame(&inner, &world, Place::People);
    page(StatusCode::OK, &PeoplePage { frame, people, search, found })
}

pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    visit: Visit,
) -> Response {
    let world = inner.world();
    let Some(person) = world.person(&user) else { return missing(visit) };
    let user_id = |(id, name): (&String, &String)| {
        Some(UserId { provider: name.clone(), user_id: person.user_ids.get(id)?.clone() })
    };
    let user_ids = world.providers.iter().filter_map(user_id).collect();
    let accounts = world.channels.values().filter(|channel| channel.kind == Kind::Messaging);
    let accounts = accounts.map(|channel| {
        let bond = world.bond(&channel.id, person.number);
        let (following, blocked) = (bond.following, bond.blocked);
        AccountRow { channel: channel.id.clone(), face: Face::of_channel(channel), following, blocked }
    });
    let drawn = PersonPage {
        person: PersonRow::new(&world, person),
        picture_url: person.picture_url.clone().unwrap_or_default(),
        traits: person.traits.clone(),
        user_ids,
        accounts: accounts.collect(),
        frame: visit.frame(&inner, &world, Place::People),
    };
    page(StatusCode::OK, &drawn)
}
