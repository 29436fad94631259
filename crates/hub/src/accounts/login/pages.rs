//! The operator's pages: the block "LINE Login" of an account, and its tests.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use line_client::{MAX_LIFF_APPS, Secret};
use serde::Deserialize;

use super::model::{LiffFault, LoginChannel, ProviderMatch, callback_url, liff_endpoint};
use super::service::{self, Change, Line};
use super::test_pages;
use crate::accounts::model::{Account, Status};
use crate::accounts::pages::{AccountHead, Tab};
use crate::accounts::pasted::{id_or_nothing, looks_words};
use crate::accounts::service::{self as accounts, Deadline, StepState};
use crate::app::Hub;
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, Id as _};
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui, redirect_with_toast};

/// The pages of LINE Login.
pub(in crate::accounts) fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{id}/login", get(show).post(save))
        .route("/settings/accounts/{id}/login/switches", post(switches))
        .route("/settings/accounts/{id}/login/ticks", post(ticks))
        .route("/settings/accounts/{id}/login/remove", post(remove))
        .route("/settings/accounts/{id}/login/repair", post(repair))
        .route("/settings/accounts/{id}/login-test", get(test_pages::test).post(test_pages::start))
        .route("/settings/accounts/{id}/login-test/result", get(test_pages::result))
}

pub(super) fn address(id: &str) -> String {
    format!("/settings/accounts/{id}#block-login")
}

pub(super) fn parse(id: &str) -> AppResult<AccountId> {
    AccountId::parse(id).ok_or_else(|| AppError::not_found("account"))
}

/// What block 2 of an account's page shows; the template `account_login_block.html` is given it as `login`.
pub(in crate::accounts) struct LoginBlock {
    pub(in crate::accounts) account: Account,
    pub(in crate::accounts) row: Option<LoginChannel>,
    pub(in crate::accounts) is_owner: bool,
    pub(in crate::accounts) form: FormState,
    /// What saving did, line by line.
    pub(in crate::accounts) lines: Vec<Line>,
    pub(in crate::accounts) callback_url: String,
    pub(in crate::accounts) callback_before: Option<String>,
    pub(in crate::accounts) liff_url: Option<String>,
    pub(in crate::accounts) wanted_endpoint: String,
}

impl LoginBlock {
    /// Reads the block of an account.
    ///
    /// # Errors
    /// The database does not answer.
    pub(in crate::accounts) async fn load(hub: &Hub, viewer: &Viewer, account: &Account) -> AppResult<Self> {
        let row = service::get(hub, &viewer.scope(), &account.id).await?;
        let config = &hub.config;
        Ok(Self {
            account: account.clone(),
            is_owner: viewer.is_owner() && account.status != Status::Disconnected,
            form: FormState::new()
                .with("login_channel_id", row.as_ref().map_or("", |row| row.channel_id.as_str())),
            lines: Vec::new(),
            callback_url: callback_url(config, &account.id),
            callback_before: row.as_ref().and_then(|row| row.callback_before(config)),
            liff_url: row.as_ref().and_then(|row| row.liff_url(config)),
            wanted_endpoint: liff_endpoint(config, &account.id),
            row,
        })
    }

    /// LINE Developers, where a Login channel is made or found.
    pub(in crate::accounts) fn console(&self) -> String {
        self.row
            .as_ref()
            .map_or_else(|| "https://developers.line.biz/console/".to_owned(), |row| row.console("basics"))
    }

    /// How many of 30.
    pub(in crate::accounts) fn used(&self) -> i64 {
        self.row.as_ref().map_or(0, |row| row.liff_count)
    }

    pub(in crate::accounts) fn limit(&self) -> i64 {
        i64::try_from(MAX_LIFF_APPS).unwrap_or(i64::MAX)
    }

    /// Whether LINE has a LIFF app that another Login channel would put an end to.
    pub(in crate::accounts) fn has_liff(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.liff_id.is_some())
    }

    /// Whether there is a channel whose secret went when the account was disconnected, and is to be entered again.
    pub(in crate::accounts) fn lacks_secret(&self) -> bool {
        self.is_connected() && self.row.as_ref().is_some_and(|row| !row.has_secret())
    }

    /// Whether the account is connected, so that tests can be walked.
    pub(in crate::accounts) fn is_connected(&self) -> bool {
        self.account.status != Status::Disconnected
    }

    /// Whether something is to be repaired that the hub can repair.
    pub(in crate::accounts) fn can_repair(&self) -> bool {
        self.row.as_ref().is_some_and(|row| {
            row.has_secret() && !matches!(row.fault(), None | Some(LiffFault::Twins | LiffFault::Credentials))
        })
    }

    pub(in crate::accounts) fn is_wrong(&self, fault: LiffFault) -> bool {
        self.row.as_ref().is_some_and(|row| row.fault() == Some(fault))
    }
}

