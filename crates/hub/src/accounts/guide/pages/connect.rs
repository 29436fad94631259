//! The stage in the hub: the values, and at each what is wrong with it.

use std::sync::Mutex;

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use line_client::Secret;
use serde::Deserialize;

use super::super::model::{Has, Path, Progress, Stage, StageState};
use super::super::service;
use super::{AtSetup, Frame, address};
use crate::accounts::keys::{self, KeyState, SigningKey};
use crate::accounts::model::check_channel_id;
use crate::accounts::pages::field_words;
use crate::accounts::pasted::{clean, id_or_nothing};
use crate::accounts::pending::Called;
use crate::accounts::service::{NewAccount, Step, StepState};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{Id as _, SetupId, SigningKeyId};
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui};
use crate::wiring::SYSTEMS;

/// Keys of one channel that are looked through for the one that waits.
const KEYS_READ: i64 = 100;

#[derive(Template)]
#[template(path = "guide_connect.html")]
struct ConnectPage {
    ui: Ui,
    frame: Frame,
    /// The kept set-up, as the form names it.
    setup: String,
    has: Has,
    path: Path,
    /// The address of this page without a path.
    here: String,
    form: FormState,
    steps: Vec<(Step, StepState)>,
    /// What LINE or the hub said, in English, where the words of the page do not tell everything.
    said: Option<String>,
    failed: Option<&'static str>,
    /// The tenant's own account that holds the channel already.
    held: Option<String>,
    /// Set when another system's address is at LINE.
    elsewhere: Option<Elsewhere>,
    more_open: bool,
    set_webhook: bool,
    /// On the path of signing keys, the pair that waits for its `kid`.
    key: Option<SigningKey>,
}

/// The address of another system, which LINE calls today.
struct Elsewhere {
    endpoint: String,
    host: String,
    active: bool,
    /// Whether events can be passed on to it from here.
    can_pass_on: bool,
    /// Leads back to what was typed.
    token: String,
}

impl ConnectPage {
    fn new(ui: Ui, frame: Frame, has: Has, path: Path) -> Self {
        Self {
            ui,
            frame,
            setup: String::new(),
            has,
            path,
            here: format!("/settings/accounts/new?has={}", has.as_str()),
            form: FormState::new(),
            steps: Vec::new(),
            said: None,
            failed: None,
            held: None,
            elsewhere: None,
            more_open: false,
            set_webhook: true,
            key: None,
        }
    }

    fn of(ui: Ui, progress: &Progress, path: Path) -> Self {
        let setup = &progress.setup;
        let mut page = Self::new(ui, Frame::of(progress, Stage::Connect), setup.has, path);
        page.setup = setup.id.to_string();
        page.here = format!("{}/connect", address(&setup.id));
        page.form = FormState::new().with("channel_id", setup.channel_id.as_deref().unwrap_or_default());
        page
    }

    /// The pair made for the channel, on the path of signing keys.
    async fn waiting_key(&self, hub: &Hub, viewer: &Viewer) -> AppResult<Option<SigningKey>> {
        let channel = self.form.value("channel_id");
        if self.path != Path::Key || channel.is_empty() {
            return Ok(None);
        }
        let keys = keys::service::list(hub, &viewer.scope(), Some(channel), None, KEYS_READ).await?;
        Ok(keys.into_iter().rev().find(|key| key.state == KeyState::Waiting && key.is_usable))
    }

    /// Where the values are in LINE Developers: in the channel, once it is known which.
    fn console(&self) -> String {
        const CONSOLE: &str = "https://developers.line.biz/console/";
        let page = if self.path == Path::Token { "messaging-api" } else { "basics" };
        match self.form.value("channel_id") {
            channel if check_channel_id(channel).is_ok() => format!("{CONSOLE}channel/{channel}/{page}"),
            _ => CONSOLE.to_owned(),
        }
    }

    /// The address of this page with a path.
    fn with_path(&self, path: &str) -> String {
        let sign = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{sign}path={path}", self.here)
    }
}

/// The form for somebody who has the values already; nothing is kept before it is sent.
pub(super) async fn fresh(
    hub: &Hub,
    ui: Ui,
    viewer: &Viewer,
    has: Has,
    (path, channel): (Option<&str>, Option<&str>),
) -> AppResult<Response> {
    let frame = Frame::fresh(has, false).with_video(&service::company(hub, &viewer.tenant.id).await?);
    let mut page = ConnectPage::new(ui, frame, has, service::path(path));
    let channel = id_or_nothing(channel.unwrap_or_default());
    if !channel.is_empty() {
        page.here = format!("{}&channel_id={channel}", page.here);
        page.form = page.form.with("channel_id", channel);
    }
    Ok(Page(page).into_response())
}

