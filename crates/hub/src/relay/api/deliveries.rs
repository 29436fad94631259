//! `/api/v1` of what destinations were sent: attempts, what was put aside, sending again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::{AttemptId, DeliveryId, DestinationId, Id as _};
use crate::relay::replay::{self, Replay};
use crate::relay::shown::{self, Opened};
use crate::relay::told::Outcome;
use crate::relay::{Attempt, Parked, service};
use crate::web::api::{
    ApiResult, CanManage, CanRead, Ident, Input, PageParams, Paged, Params, Problems, read_json,
};

/// Requests that one call may name to be tried again.
const RETRIED_MAX: usize = 1_000;

pub(super) fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(get_delivery))
        .routes(routes!(list_parked_deliveries))
        .routes(routes!(replay_events))
        .routes(routes!(retry_parked_deliveries))
        .routes(routes!(skip_waiting_deliveries))
}

/// One attempt of a delivery.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryView {
    /// `att_…`
    id: String,
    /// `dlv_…`: the request, the same at every attempt; the destination sees it as `x-trunkline-delivery`.
    delivery_id: String,
    /// The events of the request that were new: `evt_…`
    event_ids: Vec<String>,
    /// Its number, from 1.
    attempt: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The status of the answer; null when there was none.
    status: Option<i64>,
    /// How long it took.
    duration_ms: i64,
    /// What went wrong; null when it was delivered.
    error: Option<String>,
    /// The beginning of the answer, without keys of the request that it repeats.
    answer: String,
    /// When it is tried again; null when it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
}

impl From<Attempt> for DeliveryView {
    fn from(of: Attempt) -> Self {
        Self {
            id: of.id.to_string(),
            delivery_id: of.delivery.to_string(),
            event_ids: serde_json::from_str(&of.event_ids).unwrap_or_default(),
            attempt: of.attempt,
            at: of.at,
            status: of.status,
            duration_ms: of.ms,
            error: of.error,
            answer: of.said,
            next_attempt_at: of.next_at,
        }
    }
}

/// A destination's attempts, the newest first: of each second the first 20 that failed and the first 10 successes. The newest
/// 1,000 are kept.
#[utoipa::path(get, path = "/destinations/{id}/deliveries", tag = "Relay",
    params(("id" = String, Path), PageParams,
        ("failed" = Option<bool>, Query, description = "only those that failed")),
    responses((status = 200, body = Paged<DeliveryView>), Problems))]
async fn list_deliveries(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<DestinationId>,
    params: Params,
) -> ApiResult<Json<Paged<DeliveryView>>> {
    let failed = params.flag("failed")?.unwrap_or(false);
    let outcome = if failed { Outcome::Failed } else { Outcome::Any };
    let page = params.page()?;
    let below = page.after::<(Timestamp, String)>()?;
    let rows = service::attempts(&hub, &caller.scope, &id, (outcome, ""), below, page.fetch()).await?;
    Ok(Json(page.wrap(rows, |row| (row.at, row.id.to_string())).map(DeliveryView::from)))
}

/// An attempt with what it sent.
#[derive(Debug, Serialize, ToSchema)]
struct OpenedView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What was sent, put together again by the destination as it is now; null when the journal no longer has it, or the filter
    /// passes nothing of it now.
    request: Option<SentView>,
}

/// What was sent, or with `may_differ` what would be sent today; signatures and reply tokens are masked.
#[derive(Debug, Serialize, ToSchema)]
struct SentView {
    /// Where to.
    url: String,
    /// The headers.
    headers: BTreeMap<String, String>,
    /// The body, indented; at most 8,000 characters of it.
    body: String,
    /// Whether the body was cut.
    is_cut: bool,
    /// Whether something else may have been sent: the destination was changed since, or its filter asks for tags, which change.
    may_differ: bool,
}

/// One attempt with what it sent and what was answered.
#[utoipa::path(get, path = "/destinations/{id}/deliveries/{delivery_id}", tag = "Relay",
    params(("id" = String, Path), ("delivery_id" = String, Path, description = "`att_…`")),
    responses((status = 200, body = OpenedView), Problems))]
async fn get_delivery(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Path((id, attempt)): Path<(String, String)>,
) -> ApiResult<Json<OpenedView>> {
    let ids = DestinationId::parse(&id).zip(AttemptId::parse(&attempt));
    let (id, attempt) = ids.ok_or_else(|| AppError::not_found("attempt"))?;
    let Opened { attempt, sent, .. } = shown::open(&hub, &caller.scope, &id, &attempt, true).await?;
    let request = sent.map(|sent| SentView {
        url: sent.url,
        headers: sent.headers.into_iter().collect(),
        body: sent.body,
        is_cut: sent.is_cut,
        may_differ: sent.may_differ,
    });
    Ok(Json(OpenedView { delivery: attempt.into(), request }))
}

/// A request that was put aside.
#[derive(Debug, Serialize, ToSchema)]
struct ParkedView {
    /// `dlv_…`
    delivery_id: String,
    /// Its new events: `evt_…`; empty when the journal no longer has them, or when many requests stand in one row.
    event_ids: Vec<String>,
    /// `refused`, `expired` or `skipped`.
    state: String,
    /// How often it was tried.
    attempts: i64,
    /// When the hub received it.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// When it failed first.
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_at: Option<Timestamp>,
    /// Why it did last.
    error: Option<String>,
}

