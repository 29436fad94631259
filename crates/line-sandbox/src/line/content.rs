//! The bytes of received pictures, videos, audio and files (PLATFORM 6).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::Inner;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::messages::{Content, Message};
use crate::world::World;

/// What a video's preview shows: one grey pixel, as a PNG.
const VIDEO_PREVIEW: &[u8] = include_bytes!("preview.png");

pub(super) async fn show(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, LineError> {
    let world = inner.world();
    let (_, content) = find(&world, &caller.channel, &id)?;
    if content.ready_at > inner.clock.now() {
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    if content.fails {
        return Err(not_found());
    }
    Ok(([(header::CONTENT_TYPE, content.content_type.clone())], content.bytes.clone()).into_response())
}

pub(super) async fn preview(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, LineError> {
    let world = inner.world();
    let (message, content) = find(&world, &caller.channel, &id)?;
    match kind(message).as_str() {
        "image" => {
            Ok(([(header::CONTENT_TYPE, content.content_type.clone())], content.bytes.clone())
                .into_response())
        }
        "video" => Ok(([(header::CONTENT_TYPE, "image/png")], VIDEO_PREVIEW).into_response()),
        _ => Err(LineError::bad_request("The content can not be previewed")),
    }
}

pub(super) async fn transcoding(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, LineError> {
    let world = inner.world();
    let (message, content) = find(&world, &caller.channel, &id)?;
    if !matches!(kind(message).as_str(), "video" | "audio") {
        return Err(LineError::bad_request("Transcoding status doesn't support this type of content"));
    }
    let status = if content.ready_at > inner.clock.now() {
        "processing"
    } else if content.fails {
        "failed"
    } else {
        "succeeded"
    };
    Ok(Json(json!({ "status": status })))
}

/// The content that LINE holds for this account's message.
fn find<'w>(world: &'w World, channel: &str, id: &str) -> Result<(&'w Message, &'w Content), LineError> {
    let message = world
        .messages
        .find(id)
        .filter(|message| world.messages.channel_of(message) == channel)
        .ok_or_else(not_found)?;
    let content = message.content.as_deref().ok_or_else(not_found)?;
    if message.unsent {
        return Err(LineError::new(StatusCode::GONE, "The content is gone"));
    }
    Ok((message, content))
}

fn kind(message: &Message) -> String {
    message.value().get("type").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn not_found() -> LineError {
    LineError::new(StatusCode::NOT_FOUND, "not found")
}
