//! The page of a destination's proxy key: made and shown once, what it may do and spend, revoked. For owners.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::model::{Key, ProxyScope};
use super::service::{self, Wanted};
use crate::accounts::replies;
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::relay::Destination;
use crate::relay::pages::{address, find, find_as_owner};
use crate::scope::Scope;
use crate::secrets::Secret;
use crate::team::Viewer;
use crate::web::{
    Fields, FormState, Page, Ui, redirect_with_secret, redirect_with_toast, show_once, shown_secret,
};

/// The pages.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{account}/relay/{id}/key", get(show).post(make))
        .route("/settings/accounts/{account}/relay/{id}/key/terms", get(back).post(change))
        .route("/settings/accounts/{account}/relay/{id}/key/replace", get(back).post(replace))
        .route("/settings/accounts/{account}/relay/{id}/key/end", get(back).post(end))
        .route("/settings/accounts/{account}/relay/{id}/key/revoke", get(back).post(revoke))
}

#[derive(Template)]
#[template(path = "proxy_key.html")]
struct KeyPage {
    ui: Ui,
    destination: Destination,
    key: Option<Key>,
    paid: i64,
    /// A key that was just made, shown this once.
    fresh: Option<Secret>,
    form: FormState,
    scopes: Vec<ProxyScope>,
    reply_as_push: bool,
    base_url: String,
    /// Whether it owns free replies.
    answers: bool,
}

impl KeyPage {
    async fn load(hub: &Hub, ui: Ui, destination: Destination) -> AppResult<Self> {
        let key = service::of(hub, &destination).await?;
        let paid = match &key {
            Some(key) => service::paid_this_month(hub, key).await?,
            None => 0,
        };
        let limit = key.as_ref().map_or(Some(0), |key| key.monthly_paid_limit);
        let limit = limit.map_or_else(String::new, |limit| limit.to_string());
        let scopes = key.as_ref().map(|key| key.scopes.clone());
        let scope = Scope::tenant_wide(destination.tenant.clone());
        let answers = replies::current(hub, &scope, &destination.account).await?.names(&destination.id);
        Ok(Self {
            ui,
            destination,
            paid,
            fresh: None,
            form: FormState::new().with("monthly_paid_limit", limit),
            scopes: scopes.unwrap_or_else(|| vec![ProxyScope::Reply, ProxyScope::Read]),
            reply_as_push: key.as_ref().is_some_and(|key| key.reply_as_push),
            base_url: hub.config.public_url.as_str().trim_end_matches('/').to_owned(),
            answers,
            key,
        })
    }

    fn back(&self) -> String {
        address(&self.destination)
    }

    fn here(&self) -> String {
        here(&self.destination)
    }

    /// Where the form leads: a key that is there is changed.
    fn action(&self) -> String {
        if self.key.is_some() { format!("{}/terms", self.here()) } else { self.here() }
    }

    /// The scopes to be ticked: the word, its name, what it allows, whether it is ticked.
    fn ticks(&self) -> Vec<(&'static str, String, String, bool)> {
        let words = |scope: ProxyScope| match scope {
            ProxyScope::Reply => ("proxy-scope-reply", "proxy-scope-reply-hint"),
            ProxyScope::Read => ("proxy-scope-read", "proxy-scope-read-hint"),
            ProxyScope::Push => ("proxy-scope-push", "proxy-scope-push-hint"),
            ProxyScope::Bulk => ("proxy-scope-bulk", "proxy-scope-bulk-hint"),
            ProxyScope::Manage => ("proxy-scope-manage", "proxy-scope-manage-hint"),
        };
        let tick = |scope: &ProxyScope| {
            let (name, hint) = words(*scope);
            (scope.as_str(), self.ui.t(name), self.ui.t(hint), self.scopes.contains(scope))
        };
        ProxyScope::ALL.iter().map(tick).collect()
    }

    /// A scope's word, by which refusals name it; nothing where its name says the same.
    fn code<'a>(word: &'a str, name: &str) -> &'a str {
        if name.eq_ignore_ascii_case(word) { "" } else { word }
    }

    /// What a revoked key leaves as it is, where it owns free replies.
    fn still_answers(&self) -> String {
        self.ui.t1("proxy-revoke-answers", "page", self.ui.t("accounts-tab-answers"))
    }

    /// What was spent of what may be.
    fn spent(&self) -> String {
        match self.key.as_ref().and_then(|key| key.monthly_paid_limit) {
            Some(limit) => self.ui.t2("proxy-spent-of", ("spent", self.paid), ("limit", limit)),
            None => self.ui.t1("proxy-spent", "spent", self.paid),
        }
    }
}

