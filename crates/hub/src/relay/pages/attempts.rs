//! One attempt: what was sent, what was answered, and what to do with it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::words::{Why, kind, why};
use super::{address, find};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{AttemptId, Id as _};
use crate::relay::shown::{self, Opened};
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

    fn kind(&self, word: &str) -> String {
        kind(&self.ui, word)
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
    let attempt = AttemptId::parse(&attempt).ok_or_else(|| AppError::not_found("attempt"))?;
    let opened = shown::open(&hub, &viewer.scope(), &destination.id, &attempt).await?;
    Ok(Page(AttemptPage { ui, is_owner: viewer.is_owner(), opened }).into_response())
}
