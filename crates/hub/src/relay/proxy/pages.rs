//! The page of a destination's proxy key: made and shown once, what it may do and spend, revoked. For owners.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::model::{Key, ProxyScope};
use super::service::{self, Wanted};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{DestinationId, Id as _};
use crate::relay::{Destination, service as destinations};
use crate::secrets::Secret;
use crate::team::Viewer;
use crate::web::{Fields, FormState, Page, Ui, redirect_with_toast};

/// The pages.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{account}/relay/{id}/key", get(show).post(make))
        .route("/settings/accounts/{account}/relay/{id}/key/revoke", post(revoke))
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
}

impl KeyPage {
    async fn load(hub: &Hub, ui: Ui, viewer: &Viewer, id: &DestinationId) -> AppResult<Self> {
        let destination = destinations::get(hub, &viewer.scope(), id).await?;
        let key = service::find(hub, &viewer.scope(), id).await?;
        let paid = match &key {
            Some(key) => service::paid_this_month(hub, key).await?,
            None => 0,
        };
        let limit = key.as_ref().map_or(Some(0), |key| key.monthly_paid_limit);
        let limit = limit.map_or_else(String::new, |limit| limit.to_string());
        let scopes = key.as_ref().map(|key| key.scopes.clone());
        Ok(Self {
            ui,
            destination,
            paid,
            fresh: None,
            form: FormState::new().with("monthly_paid_limit", limit),
            scopes: scopes.unwrap_or_else(|| vec![ProxyScope::Reply, ProxyScope::Read]),
            reply_as_push: key.as_ref().is_some_and(|key| key.reply_as_push),
            base_url: hub.config.public_url.as_str().trim_end_matches('/').to_owned(),
            key,
        })
    }

    fn back(&self) -> String {
        format!("/settings/accounts/{}/relay/{}", self.destination.account, self.destination.id)
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

    /// What was spent of what may be.
    fn spent(&self) -> String {
        match self.key.as_ref().and_then(|key| key.monthly_paid_limit) {
            Some(limit) => self.ui.t2("proxy-spent-of", ("spent", self.paid), ("limit", limit)),
            None => self.ui.t1("proxy-spent", "spent", self.paid),
        }
    }

    fn respond(self, status: StatusCode) -> Response {
        (status, Page(self)).into_response()
    }
}

fn parse(names: &(String, String)) -> AppResult<DestinationId> {
    DestinationId::parse(&names.1).ok_or_else(|| AppError::not_found("destination"))
}

async fn show(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    Ok(KeyPage::load(&hub, ui, &viewer, &parse(&names)?).await?.respond(StatusCode::OK))
}

/// Makes a key, shown on the page that is answered and never again.
async fn make(
    State(hub): State<Hub>,
    ui: Ui,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
    fields: Fields,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&names)?;
    let typed = fields.text("monthly_paid_limit").trim().to_owned();
    let scopes: Vec<_> = fields.all("scopes").iter().filter_map(|word| ProxyScope::parse(word)).collect();
    let wanted = Wanted {
        scopes: scopes.clone(),
        // What is no number is refused as one that is too small.
        monthly_paid_limit: (!typed.is_empty()).then(|| typed.parse().unwrap_or(-1)),
        reply_as_push: !fields.text("reply_as_push").is_empty(),
    };
    let reply_as_push = wanted.reply_as_push;
    match service::make(&hub, (&viewer.scope(), &viewer.actor()), &id, wanted).await {
        Ok((_, plain)) => {
            let page = KeyPage::load(&hub, ui, &viewer, &id).await?;
            Ok(KeyPage { fresh: Some(plain), ..page }.respond(StatusCode::OK))
        }
        Err(error) if error.status == StatusCode::UNPROCESSABLE_ENTITY => {
            let page = KeyPage::load(&hub, ui, &viewer, &id).await?;
            let form = FormState::new().with("monthly_paid_limit", typed);
            let form = form.refused("proxy-error", &error.fields);
            Ok(KeyPage { form, scopes, reply_as_push, ..page }.respond(error.status))
        }
        Err(error) => Err(error),
    }
}

async fn revoke(
    State(hub): State<Hub>,
    viewer: Viewer,
    Path(names): Path<(String, String)>,
) -> AppResult<Response> {
    viewer.require_owner()?;
    let id = parse(&names)?;
    let destination = destinations::get(&hub, &viewer.scope(), &id).await?;
    service::revoke(&hub, (&viewer.scope(), &viewer.actor()), &id).await?;
    let back = format!("/settings/accounts/{}/relay/{id}/key", destination.account);
    Ok(redirect_with_toast(&hub.config, &back, "proxy-toast-revoked"))
}
