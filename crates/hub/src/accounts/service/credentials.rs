//! Changing an account's settings, credentials among them.

use std::time::Duration;

use line_client::{Credentials, Secret};
use serde_json::json;

use super::check::{Deadline, connected};
use super::connect::{accepted, same_channel};
use super::refusals::no_bot;
use super::{add_secret, audit, author, remember};
use crate::accounts::keys;
use crate::accounts::model::{Account, Block, check_secret};
use crate::accounts::pasted::clean;
use crate::accounts::repo::{self, SecretKind};
use crate::accounts::settings;
use crate::app::Hub;
use crate::db::{DbResult, Tx};
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
    /// A pasted token, or (`Some(None)`) none any more: the hub issues its own. A pasted one takes the place of a signing
    /// key.
    pub access_token: Option<Option<Secret>>,
    /// Whether the active signing key is retired, so that tokens are issued from ID and secret again.
    pub retire_key: bool,
}

impl NewCredentials {
    /// The same without what comes with pasting.
    fn clean(&self) -> Self {
        let cleaned = |secret: &Secret| Secret::from(clean(secret.expose()));
        Self {
            channel_secret: self.channel_secret.as_ref().map(cleaned),
            access_token: self.access_token.as_ref().map(|token| token.as_ref().map(cleaned)),
            retire_key: self.retire_key,
        }
    }
}

/// Has LINE accept new credentials for the same account; gives them without what comes with pasting, `None` where there are
/// none. Nothing is written.
///
/// # Errors
/// 409 `disconnected`, 422 naming the wrong value, 502 when LINE does not answer.
pub(super) async fn prove(
    hub: &Hub,
    account: &Account,
    new: &NewCredentials,
    deadline: Deadline,
) -> AppResult<Option<NewCredentials>> {
    let new = new.clean();
    if new.channel_secret.is_none() && new.access_token.is_none() && !new.retire_key {
        return Ok(None);
    }
    try_out(hub, account, &new, deadline).await?;
    Ok(Some(new))
}

/// Writes proven credentials.
pub(super) async fn write(
    tx: &mut Tx,
    hub: &Hub,
    who: (&Scope, &Actor),
    account: &Account,
    new: &NewCredentials,
) -> DbResult<()> {
    let (scope, actor) = who;
    let NewCredentials { channel_secret, access_token, retire_key } = new;
    let (id, now) = (&account.id, hub.now());
    let owner = (id, scope.tenant());
    let mut changed = Vec::new();
    if let Some(secret) = channel_secret {
        repo::retire_secret(tx, id, SecretKind::ChannelSecret, now.plus(OVERLAP)).await?;
        add_secret(tx, hub, owner, SecretKind::ChannelSecret, secret).await?;
        changed.push("channel_secret");
    }
    if let Some(token) = access_token {
        repo::drop_kind(tx, id, SecretKind::AccessToken).await?;
        if let Some(token) = token {
            add_secret(tx, hub, owner, SecretKind::AccessToken, token).await?;
        }
        changed.push("access_token");
    }
    let by_key_no_more = *retire_key || access_token.as_ref().is_some_and(Option::is_some);
    if by_key_no_more && keys::repo::retire(tx, scope.tenant(), &account.channel_id, now).await? {
        changed.push("signing_key");
    }
    if changed.is_empty() {
        return Ok(());
    }
    repo::touch(tx, id, now, author(actor)).await?;
    settings::repo::touch(tx, owner, Block::Messaging, now, author(actor)).await?;
    audit(tx, hub, who, "account.changed", id, json!({ "changed": changed })).await
}

/// What follows once new credentials are committed: what waited for them is verified.
///
/// # Errors
/// The database does not answer.
pub(super) async fn finish(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    deadline: Deadline,
) -> DbResult<()> {
    let verified = credentials_changed(hub, id, deadline).await?;
    if verified > 0 {
        let mut tx = hub.db.begin().await?;
        audit(&mut tx, hub, who, "account.waiting_verified", id, json!({ "requests": verified })).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Brings everything to new credentials that were stored; gives how many requests that had waited turned out to be
/// LINE's.
pub(in crate::accounts) async fn credentials_changed(
    hub: &Hub,
    id: &AccountId,
    deadline: Deadline,
) -> DbResult<u64> {
    remember(hub, id).await?;
    let mut verified = 0;
    for listener in crate::wiring::ACCOUNT_LISTENERS {
        verified += listener.verify_waiting(hub, id).await;
    }
    for listener in crate::wiring::ACCOUNT_LISTENERS {
        listener.credentials_changed(hub, id).await;
    }
    if let Ok(account) = connected(hub, id).await {
        // What LINE says now clears "credentials refused"; where it is silent, the next check does.
        deadline.within(super::check(hub, &account)).await;
    }
    Ok(verified)
}

/// Has LINE accept new credentials, and finds out that they belong to the same account.
async fn try_out(hub: &Hub, account: &Account, new: &NewCredentials, deadline: Deadline) -> AppResult<()> {
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
    let given = Credentials {
        channel_id: account.channel_id.clone(),
        channel_secret: secret,
        access_token: None,
        signing_key: None,
    };
    let issued = hub.line.account(given.clone());
    accepted(hub, &issued, &given, deadline).await?;
    let bot = deadline.wait(issued.bot_info()).await.map_err(|error| no_bot(&error))?;
    if bot.user_id != account.bot_user_id {
        let detail = format!(
            "these credentials belong to another official account, {}; copy those of this one",
            bot.basic_id
        );
        return Err(AppError::invalid_field("channel_secret", "other_channel", detail));
    }
    if let Some(token) = token {
        same_channel(hub, Credentials { access_token: Some(token), ..given }, deadline).await?;
    }
    Ok(())
}
