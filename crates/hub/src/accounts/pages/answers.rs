//! Who answers what: the plan, the owners of automatic answers, and the switches at LINE with their ticks.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::head::{AccountHead, Tab};
use super::show::LastChange;
use super::{address, parse};
use crate::accounts::model::{AnswerKind, Block, Owner, Plan, Status, Tick};
use crate::accounts::plan::{self, Switch, SwitchState};
use crate::accounts::replies::{self, Lack, Owners, System, word};
use crate::accounts::service;
use crate::accounts::settings::{self, Changes};
use crate::app::Hub;
use crate::error::AppResult;
use crate::journal;
use crate::team::Viewer;
use crate::web::{Page, Ui, csrf, redirect_with_toast};

/// A reading of LINE older than this is taken anew before the page is drawn.
const FRESH: Duration = Duration::from_secs(5);
/// How long the page waits for it; LINE's last word is shown else.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Template)]
#[template(path = "account_answers.html")]
struct AnswersPage {
    ui: Ui,
    is_owner: bool,
    head: AccountHead,
    owners: [(AnswerKind, Owner); 4],
    switches: Vec<(Switch, SwitchState)>,
    changed: LastChange,
    systems: Vec<System>,
    replies: Owners,
}

impl AnswersPage {
    /// The owner of all reply tokens but those of the exceptions, as its word.
    fn reply_owner(&self) -> &str {
        word(self.replies.all.as_ref())
    }

    /// The types of events with a reply token, their names, and their own owner's word; empty without one.
    fn exceptions(&self) -> Vec<(&'static str, String, &str)> {
        let own = |kind: &str| self.replies.by_type.get(kind).map_or("", |owner| word(owner.as_ref()));
        replies::TYPES
            .iter()
            .map(|kind| (*kind, journal::pages::kind_words(&self.ui, kind), own(kind)))
            .collect()
    }

    /// A system's name among owners, with what keeps it from answering.
    fn label(&self, system: &System) -> String {
        let key = match system.lack {
            Some(Lack::Key) => "plan-replies-no-key",
            Some(Lack::Events) => "plan-replies-no-events",
            None => return system.name.clone(),
        };
        self.ui.t1(key, "name", system.name.as_str())
    }

    /// How bad it is that a system has no key: one that holds the channel secret may call LINE directly.
    const fn kind(&self, system: &System) -> &'static str {
        if system.holds_secret { "info" } else { "warning" }
    }

    /// The owners that cannot answer through this hub, each with what it lacks.
    fn lacking(&self) -> Vec<(&System, Lack)> {
        let owners = self.systems.iter().filter(|system| self.replies.names(&system.id));
        owners.filter_map(|system| Some((system, system.lack?))).collect()
    }

    /// How many switches LINE reports otherwise than the plan asks.
    fn wrong(&self) -> usize {
        self.switches.iter().filter(|(_, state)| *state == SwitchState::Wrong).count()
    }

    /// How many switches nobody looked at, or not lately.
    fn open(&self) -> usize {
        let is_open = |state: &SwitchState| matches!(state, SwitchState::Open | SwitchState::Stale(_));
        self.switches.iter().filter(|(_, state)| is_open(state)).count()
    }
}

/// Who answers what.
pub(in crate::accounts) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let scope = viewer.scope();
    let account = service::get(&hub, &scope, &parse(&id)?).await?;
    let is_old = account.checked_at.is_none_or(|at| at < hub.now().minus(FRESH));
    if account.status != Status::Disconnected && is_old {
        // LINE's silence changes nothing here: the time of the reading stands beside it.
        tokio::time::timeout(PATIENCE, service::refresh(&hub, &scope, &account.id)).await.ok();
    }
    let head = AccountHead::load(&hub, &viewer, &id, Tab::Answers).await?;
    let account = &head.account;
    let ticks = plan::ticks(&hub, &scope, &account.id).await?;
    let changed = settings::blocks(&hub, &scope, &account.id).await?;
    let page = AnswersPage {
        ui,
        is_owner: viewer.is_owner(),
        owners: plan::owners(account),
        switches: plan::switches(account, &ticks, hub.now()),
        changed: LastChange::of(account, &changed, Block::Answers),
        systems: replies::systems(&hub, &scope, &account.id).await?,
        replies: replies::current(&hub, &scope, &account.id).await?,
        head,
    };
    Ok(Page(page).into_response())
}

/// What the form of plan and owners sends.
#[derive(Deserialize)]
pub(in crate::accounts) struct AnswersForm {
    plan: Plan,
    greeting: Owner,
    keyword: Owner,
    away: Owner,
    bot: Owner,
}

/// Changes plan and owners; only what differs is written and noted.
pub(in crate::accounts) async fn change(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<AnswersForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let account = service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let owners = [
        (AnswerKind::Greeting, form.greeting),
        (AnswerKind::Keyword, form.keyword),
        (AnswerKind::Away, form.away),
        (AnswerKind::Bot, form.bot),
    ];
    let changes = Changes {
        plan: Some(form.plan).filter(|new| *new != account.plan),
        owners: owners.into_iter().filter(|(kind, new)| *new != plan::owner(&account, *kind)).collect(),
        ..Changes::default()
    };
    settings::change(&hub, (&viewer.scope(), &viewer.actor()), &account.id, &changes).await?;
    Ok(redirect_with_toast(&hub.config, &page(&id), "plan-toast-saved"))
}

/// Changes who may use the free reply: `all`, and the owner of each type of event, empty for the same.
pub(in crate::accounts) async fn replies(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(mut form): Form<BTreeMap<String, String>>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let owner = form.remove("all");
    form.remove(csrf::FIELD);
    form.retain(|_, owner| !owner.is_empty());
    let change = service::Change {
        replies: replies::Change { owner, by_type: Some(form) },
        ..service::Change::default()
    };
    let who = (&viewer.scope(), &viewer.actor());
    Box::pin(service::change(&hub, who, &parse(&id)?, &change)).await?;
    Ok(redirect_with_toast(&hub.config, &format!("{}#replies", page(&id)), "plan-toast-saved"))
}

/// What the form of a tick sends.
#[derive(Deserialize)]
pub(in crate::accounts) struct TickForm {
    tick: Tick,
    /// `1` to set it with today's date; absent to take it away.
    set: Option<String>,
}

/// Sets a tick with today's date, or takes it away.
pub(in crate::accounts) async fn tick(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<TickForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let changes = Changes { ticks: vec![(form.tick, form.set.is_some())], ..Changes::default() };
    settings::change(&hub, (&viewer.scope(), &viewer.actor()), &parse(&id)?, &changes).await?;
    let key = if form.set.is_some() { "plan-toast-ticked" } else { "plan-toast-unticked" };
    Ok(redirect_with_toast(&hub.config, &page(&id), key))
}

fn page(id: &str) -> String {
    format!("{}/answers", address(id))
}

impl AnswerKind {
    /// The key of its name, or of what stands below it.
    fn words(self, part: &str) -> String {
        format!("plan-kind-{}{part}", self.as_str())
    }
}

impl Switch {
    /// The key of its name, or of why it matters.
    fn words(self, part: &str) -> String {
        format!("plan-{part}-{}", self.as_str().replace('_', "-"))
    }

    /// The tick, where a person has to look.
    const fn tick(self) -> Option<Tick> {
        match self {
            Self::Declared(tick) => Some(tick),
            Self::ChatOff | Self::ChatOn | Self::WebhookOn | Self::ReadByHand => None,
        }
    }
}
