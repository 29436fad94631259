//! One account: how it is, and its settings.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use line_client::{Secret, WebhookTest};
use serde::Deserialize;

use super::{address, field_words, parse};
use crate::accounts::model::{Account, Environment, Status};
use crate::accounts::service::{self, Change, CleanUp, NewCredentials};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::error::AppResult;
use crate::team::Viewer;
use crate::web::{FormState, Page, Ui, redirect_with_toast};

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

/// One account.
pub(in crate::accounts) async fn show(
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

/// Runs LINE's own test of the webhook.
pub(in crate::accounts) async fn test(
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
pub(in crate::accounts) async fn check(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> AppResult<Response> {
    service::refresh(&hub, &viewer.scope(), &parse(&id)?).await?;
    Ok(redirect_with_toast(&hub.config, &address(&id), "accounts-toast-checked"))
}

/// What the form of new credentials sends.
#[derive(Deserialize)]
pub(in crate::accounts) struct CredentialsForm {
    #[serde(default)]
    channel_secret: String,
    #[serde(default)]
    access_token: String,
}

/// Takes new credentials.
pub(in crate::accounts) async fn credentials(
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
pub(in crate::accounts) struct EnvironmentForm {
    environment: Environment,
}

/// Sets the label.
pub(in crate::accounts) async fn environment(
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
pub(in crate::accounts) struct DisconnectForm {
    clean_up: Option<String>,
}

/// Disconnects an account.
pub(in crate::accounts) async fn disconnect(
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