impl LiffFault {
    /// The key of what it is, and what to do.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Missing => "login-fault-missing",
            Self::Endpoint => "login-fault-endpoint",
            Self::View => "login-fault-view",
            Self::BotPrompt => "login-fault-bot-prompt",
            Self::Scopes => "login-fault-scopes",
            Self::Twins => "login-fault-twins",
            Self::Full => "login-fault-full",
            Self::Refused => "login-fault-refused",
            Self::Credentials => "login-fault-credentials",
        }
    }
}

impl ProviderMatch {
    /// The key of its name.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Same => "login-provider-same",
            Self::Other => "login-provider-other",
            Self::Unknown => "login-provider-unknown",
        }
    }

    /// The kind of its badge.
    pub(in crate::accounts) const fn badge(self) -> &'static str {
        match self {
            Self::Same => "ok",
            Self::Other => "danger",
            Self::Unknown => "neutral",
        }
    }
}

#[derive(Template)]
#[template(path = "account_login.html")]
struct LoginPage {
    ui: Ui,
    head: AccountHead,
    login: LoginBlock,
}

#[derive(Template)]
#[template(path = "account_login_partial.html")]
struct LoginPartial {
    ui: Ui,
    login: LoginBlock,
}

async fn load(hub: &Hub, viewer: &Viewer, id: &str) -> AppResult<(AccountHead, LoginBlock)> {
    let head = AccountHead::load(hub, viewer, id, Tab::Overview).await?;
    let login = LoginBlock::load(hub, viewer, &head.account).await?;
    Ok((head, login))
}

/// The block as a page of its own: where forms without scripts lead when something is wrong.
async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    let (head, login) = load(&hub, &viewer, &id).await?;
    Ok(Page(LoginPage { ui, head, login }).into_response())
}

/// The block alone for htmx, else the page of its own.
fn draw(status: StatusCode, ui: Ui, head: AccountHead, login: LoginBlock) -> Response {
    if ui.is_htmx() {
        return (status, Page(LoginPartial { ui, login })).into_response();
    }
    (status, Page(LoginPage { ui, head, login })).into_response()
}

/// Marks the fields of a refusal; `None` for an error that is no refusal of fields.
fn refused(form: FormState, error: &AppError) -> Option<FormState> {
    let is_ours = error.status == StatusCode::UNPROCESSABLE_ENTITY && !error.fields.is_empty();
    let (looks, others): (Vec<_>, Vec<_>) =
        error.fields.iter().cloned().partition(|wrong| looks_words(wrong.code).is_some());
    let mark = |form: FormState, wrong: &FieldError| {
        looks_words(wrong.code).map_or(form.clone(), |words| form.wrong(&wrong.field, words))
    };
    is_ours.then(|| looks.iter().fold(form.refused("login-error", &others), mark))
}

/// What the form of the Login channel sends.
#[derive(Deserialize)]
struct ChannelForm {
    #[serde(default)]
    login_channel_id: String,
    #[serde(default)]
    login_channel_secret: String,
}

async fn save(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<ChannelForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let secret = Some(form.login_channel_secret).filter(|text| !text.trim().is_empty());
    let change = Change {
        channel_id: Some(Some(form.login_channel_id.clone())),
        secret: secret.map(|text| Some(Secret::from(text))),
        ..Change::default()
    };
    match done(&hub, &viewer, &id, change).await {
        Ok(lines) => {
            let (head, mut login) = load(&hub, &viewer, &id).await?;
            login.lines = lines;
            Ok(draw(StatusCode::OK, ui, head, login))
        }
        Err(error) => {
            // A secret that stands in the wrong field is not shown again.
            let typed = id_or_nothing(&form.login_channel_id);
            again(&hub, ui, (&viewer, &id), FormState::new().with("login_channel_id", typed), error).await
        }
    }
}

/// Changes the account's LINE Login.
async fn done(hub: &Hub, viewer: &Viewer, id: &str, login: Change) -> AppResult<Vec<Line>> {
    let change = accounts::Change { login, ..accounts::Change::default() };
    let changed = accounts::change(hub, (&viewer.scope(), &viewer.actor()), &parse(id)?, &change).await?;
    Ok(changed.login)
}

