//! Mission stickers: an account lets a person download a set of stickers (PLATFORM 14; texts from LINE's reference for corporate
//! customers).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Inner;
use crate::line::entry::{Caller, JsonBody};
use crate::line::error::LineError;

pub(super) fn routes() -> Router<Arc<Inner>> {
    Router::new().route("/shop/v3/mission", post(give))
}

/// The sticker sets that people may download, by person.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    given: BTreeMap<u64, BTreeSet<String>>,
}

impl State {
    /// The sets of a person.
    pub(crate) fn of_person(&self, person: u64) -> impl Iterator<Item = &str> {
        self.given.get(&person).into_iter().flatten().map(String::as_str)
    }
}

/// Gives a set to a person, friend or not. The account needs the setting `missionStickers`, which names the sets it may give.
async fn give(
    Shared(inner): Shared<Arc<Inner>>,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>, LineError> {
    let mut world = inner.world();
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    if channel.settings.mission_stickers.is_empty() {
        return Err(LineError::new(StatusCode::FORBIDDEN, "not allowed to use the API"));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let invalid = || LineError::bad_request("invalid request");
    let person = text("to").and_then(|to| world.person_by_id(&channel.provider, to)).ok_or_else(invalid)?;
    if text("productType") != Some("STICKER") || body.get("sendPresentMessage") != Some(&Value::Bool(false)) {
        return Err(invalid());
    }
    let product = text("productId").ok_or_else(invalid)?.to_owned();
    if !channel.settings.mission_stickers.contains(&product) {
        return Err(LineError::missing("not found"));
    }
    world.shop.given.entry(person).or_default().insert(product);
    drop(world);
    inner.changed(vec![person]);
    Ok(Json(json!({})))
}
