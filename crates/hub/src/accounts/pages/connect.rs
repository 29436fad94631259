//! Connecting an account, and what was done line by line.

use std::sync::Mutex;

use askama::Template;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Response};
use line_client::Secret;
use serde::Deserialize;

use super::field_words;
use crate::accounts::model::Account;
use crate::accounts::pasted::clean;
use crate::accounts::service::{self, NewAccount, Step, StepState};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui};

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

/// The form to connect an account.
pub(in crate::accounts) async fn new(ui: Ui, viewer: Viewer) -> AppResult<Response> {
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
pub(in crate::accounts) struct ConnectForm {
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
        let some = |text: &str| Some(clean(text)).filter(|text| !text.is_empty());
        NewAccount {
            channel_id: clean(&self.channel_id),
            channel_secret: Secret::from(self.channel_secret.as_str()),
            access_token: some(&self.access_token).map(Secret::from),
            signing_key: None,
            line_id: some(&self.line_id),
            set_webhook: self.set_webhook.is_some(),
            take_over: false,
        }
    }
}

/// Connects an account, and shows line by line what was done.
pub(in crate::accounts) async fn connect(
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
