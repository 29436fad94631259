//! Disconnecting in two steps: what to clean up at LINE, then one word more that names the account; at the end, what was done.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::head::{AccountHead, Tab};
use super::{address, parse};
use crate::accounts::model::Status;
use crate::accounts::service::{self, CleanUp, CleanedUp, Inventory};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Fields, Page, Ui};

/// Says in the address that what to clean up was chosen.
const CHOSEN: &str = "chosen";

#[derive(Template)]
#[template(path = "account_disconnect.html")]
struct DisconnectPage {
    ui: Ui,
    head: AccountHead,
    found: Inventory,
    /// What is to be cleaned up, when that was chosen: the second step.
    chosen: Option<Vec<CleanUp>>,
}

impl DisconnectPage {
    /// Whether there is something to be ticked.
    fn has_any(&self) -> bool {
        CleanUp::ALL.into_iter().any(|step| self.found.has(step))
    }
}

#[derive(Template)]
#[template(path = "account_disconnected.html")]
struct DisconnectedPage {
    ui: Ui,
    head: AccountHead,
    cleaned: Vec<CleanedUp>,
}

/// The first step: what exists at LINE, each with a tick. With `chosen` in the address the second, which asks once more.
pub(in crate::accounts) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Overview).await?;
    if head.account.status == Status::Disconnected {
        return Ok(Redirect::to(&address(&id)).into_response());
    }
    if query.iter().any(|(name, _)| name == CHOSEN) {
        let is_asked =
            |step: &CleanUp| query.iter().any(|(name, word)| name == "clean_up" && word == step.as_str());
        let chosen = Some(CleanUp::ALL.into_iter().filter(is_asked).collect());
        return Ok(Page(DisconnectPage { ui, head, found: Inventory::default(), chosen }).into_response());
    }
    let found = Box::pin(service::inventory(&hub, &viewer.scope(), &head.account.id)).await?;
    Ok(Page(DisconnectPage { ui, head, found, chosen: None }).into_response())
}

/// Leads to the second step; with `confirmed` the account is disconnected, and the next page tells what was done.
pub(in crate::accounts) async fn submit(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    let steps: Vec<CleanUp> = CleanUp::ALL
        .into_iter()
        .filter(|step| fields.all("clean_up").iter().any(|w| w == step.as_str()))
        .collect();
    let account = service::get(&hub, &viewer.scope(), &id).await?;
    if account.status == Status::Disconnected {
        return Ok(Redirect::to(&address(id.as_str())).into_response());
    }
    if fields.text("confirmed").is_empty() {
        let words: String = steps.iter().map(|step| format!("&clean_up={}", step.as_str())).collect();
        let to = format!("{}/disconnect?{CHOSEN}=1{words}", address(id.as_str()));
        return Ok(Redirect::to(&to).into_response());
    }
    service::disconnect(&hub, (&viewer.scope(), &viewer.actor()), &id, &steps).await?;
    Ok(Redirect::to(&format!("{}/disconnected", address(id.as_str()))).into_response())
}

/// What was done when the account was disconnected last.
pub(in crate::accounts) async fn report(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Overview).await?;
    if head.account.status != Status::Disconnected {
        return Ok(Redirect::to(&address(&id)).into_response());
    }
    let cleaned = service::cleaned_up(&hub, &viewer.scope(), &head.account.id).await?;
    Ok(Page(DisconnectedPage { ui, head, cleaned }).into_response())
}

impl CleanUp {
    /// The key of its name, or of what it means.
    fn words(self, part: &str) -> String {
        format!("accounts-clean-{}{part}", self.as_str().replace('_', "-"))
    }
}

impl CleanedUp {
    /// The key of how it went.
    fn words(&self) -> String {
        format!("accounts-cleaned-{}-{}", self.step.replace('_', "-"), self.status)
    }
}
