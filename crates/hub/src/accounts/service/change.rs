//! Changing an account: credentials, what people decide, and LINE Login, in one transaction.

use super::check::{Deadline, connected};
use super::{credentials, disconnected, get};
use crate::accounts::model::Account;
use crate::accounts::repo;
use crate::accounts::service::NewCredentials;
use crate::accounts::{login, replies, settings};
use crate::app::Hub;
use crate::db::LogAndIgnore as _;
use crate::error::AppResult;
use crate::ids::AccountId;
use crate::scope::Scope;
use crate::team::Actor;

/// What is to be changed; what is empty stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// New credentials.
    pub credentials: NewCredentials,
    /// What people decide.
    pub settings: settings::Changes,
    /// LINE Login: channel, switches, ticks.
    pub login: login::service::Change,
    /// Who owns reply tokens.
    pub replies: replies::Change,
}

/// An account after a change.
#[derive(Debug, Clone)]
pub struct ChangedAccount {
    /// As it is now.
    pub account: Account,
    /// What was done about a Login channel that was taken, line by line.
    pub login: Vec<login::service::Line>,
}

/// Changes an account. Everything is checked and, where it is LINE's to say, accepted by LINE first; then it is written at
/// once. A Login channel's LIFF app follows after that: what LINE does not do about it is told by the channel's fault.
///
/// # Errors
/// 404, 409 `disconnected`, 422 naming the wrong value, 502 when LINE does not answer; then nothing has changed.
pub async fn change(
    hub: &Hub,
    who: (&Scope, &Actor),
    id: &AccountId,
    change: &Change,
) -> AppResult<ChangedAccount> {
    let (scope, deadline) = (who.0, Deadline::start());
    let before = get(hub, scope, id).await?;
    let settings = change.settings.checked()?;
    let replies = replies::prove(hub, scope, id, &change.replies).await?;
    // Boxed, as what is asked of LINE makes large futures.
    let login = Box::pin(login::service::prove(hub, scope, &before, &change.login, deadline)).await?;
    let new = Box::pin(credentials::prove(hub, &before, &change.credentials, deadline)).await?;
    let mut tx = hub.db.begin().await?;
    // It may have been disconnected while LINE was asked: then no secret is kept any more.
    let needs_line = login.takes_channel() || new.is_some();
    if needs_line && !repo::lock_live(&mut tx, scope.tenant(), id).await? {
        return Err(disconnected());
    }
    login::service::write(&mut tx, hub, who, &before, &login).await?;
    if let Some(new) = &new {
        credentials::write(&mut tx, hub, who, &before, new).await?;
    }
    settings::write(&mut tx, hub, who, id, &settings).await?;
    if let Some(owners) = &replies {
        replies::write(&mut tx, hub, who, id, owners).await?;
    }
    tx.commit().await?;
    if new.is_some() {
        let verified = Box::pin(credentials::finish(hub, who, id, deadline)).await;
        verified.log_and_ignore("verifying what waited for new credentials");
    }
    let lines = Box::pin(login::service::finish(hub, who, &before, &login, deadline)).await;
    if login.touches_channel()
        && let Ok(account) = connected(hub, id).await
    {
        // What LINE says now ends the trouble of before; where it is silent, the next check does.
        deadline.within(Box::pin(super::check(hub, &account))).await;
    }
    Ok(ChangedAccount { account: get(hub, scope, id).await?, login: lines })
}
