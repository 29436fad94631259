//! What people do with coupons, and coupons of OA Manager (PLATFORM 13).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem, between, items, messaging_channel, person};
use crate::line::coupon::{Coupon, Ticket, check};

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/channels/{channel}/coupons", post(create))
        .route("/users/{user}/coupons", get(list).post(acquire))
        .route("/users/{user}/coupons/use", post(spend))
}

/// Makes a coupon as OA Manager does: the body of LINE's call, and `"draft": true` for one that is only saved.
async fn create(State(inner): State<Arc<Inner>>, Path(channel): Path<String>, body: Fields) -> Answer {
    let draft = body.boolean("draft")?.unwrap_or(false);
    let object = Value::Object(body.into_map());
    let now = inner.clock.now();
    let mut world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    check(&object, now).map_err(|refusal| Problem::field("coupon", refusal.text()))?;
    let country = world.channels.get(&channel).map(|channel| channel.country.clone()).unwrap_or_default();
    let id = world
        .coupons
        .create(&inner.ids, &channel, &country, &object, draft, now)
        .map_err(|refusal| Problem::conflict(refusal.text()))?;
    Ok(Json(json!({ "couponId": id })))
}

/// The coupons that a person has, of all accounts.
async fn list(State(inner): State<Arc<Inner>>, Path(user): Path<String>) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    let person = person(&world, &user)?.number;
    let held = world.coupons.of_person(person);
    Ok(items(held.map(|(channel, coupon, ticket)| held_coupon(channel, coupon, ticket, now)).collect()))
}

/// Gets a coupon: `{"result":"acquired"|"lost"}`. A lottery is drawn once per person.
async fn acquire(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    act(&inner, &user, &body, |coupon, person, now| coupon.acquire(&inner.ids, person, now))
}

/// Uses a coupon that the person has.
async fn spend(State(inner): State<Arc<Inner>>, Path(user): Path<String>, body: Fields) -> Answer {
    act(&inner, &user, &body, Coupon::spend)
}

fn act(
    inner: &Inner,
    user: &str,
    body: &Fields,
    act: impl FnOnce(&mut Coupon, u64, i64) -> Result<Ticket, &'static str>,
) -> Answer {
    let (person, channel) = between(inner, user, body)?;
    let id = body.text("couponId")?;
    let now = inner.clock.now();
    let mut world = inner.world();
    let coupon = world.coupons.get_mut(&channel, &id);
    let coupon = coupon.ok_or_else(|| Problem::field("couponId", format!("there is no coupon {id}")))?;
    let ticket = act(coupon, person, now).map_err(Problem::conflict)?;
    let answer = match ticket {
        Ticket::Lost => json!({ "result": "lost", "couponId": id }),
        Ticket::Won { uses, .. } => json!({
            "result": if uses == 0 { "acquired" } else { "used" },
            "couponId": id,
            "uses": uses,
        }),
    };
    drop(world);
    inner.changed(vec![person]);
    Ok(Json(answer))
}

fn held_coupon(channel: &str, coupon: &Coupon, ticket: Ticket, now: i64) -> Value {
    let (acquired_at, uses) = match ticket {
        Ticket::Won { at, uses } => (at, uses),
        Ticket::Lost => (0, 0),
    };
    json!({
        "channelId": channel,
        "couponId": coupon.id(),
        "coupon": coupon.describe(now),
        "acquiredAt": acquired_at,
        "uses": uses,
    })
}
