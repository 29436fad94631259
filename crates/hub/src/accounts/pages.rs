//! Settings → Accounts: the list, connecting, and one account.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use line_client::{Secret, WebhookTest};
use serde::Deserialize;
use std::sync::Mutex;

use super::model::{Account, Attention, Environment, Status};
use super::service::{self, Change, CleanUp, NewAccount, NewCredentials, Step, StepState};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, Id};
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui, redirect_with_toast};

/// Accounts shown on one page; more of them are beyond what one tenant has.
const SHOWN: i64 = 1000;

#[derive(Template)]
#[template(path = "accounts_list.html")]
struct ListPage {
    ui: Ui,
    is_owner: bool,
    rows: Vec<Row>,
}

struct Row {
    account: Account,
    webhook_url: Option<String>,
}

#[derive(Template)]
#[template(path = "account_connect.html")]
struct ConnectPage {
    ui: Ui,
    form: FormState,
    steps: Vec<(Step, StepState)>,
    /// What LINE or the hub said, in English, where the words of the page do not tell everything.
    said: Option<String>,
    /// Set when another system's address has to be replaced: the address, its switch, and the token of what waits.
    elsewhere: Option<Elsewhere>,
    failed: Option<&'static str>,
    more_open: bool,
    set_webhook: bool,
}

struct Elsewhere {
    endpoint: String,
    active: bool,
    token: String,
}

#[derive(Template)]
#[template(path = "account_connected.html")]
struct ConnectedPage {
    ui: Ui,
    account: Account,
    webhook_url: String,
    steps: Vec<(Step, StepState)>,
}

#[derive(Template)]
#[template(path = "account_show.html")]
struct AccountPage {
    ui: Ui,
    is_owner: bool,
    account: Account,
    webhook_url: Option<String>,
    form: FormState,
    test: Option<Tested>,
}

#[derive(Template)]
#[template(path = "account_test_partial.html")]
struct TestPartial {
    ui: Ui,
    test: Option<Tested>,
}

struct Tested {
    test: WebhookTest,
    at: Timestamp,
}

/// The accounts.
pub(super) async fn list(State(hub): State<Hub>, ui: Ui, viewer: Viewer) -> AppResult<Response> {
    let accounts = service::list(&hub, &viewer.scope(), None, SHOWN).await?;
    let row = |account: Account| Row { webhook_url: account.webhook_url(&hub.config), account };
    let rows = accounts.into_iter().map(row).collect();
    Ok(Page(ListPage { ui, is_owner: viewer.is_owner(), rows }).into_response())
}

/// The form to connect an account.
pub(super) async fn new(ui: Ui, viewer: Viewer) -> AppResult<Response> {
    viewer.require_owner()?;
    Ok(Page(ConnectPage::new(ui, FormState::new())).into_response())
}

impl ConnectPage {
    fn new(ui: Ui, form: FormState) -> Self {
        let (steps, said, elsewhere, failed) = (Vec::new(), None, None, None);
        Self { ui, form, steps, said, elsewhere, failed, more_open: false, set_webhook: true }
    }
}

/// What the form to connect an account sends.
#[derive(Deserialize)]
pub(super) struct ConnectForm {
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    channel_secret: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    line_id: String,
    set_webhook: Option<String>,
    /// Leads to what was given before, and says that the other address may be replaced.
    take_over: Option<String>,
}

impl ConnectForm {
    fn read(&self) -> NewAccount {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        NewAccount {
            channel_id: self.channel_id.trim().to_owned(),
            channel_secret: Secret::from(self.channel_secret.trim()),
            access_token: some(&self.access_token).map(Secret::from),
            line_id: some(&self.line_id),
            set_webhook: self.set_webhook.is_some(),
            take_over: false,
        }
    }
}

/// Connects an account, and shows line by line what was done.
pub(super) async fn connect(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Form(form): Form<ConnectForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let taken =
        form.take_over.as_ref().and_then(|token| hub.accounts.pending.take(token, &viewer.id, hub.now()));
    let new = match taken {
        Some(before) => NewAccount { take_over: true, ..before },
        None => form.read(),
    };
    let steps = Mutex::new(Vec::new());
    let note = |step, state| {
        let mut steps = steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        steps.retain(|(before, _)| *before != step);
        steps.push((step, state));
    };
    let result = service::connect(&hub, (&viewer.scope(), &viewer.actor()), &new, &note).await;
    let steps = steps.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    match result {
        Ok(account) => {
            let webhook_url = account.webhook_url(&hub.config).unwrap_or_default();
            Ok(Page(ConnectedPage { ui, account, webhook_url, steps }).into_response())
        }
        Err(error) if error.status.is_client_error() || error.code == "line_unavailable" => {
            let status = error.status;
            Ok((status, Page(refused(&hub, ui, &viewer, new, steps, &error))).into_response())
        }
        Err(error) => Err(error),
    }
}

