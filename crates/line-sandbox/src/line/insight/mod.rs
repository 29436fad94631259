//! Insight: figures of what was sent, who the friends are, and what they did (PLATFORM 12). All from what really happened in the sandbox.
//! Every call may be made 60 times an hour; days are Japan's; figures below 20 are null.

mod demographic;
mod events;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::clock::parse_day;
use crate::line::counts::readiness;
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::query::Query;
use crate::sends::Counted;

type Answer = Result<Json<Value>, LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/insight/message/delivery", get(delivery))
        .route("/v2/bot/insight/followers", get(followers))
        .route("/v2/bot/insight/demographic", get(demographic::show))
        .route("/v2/bot/insight/message/event", get(events::of_request))
        .route("/v2/bot/insight/message/event/aggregation", get(events::of_unit))
}

/// What was sent on a day, by way; a way without any is left out.
async fn delivery(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let on = query.get("date").and_then(parse_day);
    let on = on.ok_or_else(|| LineError::bad_request("Bad Request"))?;
    let mut world = inner.world();
    inner.settle_narrowcasts(&mut world);
    let status = readiness(&world, &caller.channel, on, inner.clock.now());
    let mut answer = json!({ "status": status });
    if let Some(answer) = answer.as_object_mut().filter(|_| status == "ready") {
        let ways = [
            ("apiBroadcast", Counted::Broadcast),
            ("apiPush", Counted::Push),
            ("apiMulticast", Counted::Multicast),
            ("apiNarrowcast", Counted::Narrowcast),
            ("apiReply", Counted::Reply),
            ("pnpNoticeMessage", Counted::Pnp),
            ("welcomeResponse", Counted::Welcome),
            ("autoResponse", Counted::AutoResponse),
        ];
        for (name, way) in ways {
            let count = world.sends.counted(&caller.channel, on, way);
            if count > 0 {
                answer.insert(name.into(), count.into());
            }
        }
    }
    Ok(Json(answer))
}

/// Friends at the end of a day; who added the account once stays counted. Without figures the fields are left out, though LINE's page
/// shows nulls, which its schema does not allow.
async fn followers(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let date = query.get("date").ok_or_else(|| LineError::bad_request("date is required"))?;
    let on = parse_day(date).ok_or_else(|| LineError::bad_request("Bad Request"))?;
    let world = inner.world();
    let status = readiness(&world, &caller.channel, on, inner.clock.now());
    if status != "ready" {
        return Ok(Json(json!({ "status": status })));
    }
    let standing = world.sends.standing(&caller.channel, on);
    Ok(Json(json!({
        "status": status,
        "followers": standing.followers,
        "targetedReaches": standing.reaches,
        "blocks": standing.blocks,
    })))
}

/// A figure as LINE shows it: null below 20.
fn blurred(count: u64) -> Value {
    if count < 20 { Value::Null } else { count.into() }
}

fn missing(name: &str) -> LineError {
    LineError::new(StatusCode::BAD_REQUEST, &format!("{name} is required"))
}
