//! The operator's pages: the block "LINE Login" of an account, and its tests.

use askama::Template;
use askama::filters::Safe;
use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use line_client::{MAX_LIFF_APPS, Secret};
use serde::Deserialize;

use super::api::walk_url;
use super::door::can_open;
use super::model::{
    Finding, Kind, LiffFault, LoginChannel, ProviderMatch, Run, State as FindingState, callback_url,
    liff_endpoint,
};
use super::run;
use super::service::{self, Change, Line};
use crate::accounts::model::{Account, Status};
use crate::accounts::pages::gone::gone;
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
        .route("/settings/accounts/{id}/login-test", get(test).post(start))
        .route("/settings/accounts/{id}/login-test/result", get(result))
}

fn address(id: &str) -> String {
    format!("/settings/accounts/{id}#block-login")
}

fn parse(id: &str) -> AppResult<AccountId> {
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

impl FindingState {
    /// The kind of its badge and banner.
    const fn kind(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "danger",
            Self::Unknown => "unknown",
        }
    }

    /// The key of its name for a whole test.
    const fn outcome(self) -> &'static str {
        match self {
            Self::Ok => "login-outcome-ok",
            Self::Warning => "login-outcome-warning",
            Self::Failed => "login-outcome-failed",
            Self::Unknown => "login-outcome-unknown",
        }
    }

    /// The key of its name before a finding.
    pub(in crate::accounts) const fn words(self) -> &'static str {
        match self {
            Self::Ok => "login-state-ok",
            Self::Warning => "login-state-warning",
            Self::Failed => "login-state-failed",
            Self::Unknown => "login-state-unknown",
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

#[derive(Template)]
#[template(path = "account_login_test.html")]
struct TestPage {
    ui: Ui,
    head: AccountHead,
    tests: Tests,
}

#[derive(Template)]
#[template(path = "login_test_partial.html")]
struct TestPartial {
    ui: Ui,
    tests: Tests,
}

/// What the page of tests shows.
struct Tests {
    id: AccountId,
    row: Option<LoginChannel>,
    is_owner: bool,
    /// Where the person becomes a friend and writes.
    friend_link: String,
    login: Option<Walk>,
    liff: Option<Walk>,
}

/// A test, where to walk it, and what it found.
struct Walk {
    run: Run,
    findings: Vec<Finding>,
    outcome: FindingState,
    url: Option<String>,
    code: String,
    /// What is to be written to the account, while that is to show the provider.
    awaited: Option<String>,
}

impl Walk {
    fn new(hub: &Hub, row: &LoginChannel, run: Run) -> Self {
        let now = hub.now();
        let url = walk_url(&hub.config, row, &run);
        let code = url.as_deref().and_then(drawing).unwrap_or_default();
        let awaited = run.awaited(&row.channel_id, now).map(|_| run.code());
        Self { findings: run.findings(now), outcome: run.outcome(now), run, url, code, awaited }
    }

    /// The address as a QR code, which this hub drew.
    fn drawing(&self) -> Safe<&str> {
        Safe(&self.code)
    }

    fn is_waiting(&self) -> bool {
        self.run.finished_at.is_none()
    }
}

/// An address as a QR code, drawn as SVG.
fn drawing(url: &str) -> Option<String> {
    let code = qrcode::QrCode::new(url).ok()?;
    let code = code.render::<qrcode::render::svg::Color<'_>>().quiet_zone(false).build();
    // The declaration is for files of their own.
    code.find("<svg").and_then(|at| code.get(at..)).map(str::to_owned)
}

impl Tests {
    async fn load(hub: &Hub, viewer: &Viewer, account: &Account) -> AppResult<Self> {
        let (scope, id) = (viewer.scope(), account.id.clone());
        let row = service::get(hub, &scope, &id).await?;
        let walk = async |kind| -> AppResult<Option<Walk>> {
            let Some(row) = &row else { return Ok(None) };
            let run = service::last_test(hub, &scope, row, kind).await?;
            Ok(run.map(|run| Walk::new(hub, row, run)))
        };
        let (login, liff) = (walk(Kind::Login).await?, walk(Kind::Liff).await?);
        let friend_link = account.friend_link();
        Ok(Self { id, is_owner: viewer.is_owner(), friend_link, login, liff, row })
    }

    /// Whether the page asks again by itself.
    fn is_waiting(&self) -> bool {
        let open = |walk: &Walk| walk.is_waiting() || walk.awaited.is_some();
        [&self.login, &self.liff].into_iter().flatten().any(open)
    }

    /// The kinds with their last test, in order.
    fn kinds(&self) -> [(Kind, Option<&Walk>); 2] {
        [(Kind::Login, self.login.as_ref()), (Kind::Liff, self.liff.as_ref())]
    }

    /// Whether there is a channel whose secret is to be entered again first.
    fn lacks_secret(&self) -> bool {
        self.row.as_ref().is_some_and(|row| !row.has_secret())
    }

    fn can_start(&self, kind: Kind) -> bool {
        self.row.as_ref().is_some_and(|row| match kind {
            Kind::Login => row.has_secret(),
            Kind::Liff => can_open(row),
        })
    }
}

/// The tests of login and LIFF.
async fn test(State(hub): State<Hub>, ui: Ui, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    let head = AccountHead::load(&hub, &viewer, &id, Tab::LoginTest).await?;
    if head.account.status == Status::Disconnected {
        return Ok(gone(ui, &viewer, head));
    }
    let tests = Tests::load(&hub, &viewer, &head.account).await?;
    Ok(Page(TestPage { ui, head, tests }).into_response())
}

/// The results, which the page asks for while somebody is at LINE.
async fn result(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let account = accounts::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let tests = Tests::load(&hub, &viewer, &account).await?;
    Ok(Page(TestPartial { ui, tests }).into_response())
}

/// Which test to begin.
#[derive(Deserialize)]
struct StartForm {
    kind: Kind,
}

/// Begins a test, and shows where to walk it.
async fn start(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<StartForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&id)?;
    match run::start(&hub, (&viewer.scope(), &viewer.actor()), &id, form.kind).await {
        Ok(_) => {}
        // Without a Login channel the page says so itself.
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {}
        Err(error) => return Err(error),
    }
    Ok(Redirect::to(&format!("/settings/accounts/{id}/login-test")).into_response())
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

impl Tests {
    /// The block where a Login channel is saved.
    fn block(&self) -> String {
        address(self.id.as_str())
    }

    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn title(&self, ui: &Ui, finding: &Finding) -> String {
        ui.t(&format!("login-found-{}-title", finding.found.key()))
    }

    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn fix(&self, ui: &Ui, finding: &Finding) -> Option<String> {
        ui.maybe(&format!("login-found-{}-fix", finding.found.key()))
    }

    /// Where in LINE Developers it is put right.
    pub(in crate::accounts) fn console(&self, finding: &Finding) -> Option<String> {
        let page = finding.found.console()?;
        self.row.as_ref().map(|row| row.console(page))
    }

    /// Whether the hub can put it right.
    #[expect(clippy::unused_self, reason = "templates call methods of what they are given")]
    fn repairs(&self, finding: &Finding) -> bool {
        use super::model::Found::{LiffEndpoint, LiffMissing, LiffSettings};
        matches!(finding.found, LiffEndpoint | LiffMissing | LiffSettings)
    }
}

impl Walk {
    /// The kind of the badge of its outcome.
    pub(in crate::accounts) fn badge(&self) -> &'static str {
        match self.outcome {
            FindingState::Unknown => "neutral",
            outcome => outcome.kind(),
        }
    }
}