/// The form again, with what was wrong at its field.
fn refused(
    hub: &Hub,
    ui: Ui,
    viewer: &Viewer,
    new: NewAccount,
    steps: Vec<(Step, StepState)>,
    error: &AppError,
) -> ConnectPage {
    let mut form = FormState::new()
        .with("channel_id", new.channel_id.as_str())
        .with("line_id", new.line_id.as_deref().unwrap_or_default());
    for wrong in &error.fields {
        form = form.wrong(&wrong.field, field_words(&wrong.field, wrong.code));
    }
    let mut page = ConnectPage::new(ui, form);
    page.more_open = new.access_token.is_some() || new.line_id.is_some() || !new.set_webhook;
    page.set_webhook = new.set_webhook;
    page.steps = steps;
    match error.code {
        "account_held" => page.failed = Some("accounts-held"),
        "line_unavailable" => page.failed = Some("accounts-line-silent"),
        "webhook_elsewhere" => {
            let text =
                |name: &str| error.extra.get(name).and_then(|value| value.as_str()).unwrap_or_default();
            let active = error.extra.get("active").and_then(serde_json::Value::as_bool).unwrap_or_default();
            let elsewhere = Elsewhere {
                endpoint: text("current_endpoint").to_owned(),
                active,
                token: hub.entropy.token(),
            };
            hub.accounts.pending.put(&elsewhere.token, viewer.id.clone(), new, hub.now());
            page.elsewhere = Some(elsewhere);
        }
        _ => {
            // LINE's own words, where it said some.
            page.said = error
                .fields
                .first()
                .filter(|wrong| is_lines_word(wrong.code))
                .map(|wrong| wrong.detail.clone());
        }
    }
    page
}

/// Whether the detail of a refusal quotes LINE.
fn is_lines_word(code: &str) -> bool {
    !matches!(code, "required" | "invalid" | "public_url")
}

/// The key of what is wrong with a field and what to do.
fn field_words(field: &str, code: &str) -> &'static str {
    match (field, code) {
        ("channel_id", "required") => "accounts-channel-id-required",
        ("channel_id", "wrong_id") => "accounts-channel-id-wrong",
        ("channel_id", "not_messaging") => "accounts-channel-id-login",
        ("channel_id", _) => "accounts-channel-id-invalid",
        ("channel_secret", "required") => "accounts-channel-secret-required",
        ("channel_secret", "other_channel") => "accounts-channel-secret-other",
        ("channel_secret", _) => "accounts-channel-secret-wrong",
        ("access_token", "other_channel") => "accounts-access-token-other",
        ("access_token", _) => "accounts-access-token-wrong",
        ("line_id", _) => "accounts-line-id-other",
        (_, "public_url") => "accounts-public-url",
        (_, "webhook_unreachable") => "accounts-webhook-unreachable",
        _ => "accounts-webhook-refused",
    }
}

impl Step {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Credentials => "accounts-step-credentials",
            Self::Bot => "accounts-step-bot",
            Self::Free => "accounts-step-free",
            Self::Saved => "accounts-step-saved",
            Self::Tested => "accounts-step-tested",
            Self::WebhookSet => "accounts-step-webhook-set",
        }
    }
}

impl Status {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Connected => "accounts-status-connected",
            Self::Attention => "accounts-status-attention",
            Self::Disconnected => "accounts-status-disconnected",
        }
    }

    /// The kind of its badge.
    const fn badge(self) -> &'static str {
        match self {
            Self::Connected => "ok",
            Self::Attention => "warning",
            Self::Disconnected => "neutral",
        }
    }
}

impl Attention {
    /// The key of what is the matter.
    const fn words(self) -> &'static str {
        match self {
            Self::Connecting => "accounts-connecting",
            Self::WebhookOff => "accounts-webhook-off",
            Self::WebhookElsewhere => "accounts-webhook-elsewhere",
            Self::WebhookMissing => "accounts-webhook-missing",
            Self::Credentials => "accounts-credentials-refused",
        }
    }

    /// The key of what to do.
    const fn fix(self) -> &'static str {
        match self {
            Self::Connecting => "accounts-connecting-fix",
            Self::WebhookOff => "accounts-webhook-off-fix",
            Self::WebhookElsewhere => "accounts-webhook-elsewhere-fix",
            Self::WebhookMissing => "accounts-webhook-missing-fix",
            Self::Credentials => "accounts-credentials-refused-fix",
        }
    }
}

