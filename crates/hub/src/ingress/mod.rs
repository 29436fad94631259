//! The webhook door: checks the signature of the raw body, appends to the journal, answers 200 after the disk has it.
//!
//! Owns `quarantine`. Promises: 200 only after the whole request is on disk (or its `events` is empty); no SQL and no
//! call to LINE on the way of a good request; bodies are never logged. It knows no consumer.

pub mod api;
mod endpoint;
mod quarantine;
mod repo;
#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::Router;
use axum::routing::post;

use crate::app::Hub;
use crate::db::LogAndIgnore;

pub use endpoint::{VIA, own_name};
pub use quarantine::Quarantine;
pub(crate) use repo::STATEMENTS;

/// How often the quarantine is gone through.
const TIDY_EVERY: Duration = Duration::from_secs(300);

/// `POST /webhooks/line/{account_key}`.
pub fn routes() -> Router<Hub> {
    Router::new().route("/webhooks/line/{account_key}", post(endpoint::receive))
}

/// Goes through the quarantine now and then, until the hub stops.
///
/// # Errors
/// None: trouble is logged and passes.
pub async fn watch(hub: Hub) -> anyhow::Result<()> {
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = tidy.tick() => quarantine::tidy(&hub).await.log_and_ignore("going through the quarantine"),
            () = hub.stop.cancelled() => return Ok(()),
        }
    }
}
