//! Every limit of PLATFORM 19–21 at its edge, LINE's wording (PLATFORM 5), and arbitrary JSON.

#![expect(clippy::needless_pass_by_value, reason = "values are passed as `json!` makes them")]

mod actions;
mod calls;
mod flex;
mod made;
mod messages;
mod templates;
mod trouble;

use line_api::{
    limits, message,
    schema::Schema,
    validate::{self, Refusal, Rules},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::samples;

/// An astral character: two UTF-16 units, one grapheme, four bytes.
const ASTRAL: &str = "\u{1f375}";
/// A family: eight UTF-16 units, one grapheme.
const FAMILY: &str = "👨\u{200d}👩\u{200d}👧";
const PICTURE: &str = "https://a.example/1.png";

fn refusal(message: &Value) -> Refusal {
    validate::message(message).expect_err("accepted")
}

/// The refusal of one message as `heading`, then `property: text` for each detail.
#[track_caller]
fn refused(message: &Value, heading: &str, wanted: &[(&str, &str)]) {
    let Err(refusal) = validate::message(message) else { panic!("accepted: {message}") };
    let found: Vec<(&str, &str)> = refusal
        .details
        .iter()
        .map(|detail| (detail.property.as_deref().unwrap(), detail.message.as_deref().unwrap()))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(refusal.message, heading);
}

/// Refused by the check of the body, with one finding.
#[track_caller]
fn in_body(message: &Value, property: &str, text: &str) {
    refused(message, "The request body has 1 error(s)", &[(property, text)]);
}

/// Refused by the check of the content, with one finding.
#[track_caller]
fn in_content(message: &Value, property: &str, text: &str) {
    refused(message, "A message (messages[0]) in the request body is invalid", &[(property, text)]);
}

/// Accepted, and shaped as LINE's schema says.
#[track_caller]
fn accepted(message: &Value) {
    assert_eq!(validate::message(message), Ok(()), "{message}");
    if let Some(schema) = Schema::load() {
        assert_eq!(schema.check_component("Message", message), Ok(()));
    }
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

fn url(length: usize) -> String {
    format!("{:x<length$}", "https://a.example/")
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn tap(label: &str) -> Value {
    json!({"type": "message", "label": label, "text": "tap"})
}

fn taps(count: usize) -> Vec<Value> {
    vec![tap("tap"); count]
}

fn template(template: Value) -> Value {
    json!({"type": "template", "altText": "alt", "template": template})
}

fn flex(contents: Value) -> Value {
    json!({"type": "flex", "altText": "alt", "contents": contents})
}

fn body_box(contents: Value) -> Value {
    json!({"type": "box", "layout": "vertical", "contents": contents})
}

/// A Flex Message whose body holds one component.
fn component(component: Value) -> Value {
    flex(json!({"type": "bubble", "body": body_box(json!([component]))}))
}

/// A Flex Message with an action under a text.
fn flex_action(action: Value) -> Value {
    component(json!({"type": "text", "text": "x", "action": action}))
}

/// A buttons template with one action.
fn buttons_action(action: Value) -> Value {
    template(json!({"type": "buttons", "text": "x", "actions": [action]}))
}

/// A text with one quick reply.
fn quick_reply(action: Value) -> Value {
    json!({"type": "text", "text": "x", "quickReply": {"items": [{"type": "action", "action": action}]}})
}

/// `value` with the value at a JSON pointer replaced.
fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap()[name] = new;
    value
}
