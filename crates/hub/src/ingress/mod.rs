//! The webhook door: checks the signature of the raw body, appends to the journal, answers 200 after the disk has it.
//!
//! Owns `quarantine`. Promises: 200 only after the whole request is on disk (or its `events` is empty); no SQL and no
//! call to LINE on the way of a good request; bodies are never logged. It knows no consumer.

mod endpoint;
mod quarantine;
mod repo;


use axum::Router;
use axum::routing::post;

use crate::app::Hub;

/// `POST /webhooks/line/{account_key}`.
pub fn routes() -> Router<Hub> {
    Router::new().route("/webhooks/line/{account_key}", post(endpoint::receive))
}

pub(crate) use repo::STATEMENTS;
