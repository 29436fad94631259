//! What was put aside: refused, expired or skipped, and the way to try it again.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Seen, address, find, notice};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{DeliveryId, Id as _};
use crate::relay::told::{self, Told};
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
    /// What the rows' requests held first, by their positions.
    held: HashMap<i64, Told>,
    /// How many a person left out, of all.
    skipped: i64,
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
        let held = told::of_parked(hub, &viewer.scope(), &seen.destination, &rows).await?;
        let notice = notice(&asked.notice);
        let skipped = seen.skipped;
        Ok(Self { ui, is_owner: viewer.is_owner(), seen, rows, held, skipped, next, notice })
    }

    fn told(&self, row: &Parked) -> Option<&Told> {
        self.held.get(&row.first_position).filter(|_| row.requests_gone().is_none())
    }

    /// What "try all again" does.
    fn asked(&self) -> String {
        let of = &self.seen.destination;
        self.ui.t2("relay-retry-all-detail", ("count", of.parked), ("name", of.name.as_str()))
    }

    /// How many of what there are.
    fn counted(&self) -> String {
        let failed = self.seen.destination.parked;
        self.ui.t2("relay-parked-counted", ("failed", failed), ("skipped", self.skipped))
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
    /// What went wrong with an act.
    #[serde(default)]
    notice: String,
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

/// Tries those chosen again, or all that were refused or have expired; or drops those chosen from the list.
pub(super) async fn retry(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let named: Option<Vec<_>> = fields.all("delivery").iter().map(|id| DeliveryId::parse(id)).collect();
    let named = named.ok_or_else(|| AppError::not_found("delivery"))?;
    let back = format!("{}/parked", address(&destination));
    let is_all = !fields.text("all").is_empty();
    if named.is_empty() && !is_all {
        return Ok(Redirect::to(&format!("{back}?notice=nothing")).into_response());
    }
    let only = (!is_all).then_some(named.as_slice());
    let who = (&viewer.scope(), &viewer.actor());
    if fields.text("act") == "dismiss" {
        service::dismiss(&hub, who, &destination.id, &named).await?;
        return Ok(redirect_with_toast(&hub.config, &back, "relay-toast-dismissed"));
    }
    match service::retry_parked(&hub, who, &destination.id, only).await {
        Ok(0) => Ok(Redirect::to(&format!("{back}?notice=gone")).into_response()),
        Ok(_) => Ok(redirect_with_toast(&hub.config, &back, "relay-toast-retried")),
        // Somebody else was faster: the list shows what is left.
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            Ok(Redirect::to(&format!("{back}?notice=meanwhile")).into_response())
        }
        Err(error) => Err(error),
    }
}
