//! The inbox page: conversations, the transcript with its composer, and the person behind it.
//!
//! Every address is a page of its own; the script `inbox.js` asks for the same parts as fragments, so that nothing
//! reloads. Fragments answer only requests of the script or of htmx.

mod choice;
mod list;
mod send;
mod talk;
mod transcript;
mod words;
mod writers;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::attachments;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::Id;
use crate::web::NavEntry;
use crate::web::api::MAX_BODY;

/// The inbox's place in the rail.
pub const NAV: NavEntry =
    NavEntry { href: "/inbox", icon: "inbox", label_key: "inbox-title", count: Some("/inbox/waiting") };

/// The pages of the inbox.
pub fn routes() -> Router<Hub> {
    let fragments = Router::new()
        .route("/inbox/waiting", get(list::waiting))
        .route("/inbox/list", get(list::list))
        .route("/inbox/rows", get(list::rows))
        .route("/inbox/{id}/talk", get(talk::talk))
        .route("/inbox/{id}/turns", get(talk::turns))
        .route("/inbox/{id}/around", get(talk::around))
        .route("/inbox/{id}/price", get(send::price))
        .route("/inbox/messages/{id}", get(talk::message))
        .route("/inbox/writers/{user}", get(writers::writer))
        .layer(from_fn(fragments_only));
    Router::new()
        .route("/inbox", get(list::page))
        .route("/inbox/{id}", get(list::page_with))
        .route("/inbox/{id}/send", post(send::send))
        .route("/inbox/{id}/read", post(talk::read))
        .route("/inbox/{id}/unread", post(talk::unread))
        .route("/inbox/{id}/writing", post(writers::writing))
        .route("/inbox/{id}/state", post(talk::set_state))
        .route("/inbox/{id}/assignee", post(talk::assign))
        .route("/inbox/{id}/tags", post(talk::tag))
        .route("/inbox/{id}/fields", post(talk::set_field))
        .route(
            "/inbox/{id}/attachments",
            post(attachments::attach_in_page).layer(DefaultBodyLimit::max(MAX_BODY)),
        )
        .route("/inbox/with/{contact}", get(list::with_contact))
        .route("/inbox/messages/{id}/content", get(talk::content))
        .route("/inbox/messages/{id}/send-again", post(send::send_again))
        .merge(fragments)
}

/// Fragments make no page: whoever opens one as such is told that there is none.
async fn fragments_only(request: Request, next: Next) -> Response {
    if request.headers().contains_key("hx-request") {
        next.run(request).await
    } else {
        AppError::not_found("page").into_response()
    }
}

/// Reads an id of an address; one that is malformed is one that does not exist.
pub(super) fn id<T: Id>(text: &str) -> AppResult<T> {
    T::parse(text).ok_or_else(|| AppError::not_found("page"))
}
