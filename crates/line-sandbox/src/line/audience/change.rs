//! Renaming and deleting (PLATFORM 11).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use super::create::{checked_name, text};
use super::{Accepted, Answer, enter, own};
use crate::Inner;
use crate::line::entry::{Caller, JsonBody};

pub(super) async fn update_description(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody,
) -> Answer {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let id = own(&mut world, &caller, &id)?.id;
    let name = checked_name(&world, &caller, text(&body, "description")?, Some(id))?;
    if let Some(audience) = world.audiences.own(&caller.channel, id) {
        audience.description = name;
    }
    Ok(Json(json!({})))
}

/// LINE's page says 202, its schema 200 (PLATFORM 28).
pub(super) async fn delete(
    State(inner): State<Arc<Inner>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Accepted {
    let mut world = inner.world();
    enter(&inner, &mut world, &caller)?;
    let id = own(&mut world, &caller, &id)?.id;
    world.audiences.remove(id);
    Ok((StatusCode::ACCEPTED, Json(json!({}))))
}
