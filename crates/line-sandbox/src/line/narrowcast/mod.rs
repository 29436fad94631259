//! Narrowcast: a send to the friends that audiences and attributes choose, done in the background (PLATFORM 7.1, 7.2).

mod choice;
mod filter;
mod recipient;
mod run;

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use self::choice::Choice;
use crate::Inner;
use crate::clock::{DAY_MS, iso_8601};
use crate::ids::is_uuid;
use crate::line::entry::{Caller, JsonBody, RequestId};
use crate::line::error::LineError;
use crate::line::gate::{RetryKey, check_context, checked_messages};
use crate::line::query::Query;
use crate::sends::{Campaign, Kind, Phase};

/// Target reach below which a choice by attributes is refused (PLATFORM 7.1, floor 1).
const REACH_FLOOR: u64 = 100;
/// Progress and redelivery look back so far (PLATFORM 7.1, 7.2).
pub(super) const REMEMBERED_MS: i64 = 14 * DAY_MS;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/message/narrowcast", post(narrowcast))
        .route("/v2/bot/message/progress/narrowcast", get(progress))
}

async fn narrowcast(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Extension(RequestId(request_id)): Extension<RequestId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<Response, LineError> {
    let retry_key = RetryKey::read(&headers, &caller.channel)?;
    let messages = checked_messages(&body)?;
    let choice = Choice::read(&body)?;
    let mut world = inner.world();
    let now = inner.clock.now();
    if let Some(conflict) = retry_key.conflict(&world, now) {
        return Ok(conflict);
    }
    inner.settle_narrowcasts(&mut world);
    world.settle_audiences(now);
    check_context(&world, &caller.channel, None, messages, now)?;
    choice.check(&world, &caller.channel, now)?;
    let friends = world.friends(&caller.channel);
    if choice.by_attributes() {
        let known = friends.iter().filter_map(|person| world.people.get(person));
        if (known.filter(|person| person.traits.is_reached()).count() as u64) < REACH_FLOOR {
            return Err(LineError::new(StatusCode::FORBIDDEN, "Your account does not have enough friends"));
        }
    }
    let left = world.left(&caller.channel, now);
    let reserved = choice.limit.reserved(friends.len() as u64, left);
    // What may be cut short but must not be fails later (error code 5), not here.
    let nothing_left = left == Some(0) && !choice.limit.forbid_partial_delivery;
    if nothing_left || left.is_some_and(|left| reserved > left) {
        return Err(LineError::month_used_up());
    }
    let processing = world.channels.get(&caller.channel).map_or(0, |channel| channel.settings.processing_ms);
    let campaign = Campaign {
        phase: Phase::Waiting,
        until: now + processing,
        reserved,
        wanted: choice.to_json(),
        ..Campaign::done(&request_id, &caller.channel, Kind::Narrowcast, now, messages)
    };
    let number = world.record(campaign, None, now);
    retry_key.accept(&mut world, now, &request_id, &[]);
    drop(world);
    inner.run_narrowcast(number);
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}

/// How far a narrowcast is (PLATFORM 7.2).
async fn progress(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    query: Query,
) -> Result<Json<Value>, LineError> {
    let request_id = query.get("requestId").filter(|id| is_uuid(id));
    let request_id = request_id.ok_or_else(|| LineError::invalid_parameter("requestId"))?;
    let now = inner.clock.now();
    let mut world = inner.world();
    inner.settle_narrowcasts(&mut world);
    let campaign = world
        .sends
        .by_request(&caller.channel, request_id)
        .filter(|campaign| campaign.kind == Kind::Narrowcast && now < campaign.at + REMEMBERED_MS)
        .ok_or_else(LineError::not_found)?;
    let mut answer = json!({ "phase": campaign.phase, "acceptedTime": iso_8601(campaign.at) });
    if let Some(answer) = answer.as_object_mut() {
        if campaign.phase != Phase::Waiting {
            answer.insert("successCount".into(), campaign.delivered().into());
            answer.insert("failureCount".into(), 0.into());
            answer.insert("targetCount".into(), campaign.recipients.len().into());
        }
        if campaign.is_done() {
            answer.insert("completedTime".into(), iso_8601(campaign.until).into());
        }
        if campaign.phase == Phase::Failed {
            answer.insert("errorCode".into(), campaign.error.into());
            answer.insert("failedDescription".into(), run::description(campaign.error).into());
        }
    }
    Ok(Json(answer))
}
