//! A new public address of the hub: LINE still calls the old one until the accounts are registered anew, which happens
//! on one confirmation (S2-20).

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use line_client::LineError;
use serde_json::json;

use super::check::Deadline;
use super::{audit, list};
use crate::accounts::doctor;
use crate::accounts::doctor::service::Webhook;
use crate::accounts::login::{self, LoginChannel};
use crate::accounts::model::{Account, Reading, Status};
use crate::accounts::repo;
use crate::alerts::{self, Condition, Severity};
use crate::app::Hub;
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, Id as _, TenantId};
use crate::scope::Scope;
use crate::team::Actor;

/// Accounts registered at the same time: more would only wait for LINE's rates.
const AT_ONCE: usize = 8;
/// More accounts are beyond what one tenant has.
const MOST: i64 = 1000;

/// Something at LINE that still has the hub's old address.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Move {
    /// Of which account.
    pub account_id: String,
    /// What colleagues call it.
    pub account_name: String,
    /// `webhook`, `liff`, or `callback`, which only a person can change in LINE's console.
    pub kind: &'static str,
    /// The address LINE has.
    pub from: String,
    /// The one it is to have.
    pub to: String,
}

/// How registering one thing anew went.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Applied {
    /// What it was about.
    #[serde(flatten)]
    pub change: Move,
    /// `done`, or `failed`: then LINE has what it had.
    pub status: &'static str,
    /// In words.
    pub detail: String,
}

/// What would be registered anew: everything of connected accounts that still has another public address of the hub.
///
/// # Errors
/// The database does not answer.
pub async fn public_url_moves(hub: &Hub, scope: &Scope) -> AppResult<Vec<Move>> {
    let accounts = list(hub, scope, None, MOST).await?;
    let mut moves: Vec<Move> = accounts.iter().filter_map(|account| webhook_move(hub, account)).collect();
    moves.extend(of_login(hub, scope, &accounts, "liff", |channel| channel.liff_move(&hub.config)).await?);
    Ok(moves)
}

/// What a person has to paste in LINE's console, because no API changes it: the callback addresses of Login channels.
///
/// # Errors
/// The database does not answer.
pub async fn public_url_by_hand(hub: &Hub, scope: &Scope) -> AppResult<Vec<Move>> {
    let accounts = list(hub, scope, None, MOST).await?;
    of_login(hub, scope, &accounts, "callback", |channel| channel.callback_move(&hub.config)).await
}

/// The moves of connected accounts' Login channels.
async fn of_login(
    hub: &Hub,
    scope: &Scope,
    accounts: &[Account],
    kind: &'static str,
    change: impl Fn(&LoginChannel) -> Option<(String, String)>,
) -> AppResult<Vec<Move>> {
    let (channels, _) = login::service::list(hub, scope).await?;
    let change = |channel: &LoginChannel| {
        let is_it = |account: &&Account| account.id == channel.account_id;
        let account = accounts.iter().find(is_it).filter(|account| account.status != Status::Disconnected)?;
        let (from, to) = change(channel)?;
        let account_name = account.name().to_owned();
        Some(Move { account_id: account.id.to_string(), account_name, kind, from, to })
    };
    Ok(channels.iter().filter_map(change).collect())
}

/// The webhook address of an account, where it is another one than LINE was told.
fn webhook_move(hub: &Hub, account: &Account) -> Option<Move> {
    let to = account.webhook_url(&hub.config)?;
    let before = account.known_public_url()?;
    if before == hub.config.origin() {
        return None;
    }
    Some(Move {
        account_id: account.id.to_string(),
        account_name: account.name().to_owned(),
        kind: "webhook",
        from: format!("{before}/webhooks/line/{}", account.webhook_key),
        to,
    })
}

/// Registers everything anew under the present public address. Each webhook address is tested by LINE before it is set,
/// so that one that LINE cannot reach replaces nothing. What LINE does not answer within the time of one call is told as
/// failed, and is there to be done again.
///
/// # Errors
/// 422 `public_url` when LINE could not call the present address at all; the database. Trouble with one account is told
/// in its line and stops no other.
pub async fn apply_public_url(hub: &Hub, who: (&Scope, &Actor)) -> AppResult<Vec<Applied>> {
    if !hub.config.is_reachable_by_line() {
        let detail = format!(
            "this hub's public address is {}, and LINE calls https only; set TRUNKLINE_PUBLIC_URL to the https \
             address that leads here",
            hub.config.public_url
        );
        return Err(AppError::invalid_field("public_url", "public_url", detail));
    }
    let deadline = Deadline::start();
    let moves = public_url_moves(hub, who.0).await?;
    let work = moves.into_iter().map(|change| register(hub, who, change, deadline));
    let applied = stream::iter(work).buffered(AT_ONCE).collect().await;
    tell_of_public_url(hub).await?;
    Ok(applied)
}

