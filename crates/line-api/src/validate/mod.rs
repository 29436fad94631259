//! One validator of message objects for the composer, the API and the sandbox, with LINE's wording (PLATFORM
//! 5, 19–21).
//!
//! What LINE accepts is written as tables: `message`, `template`, `flex` and `action` list the fields of each
//! object, `value` knows the forms of single values, and `check` walks a body along the tables. Unknown
//! properties are ignored and `null` counts as absent, since SDKs send both.
//!
//! LINE looks at a body in three steps and answers at the first that finds something:
//! 1. a value of the wrong JSON type: `The property, 'messages[0].text', in the request body is invalid
//!    (line: -, column: -)`;
//! 2. the message's own fields: `The request body has 1 error(s)`, with paths such as `messages[0].text`;
//! 3. the content of templates, Flex containers and actions: `A message (messages[0]) in the request body is
//!    invalid`, with paths such as `template/columns/5/title`, or `/footer/contents/0/action/uri` inside a
//!    Flex container.

mod action;
mod check;
mod flex;
mod message;
mod rich_menu;
mod template;
mod value;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use check::Checker;
pub use rich_menu::rich_menu_size;
pub use value::{graphemes, picker_value, units};

/// One finding: LINE's text and the path of the property, as LINE writes it (`messages[0].text`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// LINE's text, e.g. `May not be empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The path, e.g. `messages[0].text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
}

/// LINE's 400 body: `{"message", "details"}`; `details` is left out when empty (PLATFORM 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `The request body has X error(s)` or `A message (messages[0]) in the request body is invalid`.
    pub message: String,
    /// The findings, message by message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// In what the validator may differ from LINE.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Media may be at a plain `http` address of this machine (`localhost`, `127.0.0.0/8`, `::1`), as a
    /// sandbox needs.
    pub loopback_http: bool,
}

/// Checks the `messages` value of a send (1–5 message objects) against all of LINE's limits.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn messages(messages: &Value) -> Result<(), Refusal> {
    messages_with(messages, Rules::default())
}

/// [`messages`] under other rules.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn messages_with(messages: &Value, rules: Rules) -> Result<(), Refusal> {
    let mut checker = Checker::new(rules);
    message::check_messages(&mut checker, messages);
    checker.refusal()
}

/// Checks one message object, which is spoken of as `messages[0]`.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn message(message: &Value) -> Result<(), Refusal> {
    message_with(message, Rules::default())
}

/// [`message()`] under other rules.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn message_with(message: &Value, rules: Rules) -> Result<(), Refusal> {
    let mut checker = Checker::new(rules);
    message::check_message(&mut checker, 0, message);
    checker.refusal()
}

/// Checks an action of a rich menu's area, where other actions are allowed than in messages (PLATFORM 20).
/// `property` is the action's path in the body, e.g. `areas[0].action`.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn action_in_rich_menu(action: &Value, property: &str) -> Result<(), Refusal> {
    let mut checker = Checker::new(Rules::default());
    action::check_in_rich_menu(&mut checker, action, property);
    checker.refusal()
}

/// Checks a rich menu object (PLATFORM 10) as LINE's own check does. Its actions may be some that LINE's app handles badly in a
/// menu; [`action_in_rich_menu`] refuses these.
///
/// # Errors
/// The body LINE would answer with status 400.
pub fn rich_menu(menu: &Value) -> Result<(), Refusal> {
    let mut checker = Checker::new(Rules::default());
    if let Some(members) = menu.as_object() {
        rich_menu::check(&mut checker, members);
    }
    checker.refusal()
}
