//! `/api/v1/setups`: guided set-ups, as their pages keep them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Has, Progress, ProviderKind, Stage, StageState, Step};
use super::service;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppError;
use crate::ids::SetupId;
use crate::web::api::{ApiResult, CanManage, CanRead, Ident, Input, PageParams, Paged, Params, Problems};

/// The calls of set-ups.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(list_setups, start_setup)).routes(routes!(
        get_setup,
        change_setup,
        delete_setup
    ))
}

/// A guided set-up of one account.
#[derive(Debug, Serialize, ToSchema)]
struct SetupView {
    /// `set_…`
    id: String,
    /// What the owner has at LINE.
    has: Has,
    /// The stages that are needed, in order.
    stages: Vec<StageView>,
    /// The Provider that the channel is bound to for good; null until that was confirmed.
    provider: Option<ProviderView>,
    /// What a person ticked, because no API of LINE's tells.
    ticks: Vec<SetupTickView>,
    /// The channel's ID as it was given last.
    channel_id: Option<String>,
    /// The word for what was wrong with the last try to connect.
    failure: Option<String>,
    /// The account, once it is connected.
    account_id: Option<String>,
    /// When it was connected.
    #[schema(value_type = Option<String>, format = DateTime)]
    connected_at: Option<Timestamp>,
    /// When the first message had arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    done_at: Option<Timestamp>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Who began it.
    created_by: String,
    /// When it was last worked on.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Who worked on it last.
    updated_by: String,
}

/// How far a stage is.
#[derive(Debug, Serialize, ToSchema)]
struct StageView {
    /// Which.
    stage: Stage,
    /// Its state. `webhook` is as LINE told it last.
    state: StageState,
}

/// A Provider at LINE.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProviderView {
    /// Its name: the company's, at most 100 characters.
    name: String,
    /// A new one, one that the company has, or the one with its LINE Login channel.
    kind: ProviderKind,
}

/// A step that is done.
#[derive(Debug, Serialize, ToSchema)]
struct SetupTickView {
    /// Which.
    step: Step,
    /// When it was ticked.
    #[schema(value_type = String, format = DateTime)]
    ticked_at: Timestamp,
    /// By whom.
    ticked_by: String,
}

impl From<Progress> for SetupView {
    fn from(progress: Progress) -> Self {
        let stages = progress.states().into_iter().map(|(stage, state)| StageView { stage, state }).collect();
        let Progress { setup, ticks, .. } = progress;
        let kind = setup.provider_kind();
        let tick = |tick: super::model::Tick| SetupTickView {
            step: tick.step,
            ticked_at: tick.ticked_at,
            ticked_by: tick.ticked_by,
        };
        Self {
            id: setup.id.to_string(),
            has: setup.has,
            stages,
            provider: setup.provider.map(|name| ProviderView { name, kind }),
            ticks: ticks.into_iter().map(tick).collect(),
            channel_id: setup.channel_id,
            failure: setup.failure,
            account_id: setup.account_id.map(|id| id.to_string()),
            connected_at: setup.connected_at,
            done_at: setup.done_at,
            created_at: setup.created_at,
            created_by: setup.created_by,
            updated_at: setup.updated_at,
            updated_by: setup.updated_by,
        }
    }
}

/// The set-ups of the tenant, oldest first, also those that are done.
#[utoipa::path(get, path = "/setups", tag = "Set-ups", params(PageParams),
    responses((status = 200, body = Paged<SetupView>), Problems))]
async fn list_setups(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    params: Params,
) -> ApiResult<Json<Paged<SetupView>>> {
    let page = params.page()?;
    let rows = service::page(&hub, &caller.scope, page.after()?.as_ref(), page.fetch()).await?;
    Ok(Json(page.wrap(rows, |last| (last.setup.created_at, last.setup.id.clone())).map(SetupView::from)))
}

/// A set-up to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSetupBody {
    /// What the owner has at LINE; it decides which stages there are.
    has: Has,
}

/// Begins a set-up. Connecting itself is `POST /accounts`, which ends the set-ups of its channel.
#[utoipa::path(post, path = "/setups", tag = "Set-ups", request_body = NewSetupBody,
    responses((status = 201, body = SetupView), Problems))]
async fn start_setup(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Input(body): Input<NewSetupBody>,
) -> ApiResult<(StatusCode, Json<SetupView>)> {
    let id = service::start(&hub, (&caller.scope, &caller.actor()), body.has).await?;
    let setup = service::get(&hub, &caller.scope, &id).await?;
    Ok((StatusCode::CREATED, Json(setup.into())))
}

/// One set-up.
#[utoipa::path(get, path = "/setups/{id}", tag = "Set-ups", params(("id" = String, Path)),
    responses((status = 200, body = SetupView), Problems))]
async fn get_setup(
    State(hub): State<Hub>,
    CanRead(caller): CanRead,
    Ident(id): Ident<SetupId>,
) -> ApiResult<Json<SetupView>> {
    Ok(Json(service::get(&hub, &caller.scope, &id).await?.into()))
}

/// What to change of a set-up; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetupChange {
    /// What the owner has at LINE.
    has: Option<Has>,
    /// Confirms what cannot be taken back at LINE, and names the Provider that the channel will be bound to for good. Before
    /// that the steps of `enable` cannot be ticked.
    provider: Option<ProviderView>,
    /// Steps to tick with this moment (`true`) or to open again (`false`); what is absent stays. `agree` comes with
    /// `provider`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, bool>, example = json!({ "form": true }))]
    ticks: BTreeMap<String, bool>,
}

impl SetupChange {
    fn ticks(&self) -> ApiResult<Vec<(Step, bool)>> {
        let tick = |(word, on): (&String, &bool)| match Step::parse(word) {
            Some(Step::Agree) | None => {
                let known: Vec<_> =
                    Step::ALL.iter().filter(|step| **step != Step::Agree).map(|step| step.as_str()).collect();
                let detail = format!("`{word}` cannot be ticked; {} can", known.join(", "));
                Err(AppError::invalid_field("ticks", "unknown", detail))
            }
            Some(step) => Ok((step, *on)),
        };
        self.ticks.iter().map(tick).collect()
    }
}

/// Changes a set-up: what is owned, the Provider, the ticks.
#[utoipa::path(patch, path = "/setups/{id}", tag = "Set-ups", params(("id" = String, Path)),
    request_body = SetupChange, responses((status = 200, body = SetupView), Problems))]
async fn change_setup(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<SetupId>,
    Input(body): Input<SetupChange>,
) -> ApiResult<Json<SetupView>> {
    let ticks = body.ticks()?;
    let agreed = body.provider.map(|provider| (provider.name, provider.kind));
    let change = service::Change { has: body.has, agreed, ticks };
    let setup = service::change(&hub, (&caller.scope, &caller.actor()), &id, &change).await?;
    Ok(Json(setup.into()))
}

/// Forgets a set-up. An account that it connected stays.
#[utoipa::path(delete, path = "/setups/{id}", tag = "Set-ups", params(("id" = String, Path)),
    responses((status = 204, description = "forgotten"), Problems))]
async fn delete_setup(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Ident(id): Ident<SetupId>,
) -> ApiResult<StatusCode> {
    service::forget(&hub, (&caller.scope, &caller.actor()), &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