/// Opens the alert `public_url_changed` of every tenant whose accounts still have another address at LINE, and closes it
/// where none has any more.
///
/// # Errors
/// The database does not answer.
pub async fn tell_of_public_url(hub: &Hub) -> AppResult<()> {
    let tenants: BTreeSet<TenantId> =
        hub.accounts.all().iter().map(|account| account.tenant.clone()).collect();
    for tenant in tenants {
        let count = public_url_moves(hub, &Scope::tenant_wide(tenant.clone())).await?.len();
        let condition = Condition {
            tenant: &tenant,
            account: None,
            code: "public_url_changed",
            severity: Severity::Failed,
            level: 0,
            node: None,
            args: json!({ "count": count }),
        };
        alerts::service::report(hub, &condition, count > 0).await?;
    }
    Ok(())
}

async fn register(hub: &Hub, who: (&Scope, &Actor), change: Move, deadline: Deadline) -> Applied {
    let done = match AccountId::parse(&change.account_id) {
        None => Err(AppError::not_found("account")),
        Some(id) if change.kind == "liff" => Box::pin(login::service::repair(hub, who, &id, deadline)).await,
        Some(id) => set(hub, who, &id, &change, deadline).await,
    };
    match done {
        Ok(()) => Applied { status: "done", detail: format!("LINE has {} now", change.to), change },
        Err(error) => Applied { status: "failed", detail: error.detail, change },
    }
}

/// Has LINE test the new address, sets it, reads it back, and notes it.
async fn set(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    change: &Move,
    deadline: Deadline,
) -> AppResult<()> {
    let live = super::check::connected(hub, id).await?;
    let line = &live.line;
    let refused = |error: LineError| AppError::conflict("line", format!("LINE refused: {error}"));
    let found = deadline.wait(line.webhook_endpoint()).await.map_err(refused)?;
    let stands = found.map(|found| found.endpoint).unwrap_or_default();
    if !stands.is_empty() && stands != change.from && stands != change.to {
        let detail = format!("LINE sends the events to another system, {stands}; nothing was changed there");
        return Err(AppError::conflict("webhook_elsewhere", detail));
    }
    let webhook = Webhook::of(&live, line, &change.to);
    let test = doctor::service::run_test(hub, &webhook, true, deadline).await?.map_err(refused)?;
    if !test.success {
        let detail = format!(
            "LINE could not reach {}: {} {}; check name, certificate and firewall, then try again",
            change.to, test.reason, test.detail
        );
        return Err(AppError::conflict("webhook_unreachable", detail));
    }
    deadline.wait(line.set_webhook_endpoint(&change.to)).await.map_err(refused)?;
    let read = async {
        let (bot, endpoint) = (line.bot_info().await?, line.webhook_endpoint().await?);
        Ok(Reading { bot, endpoint, at: hub.now() })
    };
    let reading = deadline.wait(read).await;
    let detail = json!({ "from": change.from, "to": change.to });
    let mut tx = hub.db.begin().await?;
    repo::set_registered(&mut tx, id, &hub.config.origin()).await?;
    if let Ok(reading) = reading {
        // LINE may show the old address for a minute; what was just set is what counts.
        let endpoint = reading
            .endpoint
            .map(|found| line_client::WebhookEndpoint { endpoint: change.to.clone(), ..found });
        let reading = Reading { endpoint, ..reading };
        repo::set_reading(&mut tx, id, &reading, reading.attention(&change.to, false)).await?;
    }
    audit(&mut tx, hub, who, "account.moved", id, detail).await?;
    tx.commit().await?;
    Ok(())
}

impl Account {
    /// Whether LINE still has another public address of the hub for it.
    pub(in crate::accounts) fn has_moved(&self, hub: &Hub) -> bool {
        self.status != Status::Disconnected && webhook_move(hub, self).is_some()
    }
}
