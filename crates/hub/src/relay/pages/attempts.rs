//! One attempt: what was sent, what was answered, and what to do with it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::words::{Why, why};
use super::{address, find};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{AttemptId, DeliveryId, Id as _};
use crate::relay::shown::{self, Opened};
use crate::relay::told;
use crate::team::Viewer;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "relay_attempt.html")]
struct AttemptPage {
    ui: Ui,
    is_owner: bool,
    opened: Opened,
}

impl AttemptPage {
    fn back(&self) -> String {
        address(&self.opened.destination)
    }

    fn why(&self) -> Option<Why> {
        self.opened.attempt.error.as_deref().map(|error| why(&self.ui, error))
    }

    /// The key of its title.
    fn title(&self) -> &'static str {
        if self.opened.parked.is_some() { "relay-parked-title" } else { "relay-attempt" }
    }
}

/// One attempt.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path((account, id, attempt)): Path<(String, String, String)>,
) -> AppResult<Response> {
    let destination = find(&hub, &viewer, &(account, id)).await?;
    let gone = || {
        let detail = "the log no longer has this attempt";
        AppError::new(StatusCode::NOT_FOUND, "attempt_gone", detail).leading(address(&destination))
    };
    let attempt = AttemptId::parse(&attempt).ok_or_else(gone)?;
    let opened = shown::open(&hub, &viewer.scope(), &destination.id, &attempt, viewer.is_owner()).await;
    let mut opened =
        opened.map_err(|error| if error.status == StatusCode::NOT_FOUND { gone() } else { error })?;
    told::drop_past(&hub, &destination, std::slice::from_mut(&mut opened.attempt)).await?;
    Ok(Page(AttemptPage { ui, is_owner: viewer.is_owner(), opened }).into_response())
}

/// What was put aside, with its last attempt.
pub(super) async fn show_parked(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path((account, id, delivery)): Path<(String, String, String)>,
) -> AppResult<Response> {
    let destination = find(&hub, &viewer, &(account, id)).await?;
    let gone = || {
        let detail = "this was tried again or dismissed meanwhile";
        let back = format!("{}/parked", address(&destination));
        AppError::new(StatusCode::NOT_FOUND, "parked_gone", detail).leading(back)
    };
    let delivery = DeliveryId::parse(&delivery).ok_or_else(gone)?;
    let opened =
        shown::open_parked(&hub, &viewer.scope(), &destination.id, &delivery, viewer.is_owner()).await;
    let mut opened =
        opened.map_err(|error| if error.status == StatusCode::NOT_FOUND { gone() } else { error })?;
    // Nothing of it is tried by itself.
    opened.attempt.next_at = None;
    Ok(Page(AttemptPage { ui, is_owner: viewer.is_owner(), opened }).into_response())
}