/// The block once more, with what was wrong at its field.
async fn again(
    hub: &Hub,
    ui: Ui,
    (viewer, id): (&Viewer, &str),
    typed: FormState,
    error: AppError,
) -> AppResult<Response> {
    let Some(form) = refused(typed, &error) else { return Err(error) };
    let (head, mut login) = load(hub, viewer, id).await?;
    login.form = form;
    Ok(draw(StatusCode::UNPROCESSABLE_ENTITY, ui, head, login))
}

/// What the form of the switches sends: a box that is not ticked sends nothing.
#[derive(Deserialize)]
struct SwitchesForm {
    share: Option<String>,
    add_friend: Option<String>,
    share_ready: Option<String>,
}

async fn switches(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<SwitchesForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let account = parse(&id)?;
    let before = service::get(&hub, &viewer.scope(), &account).await?;
    let ready = form.share_ready.is_some();
    let was_ready = before.as_ref().is_some_and(|row| row.share_ready_at.is_some());
    let change = Change {
        share: Some(form.share.is_some()),
        add_friend: Some(form.add_friend.is_some()),
        // A tick keeps its date while it stays.
        share_ready: (ready != was_ready).then_some(ready),
        ..Change::default()
    };
    apply(&hub, ui, &viewer, &id, change).await
}

/// What the forms of ticks send.
#[derive(Deserialize)]
struct TicksForm {
    linked: Option<String>,
    callback: Option<String>,
}

async fn ticks(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<TicksForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let change = Change {
        linked: form.linked.map(|word| word == "1"),
        callback_done: form.callback.is_some(),
        ..Change::default()
    };
    apply(&hub, ui, &viewer, &id, change).await
}

async fn apply(hub: &Hub, ui: Ui, viewer: &Viewer, id: &str, change: Change) -> AppResult<Response> {
    match done(hub, viewer, id, change).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, &address(id), "login-toast-saved")),
        Err(error) => again(hub, ui, (viewer, id), kept(hub, viewer, id).await?, error).await,
    }
}

/// The form as it is kept.
async fn kept(hub: &Hub, viewer: &Viewer, id: &str) -> AppResult<FormState> {
    Ok(load(hub, viewer, id).await?.1.form)
}

async fn remove(State(hub): State<Hub>, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    viewer.require_owner()?;
    let change = Change { channel_id: Some(None), ..Change::default() };
    done(&hub, &viewer, &id, change).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "login-toast-removed"))
}

async fn repair(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    match service::repair(&hub, (&viewer.scope(), &viewer.actor()), &parse(&id)?, Deadline::start()).await {
        Ok(()) => Ok(redirect_with_toast(&hub.config, &address(&id), "login-toast-repaired")),
        Err(error) => again(&hub, ui, (&viewer, &id), kept(&hub, &viewer, &id).await?, error).await,
    }
}

impl LoginBlock {
    /// What stands in the secret's field while one is kept.
    pub(in crate::accounts) fn kept(&self, ui: &Ui) -> String {
        let has = self.row.as_ref().is_some_and(LoginChannel::has_secret);
        if has { ui.t("login-secret-kept") } else { String::new() }
    }

    pub(in crate::accounts) fn used_words(&self, ui: &Ui) -> String {
        ui.t2("login-liff-used", ("used", self.used()), ("limit", self.limit()))
    }

    /// The LIFF app's size in LINE's words.
    pub(in crate::accounts) fn size(&self, ui: &Ui) -> String {
        match self.row.as_ref().and_then(|row| row.liff_view.as_deref()) {
            None => ui.t("accounts-none"),
            Some("full") => "Full".to_owned(),
            Some("tall") => "Tall".to_owned(),
            Some("compact") => "Compact".to_owned(),
            Some(other) => other.to_owned(),
        }
    }

    /// The add friend option in LINE's words.
    pub(in crate::accounts) fn prompt(&self, ui: &Ui) -> String {
        let Some(row) = self.row.as_ref().filter(|row| row.liff_id.is_some()) else {
            return ui.t("accounts-none");
        };
        match row.liff_bot_prompt.as_deref() {
            Some("aggressive") => "On (aggressive)".to_owned(),
            Some("normal") => "On (normal)".to_owned(),
            _ => "Off".to_owned(),
        }
    }

    /// What the tick of the share target picker says below itself.
    pub(in crate::accounts) fn share_ready_words(&self, ui: &Ui) -> String {
        let row = self.row.as_ref();
        match row.and_then(|row| Some((row.share_ready_at?, row.share_ready_by.clone()?))) {
            Some((at, by)) => ui.t2("login-share-ready-on", ("day", ui.day(&at)), ("name", by)),
            None => ui.t("login-share-ready-hint"),
        }
    }
}
