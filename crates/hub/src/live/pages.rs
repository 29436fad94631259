//! `GET /live`: the stream of one tab.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Sse;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::{Sees, TooMany, repo};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::cookies;

/// Where the browsers' stream is.
pub const PATH: &str = "/live";

pub(super) fn routes() -> Router<Hub> {
    Router::new().route(PATH, get(stream))
}

async fn stream(State(hub): State<Hub>, viewer: Viewer, headers: HeaderMap) -> AppResult<Response> {
    let token = cookies::session(&hub.config, &headers).ok_or_else(AppError::unauthorized)?;
    let resumed = headers.contains_key("last-event-id");
    let session = repo::session_hash(&token);
    let asked = hub.clone();
    let sees = move || sight(asked.clone(), session.clone());
    let events = hub.live.subscribe(&viewer.tenant.id, &viewer.id, resumed, sees)?;
    // A proxy that gathers answers would hold the events back.
    Ok(([("x-accel-buffering", "no")], Sse::new(events)).into_response())
}

/// What the session may see at this moment. While the database does not answer, nothing is said and nothing ends.
async fn sight(hub: Hub, session: Vec<u8>) -> Option<Sees> {
    loop {
        match repo::sight(&hub.db, &session, hub.now()).await {
            Ok(sees) => return sees,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a live stream waits for the database");
                let wait = tokio::time::sleep(std::time::Duration::from_secs(1));
                hub.stop.run_until_cancelled(wait).await?;
            }
        }
    }
}

impl From<TooMany> for AppError {
    fn from(_: TooMany) -> Self {
        let detail = "this person has too many tabs open; close some";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail)
    }
}
