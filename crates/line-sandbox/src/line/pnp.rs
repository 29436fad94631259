//! Notification messages to phone numbers, which need a contract with LINE (PLATFORM 14). They reach people who are no friends, and are
//! charged apart from the quota. Retry keys are refused.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::events::{Kind, Origin};
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;
use crate::line::gate::{check_context, checked_messages};
use crate::line::target::Target;
use crate::messages::Via;
use crate::sends::Counted;
use crate::world::Chat;

type Answer = Result<Json<Value>, LineError>;

/// Items and buttons of a template, and lengths (LINE's reference of notification messages).
const ITEMS: usize = 15;
const BUTTONS: usize = 2;
const CONTENT_UNITS: usize = 300;
const URL_UNITS: usize = 1_000;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/bot/pnp/push", post(push))
        .route("/v2/bot/message/pnp/templated/push", post(push_templated))
}

async fn push(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Answer {
    must_be_partner(&inner, &caller)?;
    let messages = checked_messages(&body)?;
    send(&inner, &caller, &headers, &body, messages, Counted::Pnp)
}

/// A message made from one of LINE's templates. The sandbox does not have LINE's catalogue of them, so it takes every key and shows
/// keys and contents as text.
async fn push_templated(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Answer {
    must_be_partner(&inner, &caller)?;
    let key = text(&body, "templateKey", "templateKey", usize::MAX)?;
    let mut lines = vec![key];
    let content = body.get("body").unwrap_or(&Value::Null);
    let mut keys = std::collections::HashSet::new();
    if let Some(item) = content.get("emphasizedItem").filter(|item| !item.is_null()) {
        lines.push(line(item, "body.emphasizedItem", ("itemKey", "content", CONTENT_UNITS), &mut keys)?);
    }
    for (index, item) in list(content, "items", ITEMS)?.iter().enumerate() {
        let at = format!("body.items[{index}]");
        lines.push(line(item, &at, ("itemKey", "content", CONTENT_UNITS), &mut keys)?);
    }
    for (index, button) in list(content, "buttons", BUTTONS)?.iter().enumerate() {
        let at = format!("body.buttons[{index}]");
        lines.push(line(button, &at, ("buttonKey", "url", URL_UNITS), &mut keys)?);
    }
    let messages = [json!({ "type": "text", "text": lines.join("\n") })];
    send(&inner, &caller, &headers, &body, &messages, Counted::PnpTemplated)
}

fn must_be_partner(inner: &Inner, caller: &Caller) -> Result<(), LineError> {
    let world = inner.world();
    let partner = world.channels.get(&caller.channel).is_some_and(|channel| channel.settings.partner);
    if partner { Ok(()) } else { Err(LineError::forbidden()) }
}

fn text(value: &Value, name: &str, at: &str, most: usize) -> Result<String, LineError> {
    match value.get(name) {
        None | Some(Value::Null) => Err(LineError::property(at, "May not be empty")),
        Some(Value::String(text)) if text.is_empty() => Err(LineError::property(at, "May not be empty")),
        Some(Value::String(text)) if text.encode_utf16().count() > most => {
            Err(LineError::property(at, &format!("Length must be between 0 and {most}")))
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(LineError::invalid_property(at)),
    }
}

fn list<'b>(content: &'b Value, name: &str, most: usize) -> Result<&'b [Value], LineError> {
    match content.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= most => Ok(items),
        Some(Value::Array(_)) => {
            Err(LineError::property(&format!("body.{name}"), &format!("Size must be between 0 and {most}")))
        }
        Some(_) => Err(LineError::invalid_property(&format!("body.{name}"))),
    }
}

/// One item or button; its key may come once.
fn line(
    item: &Value,
    at: &str,
    (key, value, most): (&str, &str, usize),
    keys: &mut std::collections::HashSet<String>,
) -> Result<String, LineError> {
    let name = text(item, key, &format!("{at}.{key}"), usize::MAX)?;
    if !keys.insert(name.clone()) {
        return Err(LineError::property(&format!("{at}.{key}"), "invalid property"));
    }
    Ok(format!("{name}: {}", text(item, value, &format!("{at}.{value}"), most)?))
}

/// Finds the person by the hash of her phone number, shows the messages and tells the account by a `delivery` event (PLATFORM 16).
/// Nobody with that number, or one who blocks the account: 422, whose text is not published.
fn send(
    inner: &Inner,
    caller: &Caller,
    headers: &HeaderMap,
    body: &Value,
    messages: &[Value],
    way: Counted,
) -> Answer {
    let to = text(body, "to", "to", usize::MAX)?;
    let wanted = hash(&to).ok_or_else(|| LineError::invalid_property("to"))?;
    let tag = headers.get("x-line-delivery-tag").map(|tag| tag.to_str().unwrap_or_default());
    if tag.is_some_and(|tag| !(16..=100).contains(&tag.len())) {
        return Err(LineError::bad_request("The value for the 'X-Line-Delivery-Tag' header is invalid"));
    }
    let mut world = inner.world();
    let now = inner.clock.now();
    let person = world
        .people
        .values()
        .find(|person| {
            person
                .traits
                .phone
                .as_ref()
                .is_some_and(|phone| digest::digest(&digest::SHA256, phone.as_bytes()).as_ref() == wanted)
        })
        .map(|person| person.number)
        .filter(|person| !world.bond(&caller.channel, *person).blocked)
        .ok_or_else(|| LineError::new(StatusCode::UNPROCESSABLE_ENTITY, "Failed to send messages"))?;
    let chat = Chat::single(&caller.channel, person);
    check_context(&world, &caller.channel, Some(&chat), messages, now)?;
    let target = Target { chat: chat.clone(), cost: 0, delivered: true };
    inner.post_messages(&mut world, &caller.channel, &target, messages, Via::Pnp);
    world.sends.count(&caller.channel, way, 1, now);
    let data = tag.unwrap_or(&to);
    // The event names nobody.
    let fields = json!({ "delivery": { "data": data }, "source": null });
    let kind = Kind { name: "delivery", replyable: false, fields };
    inner.emit(&mut world, &caller.channel, Origin { chat, person: None }, kind);
    drop(world);
    inner.changed(vec![person]);
    Ok(Json(json!({})))
}

/// The bytes of a SHA-256 in hexadecimal.
fn hash(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
