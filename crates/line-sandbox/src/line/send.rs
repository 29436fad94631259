//! Reply, push and validation of messages (PLATFORM 7, 17, 18).

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::line::gate::{RetryKey, check_context, check_stickers, checked_messages, checked_unit};
use crate::line::target::Target;
use crate::messages::Via;
use crate::sends::{Campaign, Counted, Kind};
use crate::world::Chat;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/message/reply", post(reply))
        .route("/v2/bot/message/push", post(push))
        .route("/v2/bot/message/validate/{kind}", post(validate))
}

async fn reply(
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
    check_context(&world, &caller.channel, Some(&chat), messages, now)?;
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
    world.sends.count(&caller.channel, Counted::Reply, u64::from(delivered), now);
    let viewers = world.viewers(&target.chat);
    drop(world);
    inner.changed(viewers);
    Ok(Json(json!({ "sentMessages": sent })))
}

async fn push(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, LineError> {
    let retry_key = RetryKey::read(&headers, &caller.channel)?;
    let to = match body.get("to") {
        Some(Value::String(to)) if !to.is_empty() => to,
        None | Some(Value::Null) => return Err(LineError::property("to", "May not be empty")),
        Some(_) => return Err(LineError::invalid_property("to")),
    };
    let messages = checked_messages(&body)?;
    let unit = checked_unit(&body)?;
    let mut world = inner.world();
    let now = inner.clock.now();
    if let Some(conflict) = retry_key.conflict(&world, now) {
        return Ok(conflict);
    }
    let target = world.target(&caller.channel, to, now)?;
    check_context(&world, &caller.channel, Some(&target.chat), messages, now)?;
    world.spend(&caller.channel, target.cost, now)?;
    let sent = inner.post_messages(&mut world, &caller.channel, &target, messages, Via::Push);
    world.sends.count(&caller.channel, Counted::Push, target.cost, now);
    let viewers = world.viewers(&target.chat);
    if let Some(unit) = unit.filter(|_| target.delivered) {
        let mut campaign = Campaign::done(&request_id, &caller.channel, Kind::Push, now, messages);
        let first = sent.first().and_then(|sent| sent.get("id")?.as_str()?.parse().ok());
        (campaign.first_message, campaign.copies) = (first, 1);
        campaign.recipients = viewers.clone();
        world.record(campaign, Some(unit), now);
    }
    retry_key.accept(&mut world, now, &request_id, &sent);
    drop(world);
    inner.changed(viewers);
    Ok(Json(json!({ "sentMessages": sent })).into_response())
}

/// Checks messages without sending them (PLATFORM 8).
async fn validate(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(kind): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, LineError> {
    if !["reply", "push", "multicast", "narrowcast", "broadcast"].contains(&kind.as_str()) {
        return Err(LineError::not_found());
    }
    check_stickers(&inner.world(), &caller.channel, checked_messages(&body)?)?;
    Ok(Json(json!({})))
}
