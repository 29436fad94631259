//! `/api/v1` of destinations.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Attempt;
use super::model::{Answer, Destination, Filter, Last, NewSecrets, Signing, State as Fares};
use super::replay::{self, Replay};
use super::service;
use super::wishes::Wishes;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::{AccountId, DestinationId};
use crate::web::api::{
    ApiResult, CanManage, CanRead, Ident, Input, Items, PageParams, Paged, Params, Problems,
};

/// The calls.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list_destinations, create_destination))
        .routes(routes!(get_destination, change_destination, delete_destination))
        .routes(routes!(list_deliveries))
        .routes(routes!(replay_events))
        .routes(routes!(test_destination))
        .routes(routes!(retry_parked_deliveries))
        .routes(routes!(skip_waiting_deliveries))
}

/// How far a destination is behind.
#[derive(Debug, Serialize, ToSchema)]
struct LagView {
    /// Events of the account that it has not got yet, of at most 10,000 events of the hub that were looked at.
    events: i64,
    /// The age of the oldest of them.
    seconds: u64,
}

/// Another system that gets an account's events.
#[derive(Debug, Serialize, ToSchema)]
struct DestinationView {
    /// `dst_…`
    id: String,
    /// The account.
    account_id: String,
    /// Its name among people.
    name: String,
    /// Where the events are sent to.
    url: String,
    /// What it gets; an empty object means everything.
    filter: Filter,
    /// `line`: LINE's bytes with LINE's signature; `own`: the same bytes, signed with a secret of its own.
    signing: Signing,
    /// The secret, where this call made it. LINE's SDKs take it as their channel secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Whether it gets a second signature in the form of Standard Webhooks (`webhook-id`, `webhook-timestamp`,
    /// `webhook-signature`).
    standard_webhooks: bool,
    /// The secret of the second signature, `whsec_…`, where this call made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_secret: Option<String>,
    /// Whether it is switched on.
    active: bool,
    /// How it fares.
    state: Fares,
    /// Why it is paused or stopped, where a person did not do it: `gone`, `loop`, `failing`.
    halt: Option<super::Halt>,
    /// How far it is behind.
    lag: LagView,
    /// Its last call.
    last_delivery: Option<Last>,
    /// Requests that wait for another try, or behind one.
    retrying: i64,
    /// Requests that it refused, or that were tried for too long.
    parked: i64,
    /// Calls at once.
    concurrency: i64,
    /// Calls a second; null for no limit.
    rate: Option<i64>,
    /// How long a call may take.
    timeout_ms: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a person changed it last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl DestinationView {
    async fn of(hub: &Hub, of: Destination, new: NewSecrets) -> ApiResult<Self> {
        let (events, seconds) = service::lag(hub, &of).await?;
        Ok(Self {
            state: of.state(),
            id: of.id.to_string(),
            account_id: of.account.to_string(),
            name: of.name,
            url: of.url,
            filter: of.filter,
            signing: of.signing,
            secret: new.own.map(|secret| secret.expose().to_owned()),
            standard_webhooks: of.standard.is_some(),
            standard_secret: new.standard.map(|secret| secret.expose().to_owned()),
            active: of.active,
            halt: of.halt,
            lag: LagView { events, seconds },
            last_delivery: of.last,
            retrying: of.retrying,
            parked: of.parked,
            concurrency: of.concurrency,
            rate: of.rate,
            timeout_ms: of.timeout_ms,
            created_at: of.created_at,
            updated_at: of.updated_at,
        })
    }
}

/// What a destination is to be. In a change, what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DestinationInput {
    /// Its name among people, at most 60 characters. Required when it is made.
    name: Option<String>,
    /// Where the events are sent to, `https://…`. Required when it is made.
    url: Option<String>,
    /// What it gets; an empty object means everything.
    filter: Option<Filter>,
    /// `line` when left out at making.
    signing: Option<Signing>,
    /// With `signing` `own`: makes a new secret, which this call shows once.
    #[serde(default)]
    new_secret: bool,
    /// Whether it gets a second signature in the form of Standard Webhooks, with a secret that is made for it.
    standard_webhooks: Option<bool>,
    /// Makes a new secret for the second signature, which this call shows once; for 24 hours both sign.
    #[serde(default)]
    new_standard_secret: bool,
    /// Whether it is switched on; switching on again lets it go on where it stopped.
    active: Option<bool>,
    /// Calls at once, 1–64; 16 when left out at making.
    concurrency: Option<i64>,
    /// Calls a second, 1–10,000; null for no limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    rate: Option<Option<i64>>,
    /// How long a call may take, 500–30,000; 5,000 when left out at making.
    timeout_ms: Option<i64>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(input).map(Some)
}

impl From<DestinationInput> for Wishes {
    fn from(input: DestinationInput) -> Self {
        Self {
            name: input.name,
            url: input.url,
            filter: input.filter,
            signing: input.signing,
            new_secret: input.new_secret,
            standard: input.standard_webhooks,
            new_standard_secret: input.new_standard_secret,
            active: input.active,
            concurrency: input.concurrency,
            rate: input.rate,
            timeout_ms: input.timeout_ms,
        }
    }
}

