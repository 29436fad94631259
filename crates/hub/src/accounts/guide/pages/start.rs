//! The first question: what is there already? And the set-ups that wait to be continued.

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::model::{Has, Progress};
use super::super::service;
use super::{AtSetup, address, connect};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::{Page, Ui, redirect_with_toast};

#[derive(Template)]
#[template(path = "guide_start.html")]
struct StartPage {
    ui: Ui,
    open: Vec<Open>,
    /// The public address, when LINE cannot call it (S2-19).
    blocked: Option<String>,
}

/// A set-up that waits to be continued.
pub(in crate::accounts) struct Open {
    pub(in crate::accounts) progress: Progress,
    pub(in crate::accounts) href: String,
}

/// Which form the address asks for.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct Asked {
    has: Option<String>,
    path: Option<String>,
    /// The channel that is known already, of an account that is connected again.
    channel_id: Option<String>,
}

/// The first question; or the form to connect, for somebody who has the values (`?has=api`).
pub(in crate::accounts::guide) async fn new(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let can = hub.config.is_reachable_by_line();
    if let Some(has) = asked.has.as_deref().and_then(Has::parse).filter(|_| can) {
        return connect::fresh(&hub, ui, &viewer, has, (asked.path.as_deref(), asked.channel_id.as_deref()))
            .await;
    }
    let open = Open::all(&hub, &viewer).await?;
    let blocked = (!can).then(|| hub.config.public_url.to_string());
    Ok(Page(StartPage { ui, open, blocked }).into_response())
}

/// What the first question's form sends.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct Begin {
    has: String,
}

/// Begins a set-up.
pub(in crate::accounts::guide) async fn begin(
    State(hub): State<Hub>,
    viewer: Viewer,
    Form(form): Form<Begin>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let has = Has::parse(&form.has).ok_or_else(|| AppError::bad_request("bad_form", "unknown answer"))?;
    let id = service::start(&hub, (&viewer.scope(), &viewer.actor()), has).await?;
    Ok(Redirect::to(&address(&id)).into_response())
}

/// Forgets a set-up.
pub(in crate::accounts::guide) async fn forget(setup: AtSetup) -> AppResult<Response> {
    let AtSetup { hub, viewer, id } = &setup;
    service::forget(hub, (&viewer.scope(), &viewer.actor()), id).await?;
    Ok(redirect_with_toast(&hub.config, "/settings/accounts/new", "guide-toast-forgotten"))
}

impl Open {
    /// Those of the tenant; agents, who set nothing up, see none.
    pub(in crate::accounts) async fn all(hub: &Hub, viewer: &Viewer) -> AppResult<Vec<Self>> {
        if !viewer.is_owner() {
            return Ok(Vec::new());
        }
        let open = service::open(hub, &viewer.scope()).await?;
        Ok(open.into_iter().map(|progress| Self { href: address(&progress.setup.id), progress }).collect())
    }

    /// The key of the stage whose turn it is.
    pub(in crate::accounts) fn stage(&self) -> &'static str {
        self.progress.current().words()
    }

    /// By what its account is told from others: the LINE ID, and the channel where that is not the name.
    pub(in crate::accounts) fn ids(&self) -> Option<String> {
        let account = self.progress.account.as_ref()?;
        Some(format!("{} · Channel {}", account.line_id(), account.channel_id))
    }

    /// What it is called: the account, else the channel, else what the owner had.
    pub(in crate::accounts) fn name(&self, ui: &Ui) -> String {
        match (&self.progress.account, &self.progress.setup.channel_id) {
            (Some(account), _) => account.display_name.clone(),
            (None, Some(channel)) => format!("Channel {channel}"),
            (None, None) => ui.t(self.progress.setup.has.words()),
        }
    }
}