/// Which path the address asks for.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct Asked {
    path: Option<String>,
    /// Leads to what waits for a word about another system's address.
    waits: Option<String>,
}

/// The form of a set-up that is kept.
pub(in crate::accounts::guide) async fn show(
    setup: AtSetup,
    ui: Ui,
    Query(asked): Query<Asked>,
) -> AppResult<Response> {
    let progress = setup.progress().await?;
    if progress.states().contains(&(Stage::Connect, StageState::Done)) {
        return Ok(Redirect::to(&setup.address("/webhook")).into_response());
    }
    let AtSetup { hub, viewer, .. } = &setup;
    if !hub.config.is_reachable_by_line() {
        return Ok(Redirect::to("/settings/accounts/new").into_response());
    }
    let mut page = ConnectPage::of(ui, &progress, service::path(asked.path.as_deref()));
    page.key = page.waiting_key(hub, viewer).await?;
    // What was decided or forgotten meanwhile is asked for again.
    page.elsewhere = asked.waits.and_then(|token| {
        let called = hub.accounts.pending.called(&token, &viewer.id, hub.now())?;
        let can_pass_on = SYSTEMS.refusal(hub, &called.endpoint).is_none();
        Some(Elsewhere {
            host: called.host(),
            endpoint: called.endpoint,
            active: called.active,
            can_pass_on,
            token,
        })
    });
    page.frame = page.frame.with_video(&setup.company().await?);
    Ok(Page(page).into_response())
}

/// What the form sends.
#[derive(Deserialize)]
pub(in crate::accounts::guide) struct ConnectForm {
    #[serde(default)]
    setup: String,
    #[serde(default)]
    has: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    channel_secret: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    signing_key: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    line_id: String,
    set_webhook: Option<String>,
    /// Leads to what was given before, and says that the other address may be replaced.
    take_over: Option<String>,
    /// That the other system goes on getting the events …
    pass_on: Option<String>,
    /// … and using the free replies.
    keeps_replies: Option<String>,
    /// Leads to what was given before, and says that the other address stays as it is.
    leave: Option<String>,
}

impl ConnectForm {
    fn read(&self) -> NewAccount {
        let some = |text: &str| Some(clean(text)).filter(|text| !text.is_empty());
        NewAccount {
            channel_id: clean(&self.channel_id),
            channel_secret: Secret::from(self.channel_secret.as_str()),
            access_token: some(&self.access_token).map(Secret::from),
            signing_key: SigningKeyId::parse(&self.signing_key).map(|id| (id, clean(&self.kid))),
            line_id: some(&self.line_id),
            set_webhook: self.set_webhook.is_some(),
            take_over: false,
            pass_on: false,
            keeps_replies: false,
        }
    }

    /// What is to be done: what stands in the form, or what was given before with one word more.
    fn wanted(&self, hub: &Hub, viewer: &Viewer) -> NewAccount {
        let before = |token: &Option<String>| {
            token.as_ref().and_then(|token| hub.accounts.pending.take(token, &viewer.id, hub.now()))
        };
        if let Some(before) = before(&self.take_over) {
            let (pass_on, keeps_replies) = (self.pass_on.is_some(), self.keeps_replies.is_some());
            return NewAccount { take_over: true, pass_on, keeps_replies, ..before };
        }
        if let Some(before) = before(&self.leave) {
            return NewAccount { set_webhook: false, ..before };
        }
        self.read()
    }
}

