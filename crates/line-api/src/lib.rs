//! LINE's wire types: webhook events, message objects, API bodies, ids, limits and the signature. No I/O.
//!
//! | Module | Answers |
//! | --- | --- |
//! | [`signature`] | Did this body come from LINE? |
//! | [`webhook`] | Which events are in it, and what happened? |
//! | [`message`](mod@message) | How is a message object written? |
//! | [`validate`] | Would LINE accept it, and if not, in which words would LINE refuse? |
//! | [`limits`] | How long, how many? |
//! | [`ids`] | What kind of id is this? |
//! | [`api`] | What do LINE's answers look like? |
//! | `schema` (feature) | Does a body fit LINE's own OpenAPI files? For tests. |
//!
//! Unknown JSON is kept, never dropped: an event or message kind that LINE adds tomorrow passes through.
//! Facts about LINE are cited by their section of the platform reference, as in "PLATFORM 16".
//!
//! ```
//! use line_api::{message, signature, validate, webhook};
//!
//! let secret = "8c570fa6dd201bb328f1c1eac23a96d8";
//! let body = br#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[
//!     {"type":"message","replyToken":"t","source":{"type":"user","userId":"U1"},
//!      "message":{"type":"text","id":"1","text":"hello"}}]}"#;
//! assert!(signature::verify(secret, body, &signature::sign(secret, body)));
//!
//! let envelope = webhook::parse(body)?;
//! let event = webhook::Event::parse(envelope.events[0].raw);
//! let answer = match event.message().map(|received| &received.content) {
//!     Some(webhook::Content::Text { text, .. }) => message::text(&format!("you said {text}")),
//!     _ => message::sticker("446", "1988"),
//! };
//! assert_eq!(validate::messages(&serde_json::json!([answer])), Ok(()));
//!
//! let refusal = validate::messages(&serde_json::json!([message::text("")])).unwrap_err();
//! assert_eq!(refusal.message, "The request body has 1 error(s)");
//! # Ok::<(), webhook::EnvelopeError>(())
//! ```

pub mod api;
pub mod ids;
pub mod limits;
pub mod message;
pub mod signature;
pub mod validate;
pub mod webhook;

#[cfg(feature = "schema")]
pub mod schema;
