//! The doctor's pages: an account's checks, and the system check.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use super::Kept;
use super::service;
use super::view::{Act, Looker, View};
use crate::accounts::model::Status;
use crate::accounts::pages::gone::gone;
use crate::accounts::pages::head::{AccountHead, Tab};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Page, Ui};

/// The doctor's pages.
pub(in crate::accounts) fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{id}/doctor", get(show))
        .route("/settings/accounts/{id}/doctor/webhook", post(put_webhook))
        .route("/settings/accounts/{id}/doctor/test", post(test))
        .route("/settings/system/check", get(system))
}

/// Whether the reader asks for a reading of now.
#[derive(Debug, Default, Deserialize)]
struct When {
    now: Option<String>,
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct DoctorPage {
    ui: Ui,
    head: AccountHead,
    view: View,
    /// What came of an act that was refused.
    notice: Option<&'static str>,
    /// Where this page is read anew.
    again: String,
    /// Whether the checks are old ones, to be replaced as soon as LINE has answered.
    is_stale: bool,
    all_well: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "doctor_anew.html")]
struct DoctorAnew {
    ui: Ui,
    head: AccountHead,
    view: View,
    notice: Option<&'static str>,
    again: String,
    is_stale: bool,
    all_well: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "doctor_partial.html")]
struct DoctorPartial {
    ui: Ui,
    view: View,
    notice: Option<&'static str>,
    again: String,
    is_stale: bool,
    all_well: (&'static str, &'static str),
}

#[derive(Template)]
#[template(path = "system_check.html")]
struct SystemPage {
    ui: Ui,
    view: View,
    notice: Option<&'static str>,
    again: String,
    is_stale: bool,
    all_well: (&'static str, &'static str),
}

const WELL: (&str, &str) = ("doctor-all-well", "doctor-all-well-detail");
const SYSTEM_WELL: (&str, &str) = ("doctor-system-well", "doctor-system-well-detail");

/// An account's checks: what was found last at once, then what LINE says now.
async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(when): Query<When>,
) -> AppResult<Response> {
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Doctor).await?;
    if head.account.status == Status::Disconnected {
        return Ok(gone(ui, &viewer, head));
    }
    let (scope, account) = (viewer.scope(), &head.account.id);
    let (_, last) = service::last(&hub, &scope, account).await?;
    let is_stale = !last.is_empty() && when.now.is_none() && !ui.is_htmx();
    let checks = if is_stale { last } else { service::examine_for(&hub, &scope, account).await?.checks };
    drawn(&hub, ui, &viewer, head, &checks, (None, is_stale)).await
}

async fn drawn(
    hub: &Hub,
    ui: Ui,
    viewer: &Viewer,
    head: AccountHead,
    checks: &[Kept],
    (notice, is_stale): (Option<&'static str>, bool),
) -> AppResult<Response> {
    let looker =
        Looker { ui: &ui, now: hub.now(), is_owner: viewer.is_owner(), account: Some(&head.account) };
    let view = looker.view(checks);
    let again = format!("/settings/accounts/{}/doctor?now=1", head.account.id);
    // The examination may have changed the account's state.
    let id = head.account.id.to_string();
    let head = AccountHead::load(hub, viewer, &id, Tab::Doctor).await?;
    if ui.is_htmx() {
        let page = DoctorAnew { ui, head, view, notice, again, is_stale, all_well: WELL };
        return Ok(Page(page).into_response());
    }
    Ok(Page(DoctorPage { ui, head, view, notice, again, is_stale, all_well: WELL }).into_response())
}

/// Puts the hub's webhook address back.
async fn put_webhook(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Doctor).await?;
    let (scope, actor) = (viewer.scope(), viewer.actor());
    let outcome = service::put_webhook(&hub, (&scope, &actor), &head.account.id).await;
    after(&hub, ui, &viewer, head, outcome.map(|_| ())).await
}

/// Has LINE test the webhook now.
async fn test(State(hub): State<Hub>, ui: Ui, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    viewer.require_owner()?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Doctor).await?;
    let outcome = service::test_webhook(&hub, &viewer.scope(), &head.account.id).await;
    after(&hub, ui, &viewer, head, outcome.map(|_| ())).await
}

/// The page after an act, with the words of its refusal where it was refused.
async fn after(
    hub: &Hub,
    ui: Ui,
    viewer: &Viewer,
    head: AccountHead,
    outcome: AppResult<()>,
) -> AppResult<Response> {
    let notice = match outcome {
        Ok(()) => None,
        Err(error) => Some(match (error.code, error.status) {
            ("webhook_unreachable", _) => "doctor-put-refused",
            ("webhook_not_set", _) => "doctor-put-not-shown",
            ("webhook_tests_used_up", _) => "doctor-tests-used-up",
            (_, StatusCode::BAD_GATEWAY) => "doctor-line-silent",
            (_, StatusCode::UNPROCESSABLE_ENTITY) => "doctor-public-url-wrong",
            _ => return Err(error),
        }),
    };
    let checks = service::examine_for(hub, &viewer.scope(), &head.account.id).await?.checks;
    drawn(hub, ui, viewer, head, &checks, (notice, false)).await
}

/// The system check.
async fn system(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Response> {
    viewer.require_owner()?;
    let checks: Vec<Kept> =
        service::system(&hub).await.into_iter().map(|finding| Kept::after(None, finding)).collect();
    let view = Looker { ui: &ui, now: hub.now(), is_owner: true, account: None }.view(&checks);
    let again = "/settings/system/check".to_owned();
    if ui.is_htmx() {
        let page = DoctorPartial { ui, view, notice: None, again, is_stale: false, all_well: SYSTEM_WELL };
        return Ok(Page(page).into_response());
    }
    let page = SystemPage { ui, view, notice: None, again, is_stale: false, all_well: SYSTEM_WELL };
    Ok(Page(page).into_response())
}