/// Connects the account; the next stage shows line by line what was done.
pub(in crate::accounts::guide) async fn connect(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Form(form): Form<ConnectForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (scope, actor) = (viewer.scope(), viewer.actor());
    let kept = match SetupId::parse(&form.setup) {
        // One that another owner has forgotten meanwhile begins again.
        Some(id) => service::get(&hub, &scope, &id).await.ok().map(|progress| progress.setup.id),
        None => None,
    };
    let has = Has::parse(&form.has).unwrap_or(Has::Api);
    let new = form.wanted(&hub, &viewer);
    let steps = Mutex::new(Vec::new());
    let note = |step, state| {
        let mut steps = steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        steps.retain(|(before, _)| *before != step);
        steps.push((step, state));
    };
    let (result, kept) = service::connect(&hub, (&scope, &actor), (kept, has), &new, &note).await;
    let steps = steps.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let kept = kept?;
    match (result, kept) {
        (Ok(_), Some(id)) => Ok(Redirect::to(&format!("{}/webhook", address(&id))).into_response()),
        (Ok(account), None) => Ok(Redirect::to(&account.page()).into_response()),
        // The question has an address of its own, so that "back" finds it again.
        (Err(error), Some(id)) if error.code == "webhook_elsewhere" => {
            let token = hub.entropy.token();
            let path = service::path(Some(&form.path)).as_str();
            hub.accounts.pending.put(&token, viewer.id.clone(), (new, Called::of(&error)), hub.now());
            let to = format!("{}/connect?path={path}&waits={token}", address(&id));
            Ok(Redirect::to(&to).into_response())
        }
        (Err(error), kept) if error.status.is_client_error() || error.code == "line_unavailable" => {
            let path = service::path(Some(&form.path));
            let mut page = match kept {
                Some(id) => ConnectPage::of(ui, &service::get(&hub, &scope, &id).await?, path),
                None => ConnectPage::new(ui, Frame::fresh(has, true), has, path),
            };
            page.key = page.waiting_key(&hub, &viewer).await?;
            let page = refused(page, &new, steps, &error);
            Ok((error.status, Page(page)).into_response())
        }
        (Err(error), _) => Err(error),
    }
}

/// Makes a key pair for the channel, to be registered at LINE; the page then shows its public half.
pub(in crate::accounts::guide) async fn make_key(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Form(form): Form<ConnectForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (scope, actor) = (viewer.scope(), viewer.actor());
    let has = Has::parse(&form.has).unwrap_or(Has::Api);
    let channel = clean(&form.channel_id);
    match keys::service::create(&hub, (&scope, &actor), &channel).await {
        Ok(_) => {
            let kept = SetupId::parse(&form.setup);
            let id = service::name_channel(&hub, (&scope, &actor), (kept, has), &channel).await?;
            Ok(Redirect::to(&format!("{}/connect?path=key", address(&id))).into_response())
        }
        Err(error) if error.status.is_client_error() => {
            let mut page = match SetupId::parse(&form.setup) {
                Some(id) => {
                    let progress = service::get(&hub, &scope, &id).await?;
                    ConnectPage::of(ui, &progress, Path::Key)
                }
                None => ConnectPage::new(ui, Frame::fresh(has, true), has, Path::Key),
            };
            page.form = FormState::new().with("channel_id", channel);
            for wrong in &error.fields {
                page.form = page.form.wrong(&wrong.field, field_words(&wrong.field, wrong.code));
            }
            if error.fields.is_empty() {
                page.failed = Some("guide-too-many-keys");
            }
            Ok((error.status, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The form again, with what was wrong at its field.
fn refused(
    mut page: ConnectPage,
    new: &NewAccount,
    steps: Vec<(Step, StepState)>,
    error: &AppError,
) -> ConnectPage {
    let mut form = FormState::new()
        .with("channel_id", id_or_nothing(&new.channel_id))
        .with("line_id", new.line_id.as_deref().unwrap_or_default());
    for wrong in &error.fields {
        form = form.wrong(&wrong.field, field_words(&wrong.field, wrong.code));
    }
    page.form = form.with("kid", new.signing_key.as_ref().map(|(_, kid)| kid.as_str()).unwrap_or_default());
    if new.access_token.is_some() {
        page.path = Path::Token;
    }
    page.more_open = new.line_id.is_some() || !new.set_webhook;
    page.set_webhook = new.set_webhook;
    page.steps = steps;
    match error.code {
        "account_held" => {
            page.failed = Some("accounts-held");
            let own = error.extra.get("account_id").and_then(serde_json::Value::as_str);
            page.held = own.map(|id| format!("/settings/accounts/{id}"));
        }
        "line_unavailable" if error.extra.get("reason").is_some_and(|reason| reason == "slow_down") => {
            page.failed = Some("keys-line-slow");
        }
        "line_unavailable" => page.failed = Some("accounts-line-silent"),
        _ => {
            // LINE's own words, where it said some.
            page.said = error
                .fields
                .first()
                .filter(|wrong| !matches!(wrong.code, "required" | "invalid" | "public_url"))
                .map(|wrong| wrong.detail.clone());
        }
    }
    page
}
