//! Group chats and rooms with an account in them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem, group_mut, items, person};
use crate::events::{Kind, Origin, user_id};
use crate::world::{Chat, Group, Person, World};

type Answer = Result<Json<Value>, Problem>;

pub(super) async fn create_group(State(inner): State<Arc<Inner>>, body: Fields) -> Answer {
    let kind = body.word("kind", &["group", "room"])?;
    let name = body.text("name")?;
    let picture_url = body.optional_text("pictureUrl")?;
    let mut world = inner.world();
    let channel = body.channel(&world)?;
    let members = members(&world, &body)?;
    if !world.channels.get(&channel).is_some_and(|channel| channel.settings.group_chats) {
        return Err(Problem::field(
            "channelId",
            "does not allow group chats; set groupChats first, as in the console",
        ));
    }
    let id = inner.ids.line_id(if kind.as_deref() == Some("room") { 'R' } else { 'C' });
    let group =
        Group { id: id.clone(), name, picture_url, channel: channel.clone(), bot_inside: true, members };
    world.groups.insert(id.clone(), group);
    let origin = Origin { chat: Chat::Group(id.clone()), person: None };
    let kind = Kind { name: "join", replyable: true, fields: json!({}) };
    let mut answer = inner.emit(&mut world, &channel, origin, kind).to_json();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("groupId".into(), id.into());
    }
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

pub(super) async fn list_groups(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let world = inner.world();
    items(world.groups.values().map(|group| describe(&world, group)).collect())
}

pub(super) async fn list_members(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    let members = group_mut(&mut world, &id)?.members.clone();
    let people = members.iter().filter_map(|number| world.people.get(number));
    Ok(items(people.map(|person| json!({ "user": person.user(), "displayName": person.name })).collect()))
}

/// People join; those already inside are left alone.
pub(super) async fn add_members(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    body: Fields,
) -> Answer {
    let mut world = inner.world();
    let wanted = members(&world, &body)?;
    let group = group_mut(&mut world, &id)?;
    let joined: Vec<u64> = wanted.into_iter().filter(|number| !group.members.contains(number)).collect();
    group.members.extend(&joined);
    let answer = announce(&inner, &mut world, &id, "memberJoined", &joined);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

pub(super) async fn remove_member(
    State(inner): State<Arc<Inner>>,
    Path((id, user)): Path<(String, String)>,
) -> Answer {
    let mut world = inner.world();
    let number = person(&world, &user)?.number;
    let group = group_mut(&mut world, &id)?;
    if !group.members.contains(&number) {
        return Err(Problem::not_found(format!("{user} is not in this group")));
    }
    group.members.retain(|member| *member != number);
    let answer = announce(&inner, &mut world, &id, "memberLeft", &[number]);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(answer))
}

/// The account is removed from the group.
pub(super) async fn remove_bot(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let mut world = inner.world();
    let group = group_mut(&mut world, &id)?;
    if !std::mem::replace(&mut group.bot_inside, false) {
        return Err(Problem::conflict("the account is not in this group any more"));
    }
    let channel = group.channel.clone();
    let origin = Origin { chat: Chat::Group(id), person: None };
    let kind = Kind { name: "leave", replyable: false, fields: json!({}) };
    let queued = inner.emit(&mut world, &channel, origin, kind);
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(queued.to_json()))
}

/// Tells the account who came or went (PLATFORM 16).
fn announce(inner: &Inner, world: &mut World, id: &str, name: &'static str, people: &[u64]) -> Value {
    let Some(group) = world.groups.get(id) else { return Value::Null };
    let (channel, bot_inside) = (group.channel.clone(), group.bot_inside);
    if people.is_empty() || !bot_inside {
        return json!({ "webhookEventId": null, "delivered": false });
    }
    let members: Vec<Value> = people
        .iter()
        .filter_map(|number| user_id(world, &channel, *number))
        .map(|user_id| json!({ "type": "user", "userId": user_id }))
        .collect();
    let replyable = name == "memberJoined";
    let field = if replyable { "joined" } else { "left" };
    let fields = json!({ field: { "members": members } });
    let origin = Origin { chat: Chat::Group(id.to_owned()), person: None };
    inner.emit(world, &channel, origin, Kind { name, replyable, fields }).to_json()
}

/// The people named by `members`.
fn members(world: &World, body: &Fields) -> Result<Vec<u64>, Problem> {
    let mut numbers = Vec::new();
    for user in body.texts("members")? {
        let person = world
            .person(&user)
            .ok_or_else(|| Problem::field("members", format!("there is no user {user}")))?;
        if !numbers.contains(&person.number) {
            numbers.push(person.number);
        }
    }
    if numbers.is_empty() {
        return Err(Problem::field("members", "must name at least one person"));
    }
    Ok(numbers)
}

fn describe(world: &World, group: &Group) -> Value {
    let members: Vec<String> =
        group.members.iter().filter_map(|number| world.people.get(number)).map(Person::user).collect();
    json!({
        "groupId": group.id,
        "name": group.name,
        "channelId": group.channel,
        "botInside": group.bot_inside,
        "members": members,
    })
}
