//! Lists of user IDs, and marking as read by user (PLATFORM 9).

use std::sync::Arc;

use axum::extract::{MatchedPath, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::ids::is_line_id;
use crate::line::account::joined_group;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;
use crate::line::paging::Page;
use crate::line::query::Query;
use crate::world::{Chat, World};

type Answer = Result<Json<Value>, LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/followers/ids", get(followers))
        .route("/v2/bot/group/{group_id}/members/ids", get(members))
        .route("/v2/bot/room/{room_id}/members/ids", get(members))
        .route("/v2/bot/message/markAsRead", post(mark_as_read))
}

/// Only verified and premium accounts may list people (PLATFORM 9).
fn must_be_verified(world: &World, channel: &str) -> Result<(), LineError> {
    match world.channels.get(channel) {
        Some(channel) if channel.settings.account_type != "unverified" => Ok(()),
        _ => Err(LineError::forbidden()),
    }
}

fn user_ids(world: &World, channel: &str, people: impl Iterator<Item = u64>) -> Vec<String> {
    let provider = world.channels.get(channel).map_or("", |channel| &channel.provider);
    people.filter_map(|person| world.people.get(&person)?.user_ids.get(provider).cloned()).collect()
}

/// Friends in the order in which they came to LINE. As at LINE a page may be shorter than asked: who blocks the account is passed over.
async fn followers(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    must_be_verified(&world, &caller.channel)?;
    let list = format!("followers/{}", caller.channel);
    let page = Page::read((query.get("start"), query.get("limit")), &list, (300, 1_000), now)?;
    let bonds = world.channels.get(&caller.channel).into_iter().flat_map(|channel| &channel.bonds);
    let mut known: Vec<(u64, bool)> = bonds
        .filter(|(_, bond)| bond.followed_at.is_some())
        .map(|(person, bond)| (*person, bond.following))
        .collect();
    known.sort_unstable();
    let shown = known.iter().skip(page.from).take(page.limit);
    let friends = shown.filter(|(_, following)| *following).map(|(person, _)| *person);
    let mut answer = json!({ "userIds": user_ids(&world, &caller.channel, friends) });
    if let (Some(next), Some(answer)) = (page.next(&list, known.len(), now), answer.as_object_mut()) {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(answer))
}

/// The members of a group or room, a hundred at a time.
async fn members(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    path: MatchedPath,
    Path(id): Path<String>,
    query: Query,
) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    must_be_verified(&world, &caller.channel)?;
    let group = joined_group(&world, &caller.channel, &path, &id)?;
    let list = format!("members/{}/{id}", caller.channel);
    let page = Page::read((query.get("start"), None), &list, (100, 100), now)?;
    let shown = group.members.iter().skip(page.from).take(page.limit).copied();
    let mut answer = json!({ "memberIds": user_ids(&world, &caller.channel, shown) });
    if let (Some(next), Some(answer)) = (page.next(&list, group.members.len(), now), answer.as_object_mut()) {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(answer))
}

/// Marks all messages of a user as read: the old call, which needs a contract with LINE.
async fn mark_as_read(State(inner): State<Arc<Inner>>, caller: Caller, JsonBody(body): JsonBody) -> Answer {
    let mut world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    if !channel.settings.partner {
        return Err(LineError::forbidden());
    }
    let user_id = match body.get("chat").and_then(|chat| chat.get("userId")) {
        Some(Value::String(user_id)) if is_line_id(user_id, 'U') => user_id,
        None | Some(Value::Null) => return Err(LineError::property("chat.userId", "May not be empty")),
        Some(_) => return Err(LineError::invalid_property("chat.userId")),
    };
    let person = world.person_by_id(&channel.provider, user_id).ok_or_else(LineError::not_found)?;
    let chat = Chat::single(&caller.channel, person);
    world.messages.change_back(&chat, |message| {
        message.read |= message.author.is_some();
        true
    });
    drop(world);
    inner.changed(vec![person]);
    Ok(Json(json!({})))
}
