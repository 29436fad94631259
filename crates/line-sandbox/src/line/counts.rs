//! How many messages went out on a day, and the names of aggregation units (PLATFORM 8).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::clock::{day, month, parse_day};
use crate::line::entry::Caller;
use crate::line::error::LineError;
use crate::line::paging::Page;
use crate::line::query::Query;
use crate::sends::Counted;
use crate::world::World;

type Answer = Result<Json<Value>, LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/v2/bot/message/delivery/{way}", get(delivery))
        .route("/v2/bot/message/delivery/pnp/templated", get(delivery_templated))
        .route("/v2/bot/message/aggregation/info", get(units_info))
        .route("/v2/bot/message/aggregation/list", get(units_list))
}

/// Whether the figures of a day exist: the next day they do; before the account there are none (PLATFORM 8, 12).
pub(super) fn readiness(world: &World, channel: &str, on: i64, now: i64) -> &'static str {
    let since = world.channels.get(channel).map_or(0, |channel| channel.created_at);
    if on < day(since) {
        "out_of_service"
    } else if on >= day(now) {
        "unready"
    } else {
        "ready"
    }
}

async fn delivery(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(way): Path<String>,
    query: Query,
) -> Answer {
    let way = match way.as_str() {
        "reply" => Counted::Reply,
        "push" => Counted::Push,
        "multicast" => Counted::Multicast,
        "broadcast" => Counted::Broadcast,
        "pnp" => Counted::Pnp,
        _ => return Err(LineError::not_found()),
    };
    count(&inner, &caller, way, &query)
}

/// The number of notification messages made from templates.
async fn delivery_templated(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    count(&inner, &caller, Counted::PnpTemplated, &query)
}

fn count(inner: &Inner, caller: &Caller, way: Counted, query: &Query) -> Answer {
    let on = query.get("date").and_then(parse_day);
    let on = on.ok_or_else(|| LineError::invalid_parameter("date"))?;
    let now = inner.clock.now();
    let mut world = inner.world();
    inner.settle_narrowcasts(&mut world);
    let status = readiness(&world, &caller.channel, on, now);
    Ok(Json(if status == "ready" {
        json!({ "status": status, "success": world.sends.counted(&caller.channel, on, way) })
    } else {
        json!({ "status": status })
    }))
}

/// The names used this month, which turns where the account is at home; LINE does not say where.
fn units(inner: &Inner, caller: &Caller) -> Vec<String> {
    let world = inner.world();
    let country = world.channels.get(&caller.channel).map_or("", |channel| &channel.country);
    world.sends.units(&caller.channel, &month(inner.clock.now(), country))
}

async fn units_info(State(inner): State<Arc<Inner>>, caller: Caller) -> Answer {
    Ok(Json(json!({ "numOfCustomAggregationUnits": units(&inner, &caller).len() })))
}

async fn units_list(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let now = inner.clock.now();
    let list = format!("units/{}", caller.channel);
    let page = Page::read((query.get("start"), query.get("limit")), &list, (100, 100), now)?;
    let names = units(&inner, &caller);
    let shown: Vec<_> = names.iter().skip(page.from).take(page.limit).collect();
    let mut answer = json!({ "customAggregationUnits": shown });
    if let (Some(next), Some(answer)) = (page.next(&list, names.len(), now), answer.as_object_mut()) {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(answer))
}
