//! Settings → Accounts → one account → Credentials: how tokens are obtained, the channel secret, signing keys, and who changed
//! what.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use line_client::Secret;

use super::model::{KeyState, SigningKey};
use super::service::{self, Overview, Way, What};
use crate::accounts::model::Status;
use crate::accounts::pages::head::{AccountHead, Tab};
use crate::accounts::pages::parse;
use crate::accounts::pasted::looks_words;
use crate::accounts::service::{Change, NewCredentials, change};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{Id as _, SigningKeyId};
use crate::team::Viewer;
use crate::web::{Fields, FormState, Page, Ui, redirect_with_toast};

/// The page and its forms.
pub(in crate::accounts) fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{id}/credentials", get(show).post(save_secret))
        .route("/settings/accounts/{id}/credentials/tokens", post(choose))
        .route("/settings/accounts/{id}/credentials/keys", post(make))
        .route("/settings/accounts/{id}/credentials/keys/{key}", post(prove))
        .route("/settings/accounts/{id}/credentials/keys/{key}/delete", post(delete))
}

#[derive(Debug, Template)]
#[template(path = "account_credentials.html")]
struct CredentialsPage {
    ui: Ui,
    head: AccountHead,
    form: FormState,
    /// What LINE or the hub said, in English, where the words of the page do not tell everything.
    said: Option<String>,
    known: Overview,
    is_connected: bool,
}

impl CredentialsPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, id: &str) -> AppResult<Self> {
        viewer.require_owner()?;
        let head = AccountHead::load(hub, viewer, id, Tab::Overview).await?;
        let known = service::overview(hub, &viewer.scope(), &head.account).await?;
        let is_connected = head.account.status != Status::Disconnected;
        let active = known.keys.iter().find(|key| key.state == KeyState::Active);
        let kid = active.and_then(|key| key.kid.clone()).unwrap_or_default();
        let form = FormState::new().with("active_kid", kid);
        Ok(Self { ui, head, form, said: None, known, is_connected })
    }

    /// The key by which tokens are issued.
    fn active(&self) -> Option<&SigningKey> {
        self.known.keys.iter().find(|key| key.state == KeyState::Active)
    }

    /// The newest key that waits: the one whose next steps are shown.
    fn next(&self) -> Option<&SigningKey> {
        self.known.keys.iter().find(|key| key.state == KeyState::Waiting)
    }

    /// All other keys.
    fn others(&self) -> impl Iterator<Item = &SigningKey> {
        let shown = [self.active(), self.next()].map(|key| key.map(|key| &key.id));
        self.known.keys.iter().filter(move |key| !shown.contains(&Some(&key.id)))
    }

    /// What was done, in words.
    fn told(&self, what: &What) -> String {
        let ui = &self.ui;
        match what {
            What::Connected => ui.t("keys-did-connect"),
            What::Disconnected => ui.t("keys-did-disconnect"),
            What::Verified(count) => ui.t1("keys-did-verify", "count", *count),
            What::KeyMade => ui.t("keys-did-make"),
            What::KeyActivated => ui.t("keys-did-activate"),
            What::KeyDeleted => ui.t("keys-did-delete"),
            What::Changed(names) => {
                let words = |name: &String| match name.as_str() {
                    "channel_secret" => ui.t("keys-did-secret"),
                    "access_token" => ui.t("keys-did-token"),
                    _ => ui.t("keys-did-retire"),
                };
                names.iter().map(words).collect::<Vec<_>>().join(&ui.t("keys-did-and"))
            }
        }
    }
}

/// The page.
async fn show(State(hub): State<Hub>, ui: Ui, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    Ok(Page(CredentialsPage::load(&hub, ui, &viewer, &id).await?).into_response())
}

/// Where the page is.
fn address(id: &str) -> String {
    format!("/settings/accounts/{id}/credentials")
}

