//! What happened (webhook attempts, API calls), and what may be bent: faults, clock, reset.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::Inner;
use crate::control::input::{Fields, Pairs, Problem, items};
use crate::faults::{Fault, Kind, On};
use crate::world::{Delivery, World};

type Answer = Result<Json<Value>, Problem>;

pub(super) async fn list_deliveries(State(inner): State<Arc<Inner>>, query: Pairs) -> Answer {
    let since = query.time("since")?.unwrap_or(0);
    let channel = query.get("channelId");
    let world = inner.world();
    let wanted = world
        .deliveries
        .iter()
        .filter(|delivery| channel.is_none_or(|id| delivery.channel == id) && delivery.at >= since);
    Ok(items(wanted.map(describe).collect()))
}

fn describe(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "channelId": delivery.channel,
        "at": delivery.at,
        "url": delivery.url,
        "body": delivery.body,
        "signature": delivery.signature,
        "attempt": delivery.attempt,
        "status": delivery.status,
        "reason": delivery.reason,
        "detail": delivery.detail,
        "durationMs": delivery.duration_ms,
    })
}

/// Sends a webhook once more, as a redelivery; gives how that ended.
pub(super) async fn redeliver(State(inner): State<Arc<Inner>>, Path(id): Path<u64>) -> Answer {
    let outcome = inner.send_again(id).await;
    let outcome = outcome.ok_or_else(|| {
        Problem::not_found(format!("there is no delivery {id}, or its channel has no webhook address"))
    })?;
    Ok(Json(json!({
        "id": inner.world().deliveries.back().map(|delivery| delivery.id),
        "success": outcome.is_ok(),
        "status": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    })))
}

pub(super) async fn list_requests(State(inner): State<Arc<Inner>>, query: Pairs) -> Answer {
    let since = query.time("since")?.unwrap_or(0);
    let entries: Vec<_> = inner.log().iter().filter(|entry| entry.at >= since).cloned().collect();
    Ok(items(entries.iter().map(crate::log::Entry::to_json).collect()))
}

pub(super) async fn list_faults(State(inner): State<Arc<Inner>>) -> Json<Value> {
    items(inner.world().faults.iter().map(Fault::to_json).collect())
}

/// Longer than anybody waits; times without a bound overflow.
const FAULT_LIMIT_MS: u64 = 24 * 3_600_000;

pub(super) async fn create_fault(State(inner): State<Arc<Inner>>, body: Fields) -> Answer {
    let on = match body.word("on", &["api", "webhook"])?.as_deref() {
        Some("api") => On::Api,
        Some(_) => On::Webhook,
        None => return Err(Problem::field("on", "is missing")),
    };
    let names = Kind::NAMES.map(|(name, _)| name);
    let word = body.word("kind", &names)?.ok_or_else(|| Problem::field("kind", "is missing"))?;
    let kind = Kind::NAMES.iter().find(|(name, _)| *name == word).map_or(Kind::Status, |(_, kind)| *kind);
    if on == On::Api && matches!(kind, Kind::Duplicate | Kind::Reorder | Kind::Batch) {
        return Err(Problem::field("kind", "duplicate, reorder and batch are things of the webhook"));
    }
    let method = body.optional_text("method")?;
    if method.as_ref().is_some_and(|method| Method::from_bytes(method.as_bytes()).is_err()) {
        return Err(Problem::field("method", "is not an HTTP method"));
    }
    let path = body.optional_text("path")?;
    if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        return Err(Problem::field("path", "must start with /"));
    }
    let status = match body.whole("status")? {
        None if kind == Kind::Status => return Err(Problem::field("status", "is missing")),
        None => 0,
        Some(status) => u16::try_from(status)
            .ok()
            .filter(|status| (200..600).contains(status))
            .ok_or_else(|| Problem::field("status", "must lie between 200 and 599"))?,
    };
    let rate = body.number("rate")?.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&rate) {
        return Err(Problem::field("rate", "must lie between 0 and 1"));
    }
    let headers = match body.value("headers") {
        Some(_) => body.object("headers")?.into_map(),
        None => Default::default(),
    };
    for (name, value) in &headers {
        let sound = HeaderName::from_bytes(name.as_bytes()).is_ok()
            && value.as_str().is_some_and(|value| HeaderValue::from_str(value).is_ok());
        if !sound {
            return Err(Problem::field("headers", format!("{name} is not a header that can be sent")));
        }
    }
    let ms = body.whole("ms")?.unwrap_or(0);
    if ms > FAULT_LIMIT_MS {
        return Err(Problem::field("ms", "must not be longer than a day"));
    }
    if kind == Kind::Delay && ms == 0 {
        return Err(Problem::field("ms", "is missing"));
    }
    let fault = Fault {
        id: format!("fault_{:08x}", inner.ids.next() >> 32),
        on,
        method,
        path,
        kind,
        status,
        body: body.value("body").cloned(),
        headers,
        ms,
        rate,
        times: body.whole("times")?,
        matched: 0,
        released: CancellationToken::new(),
    };
    let answer = fault.to_json();
    inner.change_faults(|faults| faults.push(fault));
    Ok(Json(answer))
}

/// Deletes every fault; what hangs is released with a reset.
pub(super) async fn delete_faults(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let faults = inner.change_faults(std::mem::take);
    Json(json!({ "deleted": release(&faults) }))
}

pub(super) async fn delete_fault(State(inner): State<Arc<Inner>>, Path(id): Path<String>) -> Answer {
    let gone = inner.change_faults(|faults| {
        let (gone, kept) = std::mem::take(faults).into_iter().partition::<Vec<_>, _>(|fault| fault.id == id);
        *faults = kept;
        gone
    });
    match release(&gone) {
        0 => Err(Problem::not_found(format!("there is no fault {id}"))),
        deleted => Ok(Json(json!({ "deleted": deleted }))),
    }
}

fn release(faults: &[Fault]) -> usize {
    for fault in faults {
        fault.released.cancel();
    }
    faults.len()
}

pub(super) async fn show_clock(State(inner): State<Arc<Inner>>) -> Json<Value> {
    Json(json!({ "now": inner.clock.now() }))
}

/// A century: more would overflow dates.
const ADVANCE_LIMIT_MS: u64 = 100 * 366 * 24 * 3_600_000;

pub(super) async fn advance_clock(State(inner): State<Arc<Inner>>, body: Fields) -> Answer {
    let ms = body.whole("advanceMs")?.ok_or_else(|| Problem::field("advanceMs", "is missing"))?;
    let ms = i64::try_from(ms)
        .ok()
        .filter(|_| ms <= ADVANCE_LIMIT_MS)
        .ok_or_else(|| Problem::field("advanceMs", "must not be longer than a hundred years"))?;
    Ok(Json(json!({ "now": inner.clock.advance(ms) })))
}

/// Empty again: nothing exists, no faults, no log, real time. Generated ids go on, so that none comes twice.
pub(super) async fn reset(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let before = {
        let mut world = inner.world();
        let mut empty = World { resets: world.resets + 1, ..World::default() };
        if inner.keeps {
            empty.messages.track();
        }
        std::mem::replace(&mut *world, empty)
    };
    inner.change_faults(Vec::clear);
    release(&before.faults);
    inner.log().clear();
    inner.clock.reset();
    inner.changed(Vec::new());
    Json(json!({}))
}
