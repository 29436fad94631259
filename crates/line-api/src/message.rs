//! Message objects to send (PLATFORM 19), as JSON. Nothing is checked here: that is
//! [`validate`](crate::validate)'s work.

use serde_json::{Value, json};

/// The object's `type`, e.g. `text`; empty if it has none. Works for received messages too.
#[must_use]
pub fn kind(message: &Value) -> &str {
    message.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// A text of up to 5,000 UTF-16 units.
#[must_use]
pub fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A sticker of LINE's list.
#[must_use]
pub fn sticker(package_id: &str, sticker_id: &str) -> Value {
    json!({"type": "sticker", "packageId": package_id, "stickerId": sticker_id})
}

/// A picture, which LINE fetches from the addresses given.
#[must_use]
pub fn image(original_url: &str, preview_url: &str) -> Value {
    json!({"type": "image", "originalContentUrl": original_url, "previewImageUrl": preview_url})
}

/// A video and its preview picture.
#[must_use]
pub fn video(original_url: &str, preview_url: &str) -> Value {
    json!({"type": "video", "originalContentUrl": original_url, "previewImageUrl": preview_url})
}

/// A sound of `duration` ms.
#[must_use]
pub fn audio(original_url: &str, duration: u64) -> Value {
    json!({"type": "audio", "originalContentUrl": original_url, "duration": duration})
}

/// A place on the map, in degrees.
#[must_use]
pub fn location(title: &str, address: &str, latitude: f64, longitude: f64) -> Value {
    json!({"type": "location", "title": title, "address": address, "latitude": latitude,
        "longitude": longitude})
}

/// A Flex Message; `alt_text` is what lists and notifications show, `contents` a bubble or carousel.
#[must_use]
pub fn flex(alt_text: &str, contents: &Value) -> Value {
    json!({"type": "flex", "altText": alt_text, "contents": contents})
}

/// A template message; `template` is buttons, confirm, carousel or image carousel.
#[must_use]
pub fn template(alt_text: &str, template: &Value) -> Value {
    json!({"type": "template", "altText": alt_text, "template": template})
}

/// `message`, quoting the message that `quote_token` belongs to; for texts and stickers (PLATFORM 17).
#[must_use]
pub fn quoting(message: Value, quote_token: &str) -> Value {
    with(message, "quoteToken", Value::from(quote_token))
}

/// `message` with quick reply buttons, each doing one of `actions`. Only those of a call's last message are
/// shown.
#[must_use]
pub fn with_quick_reply(message: Value, actions: Vec<Value>) -> Value {
    let items: Vec<Value> =
        actions.into_iter().map(|action| json!({"type": "action", "action": action})).collect();
    with(message, "quickReply", json!({"items": items}))
}

/// `message`, shown under another name and picture than the account's.
#[must_use]
pub fn from_sender(message: Value, name: &str, icon_url: Option<&str>) -> Value {
    let sender = match icon_url {
        Some(icon_url) => json!({"name": name, "iconUrl": icon_url}),
        None => json!({"name": name}),
    };
    with(message, "sender", sender)
}

fn with(mut message: Value, name: &str, value: Value) -> Value {
    if let Some(members) = message.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    message
}