/// An account's destinations, the oldest first.
#[utoipa::path(get, path = "/accounts/{id}/destinations", tag = "Relay", params(("id" = String, Path)),
    responses((status = 200, body = Items<DestinationView>), Problems))]
async fn list_destinations(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<AccountId>,
) -> ApiResult<Json<Items<DestinationView>>> {
    let mut items = Vec::new();
    for destination in service::list(&hub, &caller.scope, &id).await? {
        items.push(DestinationView::of(&hub, destination, NewSecrets::default()).await?);
    }
    Ok(Json(Items { items }))
}

/// Adds a destination: it gets the account's events from now on. With `signing` `line` it must hold the channel secret, which
/// is full power over the channel; `own` gives it a secret that is good for nothing else.
#[utoipa::path(post, path = "/accounts/{id}/destinations", tag = "Relay", params(("id" = String, Path)),
    request_body = DestinationInput, responses((status = 201, body = DestinationView), Problems))]
async fn create_destination(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<AccountId>,
    Input(body): Input<DestinationInput>,
) -> ApiResult<(StatusCode, Json<DestinationView>)> {
    let who = (&caller.scope, &caller.actor());
    let (destination, secrets) = service::create(&hub, who, &id, body.into()).await?;
    Ok((StatusCode::CREATED, Json(DestinationView::of(&hub, destination, secrets).await?)))
}

/// One destination.
#[utoipa::path(get, path = "/destinations/{id}", tag = "Relay", params(("id" = String, Path)),
    responses((status = 200, body = DestinationView), Problems))]
async fn get_destination(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<Json<DestinationView>> {
    let destination = service::get(&hub, &caller.scope, &id).await?;
    Ok(Json(DestinationView::of(&hub, destination, NewSecrets::default()).await?))
}

/// Changes a destination; `active` pauses and resumes it.
#[utoipa::path(patch, path = "/destinations/{id}", tag = "Relay", params(("id" = String, Path)),
    request_body = DestinationInput, responses((status = 200, body = DestinationView), Problems))]
async fn change_destination(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
    Input(body): Input<DestinationInput>,
) -> ApiResult<Json<DestinationView>> {
    let who = (&caller.scope, &caller.actor());
    let (destination, secrets) = service::change(&hub, who, &id, body.into()).await?;
    Ok(Json(DestinationView::of(&hub, destination, secrets).await?))
}

/// Deletes a destination; what waits for it is dropped.
#[utoipa::path(delete, path = "/destinations/{id}", tag = "Relay", params(("id" = String, Path)),
    responses((status = 204), Problems))]
async fn delete_destination(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<StatusCode> {
    service::delete(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(StatusCode::NO_CONTENT)
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
    /// The beginning of the answer.
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

/// A destination's attempts, the newest first: all that failed, and of a busy destination's successes a sample. The newest
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
    let page = params.page()?;
    let below = page.after::<(Timestamp, String)>()?;
    let rows = service::attempts(&hub, &caller.scope, &id, failed, below, page.fetch()).await?;
    Ok(Json(page.wrap(rows, |row| (row.at, row.id.to_string())).map(DeliveryView::from)))
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

/// Sends events again, at most 10,000 requests at once. A whole request is sent as LINE sent it, with LINE's signature as long
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

/// What came of a test call.
#[derive(Debug, Serialize, ToSchema)]
struct TestView {
    /// Whether it answered 2xx.
    ok: bool,
    /// The status of the answer; null when there was none.
    status: Option<u16>,
    /// How long it took.
    duration_ms: i64,
    /// Why there was no answer.
    error: Option<String>,
    /// The beginning of the answer.
    answer: String,
}

/// Sends a signed empty batch, as LINE's own test of a webhook does, and tells what came of it.
#[utoipa::path(post, path = "/destinations/{id}/test", tag = "Relay", params(("id" = String, Path)),
    responses((status = 200, body = TestView), Problems))]
async fn test_destination(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<Json<TestView>> {
    let made = service::test(&hub, &caller.scope, &id).await?;
    let (status, error) = match made.answer {
        Answer::Status { status, .. } => (Some(status), None),
        Answer::None(why) => (None, Some(why)),
    };
    let ok = status.is_some_and(|status| (200..300).contains(&status));
    Ok(Json(TestView { ok, status, duration_ms: made.ms, error, answer: made.said }))
}

/// Tries everything again that was refused or has expired.
#[utoipa::path(post, path = "/destinations/{id}/retry", tag = "Relay", params(("id" = String, Path)),
    responses((status = 202, body = CountView), Problems))]
async fn retry_parked_deliveries(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<DestinationId>,
) -> ApiResult<(StatusCode, Json<CountView>)> {
    let count = service::retry_parked(&hub, (&caller.scope, &caller.actor()), &id).await?;
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
