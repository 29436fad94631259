//! What befalls the modules of an account (PLATFORM 14, 16).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::control::input::{Fields, Problem, items, messaging_channel};

type Answer = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/channels/{channel}/modules", get(list))
        .route("/channels/{channel}/modules/{module}", delete(lose))
        .route("/channels/{channel}/suspension", post(suspend))
}

/// The modules that are attached to an account.
async fn list(State(inner): State<Arc<Inner>>, Path(channel): Path<String>) -> Answer {
    let world = inner.world();
    let channel = messaging_channel(&world, &channel)?;
    Ok(items(world.modules.describe(&channel)))
}

/// LINE takes a module off, as it does when the account is deleted; the module is told.
async fn lose(State(inner): State<Arc<Inner>>, Path((channel, module)): Path<(String, String)>) -> Answer {
    match inner.lose_module(&channel, &module) {
        true => Ok(Json(json!({}))),
        false => Err(Problem::not_found("this module is not attached to that account")),
    }
}

/// LINE suspends or resumes the account: `{"suspended":true}`; its modules are told.
async fn suspend(State(inner): State<Arc<Inner>>, Path(channel): Path<String>, body: Fields) -> Answer {
    let suspended = body.boolean("suspended")?.ok_or_else(|| Problem::field("suspended", "is missing"))?;
    let channel = messaging_channel(&inner.world(), &channel)?;
    inner.suspend_account(&channel, suspended);
    Ok(Json(json!({})))
}
