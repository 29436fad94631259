//! Changing an account's settings, credentials among them.

use std::time::Duration;

use line_client::{Credentials, Secret};
use serde_json::json;

use super::check::{Deadline, connected};
use super::connect::{accepted, no_bot, same_channel};
use super::{add_secret, audit, author, get, remember};
use crate::accounts::model::{Account, Block, check_secret};
use crate::accounts::repo::{self, SecretKind};
use crate::accounts::settings;
use crate::app::Hub;
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// The secret before a change stays valid for signatures this long, because LINE may still send what it signed before.
pub(in crate::accounts) const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// New credentials of the same channel.
#[derive(Debug, Clone, Default)]
pub struct NewCredentials {
    /// The secret as it is now at LINE.
    pub channel_secret: Option<Secret>,
    /// A pasted token, or (`Some(None)`) none any more: the hub issues its own.
    pub access_token: Option<Option<Secret>>,
}

/// What is to be changed; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New credentials.
    pub credentials: NewCredentials,
}

/// Changes an account's settings. New credentials are taken only after LINE accepted them for the same account.
///
/// # Errors
/// 404, 409 `disconnected`, 422 naming the wrong value, 502 when LINE does not answer; then nothing has changed.
pub async fn change(hub: &Hub, who: (&Scope, &Actor), id: &AccountId, change: &Change) -> AppResult<Account> {
    let (scope, actor) = who;
    let before = get(hub, scope, id).await?;
    let NewCredentials { channel_secret, access_token } = &change.credentials;
    let has_credentials = channel_secret.is_some() || access_token.is_some();
    if has_credentials {
        try_out(hub, &before, &change.credentials).await?;
    }
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let owner = (id, scope.tenant());
    let mut changed = Vec::new();
    if let Some(secret) = channel_secret {
        repo::retire_secret(&mut tx, id, SecretKind::ChannelSecret, now.plus(OVERLAP)).await?;
        add_secret(&mut tx, hub, owner, SecretKind::ChannelSecret, secret).await?;
        changed.push("channel_secret");
    }
    if let Some(token) = access_token {
        repo::drop_kind(&mut tx, id, SecretKind::AccessToken).await?;
        if let Some(token) = token {
            add_secret(&mut tx, hub, owner, SecretKind::AccessToken, token).await?;
        }
        changed.push("access_token");
    }
    if !changed.is_empty() {
        repo::touch(&mut tx, id, now, author(actor)).await?;
        settings::repo::touch(&mut tx, owner, Block::Messaging, now, author(actor)).await?;
        audit(&mut tx, hub, who, "account.changed", id, json!({ "changed": changed })).await?;
    }
    tx.commit().await?;
    if has_credentials {
        remember(hub, id).await?;
        for listener in crate::wiring::ACCOUNT_LISTENERS {
            listener.credentials_changed(hub, id).await;
        }
        if let Ok(account) = connected(hub, id).await {
            // What LINE says now clears "credentials refused"; where it is silent, the next check does.
            super::check(hub, &account).await.ok();
        }
    }
    get(hub, scope, id).await
}

/// Has LINE accept new credentials, and finds out that they belong to the same account.
async fn try_out(hub: &Hub, account: &Account, new: &NewCredentials) -> AppResult<()> {
    let present = connected(hub, &account.id).await?;
    let secret = new.channel_secret.clone().unwrap_or_else(|| present.present_secret());
    let token = new.access_token.clone().flatten();
    let checks = [
        check_secret("channel_secret", secret.expose()),
        token.as_ref().map_or(Ok(()), |token| check_secret("access_token", token.expose())),
    ];
    let wrong: Vec<FieldError> = checks.into_iter().filter_map(Result::err).collect();
    if !wrong.is_empty() {
        return Err(AppError::invalid(wrong));
    }
    let deadline = Deadline::start();
    let given =
        Credentials { channel_id: account.channel_id.clone(), channel_secret: secret, access_token: None };
    let issued = hub.line.account(given.clone());
    accepted(hub, &issued, &given, deadline).await?;
    let bot = deadline.wait(issued.bot_info()).await.map_err(|error| no_bot(&error))?;
    if bot.user_id != account.bot_user_id {
        let detail = format!("these credentials belong to another official account, {}", bot.basic_id);
        return Err(AppError::invalid_field("channel_secret", "other_channel", detail));
    }
    if let Some(token) = token {
        let pasted = hub.line.account(Credentials { access_token: Some(token), ..given });
        same_channel(&pasted, &issued, deadline).await?;
    }
    Ok(())
}
