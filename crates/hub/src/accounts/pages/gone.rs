//! A page of an account that is disconnected: since when, and the way back.

use askama::Template;
use axum::response::{IntoResponse as _, Response};

use super::head::AccountHead;
use crate::team::Viewer;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "account_gone.html")]
struct GonePage {
    ui: Ui,
    is_owner: bool,
    head: AccountHead,
}

/// In place of a page that has nothing to show of an account that is disconnected.
pub(in crate::accounts) fn gone(ui: Ui, viewer: &Viewer, head: AccountHead) -> Response {
    Page(GonePage { ui, is_owner: viewer.is_owner(), head }).into_response()
}
