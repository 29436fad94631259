//! People and what they do with their phones.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::Inner;
use crate::acts::Draft;
use crate::control::input::{Fields, Pairs, Problem, between, items, messaging_channel, person};
use crate::messages::Message;
use crate::traits::Traits;
use crate::world::{Chat, Person, World};

type Answer = Result<Json<Value>, Problem>;

pub(super) async fn create_user(State(inner): State<Arc<Inner>>, body: Fields) -> Answer {
    let name = body.text("displayName")?;
    let picture_url = body.optional_text("pictureUrl")?;
    let language = body.optional_text("language")?;
    let status_message = body.optional_text("statusMessage")?;
    let email = body.optional_text("email")?;
    let mut traits = Traits::default();
    traits.read(&body)?;
    let mut world = inner.world();
    let number = world.people.last_key_value().map_or(1, |(last, _)| last + 1);
    let user_ids = Default::default();
    let mut person = Person { number, name, picture_url, language, status_message, email, user_ids, traits };
    for provider in world.providers.keys() {
        person.user_ids.insert(provider.clone(), inner.ids.user_id(provider, &person.user()));
    }
    world.know(&person);
    let answer = describe(&person);
    world.people.insert(number, person);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

/// Changes what is given: the profile, and what LINE knows of the person beside it; null makes a field unknown.
pub(super) async fn change_user(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let mut world = inner.world();
    let mut changed = person(&world, &user)?.clone();
    let before = changed.traits.is_reached();
    if body.has("displayName") {
        changed.name = body.text("displayName")?;
    }
    for (field, target) in [
        ("pictureUrl", &mut changed.picture_url),
        ("language", &mut changed.language),
        ("statusMessage", &mut changed.status_message),
    ] {
        if body.has(field) {
            *target = body.optional_text(field)?;
        }
    }
    changed.traits.read(&body)?;
    let (number, after, now) = (changed.number, changed.traits.is_reached(), inner.clock.now());
    let answer = describe(&changed);
    world.people.insert(number, changed);
    let world = &mut *world;
    let friends = world
        .channels
        .values()
        .filter(|channel| before != after && channel.bonds.get(&number).is_some_and(|bond| bond.following));
    for channel in friends {
        world.sends.stand(&channel.id, now, |day| {
            day.reaches = day.reaches.saturating_add_signed(if after { 1 } else { -1 });
        });
    }
    inner.changed(Vec::new());
    Ok(Json(answer))
}

pub(super) async fn list_users(State(inner): State<Arc<Inner>>) -> Json<Value> {
    items(inner.world().people.values().map(describe).collect())
}

pub(super) async fn follow(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    Ok(Json(inner.follow(person, &channel).to_json()))
}

pub(super) async fn unfollow(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    Ok(Json(inner.unfollow(person, &channel).to_json()))
}

pub(super) async fn send_message(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let now = inner.clock.now();
    if let Some(other) = body.optional_text("to")? {
        let (person, other) = {
            let world = inner.world();
            (person(&world, &user)?.number, person(&world, &other)?.number)
        };
        let draft = body.nested("message", |message| Draft::read(message, now))?;
        return Ok(Json(json!({ "messageId": inner.write_to_person(person, other, draft)?.to_string() })));
    }
    let (person, channel) = between(&inner, &user, &body)?;
    let group = body.group(&inner.world(), &channel, person)?;
    let hide = body.boolean("hideUserId")?.unwrap_or(false);
    if hide && group.is_none() {
        return Err(Problem::field("hideUserId", "only members of groups and rooms can lack a user ID"));
    }
    let draft = body.nested("message", |message| Draft::read(message, now))?;
    let sent = inner.write(person, &channel, group, draft, hide)?;
    let mut answer = sent.queued.to_json();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("messageId".into(), sent.message_id.into());
    }
    Ok(Json(answer))
}

pub(super) async fn edit_message(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let person = person(&inner.world(), &user)?.number;
    let text = match body.value("message") {
        Some(_) => body.nested("message", |message| message.text("text"))?,
        None => body.text("text")?,
    };
    Ok(Json(inner.edit(person, &body.text("messageId")?, &text)?.to_json()))
}

pub(super) async fn send_postback(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    let group = body.group(&inner.world(), &channel, person)?;
    let mut postback = json!({ "data": body.text("data")? });
    if let (Some(_), Some(postback)) = (body.value("params"), postback.as_object_mut()) {
        postback.insert("params".into(), Value::Object(body.object("params")?.into_map()));
    }
    let display_text = body.optional_text("displayText")?;
    Ok(Json(inner.postback(person, &channel, group, postback, display_text)?.to_json()))
}

pub(super) async fn unsend_message(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let person = person(&inner.world(), &user)?.number;
    Ok(Json(inner.unsend(person, &body.text("messageId")?)?.to_json()))
}

pub(super) async fn read_chat(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    body: Fields,
) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    Ok(Json(json!({ "read": inner.read(person, &channel) })))
}

/// What the phone shows of one account: the chat with it and the groups it shares with the person, in order; or, by `with`, the chat
/// with another person.
pub(super) async fn show_timeline(
    State(inner): State<Arc<Inner>>,
    Path(user): Path<String>,
    query: Pairs,
) -> Answer {
    let world = inner.world();
    let person = person(&world, &user)?.number;
    if let Some(other) = query.get("with") {
        let chat = Chat::pair(person, self::person(&world, other)?.number);
        return Ok(items(world.messages.of(&chat).map(|message| timeline_item(&world, message)).collect()));
    }
    let channel = query.get("channelId").ok_or_else(|| Problem::field("channelId", "is missing"))?;
    let channel = messaging_channel(&world, channel)?;
    let groups = world
        .groups
        .values()
        .filter(|group| group.channel == channel && group.members.contains(&person))
        .map(|group| Chat::Group(group.id.clone()));
    let chats: Vec<Chat> = match query.get("group") {
        Some(wanted) => groups.filter(|chat| matches!(chat, Chat::Group(id) if id == wanted)).collect(),
        None => std::iter::once(Chat::single(&channel, person)).chain(groups).collect(),
    };
    let mut shown: Vec<&Message> = chats.iter().flat_map(|chat| world.messages.of(chat)).collect();
    // Message IDs grow with time, also within one millisecond.
    shown.sort_by_key(|message| message.id);
    Ok(items(shown.into_iter().map(|message| timeline_item(&world, message)).collect()))
}

/// One line of a timeline.
pub(crate) fn timeline_item(world: &World, message: &Message) -> Value {
    let mut item = json!({
        "from": if message.author.is_some() { "user" } else { "account" },
        "message": message.value(),
        "at": message.at,
        "messageId": message.id(),
        "via": message.via.name(),
        "read": message.read,
        "edited": message.edited,
        "unsent": message.unsent,
    });
    if let Some(item) = item.as_object_mut() {
        if let Some(Chat::Group(id)) = world.messages.chat_of(message) {
            item.insert("group".into(), id.clone().into());
        }
        if let Some(author) = message.author.and_then(|number| world.people.get(&number)) {
            item.insert("user".into(), author.user().into());
        }
    }
    item
}

fn describe(person: &Person) -> Value {
    let mut shown = json!({
        "user": person.user(),
        "userId": person.user_ids,
        "displayName": person.name,
        "pictureUrl": person.picture_url,
        "language": person.language,
        "statusMessage": person.status_message,
        "email": person.email,
    });
    if let Some(shown) = shown.as_object_mut() {
        shown.extend(person.traits.to_json());
    }
    shown
}