impl Environment {
    /// The key of its name.
    const fn words(self) -> &'static str {
        match self {
            Self::Live => "accounts-environment-live",
            Self::Test => "accounts-environment-test",
        }
    }
}

impl Account {
    /// LINE Developers' page of the channel.
    fn console(&self, page: &str) -> String {
        format!("https://developers.line.biz/console/channel/{}/{page}", self.channel_id)
    }

    /// Its page here.
    fn page(&self) -> String {
        address(self.id.as_str())
    }
}

/// One account.
pub(super) async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    let page = AccountPage::load(&hub, ui, &viewer, &id, FormState::new()).await?;
    Ok(Page(page).into_response())
}

impl AccountPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, id: &str, form: FormState) -> AppResult<Self> {
        let account = service::get(hub, &viewer.scope(), &parse(id)?).await?;
        Ok(Self {
            ui,
            is_owner: viewer.is_owner(),
            webhook_url: account.webhook_url(&hub.config),
            account,
            form,
            test: None,
        })
    }
}

fn parse(id: &str) -> AppResult<AccountId> {
    AccountId::parse(id).ok_or_else(|| AppError::not_found("account"))
}

/// Runs LINE's own test of the webhook.
pub(super) async fn test(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let test = service::test_webhook(&hub, &viewer.scope(), &parse(&id)?).await?;
    let test = Some(Tested { test, at: hub.now() });
    if ui.is_htmx() {
        return Ok(Page(TestPartial { ui, test }).into_response());
    }
    let page = AccountPage::load(&hub, ui, &viewer, &id, FormState::new()).await?;
    Ok(Page(AccountPage { test, ..page }).into_response())
}

/// Asks LINE again how the account is.
pub(super) async fn check(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    service::refresh(&hub, &viewer.scope(), &parse(&id)?).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-checked"))
}

/// What the form of new credentials sends.
#[derive(Deserialize)]
pub(super) struct CredentialsForm {
    #[serde(default)]
    channel_secret: String,
    #[serde(default)]
    access_token: String,
}

/// Takes new credentials.
pub(super) async fn credentials(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<CredentialsForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let some = |text: &str| Some(Secret::from(text.trim())).filter(|secret| !secret.expose().is_empty());
    let credentials = NewCredentials {
        channel_secret: Some(Secret::from(form.channel_secret.trim())),
        access_token: some(&form.access_token).map(Some),
    };
    let change = Change { environment: None, credentials };
    match service::change(&hub, (&viewer.scope(), &viewer.actor()), &parse(&id)?, &change).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-secret-saved")),
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let wrong = |form: FormState, field: &crate::error::FieldError| {
                form.wrong(&field.field, field_words(&field.field, field.code))
            };
            let form = error.fields.iter().fold(FormState::new(), wrong);
            let page = AccountPage::load(&hub, ui, &viewer, &id, form).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
        }
        Err(error) => Err(error),
    }
}

/// What the form of the environment sends.
#[derive(Deserialize)]
pub(super) struct EnvironmentForm {
    environment: Environment,
}

/// Sets the label.
pub(super) async fn environment(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<EnvironmentForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let change = Change { environment: Some(form.environment), ..Change::default() };
    service::change(&hub, (&viewer.scope(), &viewer.actor()), &parse(&id)?, &change).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-saved"))
}

/// What the form to disconnect sends.
#[derive(Deserialize)]
pub(super) struct DisconnectForm {
    clean_up: Option<String>,
}

/// Disconnects an account.
pub(super) async fn disconnect(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
    Form(form): Form<DisconnectForm>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let steps: &[CleanUp] = if form.clean_up.is_some() { &[CleanUp::Webhook] } else { &[] };
    let cleaned = service::disconnect(&hub, (&viewer.scope(), &viewer.actor()), &parse(&id)?, steps).await?;
    let key = match cleaned.first().map(|step| step.status) {
        Some("manual" | "failed") => "accounts-toast-disconnected-manual",
        _ => "accounts-toast-disconnected",
    };
    Ok(redirect_with_toast(&hub.config, "/settings/accounts", key))
}

fn address(id: &str) -> String {
    format!("/settings/accounts/{id}")
}
