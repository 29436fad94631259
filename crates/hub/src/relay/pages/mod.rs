//! An account's relay as pages: the list, the form, one destination with its log, sending again, what was put aside.
//!
//! Whoever may see the account sees them; only owners change something.

mod attempts;
mod chart;
mod form;
mod list;
mod parked;
mod replay;
mod show;
mod words;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;

use super::day::Day;
use super::model::Destination;
use super::proxy::{self, Key};
use super::{service, shown};
use crate::accounts;
use crate::accounts::Account;
use crate::accounts::replies::{self, Lack};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, DestinationId, Id as _};
use crate::scope::Scope;
use crate::team::Viewer;
use words::{Condition, condition};

/// The pages.
pub fn routes() -> Router<Hub> {
    Router::new()
        .route("/settings/accounts/{account}/relay", get(list::show).post(form::create))
        .route("/settings/accounts/{account}/relay/new", get(form::blank))
        .route("/settings/accounts/{account}/relay/{id}", get(show::show))
        .route("/settings/accounts/{account}/relay/{id}/edit", get(form::edit).post(form::change))
        .route("/settings/accounts/{account}/relay/{id}/secret", get(back).post(form::new_secret))
        .route("/settings/accounts/{account}/relay/{id}/standard", get(back).post(form::standard))
        .route("/settings/accounts/{account}/relay/{id}/active", get(back).post(show::set_active))
        .route("/settings/accounts/{account}/relay/{id}/test", get(back).post(show::test))
        .route("/settings/accounts/{account}/relay/{id}/hurry", get(back).post(show::hurry))
        .route("/settings/accounts/{account}/relay/{id}/skip", get(back).post(show::skip))
        .route("/settings/accounts/{account}/relay/{id}/delete", get(back).post(show::delete))
        .route("/settings/accounts/{account}/relay/{id}/parked", get(parked::show).post(parked::retry))
        .route("/settings/accounts/{account}/relay/{id}/replay", get(replay::show).post(replay::submit))
        .route("/settings/accounts/{account}/relay/{id}/again", get(back).post(replay::again))
        .route("/settings/accounts/{account}/relay/{id}/attempts/{attempt}", get(attempts::show))
        .route("/settings/accounts/{account}/relay/{id}/parked/{delivery}", get(attempts::show_parked))
        .route("/destinations/{id}", get(lead))
}

/// The key of what went wrong with an act, by its word in the address to which the act led.
fn notice(word: &str) -> Option<&'static str> {
    match word {
        "nothing" => Some("relay-notice-nothing"),
        "expired" => Some("relay-notice-expired"),
        "gone" => Some("relay-notice-gone"),
        "waiting" => Some("relay-notice-waiting"),
        "meanwhile" => Some("relay-notice-meanwhile"),
        _ => None,
    }
}

/// The address of an act, opened as a page: leads to the destination's.
async fn back(Path((account, id)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/settings/accounts/{account}/relay/{id}"))
}

/// Leads from an id alone to the destination's page.
async fn lead(State(hub): State<Hub>, viewer: Viewer, Path(id): Path<String>) -> AppResult<Redirect> {
    let found = match DestinationId::parse(&id) {
        Some(id) => service::get(&hub, &viewer.scope(), &id).await,
        None => Err(AppError::not_found("destination")),
    };
    match found {
        Ok(destination) => Ok(Redirect::to(&address(&destination))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(gone("/settings/accounts".to_owned())),
        Err(error) => Err(error),
    }
}

/// A destination with what its pages show at their head.
struct Seen {
    account: Account,
    destination: Destination,
    /// Events that it has not got yet, and the age of the oldest in seconds.
    lag: (i64, u64),
    day: Day,
    /// Its key to LINE.
    key: Option<Key>,
    /// Whether it owns free replies.
    answers: bool,
    /// Units that a person left out, or that are not for it any more.
    skipped: i64,
    /// Whether any of what waits has failed; else it only waits to be sent.
    has_failed: bool,
}

impl Seen {
    async fn of(hub: &Hub, account: Account, destination: Destination) -> AppResult<Self> {
        let lag = service::lag(hub, &destination).await?;
        let day = Day::load(hub, &destination).await?;
        let key = proxy::service::of(hub, &destination).await?;
        let scope = Scope::tenant_wide(destination.tenant.clone());
        let answers = replies::current(hub, &scope, &account.id).await?.names(&destination.id);
        let (skipped, has_failed) = service::skipped_and_failed(hub, &destination).await?;
        Ok(Self { account, destination, lag, day, key, answers, skipped, has_failed })
    }

    /// Reads what an address names.
    async fn load(hub: &Hub, viewer: &Viewer, names: &(String, String)) -> AppResult<Self> {
        let destination = find(hub, viewer, names).await?;
        let account = accounts::service::get(hub, &viewer.scope(), &destination.account).await?;
        Self::of(hub, account, destination).await
    }

    fn address(&self) -> String {
        address(&self.destination)
    }

    /// What keeps it from answering for free, where it is to.
    fn lack(&self) -> Option<Lack> {
        if self.answers { service::lack(&self.destination, self.key.is_some()) } else { None }
    }

    /// Whether it is to answer for free but has no key.
    fn lacks_key(&self) -> bool {
        self.lack() == Some(Lack::Key)
    }

    /// Its address for those who may not change it: what stands behind `?` may be a secret.
    fn masked_url(&self) -> String {
        shown::masked(&self.destination.url)
    }

    fn condition(&self) -> Condition {
        condition(&self.destination, self.has_failed, self.is_failing_much())
    }

    /// Units in the list of what was put aside.
    const fn listed(&self) -> i64 {
        self.destination.parked + self.skipped
    }
}

/// The destination that an address names, within what the reader may see.
pub(super) async fn find(
    hub: &Hub,
    viewer: &Viewer,
    (account, id): &(String, String),
) -> AppResult<Destination> {
    let found = match DestinationId::parse(id) {
        Some(id) => service::get(hub, &viewer.scope(), &id).await,
        None => Err(AppError::not_found("destination")),
    };
    match found {
        Ok(found) if found.account.as_str() == account => return Ok(found),
        Err(error) if error.status != StatusCode::NOT_FOUND => return Err(error),
        _ => {}
    }
    // Whoever sees the account is told in words, and led to what there is.
    let account = accounts::service::get(hub, &viewer.scope(), &parse_account(account)?).await?;
    Err(gone(list_address(&account.id)))
}

/// There is none, with the way to what there is.
fn gone(back: String) -> AppError {
    let detail = "there is no such destination; somebody may have deleted it";
    AppError::new(StatusCode::NOT_FOUND, "destination_gone", detail).leading(back)
}

/// The destination that an address names, where the reader may change it; others are led to its page.
pub(super) async fn find_as_owner(
    hub: &Hub,
    viewer: &Viewer,
    names: &(String, String),
) -> AppResult<Destination> {
    let found = find(hub, viewer, names).await?;
    leading(viewer.require_owner(), || address(&found))?;
    Ok(found)
}

/// Gives a refusal a way on.
fn leading(judged: AppResult<()>, to: impl FnOnce() -> String) -> AppResult<()> {
    judged.map_err(|refusal| refusal.leading(to()))
}

fn parse_account(id: &str) -> AppResult<AccountId> {
    AccountId::parse(id).ok_or_else(|| AppError::not_found("account"))
}

/// The list's address.
fn list_address(account: &AccountId) -> String {
    format!("/settings/accounts/{account}/relay")
}

/// A destination's page.
pub(super) fn address(of: &Destination) -> String {
    format!("{}/{}", list_address(&of.account), of.id)
}
