//! The account switcher of every page: which account's conversations and contacts are shown.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::response::{IntoResponse as _, Redirect, Response};

use crate::accounts::model::{Account, Environment, Status};
use crate::accounts::service;
use crate::alerts::Severity;
use crate::app::Hub;
use crate::error::AppResult;
use crate::ids::{AccountId, Id as _};
use crate::scope::Scope;
use crate::team::Viewer;
use crate::web::{Fields, Page, Ui, cookies};

/// Where the switcher is.
pub const SWITCHER: &str = "/accounts/switcher";
/// Accounts in the switcher; more of them are beyond what one person works with.
const SHOWN: i64 = 200;

/// How an account is, as the colour of a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Health {
    Ok,
    Warning,
    Failed,
}

impl Health {
    /// The kind of the dot.
    const fn dot(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "danger",
        }
    }

    /// The key of its words.
    const fn words(self) -> &'static str {
        match self {
            Self::Ok => "alerts-health-ok",
            Self::Warning => "alerts-health-warning",
            Self::Failed => "alerts-health-failed",
        }
    }
}

struct Entry {
    account: Account,
    health: Health,
    is_chosen: bool,
}

impl Entry {
    fn picture(&self) -> &str {
        self.account.picture_url.as_deref().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.account.environment == Environment::Test
    }
}

#[derive(Template)]
#[template(path = "account_switcher.html")]
struct SwitcherPartial {
    ui: Ui,
    is_owner: bool,
    entries: Vec<Entry>,
    /// How all of them are together.
    worst: Health,
}

impl SwitcherPartial {
    /// The account that is chosen, or the only one.
    fn current(&self) -> Option<&Entry> {
        let only = self.entries.first().filter(|_| self.entries.len() == 1);
        self.entries.iter().find(|entry| entry.is_chosen).or(only)
    }
}

/// The account that the reader chose in this browser, if they may still see it and it is connected.
///
/// # Errors
/// Those of the database.
pub async fn chosen(hub: &Hub, scope: &Scope, ui: &Ui) -> AppResult<Option<AccountId>> {
    let Some(id) = ui.account().and_then(AccountId::parse) else { return Ok(None) };
    match service::get(hub, scope, &id).await {
        Ok(account) if account.status != Status::Disconnected => Ok(Some(id)),
        Ok(_) => Ok(None),
        Err(error) if error.code == "not_found" => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fragment.
pub(in crate::accounts) async fn switcher(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
) -> AppResult<Response> {
    let scope = viewer.scope();
    let accounts = service::list(&hub, &scope, None, SHOWN).await?;
    let alerts = crate::alerts::service::open_alerts(&hub, &scope).await?;
    let chosen = chosen(&hub, &scope, &ui).await?;
    let health = |account: &Account| {
        let open = alerts.iter().filter(|alert| alert.account_id.as_ref() == Some(&account.id));
        let worst = open.map(|alert| match alert.severity {
            Severity::Warning => Health::Warning,
            Severity::Failed => Health::Failed,
        });
        let own = if account.status == Status::Attention { Health::Warning } else { Health::Ok };
        worst.max().unwrap_or(own)
    };
    let entries: Vec<Entry> = accounts
        .into_iter()
        .filter(|account| account.status != Status::Disconnected)
        .map(|account| Entry {
            health: health(&account),
            is_chosen: chosen.as_ref() == Some(&account.id),
            account,
        })
        .collect();
    let worst = entries.iter().map(|entry| entry.health).max().unwrap_or(Health::Ok);
    Ok(Page(SwitcherPartial { ui, is_owner: viewer.is_owner(), entries, worst }).into_response())
}

/// Chooses an account, or with an empty value all; back to the list that the reader looks at, or to the inbox.
pub(in crate::accounts) async fn switch(
    State(hub): State<Hub>,
    viewer: Viewer,
    headers: HeaderMap,
    fields: Fields,
) -> AppResult<Response> {
    let account = AccountId::parse(fields.text("account"));
    if let Some(id) = &account {
        service::get(&hub, &viewer.scope(), id).await?;
    }
    let from = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let from = from.and_then(|address| url::Url::parse(address).ok());
    let is_contacts = from.is_some_and(|url| url.path().starts_with("/contacts"));
    let cookie = cookies::set_account(&hub.config, account.as_ref().map_or("", AccountId::as_str));
    let to = if is_contacts { "/contacts" } else { "/inbox" };
    Ok(([(SET_COOKIE, cookie)], Redirect::to(to)).into_response())
}
