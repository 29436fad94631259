//! `POST /api/v1/events/{id}/replay`: an event that could not be processed is tried again.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parked;
use crate::app::Hub;
use crate::web::api::{ApiResult, CanManage, Problems};

/// The journal's call that changes something.
pub fn routes() -> OpenApiRouter<Hub> {
    OpenApiRouter::new().routes(routes!(replay_event))
}

/// What became of an event that was tried again.
#[derive(Debug, Serialize, ToSchema)]
struct Replay {
    /// Whether it is processed now.
    outcome: ReplayOutcome,
    /// Why it still cannot be processed; absent when it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReplayOutcome {
    /// It was processed.
    Done,
    /// It is still on the list of those that could not be processed.
    StillParked,
}

/// Tries an event again that could not be processed (`parked`). Nothing is answered automatically.
#[utoipa::path(post, path = "/events/{id}/replay", tag = "Events", params(("id" = String, Path)),
    responses((status = 200, body = Replay), Problems))]
async fn replay_event(
    State(hub): State<Hub>,
    CanManage(caller): CanManage,
    Path(id): Path<String>,
) -> ApiResult<Json<Replay>> {
    let reason = parked::try_again(&hub, &caller.scope, &caller.actor(), &id).await?;
    let outcome = if reason.is_none() { ReplayOutcome::Done } else { ReplayOutcome::StillParked };
    Ok(Json(Replay { outcome, reason }))
}
