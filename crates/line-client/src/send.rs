//! Reply and push (PLATFORM 7, 18).
//!
//! A caller that must never send twice stores [`reply_body`] or [`push_body`] and the retry key first, then sends
//! exactly these bytes, and exactly these again.

use bytes::Bytes;
use line_api::api::{SentMessage, SentMessages};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::account::{Account, SendKind};
use crate::error::{Cause, LineError};
use crate::transport::{Body, Call};

/// What LINE accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// One for each message object, in order. Empty only where LINE answered 409 without naming them.
    pub messages: Vec<SentMessage>,
    /// LINE's ID of the request that was accepted; after a 409 the earlier one's.
    pub request_id: Option<String>,
    /// LINE had accepted the same retry key before (409), so nothing was sent again.
    pub already_accepted: bool,
}

/// The exact bytes of a reply.
#[must_use]
pub fn reply_body(reply_token: &str, messages: &[Value], notification_disabled: bool) -> Vec<u8> {
    body("replyToken", reply_token, messages, notification_disabled, &[])
}

/// The exact bytes of a push to a user, group or room; `units` are the names that it is counted under (PLATFORM 7).
#[must_use]
pub fn push_body(to: &str, messages: &[Value], notification_disabled: bool, units: &[String]) -> Vec<u8> {
    body("to", to, messages, notification_disabled, units)
}

/// A [`Value`]'s text depends on nothing but its content, so equal input gives equal bytes.
fn body(
    target: &str,
    value: &str,
    messages: &[Value],
    notification_disabled: bool,
    units: &[String],
) -> Vec<u8> {
    let mut body = json!({ target: value, "messages": messages });
    if let Some(body) = body.as_object_mut() {
        if notification_disabled {
            body.insert("notificationDisabled".to_owned(), true.into());
        }
        if !units.is_empty() {
            body.insert("customAggregationUnits".to_owned(), units.into());
        }
    }
    body.to_string().into_bytes()
}

impl Account {
    /// Answers an event with 1–5 messages, free of charge, once and within about a minute (PLATFORM 7, 17).
    ///
    /// # Errors
    /// Any [`LineError`]; see [`LineError::is_invalid_reply_token`]. There is no retry key here: after
    /// [`LineError::Unknown`] the same bytes may be sent again, and an invalid token then means that the first went out.
    pub async fn reply(
        &self,
        reply_token: &str,
        messages: &[Value],
        notification_disabled: bool,
    ) -> Result<Sent, LineError> {
        self.reply_raw(reply_body(reply_token, messages, notification_disabled).into()).await
    }

    /// [`reply`](Self::reply) with bytes made by [`reply_body`].
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub async fn reply_raw(&self, body: Bytes) -> Result<Sent, LineError> {
        let answer = self.call(Call::post("/v2/bot/message/reply", Body::Json(body))).await?;
        let request_id = answer.request_id().map(str::to_owned);
        let SentMessages { sent_messages } = answer.json().await?;
        Ok(Sent { messages: sent_messages, request_id, already_accepted: false })
    }

    /// Sends 1–5 messages to a user, group or room, which costs one message per person reached (PLATFORM 7, 22).
    ///
    /// `retry_key` is a UUID in hex with dashes, made by the caller for this body alone. LINE knows it for 24 hours;
    /// later the same key sends again (PLATFORM 18).
    ///
    /// # Errors
    /// Any [`LineError`]. After [`LineError::Unknown`] repeat with the same key and body.
    pub async fn push(
        &self,
        to: &str,
        messages: &[Value],
        retry_key: &str,
        notification_disabled: bool,
    ) -> Result<Sent, LineError> {
        self.push_raw(push_body(to, messages, notification_disabled, &[]).into(), retry_key).await
    }

    /// Sends to many at once: multicast, narrowcast or broadcast (PLATFORM 7, 18); the bytes are LINE's body of that call.
    ///
    /// # Errors
    /// As [`push`](Self::push); a reply has no place here and is refused as a request that cannot be written.
    pub async fn bulk_raw(&self, kind: SendKind, body: Bytes, retry_key: &str) -> Result<Sent, LineError> {
        let path = match kind {
            SendKind::Multicast => "/v2/bot/message/multicast",
            SendKind::Narrowcast => "/v2/bot/message/narrowcast",
            SendKind::Broadcast => "/v2/bot/message/broadcast",
            SendKind::Reply | SendKind::Push => {
                return Err(LineError::NotSent { cause: Cause::Request, request_id: None });
            }
        };
        let call = Call { retry_key: Some(retry_key), ..Call::post(path, Body::Json(body)) };
        let answer = self.call(call).await?;
        if answer.status() == StatusCode::CONFLICT {
            let request_id = answer.accepted_request_id().map(str::to_owned);
            return Ok(Sent { messages: Vec::new(), request_id, already_accepted: true });
        }
        let request_id = answer.request_id().map(str::to_owned);
        answer.done().await?;
        Ok(Sent { messages: Vec::new(), request_id, already_accepted: false })
    }

    /// [`push`](Self::push) with bytes made by [`push_body`].
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn push_raw(&self, body: Bytes, retry_key: &str) -> Result<Sent, LineError> {
        let call =
            Call { retry_key: Some(retry_key), ..Call::post("/v2/bot/message/push", Body::Json(body)) };
        let answer = self.call(call).await?;
        if answer.status() == StatusCode::CONFLICT {
            let request_id = answer.accepted_request_id().map(str::to_owned);
            let messages =
                answer.any_json::<SentMessages>().await.map_or_else(Vec::new, |sent| sent.sent_messages);
            return Ok(Sent { messages, request_id, already_accepted: true });
        }
        let request_id = answer.request_id().map(str::to_owned);
        let SentMessages { sent_messages } = answer.json().await?;
        Ok(Sent { messages: sent_messages, request_id, already_accepted: false })
    }
}
