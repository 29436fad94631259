//! Who holds a chat: `acquire` and `release` (PLATFORM 14).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Hold;
use crate::Inner;
use crate::events::Origin;
use crate::ids::is_line_id;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::world::{Chat, World};

/// How long a chat stays with whoever took it last ("a few seconds or so").
const LOCKED_MS: i64 = 3_000;
/// PLATFORM 14.
const TTL_SECONDS: i64 = 31_536_000;
const USUAL_TTL_SECONDS: i64 = 3_600;
/// What `expireAt` says of a hold without end (not published): the last second of the year 9999.
const NEVER_MS: i64 = 253_402_300_799_000;

/// The module takes the chat; whoever held it is on standby from now on.
pub(super) async fn acquire(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(chat_id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, LineError> {
    let module = caller.module.ok_or_else(LineError::forbidden)?;
    let now = inner.clock.now();
    let until = until(&body, now)?;
    let mut world = inner.world();
    let origin = find(&world, &caller.channel, &chat_id)?;
    let key = (caller.channel.clone(), origin.chat.clone());
    let before = world.modules.holder(&caller.channel, &origin.chat, now);
    let fresh = world.modules.held.get(&key).is_some_and(|hold| hold.since + LOCKED_MS > now);
    if fresh && before != module {
        return Err(LineError::new(StatusCode::LOCKED, "Another channel has acquired the chat control"));
    }
    world.modules.held.insert(key, Hold { channel: module.clone(), since: now, until });
    if before != module && before != caller.channel {
        inner.tell_module(
            &mut world,
            (&caller.channel, &before),
            Some(origin.clone()),
            "deactivated",
            json!({}),
        );
    }
    let fields = json!({ "chatControl": { "expireAt": until.unwrap_or(NEVER_MS) } });
    inner.tell_module(&mut world, (&caller.channel, &module), Some(origin), "activated", fields);
    Ok(Json(json!({})))
}

/// The chat returns to the account's own channel. What a module does not hold it cannot return: nothing happens (not published).
pub(super) async fn release(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(chat_id): Path<String>,
) -> Result<Json<Value>, LineError> {
    let module = caller.module.ok_or_else(LineError::forbidden)?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let origin = find(&world, &caller.channel, &chat_id)?;
    if world.modules.holder(&caller.channel, &origin.chat, now) == module {
        let key = (caller.channel.clone(), origin.chat.clone());
        world.modules.held.insert(key, Hold { channel: caller.channel.clone(), since: now, until: None });
        inner.tell_module(&mut world, (&caller.channel, &module), Some(origin), "deactivated", json!({}));
    }
    Ok(Json(json!({})))
}

/// When the hold that the body asks for ends.
fn until(body: &Bytes, now: i64) -> Result<Option<i64>, LineError> {
    let body: Value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(body).map_err(|error| LineError::unreadable(&error))?,
    };
    match body.get("expired") {
        Some(Value::Bool(false)) => return Ok(None),
        None | Some(Value::Null | Value::Bool(true)) => {}
        Some(_) => return Err(LineError::invalid_property("expired")),
    }
    let ttl = match body.get("ttl") {
        None | Some(Value::Null) => USUAL_TTL_SECONDS,
        Some(ttl) => ttl.as_i64().ok_or_else(|| LineError::invalid_property("ttl"))?,
    };
    if !(1..=TTL_SECONDS).contains(&ttl) {
        return Err(LineError::property("ttl", &format!("Must be between 1 and {TTL_SECONDS}")));
    }
    Ok(Some(now + ttl * 1_000))
}

/// The chat of an ID: a friend's, or a group or room with the account in it.
fn find(world: &World, account: &str, id: &str) -> Result<Origin, LineError> {
    if is_line_id(id, 'U') {
        let provider = &world.channels.get(account).ok_or_else(LineError::forbidden)?.provider;
        let person = world.person_by_id(provider, id);
        let friend = person.filter(|person| world.bond(account, *person).following);
        let person = friend.ok_or_else(LineError::not_found)?;
        return Ok(Origin { chat: Chat::single(account, person), person: Some(person) });
    }
    if is_line_id(id, 'C') || is_line_id(id, 'R') {
        let group = world.groups.get(id).filter(|group| group.channel == account && group.bot_inside);
        let group = group.ok_or_else(LineError::not_found)?;
        return Ok(Origin { chat: Chat::Group(group.id.clone()), person: None });
    }
    Err(LineError::invalid_parameter("chatId"))
}
