//! Settings → Public address: what still has the old one at LINE, and one confirmation that registers it all anew.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::accounts::service::{self, Applied, Move};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "account_public_url.html")]
struct PublicUrlPage {
    ui: Ui,
    public_url: String,
    is_reachable: bool,
    moves: Vec<Move>,
    by_hand: Vec<Move>,
    applied: Vec<Applied>,
}

impl PublicUrlPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, applied: Vec<Applied>) -> AppResult<Self> {
        Ok(Self {
            ui,
            public_url: hub.config.origin(),
            is_reachable: hub.config.is_reachable_by_line(),
            moves: service::public_url_moves(hub, &viewer.scope()).await?,
            by_hand: service::public_url_by_hand(hub, &viewer.scope()).await?,
            applied,
        })
    }
}

/// What still has the old address.
pub(in crate::accounts) async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Response> {
    viewer.require_owner()?;
    Ok(Page(PublicUrlPage::load(&hub, ui, &viewer, Vec::new()).await?).into_response())
}

/// Registers everything anew, and tells line by line how it went.
pub(in crate::accounts) async fn apply(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
) -> AppResult<Response> {
    viewer.require_owner()?;
    match service::apply_public_url(&hub, (&viewer.scope(), &viewer.actor())).await {
        Ok(applied) => Ok(Page(PublicUrlPage::load(&hub, ui, &viewer, applied).await?).into_response()),
        // The page says why.
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let page = PublicUrlPage::load(&hub, ui, &viewer, Vec::new()).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

impl Move {
    /// The key of what kind of address it is.
    fn words(&self) -> String {
        format!("accounts-move-{}", self.kind)
    }
}
