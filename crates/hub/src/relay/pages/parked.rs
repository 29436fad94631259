//! What was put aside: refused, expired or skipped, and the way to try it again.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Seen, address, find};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{DeliveryId, Id as _};
use crate::relay::{Parked, service};
use crate::team::Viewer;
use crate::web::{Fields, Page, Ui, redirect_with_toast};

/// Rows of one page.
const SHOWN: i64 = 50;

#[derive(Template)]
#[template(path = "relay_parked.html")]
struct ParkedPage {
    ui: Ui,
    is_owner: bool,
    seen: Seen,
    rows: Vec<Parked>,
    next: Option<String>,
    /// The key of what went wrong with an act.
    notice: Option<&'static str>,
}

impl ParkedPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, seen: Seen, asked: &Asked) -> AppResult<Self> {
        let above = asked.after.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
        let mut rows = service::parked(hub, &seen.destination, above, SHOWN + 1).await?;
        let more = rows.len() > usize::try_from(SHOWN).unwrap_or(0);
        rows.truncate(usize::try_from(SHOWN).unwrap_or(0));
        let next = rows
            .last()
            .filter(|_| more)
            .map(|last| format!("{}/parked?after={}.{}", seen.address(), last.first_position, last.id));
        Ok(Self { ui, is_owner: viewer.is_owner(), seen, rows, next, notice: None })
    }

    /// Whether a person may choose what to try again.
    fn may_choose(&self) -> bool {
        self.is_owner && self.rows.iter().any(Parked::is_here)
    }
}

/// Where the list goes on.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    after: String,
}

/// The list.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let seen = Seen::load(&hub, &viewer, &names).await?;
    Ok(Page(ParkedPage::load(&hub, ui, &viewer, seen, &asked).await?).into_response())
}

/// The list with why nothing was done.
async fn refused(
    hub: &Hub,
    ui: Ui,
    viewer: &Viewer,
    names: &(String, String),
    notice: &'static str,
) -> AppResult<Response> {
    let seen = Seen::load(hub, viewer, names).await?;
    let page = ParkedPage::load(hub, ui, viewer, seen, &Asked::default()).await?;
    let page = ParkedPage { notice: Some(notice), ..page };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
}

/// Tries those chosen again, or all that were refused or have expired.
pub(super) async fn retry(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let named: Option<Vec<_>> = fields.all("delivery").iter().map(|id| DeliveryId::parse(id)).collect();
    let named = named.ok_or_else(|| AppError::not_found("delivery"))?;
    let is_all = !fields.text("all").is_empty();
    if named.is_empty() && !is_all {
        return refused(&hub, ui, &viewer, &names, "relay-notice-nothing").await;
    }
    let only = (!is_all).then_some(named.as_slice());
    let who = (&viewer.scope(), &viewer.actor());
    if service::retry_parked(&hub, who, &destination.id, only).await? == 0 {
        return refused(&hub, ui, &viewer, &names, "relay-notice-gone").await;
    }
    let back = format!("{}/parked", address(&destination));
    Ok(redirect_with_toast(&hub.config, &back, "relay-toast-retried"))
}
