//! The page of events that could not be processed, with a person's "try again". For owners.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};

use super::cursors::{self, Parked};
use super::{event_id, parked};
use crate::app::Hub;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{Page, SettingsEntry, Ui, redirect_with_toast};

/// Where the page is.
const PATH: &str = "/settings/events";

/// The journal's page of the settings.
pub const SETTINGS: [SettingsEntry; 1] =
    [SettingsEntry { href: PATH, icon: "mail-warning", label_key: "journal-title", owners_only: true }];

/// Events that are shown, the newest.
const SHOWN: i64 = 100;

/// The words for LINE's types of events (PLATFORM 16); any other is shown as LINE names it.
const KINDS: [(&str, &str); 21] = [
    ("message", "journal-kind-message"),
    ("messageEdited", "journal-kind-message-edited"),
    ("unsend", "journal-kind-unsend"),
    ("follow", "journal-kind-follow"),
    ("unfollow", "journal-kind-unfollow"),
    ("join", "journal-kind-join"),
    ("leave", "journal-kind-leave"),
    ("memberJoined", "journal-kind-member-joined"),
    ("memberLeft", "journal-kind-member-left"),
    ("postback", "journal-kind-postback"),
    ("videoPlayComplete", "journal-kind-video-play-complete"),
    ("beacon", "journal-kind-beacon"),
    ("accountLink", "journal-kind-account-link"),
    ("membership", "journal-kind-membership"),
    ("module", "journal-kind-module"),
    ("activated", "journal-kind-activated"),
    ("deactivated", "journal-kind-deactivated"),
    ("botSuspended", "journal-kind-bot-suspended"),
    ("botResumed", "journal-kind-bot-resumed"),
    ("delivery", "journal-kind-delivery"),
    ("unknown", "journal-kind-unknown"),
];

/// The words for reasons that the hub itself writes; any other is shown as it is.
const REASONS: [(&str, &str); 5] = [
    ("LINE's event cannot be read", "journal-reason-unreadable"),
    ("the event is more than 90 days old", "journal-reason-old"),
    ("the event's content is no longer kept", "journal-reason-gone"),
    ("there is no such account", "journal-reason-account"),
    ("database refused the statement", "journal-reason-refused"),
];

/// The list and its button.
pub fn routes() -> Router<Hub> {
    Router::new().route(PATH, get(list_events)).route("/settings/events/{id}/replay", post(replay_event))
}

#[derive(Debug, Template)]
#[template(path = "events.html")]
struct EventsPage {
    ui: Ui,
    events: Vec<Parked>,
}

impl EventsPage {
    fn id(event: &Parked) -> String {
        event_id(event.received_at, event.position)
    }

    fn kind(&self, event: &Parked) -> String {
        kind_words(&self.ui, &event.kind)
    }

    /// Why it could not be processed, in words where the hub has some.
    fn reason(&self, event: &Parked) -> Option<String> {
        REASONS.iter().find(|(start, _)| event.error.starts_with(start)).map(|(_, key)| self.ui.t(key))
    }

    fn is_cut(&self) -> bool {
        i64::try_from(self.events.len()).is_ok_and(|shown| shown >= SHOWN)
    }
}

/// A type of events in words where there are some, else as LINE names it.
#[must_use]
pub fn kind_words(ui: &Ui, kind: &str) -> String {
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    known.map_or_else(|| kind.to_owned(), |(_, key)| ui.t(key))
}

async fn list_events(State(hub): State<Hub>, viewer: Viewer, ui: Ui) -> AppResult<Page<EventsPage>> {
    viewer.require_owner()?;
    let events = cursors::parked(&hub.db, &viewer.tenant.id, SHOWN).await?;
    Ok(Page(EventsPage { ui, events }))
}

async fn replay_event(State(hub): State<Hub>, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    viewer.require_owner()?;
    let left = parked::try_again(&hub, &viewer.scope(), &viewer.actor(), &id).await?;
    let toast = if left.is_none() { "journal-toast-done" } else { "journal-toast-still" };
    Ok(redirect_with_toast(&hub.config, PATH, toast))
}