/// Whose request it is, from where.
struct Asked {
    hub: Hub,
    ui: Ui,
    viewer: Viewer,
    id: String,
    /// What stays in its field when it is refused; secrets never do.
    typed: Option<(&'static str, String)>,
}

impl Asked {
    /// The page again with what was wrong at its field, or on with a word of success. `rename` gives a field of the page
    /// for a field of the request.
    async fn answer<T>(
        self,
        done: AppResult<T>,
        toast: &'static str,
        rename: Option<(&'static str, &'static str)>,
    ) -> AppResult<Response> {
        let Err(error) = done else {
            return Ok(redirect_with_toast(&self.hub.config, &address(&self.id), toast));
        };
        let is_told = error.status == StatusCode::UNPROCESSABLE_ENTITY
            || error.status == StatusCode::CONFLICT
            || error.code == "line_unavailable";
        if !is_told {
            return Err(error);
        }
        let mut page = CredentialsPage::load(&self.hub, self.ui, &self.viewer, &self.id).await?;
        if let Some((field, typed)) = self.typed {
            page.form = page.form.with(field, typed);
        }
        for wrong in &error.fields {
            let words = format!("keys-error-{}-{}", wrong.field, wrong.code).replace('_', "-");
            let field =
                rename.filter(|(field, _)| *field == wrong.field).map_or(wrong.field.as_str(), |(_, to)| to);
            page.form = page.form.wrong(field, looks_words(wrong.code).unwrap_or(&words));
        }
        page.said = Some(error.fields.first().map_or(error.detail.clone(), |wrong| wrong.detail.clone()));
        Ok((error.status, Page(page)).into_response())
    }
}

/// Takes a new channel secret.
async fn save_secret(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let channel_secret = Some(Secret::from(fields.text("channel_secret")));
    let new = NewCredentials { channel_secret, ..NewCredentials::default() };
    save(Asked { hub, ui, viewer, id, typed: None }, new, "keys-toast-secret-saved").await
}

/// Chooses between ID and secret and a pasted token; a key is chosen by proving it.
async fn choose(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(id): Path<String>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let new = match fields.text("way") {
        "token" => {
            let token = Secret::from(fields.text("access_token"));
            NewCredentials { access_token: Some(Some(token)), ..NewCredentials::default() }
        }
        _ => NewCredentials { access_token: Some(None), retire_key: true, ..NewCredentials::default() },
    };
    save(Asked { hub, ui, viewer, id, typed: None }, new, "keys-toast-way-saved").await
}

async fn save(asked: Asked, credentials: NewCredentials, toast: &'static str) -> AppResult<Response> {
    let (scope, actor) = (asked.viewer.scope(), asked.viewer.actor());
    let id = parse(&asked.id)?;
    let done = change(&asked.hub, (&scope, &actor), &id, &Change { credentials, ..Change::default() }).await;
    asked.answer(done, toast, None).await
}

/// Makes a key pair.
async fn make(State(hub): State<Hub>, ui: Ui, viewer: Viewer, Path(id): Path<String>) -> AppResult<Response> {
    viewer.require_owner()?;
    let account = crate::accounts::service::get(&hub, &viewer.scope(), &parse(&id)?).await?;
    let done = service::create(&hub, (&viewer.scope(), &viewer.actor()), &account.channel_id).await;
    Asked { hub, ui, viewer, id, typed: None }.answer(done, "keys-toast-made", None).await
}

/// Proves a key by its `kid`: one that waits, the active one anew, or one that was retired a short while ago.
async fn prove(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path((id, key)): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let key = key_id(&key)?;
    let is_active = service::get(&hub, &viewer.scope(), &key).await?.state == KeyState::Active;
    let (field, rename) = if is_active { ("active_kid", Some(("kid", "active_kid"))) } else { ("kid", None) };
    let done = service::prove(&hub, (&viewer.scope(), &viewer.actor()), &key, fields.text(field)).await;
    let typed = Some((field, fields.text(field).to_owned()));
    Asked { hub, ui, viewer, id, typed }.answer(done, "keys-toast-proved", rename).await
}

/// Deletes a key that waits.
async fn delete(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path((id, key)): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let done = service::delete(&hub, (&viewer.scope(), &viewer.actor()), &key_id(&key)?).await;
    Asked { hub, ui, viewer, id, typed: None }.answer(done, "keys-toast-deleted", None).await
}

fn key_id(text: &str) -> AppResult<SigningKeyId> {
    SigningKeyId::parse(text).ok_or_else(|| AppError::not_found("signing key"))
}
