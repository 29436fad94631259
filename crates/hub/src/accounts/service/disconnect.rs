//! Disconnecting: nothing comes in and nothing goes out any more; the history stays.

use serde_json::json;

use super::check::Deadline;
use super::{audit, author, get};
use crate::accounts::keys;
use crate::accounts::model::{Account, Status};
use crate::accounts::repo;
use crate::app::Hub;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// What may be cleaned up at LINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanUp {
    /// The webhook address found at connecting is put back.
    Webhook,
}

/// How a step of cleaning up went.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct CleanedUp {
    /// `webhook`.
    pub step: &'static str,
    /// `done`, `manual` (a person has to do it in LINE's console), `skipped` (nothing of ours was there) or `failed`.
    pub status: &'static str,
    /// In words.
    pub detail: String,
}

/// Disconnects an account: its webhook address answers 404 from now on. One that is disconnected stays so.
///
/// # Errors
/// 404 when there is none in the scope; the database. Trouble with cleaning up is told, and stops nothing.
pub async fn disconnect(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    clean_up: &[CleanUp],
) -> AppResult<Vec<CleanedUp>> {
    let (scope, actor) = who;
    let account = get(hub, scope, id).await?;
    let mut cleaned = Vec::new();
    if account.status == Status::Disconnected {
        return Ok(cleaned);
    }
    for step in clean_up {
        match step {
            CleanUp::Webhook => cleaned.push(put_webhook_back(hub, &account).await),
        }
    }
    let mut tx = hub.db.begin().await?;
    if repo::disconnect(&mut tx, id, hub.now(), author(actor)).await? {
        repo::drop_secrets(&mut tx, id).await?;
        keys::repo::retire(&mut tx, scope.tenant(), &account.channel_id, hub.now()).await?;
        keys::repo::forget(&mut tx, scope.tenant(), &account.channel_id).await?;
        let name = json!({ "display_name": account.display_name, "cleaned_up": cleaned });
        audit(&mut tx, hub, who, "account.disconnected", id, name).await?;
    }
    tx.commit().await?;
    hub.accounts.remove(id);
    for listener in crate::wiring::ACCOUNT_LISTENERS {
        listener.disconnected(hub, id).await;
    }
    Ok(cleaned)
}

/// Puts the webhook address back that stood at LINE before connecting.
async fn put_webhook_back(hub: &Hub, account: &Account) -> CleanedUp {
    let step = |status, detail: String| CleanedUp { step: "webhook", status, detail };
    let Ok(live) = super::check::connected(hub, &account.id).await else {
        return step("failed", "the account's credentials are not to be had".to_owned());
    };
    let ours = hub.config.webhook_url(&account.webhook_key);
    let deadline = Deadline::start();
    match deadline.wait(live.line.webhook_endpoint()).await {
        Ok(Some(current)) if current.endpoint == ours => {}
        Ok(_) => return step("skipped", "LINE has another address; it stays".to_owned()),
        Err(error) => return step("failed", format!("LINE could not be asked: {error}")),
    }
    let Some(old) = &account.found_endpoint else {
        let detail =
            "there was no address before; switch \"Use webhook\" off in LINE Developers, Messaging API";
        return step("manual", detail.to_owned());
    };
    match deadline.wait(live.line.set_webhook_endpoint(old)).await {
        Ok(()) => step("done", format!("LINE sends events to {old} again")),
        Err(error) => step("failed", format!("LINE did not take {old}: {error}")),
    }
}
