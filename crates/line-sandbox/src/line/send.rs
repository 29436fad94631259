//! Reply, push and validation of messages (PLATFORM 7, 17, 18).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use line_api::validate::Rules;
use serde_json::{Value, json};

use crate::Inner;
use crate::ids::{is_uuid, quoted_message};
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::line::target::Target;
use crate::messages::Via;
use crate::world::{Accepted, Chat, World};

/// Media on this machine may be plain http (CONTRACT 2); everything else is LINE's rule.
const RULES: Rules = Rules { loopback_http: true };
/// How long a retry key is remembered (PLATFORM 18).
const RETRY_KEY_MS: i64 = 24 * 3_600_000;
/// Old retry keys are swept once this many are kept.
const RETRY_KEYS_KEPT: usize = 100_000;

pub(super) async fn reply(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, LineError> {
    let token = match body.get("replyToken") {
        Some(Value::String(token)) if !token.is_empty() => token,
        _ => return Err(LineError::invalid_property("replyToken")),
    };
    let messages = checked_messages(&body)?;
    let mut world = inner.world();
    let now = inner.clock.now();
    let invalid = || LineError::bad_request("Invalid reply token");
    let known = world.reply_tokens.get(token).ok_or_else(invalid)?;
    if known.channel != caller.channel || known.used || now >= known.valid_until {
        return Err(invalid());
    }
    let chat = known.chat.clone();
    check_quotes(&world, &chat, messages)?;
    if let Some(known) = world.reply_tokens.get_mut(token) {
        known.used = true;
    }
    let delivered = match &chat {
        Chat::Single { person, .. } => !world.bond(&caller.channel, *person).blocked,
        Chat::Group(id) => world.groups.get(id).is_some_and(|group| group.bot_inside),
        Chat::Pair(..) => false,
    };
    let target = Target { chat, cost: 0, delivered };
    let sent = inner.post_messages(&mut world, &caller.channel, &target, messages, Via::Reply);
    let viewers = world.viewers(&target.chat);
    drop(world);
    inner.changed(viewers);
    Ok(Json(json!({ "sentMessages": sent })))
}

pub(super) async fn push(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, LineError> {
    let retry_key = match headers.get("x-line-retry-key").map(|key| key.to_str().unwrap_or_default()) {
        Some(key) if is_uuid(key) => Some((caller.channel.clone(), key.to_ascii_lowercase())),
        Some(_) => {
            return Err(LineError::bad_request("The value for the 'X-Line-Retry-Key' header is invalid"));
        }
        None => None,
    };
    let to = match body.get("to") {
        Some(Value::String(to)) if !to.is_empty() => to,
        None | Some(Value::Null) => return Err(LineError::property("to", "May not be empty")),
        Some(_) => return Err(LineError::invalid_property("to")),
    };
    let messages = checked_messages(&body)?;
    check_units(&body)?;
    let mut world = inner.world();
    let now = inner.clock.now();
    if let Some(accepted) = retry_key.as_ref().and_then(|key| world.retry_keys.get(key))
        && accepted.at + RETRY_KEY_MS > now
    {
        let body = json!({ "message": "The retry key is already accepted", "sentMessages": accepted.sent });
        let header = [("x-line-accepted-request-id", accepted.request_id.clone())];
        return Ok((StatusCode::CONFLICT, header, Json(body)).into_response());
    }
    let target = world.target(&caller.channel, to, now)?;
    check_quotes(&world, &target.chat, messages)?;
    world.spend(&caller.channel, target.cost, now)?;
    let sent = inner.post_messages(&mut world, &caller.channel, &target, messages, Via::Push);
    if let Some(key) = retry_key {
        if world.retry_keys.len() >= RETRY_KEYS_KEPT {
            world.retry_keys.retain(|_, accepted| accepted.at + RETRY_KEY_MS > now);
        }
        world.retry_keys.insert(key, Accepted { at: now, request_id, sent: sent.clone() });
    }
    let viewers = world.viewers(&target.chat);
    drop(world);
    inner.changed(viewers);
    Ok(Json(json!({ "sentMessages": sent })).into_response())
}

/// Checks messages without sending them (PLATFORM 8).
pub(super) async fn validate(
    _caller: Caller,
    Path(kind): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, LineError> {
    if !["reply", "push", "multicast", "narrowcast", "broadcast"].contains(&kind.as_str()) {
        return Err(LineError::not_found());
    }
    checked_messages(&body)?;
    Ok(Json(json!({})))
}

/// The body's messages, checked by the shared validator.
fn checked_messages(body: &Value) -> Result<&[Value], LineError> {
    let messages = body.get("messages").unwrap_or(&Value::Null);
    line_api::validate::messages_with(messages, RULES)?;
    if body.get("notificationDisabled").is_some_and(|value| !value.is_boolean() && !value.is_null()) {
        return Err(LineError::invalid_property("notificationDisabled"));
    }
    Ok(messages.as_array().map(Vec::as_slice).unwrap_or_default())
}

/// At most one aggregation unit, of a set form (PLATFORM 7).
fn check_units(body: &Value) -> Result<(), LineError> {
    let units = match body.get("customAggregationUnits") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(units)) => units,
        Some(_) => return Err(LineError::invalid_property("customAggregationUnits")),
    };
    if units.len() > 1 {
        return Err(LineError::property("customAggregationUnits", "Size must be between 0 and 1"));
    }
    let sound = |unit: &str| {
        (1..=30).contains(&unit.len()) && unit.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if units.iter().all(|unit| unit.as_str().is_some_and(sound)) {
        Ok(())
    } else {
        Err(LineError::invalid_property("customAggregationUnits[0]"))
    }
}

/// A quote token works only in the chat of its message (PLATFORM 17).
fn check_quotes(world: &World, chat: &Chat, messages: &[Value]) -> Result<(), LineError> {
    for (index, message) in messages.iter().enumerate() {
        let Some(token) = message.get("quoteToken").and_then(Value::as_str) else { continue };
        let quoted = quoted_message(token).and_then(|id| world.messages.get(id));
        if quoted.and_then(|quoted| world.messages.chat_of(quoted)) != Some(chat) {
            return Err(LineError::property(&format!("messages[{index}].quoteToken"), "invalid quoteToken"));
        }
    }
    Ok(())
}
