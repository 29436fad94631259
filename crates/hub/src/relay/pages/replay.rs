//! Sending again: a time, whose count is said first, or chosen attempts.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Seen, address, find, find_as_owner};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::{AttemptId, Id as _};
use crate::relay::replay::{REPLAY_MAX, Replay};
use crate::relay::{replay, service};
use crate::team::Viewer;
use crate::web::{Fields, FormState, Page, Ui, redirect_with_toast};

#[derive(Template)]
#[template(path = "relay_replay.html")]
struct ReplayPage {
    ui: Ui,
    seen: Seen,
    /// The tenant's time zone, in which the times are.
    zone: String,
    form: FormState,
    /// How many requests that are, when a time was chosen.
    count: Option<usize>,
}

impl ReplayPage {
    /// Whether the filter decides what of it is sent, so that nobody knows how many.
    fn is_filtered(&self) -> bool {
        !self.seen.destination.filter.is_open()
    }

    fn found(&self, count: &usize) -> String {
        let key = if self.is_filtered() { "relay-replay-found-up-to" } else { "relay-replay-found" };
        self.ui.t2(key, ("count", count), ("name", self.seen.destination.name.as_str()))
    }

    /// The button's words.
    fn now(&self, count: &usize) -> String {
        if self.is_filtered() {
            self.ui.t("relay-replay-now-filtered")
        } else {
            self.ui.t1("relay-replay-now", "count", count)
        }
    }

    fn too_many(&self) -> String {
        self.ui.t1("relay-replay-hint", "most", REPLAY_MAX)
    }
}

/// The time that was chosen, as a browser's field writes it.
#[derive(Debug, Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
}

impl Range {
    /// Reads it in a zone.
    fn read(&self, zone: &TimeZone) -> AppResult<Replay> {
        let moment = |field: &str, text: &str| {
            let read = text.parse::<DateTime>().ok();
            let zoned = read.and_then(|at| at.to_zoned(zone.clone()).ok());
            zoned.map(|at| Timestamp(at.timestamp().as_millisecond())).ok_or_else(|| {
                let code = if text.is_empty() { "required" } else { "invalid" };
                AppError::invalid_field(field, code, "give a date and a time")
            })
        };
        Ok(Replay::Between(moment("since", &self.since)?, moment("until", &self.until)?))
    }

    fn form(&self) -> FormState {
        FormState::new().with("since", &self.since).with("until", &self.until)
    }
}

fn zone(viewer: &Viewer) -> (String, TimeZone) {
    let name = viewer.tenant.time_zone.clone();
    match TimeZone::get(&name) {
        Ok(zone) => (name, zone),
        Err(_) => ("UTC".to_owned(), TimeZone::UTC),
    }
}

/// Asks for a time; when one is given, says how many requests that are.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    Query(range): Query<Range>,
) -> AppResult<Response> {
    find_as_owner(&hub, &viewer, &names).await?;
    let seen = Seen::load(&hub, &viewer, &names).await?;
    let (zone, tz) = zone(&viewer);
    if range.since.is_empty() && range.until.is_empty() {
        let local = |at: Timestamp| at.to_jiff().to_zoned(tz.clone()).strftime("%Y-%m-%dT%H:%M").to_string();
        let now = hub.now();
        let since = now.minus(std::time::Duration::from_secs(3600));
        // To the end of this minute, so that what came just now is in it.
        let until = now.plus(std::time::Duration::from_secs(60));
        let form = FormState::new().with("since", local(since)).with("until", local(until));
        return Ok(Page(ReplayPage { ui, seen, zone, form, count: None }).into_response());
    }
    let counted = match range.read(&tz) {
        Ok(what) => replay::count(&hub, &viewer.scope(), &seen.destination.id, &what).await,
        Err(error) => Err(error),
    };
    match counted {
        Ok(count) => {
            let page = ReplayPage { ui, seen, zone, form: range.form(), count: Some(count) };
            Ok(Page(page).into_response())
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let form = range.form().refused("relay-error", &error.fields);
            Ok((error.status, Page(ReplayPage { ui, seen, zone, form, count: None })).into_response())
        }
        Err(error) => Err(error),
    }
}

/// Sends what came within a time again.
pub(super) async fn submit(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let range = Range { since: fields.text("since").to_owned(), until: fields.text("until").to_owned() };
    let what = range.read(&zone(&viewer).1)?;
    match replay::replay(&hub, (&viewer.scope(), &viewer.actor()), &destination.id, what).await {
        Err(error) if error.status == StatusCode::CONFLICT => {
            Ok(Redirect::to(&format!("{}?notice=waiting", address(&destination))).into_response())
        }
        other => {
            other?;
            Ok(redirect_with_toast(&hub.config, &address(&destination), "relay-toast-replayed"))
        }
    }
}

/// Sends what chosen attempts sent again; each with its whole request.
pub(super) async fn again(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let chosen: Option<Vec<_>> = fields.all("attempt").iter().map(|id| AttemptId::parse(id)).collect();
    let chosen = chosen.ok_or_else(|| AppError::not_found("attempt"))?;
    let mut events: Vec<String> = Vec::new();
    for id in &chosen {
        let attempt = service::attempt(&hub, &viewer.scope(), &destination.id, id).await?;
        let ids: Vec<String> = serde_json::from_str(&attempt.event_ids).unwrap_or_default();
        events.extend(ids.into_iter().take(1));
    }
    let back = |notice| Redirect::to(&format!("{}?notice={notice}", address(&destination))).into_response();
    if events.is_empty() {
        return Ok(back("nothing"));
    }
    let who = (&viewer.scope(), &viewer.actor());
    match replay::replay(&hub, who, &destination.id, Replay::Events(events)).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, &address(&destination), "relay-toast-replayed")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => Ok(back("expired")),
        Err(error) if error.status == StatusCode::CONFLICT => Ok(back("waiting")),
        Err(error) => Err(error),
    }
}
