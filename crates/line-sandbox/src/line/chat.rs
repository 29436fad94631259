//! The loading animation and read marks (PLATFORM 9, 17).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Inner;
use crate::ids::{is_line_id, read_message};
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;

type Answer = Result<Json<Value>, LineError>;

pub(super) async fn start_loading(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>), LineError> {
    let chat_id = body.get("chatId").and_then(Value::as_str).unwrap_or_default();
    if !is_line_id(chat_id, 'U') {
        let message =
            "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids.";
        return Err(LineError::property("chatId", message));
    }
    let seconds = match body.get("loadingSeconds") {
        None | Some(Value::Null) => 20,
        Some(value) => value.as_i64().ok_or_else(|| LineError::invalid_property("loadingSeconds"))?,
    };
    if !(5..=60).contains(&seconds) {
        return Err(LineError::property("loadingSeconds", "Must be between 5 and 60"));
    }
    if seconds % 5 != 0 {
        return Err(LineError::property("loadingSeconds", "must be a multiple of five"));
    }
    let until = inner.clock.now() + seconds * 1_000;
    let mut world = inner.world();
    let provider =
        world.channels.get(&caller.channel).map(|channel| channel.provider.clone()).unwrap_or_default();
    if let Some(person) = world.person_by_id(&provider, chat_id)
        && let Some(channel) = world.channels.get_mut(&caller.channel)
    {
        channel.bonds.entry(person).or_default().loading_until = Some(until);
        drop(world);
        inner.changed(vec![person]);
    }
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}

/// Marks the message and all earlier ones of its chat as read by the account.
pub(super) async fn mark_as_read(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Answer {
    let invalid = || {
        LineError::bad_request(
            "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook.",
        )
    };
    let token = body.get("markAsReadToken").and_then(Value::as_str).ok_or_else(invalid)?;
    let id = read_message(token).ok_or_else(invalid)?;
    let mut world = inner.world();
    let message =
        world.messages.get(id).filter(|message| world.messages.channel_of(message) == caller.channel);
    let chat = message.and_then(|message| world.messages.chat_of(message)).cloned().ok_or_else(invalid)?;
    world.messages.change_back(&chat, |message| {
        message.read |= message.author.is_some() && message.id <= id;
        true
    });
    let viewers = world.viewers(&chat);
    drop(world);
    inner.changed(viewers);
    Ok(Json(json!({})))
}