impl From<Parked> for ParkedView {
    fn from(of: Parked) -> Self {
        Self {
            event_ids: of.event_ids,
            delivery_id: of.id.to_string(),
            state: of.standing,
            attempts: of.attempts,
            received_at: of.received_at,
            failed_at: of.failed_at,
            error: of.last_error,
        }
    }
}

/// What was put aside and is no longer tried, the oldest first. It is kept for 90 days.
#[utoipa::path(get, path = "/destinations/{id}/parked", tag = "Relay",
    params(("id" = String, Path), PageParams), responses((status = 200, body = Paged<ParkedView>), Problems))]
async fn list_parked_deliveries(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<DestinationId>,
    params: Params,
) -> ApiResult<Json<Paged<ParkedView>>> {
    let page = params.page()?;
    let above = page.after::<(i64, String)>()?;
    let destination = service::get(&hub, &caller.scope, &id).await?;
    let rows = service::parked(&hub, &destination, above, page.fetch()).await?;
    Ok(Json(page.wrap(rows, |row| (row.first_position, row.id.to_string())).map(ParkedView::from)))
}

/// What to send again: `event_ids`, or `since` and `until`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayInput {
    /// Events of the account, `evt_…`; each is sent with the whole request in which it came.
    event_ids: Option<Vec<String>>,
    /// Everything received at this moment or later …
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// … and before this one.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// How many requests that are.
#[derive(Debug, Serialize, ToSchema)]
struct CountView {
    /// Requests of LINE.
    count: usize,
}

/// Sends events again, at most 10,000 requests at once, and none while as many wait (`too_many_waiting`). A whole request is sent as LINE sent it, with LINE's signature as long
/// as the channel secret is the same; after a change of the secret it is signed anew.
#[utoipa::path(post, path = "/destinations/{id}/replay", tag = "Relay", params(("id" = String, Path)),
    request_body = ReplayInput, responses((status = 202, body = CountView), Problems))]
async fn replay_events(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
    Input(body): Input<ReplayInput>,
) -> ApiResult<(StatusCode, Json<CountView>)> {
    let what = match (body.event_ids, body.since, body.until) {
        (Some(ids), None, None) => Replay::Events(ids),
        (None, Some(since), Some(until)) => Replay::Between(since, until),
        (None, Some(_), None) => {
            return Err(AppError::invalid_field("until", "required", "give the end of the time as well"));
        }
        (Some(_), ..) => {
            let detail = "give either events or a time, not both";
            return Err(AppError::invalid_field("event_ids", "ambiguous", detail));
        }
        (None, None, _) => {
            let detail = "give event_ids, or since and until";
            return Err(AppError::invalid_field("event_ids", "required", detail));
        }
    };
    let count = replay::replay(&hub, (&caller.scope, &caller.actor()), &id, what).await?;
    Ok((StatusCode::ACCEPTED, Json(CountView { count })))
}

fn units(ids: &[String]) -> ApiResult<Vec<DeliveryId>> {
    if ids.len() > RETRIED_MAX {
        let detail = format!("name at most {RETRIED_MAX} requests at once");
        return Err(AppError::invalid_field("delivery_ids", "too_many", detail));
    }
    let unit = |(place, id): (usize, &String)| {
        let detail = "no id of a delivery; `parked` lists them";
        let field = format!("delivery_ids[{place}]");
        DeliveryId::parse(id).ok_or_else(|| AppError::invalid_field(&field, "invalid", detail))
    };
    ids.iter().enumerate().map(unit).collect()
}

/// What is tried again; everything that was refused or has expired when left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RetryInput {
    /// `dlv_…`, as `parked` lists them, at most 1,000.
    delivery_ids: Option<Vec<String>>,
}

/// Tries again what was refused or has expired: everything, or the named requests, also skipped ones.
#[utoipa::path(post, path = "/destinations/{id}/retry", tag = "Relay", params(("id" = String, Path)),
    request_body = Option<RetryInput>, responses((status = 202, body = CountView), Problems))]
async fn retry_parked_deliveries(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
    body: Bytes,
) -> ApiResult<(StatusCode, Json<CountView>)> {
    let input: RetryInput = if body.is_empty() { RetryInput::default() } else { read_json(&body)? };
    let only = input.delivery_ids.map(|ids| units(&ids)).transpose()?;
    let who = (&caller.scope, &caller.actor());
    let count = service::retry_parked(&hub, who, &id, only.as_deref()).await?;
    Ok((StatusCode::ACCEPTED, Json(CountView { count: usize::try_from(count).unwrap_or(usize::MAX) })))
}

/// Leaves out everything that waits for another try, so that what stands behind it goes on.
#[utoipa::path(post, path = "/destinations/{id}/skip", tag = "Relay", params(("id" = String, Path)),
    responses((status = 200, body = CountView), Problems))]
async fn skip_waiting_deliveries(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<Json<CountView>> {
    let count = service::skip(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(Json(CountView { count: usize::try_from(count).unwrap_or(usize::MAX) }))
}