/// The page of a destination's key.
fn here(of: &Destination) -> String {
    format!("{}/key", address(of))
}

/// The address of an act, opened as a page: leads to the key's.
async fn back(Path((account, id)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/settings/accounts/{account}/relay/{id}/key"))
}

/// Which new key waits for which reader.
fn identity(viewer: &Viewer, of: &Destination) -> String {
    format!("destinations/{}/key/{}", of.id, viewer.id)
}

async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    headers: HeaderMap,
) -> AppResult<Response> {
    let destination = find_as_owner(&hub, &viewer, &names).await?;
    let fresh = shown_secret(&hub, &headers, &identity(&viewer, &destination));
    let page = KeyPage::load(&hub, ui, destination).await?;
    Ok(match fresh {
        Some(fresh) => show_once(&hub.config, Page(KeyPage { fresh: Some(fresh), ..page })),
        None => Page(page).into_response(),
    })
}

/// Leads to the page with a key that was just made, which it shows this once.
fn lead(hub: &Hub, viewer: &Viewer, of: &Destination, plain: &Secret) -> Response {
    redirect_with_secret(hub, &here(of), &identity(viewer, of), plain)
}

/// What the form holds.
struct Typed {
    scopes: Vec<ProxyScope>,
    limit: String,
    reply_as_push: bool,
}

impl Typed {
    fn read(fields: &Fields) -> Self {
        Self {
            scopes: fields.all("scopes").iter().filter_map(|word| ProxyScope::parse(word)).collect(),
            limit: fields.text("monthly_paid_limit").trim().to_owned(),
            reply_as_push: !fields.text("reply_as_push").is_empty(),
        }
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            scopes: self.scopes.clone(),
            // What is no number is refused as one that is too small.
            monthly_paid_limit: (!self.limit.is_empty()).then(|| self.limit.parse().unwrap_or(-1)),
            reply_as_push: self.reply_as_push,
        }
    }

    /// The form again, with what was typed and what is wrong.
    async fn again(
        self,
        hub: &Hub,
        ui: Ui,
        destination: Destination,
        error: AppError,
    ) -> AppResult<Response> {
        if error.status != StatusCode::UNPROCESSABLE_ENTITY {
            return Err(error);
        }
        let page = KeyPage::load(hub, ui, destination).await?;
        let form = FormState::new().with("monthly_paid_limit", self.limit);
        let form = form.refused("proxy-error", &error.fields);
        let Self { scopes, reply_as_push, .. } = self;
        Ok((error.status, Page(KeyPage { form, scopes, reply_as_push, ..page })).into_response())
    }
}

/// Makes a key.
async fn make(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (destination, typed) = (find(&hub, &viewer, &names).await?, Typed::read(&fields));
    match service::make(&hub, (&viewer.scope(), &viewer.actor()), &destination.id, typed.wanted()).await {
        Ok((_, plain)) => Ok(lead(&hub, &viewer, &destination, &plain)),
        Err(error) => typed.again(&hub, ui, destination, error).await,
    }
}

/// Changes what the key may do and spend.
async fn change(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let (destination, typed) = (find(&hub, &viewer, &names).await?, Typed::read(&fields));
    match service::change(&hub, (&viewer.scope(), &viewer.actor()), &destination.id, typed.wanted()).await {
        Ok(_) => Ok(redirect_with_toast(&hub.config, &here(&destination), "relay-toast-saved")),
        Err(error) => typed.again(&hub, ui, destination, error).await,
    }
}

/// Makes a new key that may do the same; the one before works beside it for a day.
async fn replace(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    let (key, _) = service::get(&hub, &viewer.scope(), &destination.id).await?;
    let who = (&viewer.scope(), &viewer.actor());
    let (_, plain) = service::make(&hub, who, &destination.id, Wanted::from(&key)).await?;
    Ok(lead(&hub, &viewer, &destination, &plain))
}

/// Ends the key before the present one.
async fn end(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    service::end_before(&hub, (&viewer.scope(), &viewer.actor()), &destination.id).await?;
    Ok(redirect_with_toast(&hub.config, &here(&destination), "proxy-toast-ended"))
}

async fn revoke(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let destination = find(&hub, &viewer, &names).await?;
    service::revoke(&hub, (&viewer.scope(), &viewer.actor()), &destination.id).await?;
    Ok(redirect_with_toast(&hub.config, &here(&destination), "proxy-toast-revoked"))
}
