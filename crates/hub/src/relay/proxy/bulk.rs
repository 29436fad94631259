//! Sends to many: written down, within the key's limit, with LINE's own answer.

use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use line_client::Foreign;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::answer::{ACCEPTED_REQUEST_ID, No, Result, json_answer};
use super::model::Key;
use super::pass::{LOOK, line, no_answer};
use super::routes::Call;
use super::send::{gone, messages, open, over, units, within};
use super::service::{self, RETRIES_KEPT};
use super::{repo, table};
use crate::app::Hub;
use crate::ids::SendId;
use crate::outbox::model::{End, Month, NewBulk, Origin, State, Via};
use crate::outbox::{bulk, proxied};

/// People in one multicast (PLATFORM 7).
const TO_MAX: usize = 500;

/// Sends to many.
pub(super) async fn send(
    hub: &Hub,
    call: &Call<'_>,
    body: &Value,
    retry_key: Option<&str>,
    by: Instant,
) -> Result<Response> {
    let key = call.key;
    let kind = match call.operation.id {
        "multicast" => Via::Multicast,
        "narrowcast" => Via::Narrowcast,
        _ => Via::Broadcast,
    };
    let (messages, _) = messages(hub, body)?;
    units(body)?;
    let people = if kind == Via::Multicast { Some(people(body)?) } else { None };
    let most = if kind == Via::Narrowcast { narrowcast_max(body)? } else { None };
    let since = hub.now().minus(RETRIES_KEPT);
    // Before the price and the limit: a repeat of what LINE accepted costs nothing.
    let mut failed = None;
    if let Some(retry_key) = retry_key
        && let Some(before) = repo::retry_of(&hub.db, key, retry_key, since).await?
    {
        match again(hub, &before, by).await? {
            Some(answer) => return Ok(answer),
            None => failed = Some(before),
        }
    }
    let cost = match people.or(most) {
        None if key.monthly_paid_limit.is_some() => Some(within(by, friends(hub, key)).await?),
        cost => cost,
    };
    let new = NewBulk {
        tenant: key.tenant.clone(),
        account: key.account.clone(),
        kind,
        origin: Origin::Proxy,
        actor: key.destination.to_string(),
        body: body.to_string().into_bytes(),
        messages: messages.len(),
        cost,
    };
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    if !repo::touch(&mut tx, key, now).await? {
        return Err(gone());
    }
    if let Some(retry_key) = retry_key
        && let Some(twin) = repo::retry_held(&mut tx, key, retry_key, since).await?
        && failed.as_ref() != Some(&twin)
    {
        drop(tx);
        return again(hub, &twin, by).await?.ok_or_else(open);
    }
    if let (Some(limit), Some(cost)) = (key.monthly_paid_limit, cost) {
        let (month, _) = Month::of(now).bounds();
        let spent = proxied::paid(&mut tx, &key.tenant, key.destination.as_str(), month).await?;
        if spent.saturating_add(cost) > limit {
            return Err(over(limit, spent, cost));
        }
    }
    let send = bulk::insert(&mut tx, hub, &new).await?;
    service::note_bulk(&mut tx, hub, key, call.operation.id, cost).await?;
    if let Some(retry_key) = retry_key
        && !repo::put_retry(&mut tx, key, (retry_key, &send), failed.as_ref(), (now, since)).await?
    {
        return Err(open());
    }
    tx.commit().await?;
    let end = carried(hub, &send, by).await?;
    match (end.state, end.refusal) {
        (State::Sent, _) => {
            let status = if kind == Via::Narrowcast { StatusCode::ACCEPTED } else { StatusCode::OK };
            Ok(json_answer(status, &json!({}), end.request_id.as_deref()))
        }
        (State::Failed, Some((status, body))) => Err(No::of_line(status, body, end.request_id)),
        (State::Failed, None) => {
            Err(No::broken(&format!("nothing was sent: {}", end.detail.unwrap_or_default())))
        }
        _ => Err(open()),
    }
}

