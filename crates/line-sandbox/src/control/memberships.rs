//! Membership plans, who subscribes, and what else happens to a person outside the chat: beacons, mission stickers (PLATFORM 9, 16).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem, between, items, messaging_channel, person};
use crate::events::{Kind, Origin};
use crate::line::membership::Plan;
use crate::world::Chat;

type Answer = Result<Json<Value>, Problem>;

/// Benefits of a plan at most (LINE's reference, membership).
const BENEFITS: usize = 5;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/channels/{channel}/memberships", get(list_plans).post(create_plan))
        .route("/users/{user}/memberships", post(subscribe))
        .route("/users/{user}/beacons", post(meet_beacon))
        .route("/users/{user}/mission-stickers", get(list_stickers))
}

async fn list_plans(State(inner): State<Arc<Inner>>, Path(channel): Path<String>) -> Answer {
    let world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    Ok(items(world.memberships.plans(&channel).iter().map(Plan::describe_whole).collect()))
}

/// Makes a plan as OA Manager does.
async fn create_plan(State(inner): State<Arc<Inner>>, Path(channel): Path<String>, body: Fields) -> Answer {
    let title = body.text("title")?;
    let price = body.number("price")?.ok_or_else(|| Problem::field("price", "is missing"))?;
    if price <= 0.0 {
        return Err(Problem::field("price", "must be more than nothing"));
    }
    let mut benefits = body.texts("benefits")?;
    if benefits.is_empty() {
        benefits.push(title.clone());
    }
    if benefits.len() > BENEFITS {
        return Err(Problem::field("benefits", format!("must be at most {BENEFITS}")));
    }
    let mut world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    let usual = match world.channels.get(&channel).map(|channel| channel.country.as_str()) {
        Some("TW") => "TWD",
        Some("TH") => "THB",
        _ => "JPY",
    };
    let currency = body.word("currency", &["JPY", "TWD", "THB"])?;
    let mut id = 1_000 + inner.ids.next() % 9_000;
    while world.memberships.has(id) {
        id += 1;
    }
    let mut plan = Plan::new(id, title, price, currency.as_deref().unwrap_or(usual));
    plan.description = body.optional_text("description")?.unwrap_or_default();
    plan.benefits = benefits;
    plan.member_limit = body.whole("memberLimit")?;
    plan.in_app_purchase = body.boolean("isInAppPurchase")?.unwrap_or(false);
    plan.published = body.boolean("isPublished")?.unwrap_or(true);
    world.memberships.add(&channel, plan);
    Ok(Json(json!({ "membershipId": id })))
}

/// A friend subscribes, a subscription is renewed, or ends: `{"channelId","membershipId","type":"joined"|"renewed"|"left"}`.
async fn subscribe(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    let kind = body.word("type", &["joined", "renewed", "left"])?.unwrap_or_else(|| "joined".into());
    let id = body.whole("membershipId")?.ok_or_else(|| Problem::field("membershipId", "is missing"))?;
    let now = inner.clock.now();
    let mut world = inner.world();
    if kind == "joined" && !world.bond(&channel, person).following {
        return Err(Problem::conflict("only friends can subscribe"));
    }
    let plan = world.memberships.plan_mut(&channel, id);
    let plan = plan.ok_or_else(|| Problem::field("membershipId", format!("there is no membership {id}")))?;
    let member = match kind.as_str() {
        "joined" => plan.join(person, now),
        "renewed" => plan.renew(person),
        _ => plan.leave(person),
    };
    let member = member.map_err(Problem::conflict)?;
    let origin = Origin { chat: Chat::single(&channel, person), person: Some(person) };
    let fields = json!({ "membership": { "type": kind, "membershipId": id } });
    let event = Kind { name: "membership", replyable: true, fields };
    let mut answer = inner.emit(&mut world, &channel, origin, event).to_json();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("membershipNo".into(), member.number.into());
    }
    Ok(Json(answer))
}

/// The phone meets a beacon: `{"channelId","hwid","type":"enter"|"banner"|"stay","dm"?}` (PLATFORM 16).
async fn meet_beacon(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    let (person, channel) = between(&inner, &user, &body)?;
    let hwid = body.text("hwid")?;
    if hwid.len() != 10 || !hwid.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Problem::field("hwid", "must be 10 hexadecimal digits"));
    }
    let kind = body.word("type", &["enter", "banner", "stay"])?.unwrap_or_else(|| "enter".into());
    let mut beacon = json!({ "hwid": hwid, "type": kind });
    if let (Some(dm), Some(beacon)) = (body.optional_text("dm")?, beacon.as_object_mut()) {
        beacon.insert("dm".into(), dm.into());
    }
    let mut world = inner.world();
    if !world.bond(&channel, person).following {
        return Err(Problem::conflict("an account hears of its friends' beacons only"));
    }
    let origin = Origin { chat: Chat::single(&channel, person), person: Some(person) };
    let event = Kind { name: "beacon", replyable: true, fields: json!({ "beacon": beacon }) };
    Ok(Json(inner.emit(&mut world, &channel, origin, event).to_json()))
}

/// The sticker sets that accounts gave to a person (PLATFORM 14).
async fn list_stickers(State(inner): State<Arc<Inner>>, Path(user): Path<String>) -> Answer {
    let world = inner.world();
    let person = person(&world, &user)?.number;
    Ok(items(world.shop.of_person(person).map(|id| json!({ "productId": id })).collect()))
}
