//! The systems that get an account's events.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::words::{Condition, percent, span};
use super::{Seen, list_address};
use crate::accounts::replies::{self, Owners};
use crate::accounts::{AccountHead, Status, Tab};
use crate::app::Hub;
use crate::error::AppResult;
use crate::relay::service;
use crate::team::Viewer;
use crate::web::{Page, Ui};

#[derive(Template)]
#[template(path = "relay_list.html")]
struct ListPage {
    ui: Ui,
    is_owner: bool,
    head: AccountHead,
    here: String,
    rows: Vec<Seen>,
    /// How many an account may have.
    most: usize,
    /// Where LINE sent the events before this hub, to be offered as the first destination.
    before: Option<String>,
    replies: Owners,
}

#[derive(Template)]
#[template(path = "relay_rows.html")]
struct RowsPartial {
    ui: Ui,
    is_owner: bool,
    here: String,
    rows: Vec<Seen>,
}

/// The list; of a live page only its rows.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(account): Path<String>,
) -> AppResult<Response> {
    let head = AccountHead::load(&hub, &viewer, &account, Tab::Relay).await?;
    let here = list_address(&head.account.id);
    let mut rows = Vec::new();
    for destination in service::list(&hub, &viewer.scope(), &head.account.id).await? {
        rows.push(Seen::of(&hub, head.account.clone(), destination).await?);
    }
    if ui.is_htmx() {
        return Ok(Page(RowsPartial { ui, is_owner: viewer.is_owner(), here, rows }).into_response());
    }
    let own = head.account.webhook_url(&hub.config);
    let before = head.account.found_endpoint.clone().filter(|found| Some(found) != own.as_ref());
    let (is_owner, most) = (viewer.is_owner(), hub.config.destinations_max);
    let replies = replies::current(&hub, &viewer.scope(), &head.account.id).await?;
    Ok(Page(ListPage { ui, is_owner, head, here, rows, most, before, replies }).into_response())
}

impl ListPage {
    /// The system that owns the free replies; `None` for the hub.
    fn reply_owner(&self) -> Option<&Seen> {
        let owner = self.replies.all.as_ref()?;
        self.rows.iter().find(|row| row.destination.id == *owner)
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.most
    }

    /// What to do where there is no place for another one: only owners delete.
    fn full_detail(&self) -> String {
        self.ui.t(if self.is_owner { "relay-full-detail" } else { "relay-full-agent" })
    }

    fn is_connected(&self) -> bool {
        self.head.account.status != Status::Disconnected
    }

    fn add(&self) -> String {
        format!("{}/new", self.here)
    }

    /// How many of those that may be there are.
    fn used(&self) -> String {
        self.ui.t2("relay-used", ("used", self.rows.len()), ("most", self.most))
    }

    /// The form, with the address of before in it.
    fn with_before(&self, before: &str) -> String {
        let url: String = url::form_urlencoded::byte_serialize(before.as_bytes()).collect();
        format!("{}/new?url={url}", self.here)
    }
}

impl Seen {
    /// What waits, in words: so many events, and the age of the oldest.
    pub(super) fn behind(&self, ui: &Ui) -> String {
        let retrying = self.destination.retrying;
        match self.lag {
            (0, _) if retrying > 0 && !self.has_failed => ui.t1("relay-behind-sending", "count", retrying),
            (0, _) if retrying > 0 => ui.t1("relay-behind-retrying", "count", retrying),
            (0, _) => ui.t("relay-behind-none"),
            (events, seconds) => ui.t2("relay-behind", ("count", events), ("age", span(ui, seconds))),
        }
    }

    /// Whether anything waits for its turn or another try.
    pub(super) fn is_behind(&self) -> bool {
        self.lag.0 > 0 || self.has_failed
    }

    /// Deliveries a minute.
    pub(super) fn rate(&self, ui: &Ui) -> String {
        let tenths = self.day.tenths_a_minute;
        let figure = match tenths {
            0 => "0".to_owned(),
            1..100 => format!("{}.{}", tenths / 10, tenths % 10),
            _ => ui.number(tenths / 10),
        };
        ui.t1("relay-rate", "figure", figure)
    }

    /// The share of attempts that failed; `None` without an attempt.
    pub(super) fn failed_share(&self) -> Option<String> {
        self.day.failed_per_mille().map(percent)
    }

    /// How much of the day failed is worth a colour.
    pub(super) fn is_failing_much(&self) -> bool {
        self.day.failed_per_mille().is_some_and(|share| share >= 50)
    }
}
