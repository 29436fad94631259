//! Multicast and broadcast (PLATFORM 7).

use std::sync::{Arc, MutexGuard};

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use line_api::limits::MULTICAST_RECIPIENTS;
use serde_json::{Value, json};

use crate::Inner;
use crate::ids::is_line_id;
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::line::gate::{RetryKey, check_context, checked_messages, checked_unit};
use crate::messages::Via;
use crate::sends::{Campaign, Counted, Kind};
use crate::world::World;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/message/multicast", post(multicast))
        .route("/v2/bot/message/broadcast", post(broadcast))
}

async fn multicast(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, LineError> {
    let retry_key = RetryKey::read(&headers, &caller.channel)?;
    let to = match body.get("to") {
        Some(Value::Array(to)) => to,
        None | Some(Value::Null) => return Err(LineError::property("to", "May not be empty")),
        Some(_) => return Err(LineError::invalid_property("to")),
    };
    if !(1..=MULTICAST_RECIPIENTS).contains(&to.len()) {
        return Err(LineError::property("to", &format!("Size must be between 1 and {MULTICAST_RECIPIENTS}")));
    }
    let messages = checked_messages(&body)?;
    let unit = checked_unit(&body)?;
    let world = inner.world();
    let now = inner.clock.now();
    if let Some(conflict) = retry_key.conflict(&world, now) {
        return Ok(conflict);
    }
    let recipients = recipients(&world, &caller.channel, to, now)?;
    check_context(&world, &caller.channel, None, messages, now)?;
    let send = Mass { caller: &caller, request_id: &request_id, kind: Kind::Multicast, unit, now };
    send.post(&inner, world, retry_key, recipients, messages)
}

/// The persons of a multicast who get it: who blocks the account or is no friend is left out and not counted, also when the ID is
/// named twice. An ID that is malformed or unknown to the provider refuses the whole call (PLATFORM 7).
fn recipients(world: &World, channel: &str, to: &[Value], now: i64) -> Result<Vec<u64>, LineError> {
    let mut people = Vec::with_capacity(to.len());
    let mut seen = std::collections::HashSet::new();
    for (index, id) in to.iter().enumerate() {
        // Without quotes around the property, other than elsewhere.
        let invalid = || {
            LineError::bad_request(&format!(
                "The property, to[{index}], in the request body is invalid (line: -, column: -)"
            ))
        };
        let id = id.as_str().filter(|id| is_line_id(id, 'U')).ok_or_else(invalid)?;
        let channel = world.channels.get(channel).ok_or_else(invalid)?;
        let person = world.person_by_id(&channel.provider, id).ok_or_else(invalid)?;
        if world.is_reached(channel, person, now) && seen.insert(person) {
            people.push(person);
        }
    }
    Ok(people)
}

async fn broadcast(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, LineError> {
    let retry_key = RetryKey::read(&headers, &caller.channel)?;
    let messages = checked_messages(&body)?;
    let world = inner.world();
    let now = inner.clock.now();
    if let Some(conflict) = retry_key.conflict(&world, now) {
        return Ok(conflict);
    }
    check_context(&world, &caller.channel, None, messages, now)?;
    let friends = world.friends(&caller.channel);
    let send = Mass { caller: &caller, request_id: &request_id, kind: Kind::Broadcast, unit: None, now };
    send.post(&inner, world, retry_key, friends, messages)
}

/// A call that sends to many at once.
struct Mass<'a> {
    caller: &'a Caller,
    request_id: &'a str,
    kind: Kind,
    unit: Option<&'a str>,
    now: i64,
}

impl Mass<'_> {
    /// Takes the price from the quota, puts the messages on the phones, and answers.
    fn post(
        self,
        inner: &Inner,
        mut world: MutexGuard<'_, World>,
        retry_key: RetryKey,
        people: Vec<u64>,
        messages: &[Value],
    ) -> Result<Response, LineError> {
        let (channel, now) = (self.caller.channel.as_str(), self.now);
        let (counted, via) = match self.kind {
            Kind::Multicast => (Counted::Multicast, Via::Multicast),
            _ => (Counted::Broadcast, Via::Broadcast),
        };
        let price = people.len() as u64;
        world.spend(channel, price, now)?;
        world.sends.count(channel, counted, price, now);
        let mut campaign = Campaign::done(self.request_id, channel, self.kind, now, messages);
        inner.post_to_many(&mut world, &mut campaign, people, via);
        let people = campaign.recipients.clone();
        world.record(campaign, self.unit, now);
        retry_key.accept(&mut world, now, self.request_id, &[]);
        drop(world);
        inner.changed_many(people);
        Ok(Json(json!({})).into_response())
    }
}
