//! What is common to all sends: the retry key (PLATFORM 18), and the checks of messages that need to know the world (PLATFORM 17, 19).

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use line_api::validate::Rules;
use serde_json::{Value, json};

use crate::ids::{is_uuid, quoted_message};
use crate::line::error::LineError;
use crate::world::{Accepted, Chat, World};

/// Media on this machine may be plain http (CONTRACT 2); everything else is LINE's rule.
const RULES: Rules = Rules { loopback_http: true };
/// How long a retry key is remembered (PLATFORM 18).
const RETRY_KEY_MS: i64 = 24 * 3_600_000;

/// The calls that take a retry key (PLATFORM 18).
pub(super) const RETRYABLE: [&str; 4] = [
    "/v2/bot/message/push",
    "/v2/bot/message/multicast",
    "/v2/bot/message/narrowcast",
    "/v2/bot/message/broadcast",
];

/// The retry key of a call with the channel it belongs to.
#[derive(Debug)]
pub(super) struct RetryKey(Option<(String, String)>);

impl RetryKey {
    /// Reads the header; refused unless it is a UUID.
    pub(super) fn read(headers: &HeaderMap, channel: &str) -> Result<Self, LineError> {
        match headers.get("x-line-retry-key").map(|key| key.to_str().unwrap_or_default()) {
            Some(key) if is_uuid(key) => Ok(Self(Some((channel.to_owned(), key.to_ascii_lowercase())))),
            Some(_) => Err(LineError::bad_request("The value for the 'X-Line-Retry-Key' header is invalid")),
            None => Ok(Self(None)),
        }
    }

    /// The answer to a key that was accepted before, within a day. Only a push's has `sentMessages`. A key counts for all four calls
    /// of its channel together; LINE does not say.
    pub(super) fn conflict(&self, world: &World, now: i64) -> Option<Response> {
        let accepted = world.retry_keys.get(self.0.as_ref()?)?;
        if accepted.at + RETRY_KEY_MS <= now {
            return None;
        }
        let mut body = json!({ "message": "The retry key is already accepted" });
        if let Some(body) = body.as_object_mut().filter(|_| !accepted.sent.is_empty()) {
            body.insert("sentMessages".into(), accepted.sent.clone().into());
        }
        let header = [("x-line-accepted-request-id", accepted.request_id.clone())];
        Some((StatusCode::CONFLICT, header, Json(body)).into_response())
    }

    /// Remembers the key of an accepted call. `sent` is the `sentMessages` of a push.
    pub(super) fn accept(self, world: &mut World, now: i64, request_id: &str, sent: &[Value]) {
        let Some(key) = self.0 else { return };
        let accepted = Accepted { at: now, request_id: request_id.to_owned(), sent: sent.to_vec() };
        world.retry_keys.keep(key, accepted, |accepted| accepted.at + RETRY_KEY_MS > now);
    }
}

/// The packages of LINE's list of stickers that may be sent (page "Stickers" of LINE's documentation). Which stickers are in them is
/// not looked at.
const STICKER_PACKAGES: [&str; 17] = [
    "446", "789", "1070", "6136", "6325", "6359", "6362", "6370", "6632", "8515", "8522", "8525", "10551",
    "10979", "11537", "11538", "11539",
];

/// Only stickers of LINE's list can be sent (PLATFORM 19), but under a contract also a company's own. LINE's text is not published.
pub(super) fn check_stickers(world: &World, channel: &str, messages: &[Value]) -> Result<(), LineError> {
    if world.channels.get(channel).is_some_and(|channel| channel.settings.partner) {
        return Ok(());
    }
    let stranger = messages.iter().position(|message| {
        let package = message.get("packageId").and_then(Value::as_str);
        package.is_some_and(|package| !STICKER_PACKAGES.contains(&package))
    });
    match stranger {
        Some(index) => Err(LineError::property(&format!("messages[{index}].packageId"), "invalid property")),
        None => Ok(()),
    }
}

/// The body's messages, checked by the shared validator.
pub(super) fn checked_messages(body: &Value) -> Result<&[Value], LineError> {
    let messages = body.get("messages").unwrap_or(&Value::Null);
    line_api::validate::messages_with(messages, RULES)?;
    if body.get("notificationDisabled").is_some_and(|value| !value.is_boolean() && !value.is_null()) {
        return Err(LineError::invalid_property("notificationDisabled"));
    }
    Ok(messages.as_array().map(Vec::as_slice).unwrap_or_default())
}

/// The aggregation unit: at most one, of a set form (PLATFORM 7).
pub(super) fn checked_unit(body: &Value) -> Result<Option<&str>, LineError> {
    let units = match body.get("customAggregationUnits") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(units)) => units,
        Some(_) => return Err(LineError::invalid_property("customAggregationUnits")),
    };
    if units.len() > 1 {
        return Err(LineError::property("customAggregationUnits", "Size must be between 0 and 1"));
    }
    let Some(unit) = units.first() else { return Ok(None) };
    unit.as_str()
        .filter(|unit| is_unit(unit))
        .map(Some)
        .ok_or_else(|| LineError::invalid_property("customAggregationUnits[0]"))
}

/// `^[a-zA-Z0-9_]{1,30}$` (PLATFORM 7).
pub(super) fn is_unit(text: &str) -> bool {
    (1..=30).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Checks what only the world can tell of messages that go into `chat`, or to many (`None`): a quote token works in the chat of its
/// message alone (PLATFORM 17), mentions in groups and rooms alone and of members, a video's tracking ID not there (PLATFORM 19).
/// The texts of the last two are not published. A coupon is one that the account gives out at `now` (ms).
pub(super) fn check_context(
    world: &World,
    channel: &str,
    chat: Option<&Chat>,
    messages: &[Value],
    now: i64,
) -> Result<(), LineError> {
    check_stickers(world, channel, messages)?;
    world.coupons.check_messages(channel, messages, now)?;
    let group = match chat {
        Some(Chat::Group(id)) => world.groups.get(id),
        _ => None,
    };
    for (index, message) in messages.iter().enumerate() {
        if let Some(token) = message.get("quoteToken").and_then(Value::as_str) {
            let quoted = quoted_message(token).and_then(|id| world.messages.get(id));
            let quoted = quoted.and_then(|quoted| world.messages.chat_of(quoted));
            if quoted.is_none() || quoted != chat {
                return Err(LineError::property(
                    &format!("messages[{index}].quoteToken"),
                    "invalid quoteToken",
                ));
            }
        }
        if group.is_some() && message.get("trackingId").is_some_and(Value::is_string) {
            return Err(LineError::property(&format!("messages[{index}].trackingId"), "invalid property"));
        }
        let substitution = message.get("substitution").and_then(Value::as_object);
        for (name, value) in substitution.into_iter().flatten() {
            let Some(mentionee) = value.get("mentionee") else { continue };
            let user_id = mentionee.get("userId").and_then(Value::as_str);
            let inside = match (group, user_id) {
                (None, _) => false,
                (Some(_), None) => true,
                (Some(group), Some(user_id)) => world
                    .channels
                    .get(channel)
                    .and_then(|channel| world.person_by_id(&channel.provider, user_id))
                    .is_some_and(|person| group.members.contains(&person)),
            };
            if !inside {
                let property = format!("messages[{index}].substitution.{name}.mentionee");
                return Err(LineError::property(&property, "invalid property"));
            }
        }
    }
    Ok(())
}
