//! The list of accounts.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::accounts::guide::Open;
use crate::accounts::model::{Account, Environment};
use crate::accounts::service;
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Page, Ui};

/// Accounts shown on one page; more of them are beyond what one tenant has.
const SHOWN: i64 = 1000;

#[derive(Template)]
#[template(path = "accounts_list.html")]
struct ListPage {
    ui: Ui,
    is_owner: bool,
    rows: Vec<Row>,
    /// Set-ups that wait to be continued.
    open: Vec<Open>,
}

struct Row {
    account: Account,
    webhook_url: Option<String>,
}

/// The accounts.
pub(in crate::accounts) async fn list(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Response> {
    let accounts = service::list(&hub, &viewer.scope(), None, SHOWN).await?;
    let row = |account: Account| Row { webhook_url: account.webhook_url(&hub.config), account };
    let rows = accounts.into_iter().map(row).collect();
    let open = Open::all(&hub, &viewer).await?;
    Ok(Page(ListPage { ui, is_owner: viewer.is_owner(), rows, open }).into_response())
}
