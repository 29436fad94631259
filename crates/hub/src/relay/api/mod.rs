//! `/api/v1` of destinations; `deliveries` has what they were sent.

mod deliveries;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::day::Day;
use super::model::{Answer, Destination, Filter, Last, NewSecrets, Signing, State as Fares};
use super::service;
use super::wishes::Wishes;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::ids::{AccountId, DestinationId};
use crate::web::api::{ApiResult, CanManage, CanRead, Ident, Input, Items, Problems};

/// The calls.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(routes!(list_destinations, create_destination))
        .routes(routes!(get_destination, change_destination, delete_destination))
        .routes(routes!(test_destination))
        .merge(deliveries::routes())
}

/// How far a destination is behind.
#[derive(Debug, Serialize, ToSchema)]
struct LagView {
    /// Events of the account that it has not got yet, of at most 10,000 events of the hub that were looked at.
    events: i64,
    /// The age of the oldest of them.
    seconds: u64,
}

/// A destination's last 24 hours.
#[derive(Debug, Serialize, ToSchema)]
struct LastDayView {
    /// Requests that were delivered.
    delivered: i64,
    /// Attempts that failed.
    failed: i64,
    /// Five minutes each, in order; those without an attempt are left out.
    steps: Vec<StepView>,
}

/// Five minutes.
#[derive(Debug, Serialize, ToSchema)]
struct StepView {
    /// When they began.
    #[schema(value_type = String, format = DateTime)]
    begins_at: Timestamp,
    /// Requests that were delivered.
    delivered: i64,
    /// Attempts that failed.
    failed: i64,
    /// What an attempt took on average.
    duration_ms: i64,
}

impl From<Day> for LastDayView {
    fn from(of: Day) -> Self {
        let steps = of.steps.iter().map(|step| StepView {
            begins_at: step.begins_at,
            delivered: step.ok,
            failed: step.failed,
            duration_ms: step.ms / (step.ok + step.failed).max(1),
        });
        Self { delivered: of.delivered, failed: of.failed, steps: steps.collect() }
    }
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
    /// Why it is paused or stopped, where a person did not do it: `gone` (it answered 410), `loop` (it leads back to this hub),
    /// `failing` (for long), `journal` (the hub's event log was replaced: what came in before is not passed on), `secret` (a secret
    /// that signs for it does not open: make a new one).
    halt: Option<super::Halt>,
    /// How far it is behind.
    lag: LagView,
    /// Its last call.
    last_delivery: Option<Last>,
    /// What became of its calls in the last 24 hours.
    last_day: LastDayView,
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
        let last_day = Day::load(hub, &of).await?.into();
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
            last_day,
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
    /// `line` when left out at making, which makes the other system hold the channel secret: full power over the channel. `own` is
    /// better for all but a system that has it already.
    signing: Option<Signing>,
    /// With `signing` `own`: makes a new secret, which this call shows once.
    #[serde(default)]
    new_secret: bool,
    /// Whether it gets a second signature in the form of Standard Webhooks, with a secret that is made for it.
    standard_webhooks: Option<bool>,
    /// Makes a new secret for the second signature, which this call shows once; for 24 hours both sign.
    #[serde(default)]
    new_standard_secret: bool,
    /// Whether it is switched on; switching on again lets it go on where it stopped, but where `halt` was `journal`: then with
    /// what comes in from now on, and what waited or was put aside is listed as expired.
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
            of: None,
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
