//! One call of one destination.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::Response;
use tokio::time::Instant;

use super::model::{ANSWER_KEPT, ANSWER_MAX, Answer, retry_after};
use super::shown::without_keys;
use crate::app::Hub;
use crate::guard::{self, GuardError};
use crate::ingress;
use crate::text::{cut, storable};

/// LINE's own (PLATFORM 15): what stands behind a filter for LINE's sender lets the relay through.
pub(super) const USER_AGENT: &str = "LineBotWebhook/2.0";
/// LINE's header of the signature.
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("x-line-signature");
/// The unit, the same at every attempt.
pub(super) const DELIVERY: HeaderName = HeaderName::from_static("x-trunkline-delivery");
/// The attempt's number, from 1.
pub(super) const ATTEMPT: HeaderName = HeaderName::from_static("x-trunkline-attempt");
/// The unit, in the second signature (Standard Webhooks).
pub(super) const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// When the attempt was signed, in seconds.
pub(super) const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// `v1,…`, two of them with a blank between while a secret is replaced.
pub(super) const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// When LINE's request was received, RFC 3339.
pub(super) const RECEIVED: HeaderName = HeaderName::from_static("x-trunkline-received-at");

/// A call, ready to be made.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Where to.
    pub url: String,
    /// Its own headers; those of JSON and of the hub are added.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it may take, with its answer.
    pub timeout: Duration,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// What came of it.
    pub answer: Answer,
    /// The beginning of the answer's body, as text.
    pub said: String,
    /// How long it took, in ms.
    pub ms: i64,
}

impl Made {
    /// The status of the answer; `None` when there was none.
    #[must_use]
    pub fn status(&self) -> Option<i64> {
        match self.answer {
            Answer::Status { status, .. } => Some(i64::from(status)),
            Answer::None(_) => None,
        }
    }
}

/// Makes the call; never fails, because a failure is an answer too.
pub(super) async fn call(hub: &Hub, call: Call) -> Made {
    let began = Instant::now();
    let limit = call.timeout;
    let (body, signature) = (call.body.clone(), call.headers.get(&SIGNATURE).cloned());
    let until = began + limit;
    let (answer, said) = match tokio::time::timeout_at(until, attempt(hub, call)).await {
        Ok(Ok((answer, rest))) => {
            let said = read(rest, until).await;
            // Some answer with what they got.
            let said = without_keys(&String::from_utf8_lossy(&said), &body, signature.as_ref());
            (answer, cut(storable(said.trim()).as_str(), ANSWER_KEPT))
        }
        Ok(Err(error)) => (Answer::None(words(&error)), String::new()),
        Err(_) => (Answer::None(format!("no answer within {} ms", limit.as_millis())), String::new()),
    };
    Made { answer, said, ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX) }
}

async fn attempt(hub: &Hub, call: Call) -> Result<(Answer, Response), GuardError> {
    let mut headers = call.headers;
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let request = hub.guard.request(Method::POST, &call.url, &hub.config.allow_private_destinations)?;
    let response = request.headers(headers).body(call.body).send().await.map_err(guard::fault)?;
    let status = response.status().as_u16();
    let header = |name: &HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = header(&header::RETRY_AFTER).and_then(|value| retry_after(value, hub.now()));
    let is_us = header(&ingress::VIA).is_some_and(|name| name == ingress::own_name(hub));
    Ok((Answer::Status { status, retry_after: asked, is_us }, response))
}

/// The beginning of an answer's body. It is read to its end so that the connection can be used again, but not one without
/// end; the status has come, and what happens to the rest changes nothing.
async fn read(response: Response, until: Instant) -> Vec<u8> {
    let (mut said, mut read) = (Vec::new(), 0);
    let mut body = response.bytes_stream();
    while let Ok(Some(Ok(piece))) = tokio::time::timeout_at(until, body.next()).await {
        read += piece.len();
        if said.len() < 4 * ANSWER_KEPT {
            said.extend_from_slice(&piece);
        }
        if read > ANSWER_MAX {
            break;
        }
    }
    said
}

/// Why there was no answer, for a person.
fn words(error: &GuardError) -> String {
    let GuardError::Unreachable(cause) = error else { return error.to_string() };
    let mut deepest: &dyn std::error::Error = cause;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    cut(&storable(&deepest.to_string()), 200)
}
