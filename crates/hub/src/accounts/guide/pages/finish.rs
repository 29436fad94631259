//! The end of the set-up: the switch at LINE, read back until it is on; then the first message, waited for.

use std::time::Duration;

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::Arrival;
use super::super::model::{Has, Progress, Stage, StageState, Webhook};
use super::super::service::{self, Live};
use super::{AtSetup, Code, Frame, address};
use crate::accounts::model::Account;
use crate::accounts::replies;
use crate::accounts::service::{Step, StepState};
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::web::{Page, Ui};

/// How long a page looks by itself; then a person who is still there presses "check again".
const LOOKS_FOR: Duration = Duration::from_secs(600);

#[derive(Template)]
#[template(path = "guide_finish.html")]
struct FinishPage {
    ui: Ui,
    frame: Frame,
    webhook_url: String,
    /// Whether LINE has this hub's address.
    is_set: bool,
    steps: Vec<(Step, StepState)>,
    /// The other system whose address was replaced: its host and its address.
    replaced: Option<(String, String)>,
    /// Whether that goes on getting the events.
    passed_on: bool,
    live: LiveView,
}

#[derive(Template)]
#[template(path = "guide_live_partial.html")]
struct LivePartial {
    ui: Ui,
    frame: Frame,
    live: LiveView,
}

#[derive(Template)]
#[template(path = "guide_done.html")]
struct DonePage {
    ui: Ui,
    account: Account,
    has: Has,
    frame: Frame,
}

/// What changes while somebody waits.
struct LiveView {
    root: String,
    account: Account,
    webhook: Webhook,
    arrival: Option<Arrival>,
    is_silent: bool,
    code: Code,
    /// What the browser has seen: it gets nothing while that is all there is.
    seen: String,
    /// When LINE was asked last.
    asked_at: Option<Timestamp>,
    /// Until when the page looks by itself.
    until: Timestamp,
    /// Whether that time is over.
    rests: bool,
    /// How many stages are left.
    left: u64,
}

impl LiveView {
    /// What a page shows that looks by itself until a time, at most for [`LOOKS_FOR`].
    fn new(live: Live, now: Timestamp, until: Timestamp) -> AppResult<(Self, Progress)> {
        let Live { progress, account, webhook, arrival, asked_at, is_silent } = live;
        let minute = asked_at.map_or(0, Timestamp::millis) / 60_000;
        let came = arrival.as_ref().map_or(0, |arrival| 1 + u8::from(arrival.is_message));
        let rests = until <= now;
        let seen = format!("{webhook:?}-{came}-{is_silent}-{minute}-{rests}").to_lowercase();
        let code = Code::new(&account.friend_link())?;
        let root = address(&progress.setup.id);
        let until = until.min(now.plus(LOOKS_FOR));
        let open = progress.states().into_iter().filter(|(_, state)| *state != StageState::Done).count();
        let left = u64::try_from(open).unwrap_or(u64::MAX);
        let view =
            Self { root, account, webhook, arrival, is_silent, code, seen, asked_at, until, rests, left };
        Ok((view, progress))
    }

    /// Whether a message is here, which ends the waiting.
    fn is_over(&self) -> bool {
        self.webhook == Webhook::On && self.arrival.as_ref().is_some_and(|arrival| arrival.is_message)
    }

    /// Whether the page asks again by itself.
    fn looks(&self) -> bool {
        !self.is_over() && !self.rests
    }

    /// The link by which a friend is added, as people read it.
    fn friend_link(&self) -> String {
        self.account.friend_link().replace("%40", "@")
    }

    /// LINE Official Account Manager's page of the response settings.
    fn manager(&self) -> String {
        self.account.manager("setting/response")
    }
}

/// The last two stages.
pub(in crate::accounts::guide) async fn show(setup: AtSetup, ui: Ui) -> AppResult<Response> {
    if setup.progress().await?.state(Stage::Connect) != StageState::Done {
        return Ok(Redirect::to(&setup.address("")).into_response());
    }
    let AtSetup { hub, .. } = &setup;
    let (live, progress) = LiveView::new(look(&setup).await?, hub.now(), hub.now().plus(LOOKS_FOR))?;
    let webhook_url = live.account.webhook_url(&hub.config).unwrap_or_default();
    let is_set = live.account.endpoint.as_deref() == Some(webhook_url.as_str());
    let done = |step: Step| match step {
        Step::Tested | Step::WebhookSet if !is_set => (step, StepState::Skipped),
        _ => (step, StepState::Done),
    };
    let replaced = live.account.found_endpoint.clone().map(|found| {
        let host = url::Url::parse(&found).ok().and_then(|url| url.host_str().map(str::to_owned));
        (host.unwrap_or_else(|| found.clone()), found)
    });
    let systems = replies::systems(hub, &setup.viewer.scope(), &live.account.id).await?;
    let passed_on = systems.iter().any(|system| Some(&system.url) == live.account.found_endpoint.as_ref());
    let company = setup.company().await?;
    let page = FinishPage {
        ui,
        frame: Frame::of(&progress, at(&progress)).with_video(&company),
        is_set,
        webhook_url,
        steps: Step::ALL.map(done).to_vec(),
        replaced: replaced.filter(|_| is_set),
        passed_on,
        live,
    };
    Ok(Page(page).into_response())
}

/// How it is now, at LINE and here.
async fn look(setup: &AtSetup) -> AppResult<Live> {
    let AtSetup { hub, viewer, id } = setup;
    service::live(hub, (&viewer.scope(), &viewer.actor()), id).await
}

/// The stage that the page of the end shows.
fn at(progress: &Progress) -> Stage {
    if progress.state(Stage::Webhook) == StageState::Done { Stage::Message } else { Stage::Webhook }
}

/// What the browser has seen.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct SeenQuery {
    #[serde(default)]
    seen: String,
    /// Until when the page looks by itself, in milliseconds.
    #[serde(default)]
    until: i64,
}

/// What is new for somebody who waits: nothing (204), or the part of the page that changes.
pub(in crate::accounts::guide) async fn live(
    setup: AtSetup,
    ui: Ui,
    Query(query): Query<SeenQuery>,
) -> AppResult<Response> {
    if !ui.is_htmx() {
        return Ok(Redirect::to(&setup.address("/webhook")).into_response());
    }
    let live = look(&setup).await?;
    let (live, progress) = LiveView::new(live, setup.hub.now(), Timestamp(query.until))?;
    if live.seen == query.seen {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let frame = Frame::of(&progress, at(&progress));
    Ok(Page(LivePartial { ui, frame, live }).into_response())
}

/// The stage of LINE Login, which is a page of the account.
pub(in crate::accounts::guide) async fn login(setup: AtSetup) -> AppResult<Response> {
    let progress = setup.progress().await?;
    let start = address(&progress.setup.id);
    let to = progress.account.map_or(start, |account| format!("{}/login", account.page()));
    Ok(Redirect::to(&to).into_response())
}

/// The page at the end, with what to do next.
pub(in crate::accounts::guide) async fn done(setup: AtSetup, ui: Ui) -> AppResult<Response> {
    let live = look(&setup).await?;
    let page = DonePage {
        ui,
        has: live.progress.setup.has,
        frame: Frame::of(&live.progress, live.progress.current()),
        account: live.account,
    };
    Ok(Page(page).into_response())
}
