//! The account itself, its quota, and the people and groups it may ask about (PLATFORM 8, 9).

use std::sync::Arc;

use axum::Json;
use axum::extract::{MatchedPath, Path, State};
use serde_json::{Map, Value, json};

use crate::Inner;
use crate::ids::is_line_id;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::world::{Group, Person, World};

type Answer = Result<Json<Value>, LineError>;

pub(super) async fn info(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    let mut answer = Map::new();
    answer.insert("userId".into(), channel.bot_user_id.clone().into());
    answer.insert("basicId".into(), channel.basic_id.clone().into());
    answer.insert("displayName".into(), channel.name.clone().into());
    put(&mut answer, "pictureUrl", channel.picture_url.as_ref());
    answer.insert("chatMode".into(), channel.settings.chat_mode.clone().into());
    answer.insert("markAsReadMode".into(), channel.settings.mark_as_read_mode.clone().into());
    Ok(Json(Value::Object(answer)))
}

pub(super) async fn quota(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    Ok(Json(match channel.settings.monthly_quota {
        None => json!({ "type": "none" }),
        Some(value) => json!({ "type": "limited", "value": value }),
    }))
}

pub(super) async fn consumption(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    let now = inner.clock.now();
    Ok(Json(json!({ "totalUsage": inner.world().used(&caller.channel, now) })))
}

/// A friend's profile; unknown, no friend and blocking all read `Not found`.
pub(super) async fn profile(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(user_id): Path<String>,
) -> Answer {
    let world = inner.world();
    let person = find(&world, &caller.channel, &user_id)?;
    if !world.bond(&caller.channel, person.number).following {
        return Err(LineError::not_found());
    }
    let mut answer = short_profile(person, &user_id);
    put(&mut answer, "language", person.language.as_ref());
    put(&mut answer, "statusMessage", person.status_message.as_ref());
    Ok(Json(Value::Object(answer)))
}

pub(super) async fn group_summary(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    path: MatchedPath,
    Path(id): Path<String>,
) -> Answer {
    let world = inner.world();
    let group = joined_group(&world, &caller.channel, &path, &id)?;
    let mut answer = Map::new();
    answer.insert("groupId".into(), group.id.clone().into());
    answer.insert("groupName".into(), group.name.clone().into());
    put(&mut answer, "pictureUrl", group.picture_url.as_ref());
    Ok(Json(Value::Object(answer)))
}

/// How many people are in the group, without the account.
pub(super) async fn count_members(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    path: MatchedPath,
    Path(id): Path<String>,
) -> Answer {
    let world = inner.world();
    let group = joined_group(&world, &caller.channel, &path, &id)?;
    Ok(Json(json!({ "count": group.members.len() })))
}

/// A member's profile, friend or not.
pub(super) async fn member_profile(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    path: MatchedPath,
    Path((id, user_id)): Path<(String, String)>,
) -> Answer {
    let world = inner.world();
    let group = joined_group(&world, &caller.channel, &path, &id)?;
    let person = find(&world, &caller.channel, &user_id)?;
    if !group.members.contains(&person.number) {
        return Err(LineError::not_found());
    }
    Ok(Json(Value::Object(short_profile(person, &user_id))))
}

pub(super) async fn leave(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    path: MatchedPath,
    Path(id): Path<String>,
) -> Answer {
    let mut world = inner.world();
    joined_group(&world, &caller.channel, &path, &id)?;
    if let Some(group) = world.groups.get_mut(&id) {
        group.bot_inside = false;
    }
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

fn find<'w>(world: &'w World, channel: &str, user_id: &str) -> Result<&'w Person, LineError> {
    if !is_line_id(user_id, 'U') {
        return Err(LineError::invalid_parameter("userId"));
    }
    let channel = world.channels.get(channel).ok_or_else(LineError::forbidden)?;
    let number = world.person_by_id(&channel.provider, user_id).ok_or_else(LineError::not_found)?;
    world.people.get(&number).ok_or_else(LineError::not_found)
}

/// The group or room of a path, while the account is in it.
pub(super) fn joined_group<'w>(
    world: &'w World,
    channel: &str,
    path: &MatchedPath,
    id: &str,
) -> Result<&'w Group, LineError> {
    let (prefix, name) = match path.as_str().starts_with("/v2/bot/room/") {
        true => ('R', "roomId"),
        false => ('C', "groupId"),
    };
    if !is_line_id(id, prefix) {
        return Err(LineError::invalid_parameter(name));
    }
    let group = world.groups.get(id).filter(|group| group.channel == channel && group.bot_inside);
    group.ok_or_else(LineError::not_found)
}

fn short_profile(person: &Person, user_id: &str) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("displayName".into(), person.name.clone().into());
    answer.insert("userId".into(), user_id.into());
    put(&mut answer, "pictureUrl", person.picture_url.as_ref());
    answer
}

/// Fields without a value are left out, never null (PLATFORM 16).
fn put(answer: &mut Map<String, Value>, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        answer.insert(name.to_owned(), value.clone().into());
    }
}
