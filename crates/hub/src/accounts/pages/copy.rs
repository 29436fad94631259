//! Copying settings from one account of the tenant to another: what will change is shown first.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::head::{AccountHead, Tab};
use super::{address, parse};
use crate::accounts::model::Account;
use crate::accounts::service;
use crate::accounts::settings::{self, Copied};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Page, Ui, redirect_with_toast};

/// Accounts offered; more of them are beyond what one tenant has.
const SHOWN: i64 = 1000;

#[derive(Template)]
#[template(path = "account_copy.html")]
struct CopyPage {
    ui: Ui,
    head: AccountHead,
    others: Vec<Account>,
    from: Option<Account>,
    changes: Vec<Copied>,
}

/// Which account to copy from.
#[derive(Deserialize)]
pub(in crate::accounts) struct Source {
    #[serde(default)]
    from: String,
}

/// Chooses the account to copy from, and shows what would change.
pub(in crate::accounts) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(source): Query<Source>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Overview).await?;
    let all = service::list(&hub, &viewer.scope(), None, SHOWN).await?;
    let others: Vec<Account> = all.into_iter().filter(|other| other.id != head.account.id).collect();
    let from = others.iter().find(|other| other.id.as_str() == source.from).cloned();
    let changes = from.as_ref().map_or_else(Vec::new, |from| settings::copied(from, &head.account));
    Ok(Page(CopyPage { ui, head, others, from, changes }).into_response())
}

/// Copies.
pub(in crate::accounts) async fn copy(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(source): Form<Source>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (from, to) = (parse(&source.from)?, parse(&id)?);
    settings::copy(&hub, (&viewer.scope(), &viewer.actor()), &from, &to).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-copied"))
}
