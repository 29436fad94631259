//! Signing in and out.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::Hub;
use crate::error::AppResult;
use crate::team::sign_in::{Outcome, sign_in};
use crate::team::{Viewer, service};
use crate::web::{Fields, FormState, Page, Peer, Ui, cookies, local_address};

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn {
    ui: Ui,
    form: FormState,
    /// Where to go afterwards.
    next: String,
    /// The key of what stands in the way.
    trouble: &'static str,
}

#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// Who is signed in already goes on.
pub(super) async fn show(ui: Ui, viewer: Option<Viewer>, Query(query): Query<Next>) -> Response {
    if viewer.is_some() {
        return Redirect::to(local_address(&query.next).unwrap_or("/")).into_response();
    }
    Page(SignIn { ui, form: FormState::new(), next: query.next, trouble: "" }).into_response()
}

pub(super) async fn submit(
    State(hub): State<Hub>,
    Peer(peer): Peer,
    ui: Ui,
    fields: Fields,
) -> AppResult<Response> {
    let (email, next) = (fields.text("email"), fields.text("next"));
    let (status, trouble) = match sign_in(&hub, email, fields.text("password"), peer).await? {
        Outcome::In(token) => return Ok(go_in(&hub, &token, local_address(next).unwrap_or("/"))),
        Outcome::Refused => (StatusCode::UNPROCESSABLE_ENTITY, "team-sign-in-refused"),
        Outcome::Wait => (StatusCode::TOO_MANY_REQUESTS, "team-sign-in-wait"),
    };
    let form = FormState::new().with("email", email);
    Ok((status, Page(SignIn { ui, form, next: next.to_owned(), trouble })).into_response())
}

/// Sets the cookie of a new session and goes to an address.
pub(super) fn go_in(hub: &Hub, token: &str, address: &str) -> Response {
    ([(SET_COOKIE, cookies::set_session(&hub.config, token))], Redirect::to(address)).into_response()
}

pub(super) async fn sign_out(State(hub): State<Hub>, viewer: Option<Viewer>) -> AppResult<Response> {
    if let Some(viewer) = viewer {
        service::close_sessions(&hub, &viewer, false).await?;
    }
    let cookie = cookies::remove_session(&hub.config);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response())
}

/// Signs in by a one-time link.
pub(super) async fn enter(State(hub): State<Hub>, Path(token): Path<String>) -> AppResult<Response> {
    let session = service::enter(&hub, &token).await?;
    Ok(go_in(&hub, &session, "/"))
}

#[cfg(test)]
pub(super) fn samples(ui: &Ui) -> Vec<SignIn> {
    let page = |trouble, email: &str| SignIn {
        ui: ui.clone(),
        form: FormState::new().with("email", email),
        next: "/inbox?x=1".to_owned(),
        trouble,
    };
    vec![
        page("", ""),
        page("team-sign-in-refused", "mei@example.tw"),
        page("team-sign-in-wait", "mei@example.tw"),
    ]
}
