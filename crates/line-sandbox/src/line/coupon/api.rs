//! The four calls about coupons (PLATFORM 13).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Status, check};
use crate::Inner;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;
use crate::line::paging::Page;
use crate::line::query::Query;

type Answer = Result<Json<Value>, LineError>;

pub(super) async fn create(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Answer {
    let now = inner.clock.now();
    check(&body, now)?;
    let mut world = inner.world();
    let country =
        world.channels.get(&caller.channel).map(|channel| channel.country.clone()).unwrap_or_default();
    let id = world.coupons.create(&inner.ids, &caller.channel, &country, &body, false, now)?;
    Ok(Json(json!({ "couponId": id })))
}

/// The account's coupons in the states asked for, newest first (LINE's order is not published).
pub(super) async fn list(State(inner): State<Arc<Inner>>, caller: Caller, query: Query) -> Answer {
    let wanted: Vec<Status> = query
        .list("status")
        .into_iter()
        .map(|name| Status::ALL.into_iter().find(|status| status.name() == name))
        .collect::<Option<_>>()
        .ok_or_else(|| {
            LineError::property("status", "Must be one of the following values: [DRAFT,RUNNING,CLOSED]")
        })?;
    match query.get("limit").map(str::parse::<i64>) {
        Some(Ok(limit)) if limit > 100 => {
            return Err(LineError::property("limit", "Must be less than or equal to 100"));
        }
        Some(Ok(limit)) if limit < 1 => {
            return Err(LineError::property("limit", "Must be greater than or equal to 1"));
        }
        _ => {}
    }
    let now = inner.clock.now();
    let name = format!("coupons/{}", caller.channel);
    let page = Page::read((query.get("start"), query.get("limit")), &name, (20, 100), now)?;
    let world = inner.world();
    let coupons = world.coupons.accounts.get(&caller.channel).map(Vec::as_slice).unwrap_or_default();
    let fitting: Vec<Value> = coupons
        .iter()
        .rev()
        .filter(|coupon| wanted.is_empty() || wanted.contains(&coupon.status(now)))
        .map(|coupon| json!({ "couponId": coupon.id, "title": coupon.object.get("title") }))
        .collect();
    let next = page.next(&name, fitting.len(), now);
    let items = fitting.into_iter().skip(page.from).take(page.limit).collect();
    let mut answer = Map::from_iter([("items".to_owned(), Value::Array(items))]);
    if let Some(next) = next {
        answer.insert("next".into(), next.into());
    }
    Ok(Json(Value::Object(answer)))
}

pub(super) async fn show(State(inner): State<Arc<Inner>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let now = inner.clock.now();
    let world = inner.world();
    let coupon = world.coupons.get(&caller.channel, &id).ok_or_else(not_found)?;
    Ok(Json(coupon.describe(now)))
}

/// Ends a coupon; one that has ended, also by time, cannot be ended again.
pub(super) async fn close(State(inner): State<Arc<Inner>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let now = inner.clock.now();
    let mut world = inner.world();
    let coupon = world.coupons.get_mut(&caller.channel, &id).ok_or_else(not_found)?;
    if coupon.status(now) == Status::Closed {
        return Err(
            LineError::property("", "The coupon has already been closed.").with_status(StatusCode::GONE)
        );
    }
    coupon.closed = true;
    drop(world);
    inner.changed(Vec::new());
    Ok(Json(json!({})))
}

fn not_found() -> LineError {
    LineError::property("", "coupon not found").with_status(StatusCode::NOT_FOUND)
}