/// Makes the call in a task of its own, so that it is finished although the caller goes away, and waits; also where somebody
/// else is making it.
async fn carried(hub: &Hub, send: &SendId, by: Instant) -> Result<End> {
    let task = {
        let (hub, send) = (hub.clone(), send.clone());
        async move {
            bulk::carry(&hub, &send)
                .await
                .inspect_err(|error| tracing::error!(error = error as &dyn Error, "sending to many"))
                .unwrap_or(true)
        }
    };
    let task = hub.tasks.spawn(Box::pin(task));
    let is_done = matches!(tokio::time::timeout_at(by, task).await, Ok(Ok(true)));
    loop {
        let end = bulk::end(&hub.db, send).await?.ok_or_else(open)?;
        if is_done || end.state.is_settled() || Instant::now() >= by {
            return Ok(end);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The answer to a retry key that was used before; `None` when that call was not accepted.
async fn again(hub: &Hub, send: &SendId, by: Instant) -> Result<Option<Response>> {
    let end = carried(hub, send, by).await?;
    match end.state {
        State::Sent => {
            let body = json!({ "message": "The retry key is already accepted" });
            let mut response = json_answer(StatusCode::CONFLICT, &body, None);
            if let Some(id) = end.request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
                response.headers_mut().insert(ACCEPTED_REQUEST_ID, id);
            }
            Ok(Some(response))
        }
        State::Failed => Ok(None),
        State::Queued | State::Sending | State::Unknown => Err(open()),
    }
}

/// The people of a multicast, each once.
fn people(body: &Value) -> Result<i64> {
    let to = match body.get("to") {
        None | Some(Value::Null) => return Err(No::finding("to", "May not be empty")),
        Some(Value::Array(to)) => to,
        Some(_) => return Err(No::property("to")),
    };
    if !(1..=TO_MAX).contains(&to.len()) {
        return Err(No::finding("to", "Size must be between 1 and 500"));
    }
    let mut people = HashSet::new();
    for (place, id) in to.iter().enumerate() {
        // Without quotes around the property, other than elsewhere (PLATFORM 7).
        let wrong = || {
            let message =
                format!("The property, to[{place}], in the request body is invalid (line: -, column: -)");
            No::new(400, &message, None)
        };
        people.insert(id.as_str().ok_or_else(wrong)?);
    }
    Ok(i64::try_from(people.len()).unwrap_or(i64::MAX))
}

/// How many friends a narrowcast may reach at most, as the caller has it (a broadcast has no such limit at LINE).
fn narrowcast_max(body: &Value) -> Result<Option<i64>> {
    let max = match body.get("limit") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(limit)) => limit.get("max"),
        Some(_) => return Err(No::property("limit")),
    };
    let max = match max {
        None | Some(Value::Null) => return Ok(None),
        Some(max) => max.as_i64().filter(|max| i32::try_from(*max).is_ok()),
    };
    match max.ok_or_else(|| No::property("limit.max"))? {
        max if max < 1 => Err(No::finding("limit.max", "Must be greater than or equal to 1")),
        max => Ok(Some(max)),
    }
}

/// What a send to friends whom LINE chooses may cost: all who added the account and did not block it, as LINE counted them
/// yesterday (PLATFORM 12).
async fn friends(hub: &Hub, key: &Key) -> Result<i64> {
    let (operation, _) = table::find("GET", "/v2/bot/insight/followers").ok_or_else(open)?;
    let yesterday = hub.now().minus(Duration::from_secs(24 * 3600));
    let day = jiff::tz::Offset::constant(9).to_datetime(yesterday.to_jiff()).date();
    let query = format!("date={:04}{:02}{:02}", day.year(), day.month(), day.day());
    let foreign = Foreign {
        method: reqwest::Method::GET,
        data_host: false,
        path: operation.path,
        values: &[],
        query: Some(&query),
        content_type: None,
        body: bytes::Bytes::new(),
    };
    let answer = line(hub, key).await?.forward(foreign).await.map_err(|error| no_answer(&error))?;
    let (mut rest, mut read) = (answer.body, Vec::new());
    while let Some(piece) = rest.next().await {
        read.extend_from_slice(&piece.map_err(|error| no_answer(&error))?);
        if read.len() > 64 << 10 {
            break;
        }
    }
    let told: Value = serde_json::from_slice(&read).unwrap_or_default();
    let figure = |name: &str| told.get(name).and_then(Value::as_i64).filter(|count| *count >= 0);
    let friends = figure("followers").zip(figure("blocks"));
    friends.map(|(followers, blocks)| followers.saturating_sub(blocks).max(0)).ok_or_else(|| {
        No::forbidden(
            "the proxy key has a monthly limit, and LINE does not tell how many friends this would reach; give a \
             narrowcast's limit.max, or take the limit off the key",
        )
    })
}
