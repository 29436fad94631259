//! LINE's audience API (PLATFORM 11). Every call may be made 60 times a minute.

mod change;
mod create;
mod read;
mod upload;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Inner;
use crate::audiences::Audience;
use crate::line::entry::{Caller, UPLOAD_LIMIT};
use crate::line::error::LineError;
use crate::world::World;

type Answer = Result<Json<Value>, LineError>;
type Accepted = Result<(StatusCode, Json<Value>), LineError>;

pub(super) fn routes() -> Router<Arc<Inner>> {
    let by_file = post(upload::create_by_file).put(upload::add_by_file);
    Router::new()
        .route("/v2/bot/audienceGroup/upload", post(create::create_upload).put(create::add_upload))
        .route("/v2/bot/audienceGroup/upload/byFile", by_file.layer(DefaultBodyLimit::max(UPLOAD_LIMIT)))
        .route("/v2/bot/audienceGroup/click", post(create::create_click))
        .route("/v2/bot/audienceGroup/imp", post(create::create_imp))
        .route("/v2/bot/audienceGroup/{id}/updateDescription", put(change::update_description))
        .route("/v2/bot/audienceGroup/{id}", get(read::show).merge(delete(change::delete)))
        .route("/v2/bot/audienceGroup/list", get(read::list))
        .route("/v2/bot/audienceGroup/shared/{id}", get(read::show_shared))
        .route("/v2/bot/audienceGroup/shared/list", get(read::list_shared))
}

/// A refusal with one of LINE's codes.
fn refused(message: &str, code: &str) -> LineError {
    LineError::details(message, &json!([{ "message": code }]))
}

/// The channel must be of a country that has audiences (PLATFORM 11; the answer elsewhere is not published). Brings all audiences to
/// where they are now.
fn enter(inner: &Inner, world: &mut World, caller: &Caller) -> Result<(), LineError> {
    let channel = world.channels.get(&caller.channel).ok_or_else(LineError::forbidden)?;
    if !["JP", "TW", "TH"].contains(&channel.country.as_str()) {
        return Err(LineError::forbidden());
    }
    inner.settle_narrowcasts(world);
    world.settle_audiences(inner.clock.now());
    Ok(())
}

fn not_found() -> LineError {
    refused("audience group not found", "AUDIENCE_GROUP_NOT_FOUND")
}

/// The channel's own audience of a path or body.
fn own<'w>(world: &'w mut World, caller: &Caller, id: &str) -> Result<&'w mut Audience, LineError> {
    let id = id.parse().map_err(|_| LineError::invalid_parameter("audienceGroupId"))?;
    world.audiences.own(&caller.channel, id).ok_or_else(not_found)
}

impl World {
    /// Brings all audiences to where they are at `now`.
    pub(crate) fn settle_audiences(&mut self, now: i64) {
        self.audiences.settle(&self.sends, now);
    }
}
