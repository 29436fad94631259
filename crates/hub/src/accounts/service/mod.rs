//! The use cases of accounts, and what other slices may call.

mod change;
mod check;
mod connect;
mod credentials;
mod disconnect;
mod public_url;
mod refusals;
mod usage;

use std::sync::Arc;

use line_client::{LineError, Secret};

use crate::accounts::memory::{Connected, Credentials, SigningSecret};
use crate::accounts::model::{Account, Environment};
use crate::accounts::repo::{self, After, Live, SecretKind};
use crate::accounts::{keys, login};
use crate::app::Hub;
use crate::db::{DbError, DbResult, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, TenantId};
use crate::scope::Scope;
use crate::team::{self, Actor};

pub use change::{Change, ChangedAccount, change};
#[cfg(test)]
pub(in crate::accounts) use check::check_all;
pub(in crate::accounts) use check::{Deadline, connected, flush_one};
pub use check::{check, expire_secrets, flush, refresh, test_webhook};
pub use connect::{NewAccount, Progress, Step, StepState, connect};
pub use credentials::NewCredentials;
#[cfg(test)]
pub(super) use credentials::OVERLAP;
pub(in crate::accounts) use credentials::credentials_changed;
pub use disconnect::{CleanUp, CleanedUp, End, Inventory, cleaned_up, disconnect, inventory, run_end};
pub use public_url::{
    Applied, Move, apply_public_url, public_url_by_hand, public_url_moves, tell_of_public_url,
};
pub use usage::{Usage, usage};

/// Takes all connected accounts into memory; called once at the start.
///
/// # Errors
/// The database does not answer.
pub async fn load(hub: &Hub) -> DbResult<()> {
    for row in repo::all_live(&hub.db).await? {
        take_in(hub, row).await?;
    }
    Ok(())
}

/// Holds an account until the transaction ends, so that of two who count what it has and add to it, the second waits for the
/// first; `false` when the tenant has no such account.
///
/// # Errors
/// The database does not answer.
pub async fn hold(tx: &mut Tx, tenant: &TenantId, id: &AccountId) -> DbResult<bool> {
    repo::hold(tx, tenant, id).await
}

/// The account whose webhook address ends in `key`, from memory or, where it was connected at another node, the
/// database, which is asked at most once a second.
///
/// # Errors
/// The database does not answer.
pub async fn find_by_key(hub: &Hub, key: &str) -> DbResult<Option<Arc<Connected>>> {
    let read = async {
        if let Some(row) = repo::live_by_key(&hub.db, key).await? {
            take_in(hub, row).await?;
        }
        Ok::<_, DbError>(())
    };
    hub.accounts.unknown.run(read).await?;
    Ok(hub.accounts.by_key(key))
}

/// Reads an account's credentials from the database again, at most once a second; `None` when it is disconnected.
///
/// # Errors
/// The database does not answer.
pub async fn reread(hub: &Hub, account: &Connected) -> DbResult<Option<Arc<Connected>>> {
    account.seen.rereads.run(remember(hub, &account.id)).await?;
    Ok(hub.accounts.by_id(&account.id).filter(|now| now.webhook_key == account.webhook_key))
}

/// Reads the credentials of all accounts in memory again, because another node may have changed them; each node does so every
/// few minutes. What is retired meanwhile holds for a day.
///
/// # Errors
/// The database does not answer.
pub async fn reread_all(hub: &Hub) -> DbResult<()> {
    for account in hub.accounts.all() {
        remember(hub, &account.id).await?;
    }
    Ok(())
}

/// An account's calls to LINE. All callers share one token.
///
/// # Errors
/// 404 when the account is unknown or disconnected; the database does not answer.
pub async fn line(hub: &Hub, id: &AccountId) -> AppResult<line_client::Account> {
    if let Some(account) = hub.accounts.by_id(id) {
        return Ok(account.line.clone());
    }
    remember(hub, id).await?;
    hub.accounts.by_id(id).map(|account| account.line.clone()).ok_or_else(|| AppError::not_found("account"))
}

/// The accounts in the scope, oldest first, after a place in the list.
///
/// # Errors
/// The database does not answer.
pub async fn list(hub: &Hub, scope: &Scope, after: Option<&After>, limit: i64) -> AppResult<Vec<Account>> {
    let rows = repo::list(&hub.db, scope, after, limit).await?;
    Ok(rows.into_iter().map(|account| with_last_event(hub, account)).collect())
}

/// One account.
///
/// # Errors
/// 404 when there is none in the scope.
pub async fn get(hub: &Hub, scope: &Scope, id: &AccountId) -> AppResult<Account> {
    let account = repo::find(&hub.db, scope, id).await?.ok_or_else(|| AppError::not_found("account"))?;
    Ok(with_last_event(hub, account))
}

/// With the events that came in since the counters were last written.
fn with_last_event(hub: &Hub, mut account: Account) -> Account {
    let seen = hub.accounts.by_id(&account.id).and_then(|connected| connected.seen.last_event());
    account.last_event_at = account.last_event_at.max(seen);
    account
}

/// The ids of all accounts in the scope, connected or not.
///
/// # Errors
/// The database does not answer.
pub async fn ids(hub: &Hub, scope: &Scope) -> AppResult<Vec<String>> {
    Ok(repo::ids(&hub.db, scope).await?)
}

/// Seals every stored secret that was sealed by an older master key anew; gives how many.
///
/// # Errors
/// The database does not answer, or a secret does not open.
pub async fn reseal(hub: &Hub) -> AppResult<usize> {
    let mut count = 0;
    for (account, kind, serial, sealed) in repo::sealed(&hub.db).await? {
        if !hub.keyring.needs_reseal(&sealed) {
            continue;
        }
        let identity = identity(&account, &kind, serial);
        let secret = hub.keyring.open(&identity, &sealed).map_err(AppError::internal)?;
        let anew = hub.keyring.seal(&hub.entropy, &identity, secret.expose());
        let mut tx = hub.db.begin().await?;
        repo::reseal(&mut tx, (&account, &kind, serial), &sealed, &anew).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count + keys::service::reseal(hub).await? + login::service::reseal(hub).await?)
}

/// What a new account is labelled: a hub that talks to another host than LINE's is for trials.
fn environment(hub: &Hub) -> Environment {
    match hub.config.line.api.host_str() {
        Some("api.line.me") => Environment::Live,
        _ => Environment::Test,
    }
}

/// The row and column that a sealed secret belongs to.
fn identity(account: &str, kind: &str, serial: i64) -> String {
    format!("account_secrets/{account}/{kind}/{serial}")
}

/// Stores a secret as the present one of its kind.
pub(super) async fn add_secret(
    tx: &mut Tx,
    hub: &Hub,
    (id, tenant): (&AccountId, &TenantId),
    kind: SecretKind,
    secret: &Secret,
) -> DbResult<()> {
    let serial = repo::next_serial(tx, id, kind).await?;
    let identity = identity(id.as_str(), kind.as_str(), serial);
    let sealed = hub.keyring.seal(&hub.entropy, &identity, secret.expose());
    repo::add_secret(tx, (id, tenant), (kind, serial), &sealed, hub.now()).await
}

/// Brings memory to what the database says of an account.
pub(super) async fn remember(hub: &Hub, id: &AccountId) -> DbResult<()> {
    match repo::live_by_id(&hub.db, id).await? {
        Some(row) => take_in(hub, row).await,
        None => {
            hub.accounts.remove(id);
            Ok(())
        }
    }
}

/// Takes an account with its secrets into memory. One whose secrets do not open is left out, and the log says so: the
/// others must not suffer.
async fn take_in(hub: &Hub, row: Live) -> DbResult<()> {
    let mut signing = Vec::new();
    let mut credentials =
        Credentials { channel_id: row.channel_id, secret_serial: 0, token_serial: None, key: None };
    let mut token = None;
    for stored in repo::secrets(&hub.db, &row.id).await? {
        let identity = identity(row.id.as_str(), &stored.kind, stored.serial);
        let secret = match hub.keyring.open(&identity, &stored.sealed) {
            Ok(secret) => Secret::from(secret.expose()),
            Err(error) => {
                tracing::error!(account.id = %row.id, error = &error as &dyn std::error::Error, "a secret does not open");
                return Ok(());
            }
        };
        let is_present = stored.valid_until.is_none();
        if stored.kind == SecretKind::ChannelSecret.as_str() {
            if is_present {
                credentials.secret_serial = stored.serial;
            }
            // The present secret stands first.
            let place = if is_present { 0 } else { signing.len() };
            signing.insert(place, SigningSecret { secret, valid_until: stored.valid_until });
        } else if is_present {
            credentials.token_serial = Some(stored.serial);
            token = Some(secret);
        }
    }
    let active = keys::repo::active(&hub.db, &row.tenant_id, &credentials.channel_id).await?;
    let signing_key = match active {
        None => None,
        Some(active) => match keys::service::open(hub, &active.id, &active.sealed, &active.kid) {
            Ok(key) => {
                credentials.key = Some((active.id.to_string(), active.kid));
                Some(key)
            }
            Err(error) => {
                let error = error.source();
                tracing::error!(account.id = %row.id, error, "a signing key does not open");
                return Ok(());
            }
        },
    };
    let Some(present) = signing.first().filter(|secret| secret.valid_until.is_none()) else { return Ok(()) };
    let line = hub.line.account(line_client::Credentials {
        channel_id: credentials.channel_id.clone(),
        channel_secret: present.secret.clone(),
        access_token: token,
        signing_key,
    });
    hub.accounts.put(Connected {
        id: row.id,
        tenant: row.tenant_id,
        webhook_key: row.webhook_key,
        bot_user_id: row.bot_user_id,
        line,
        seen: Arc::default(),
        secrets: signing,
        credentials,
    });
    Ok(())
}

/// What was asked for needs an account that is connected.
pub(crate) fn disconnected() -> AppError {
    AppError::conflict("disconnected", "this account is disconnected; connect it again first")
}

/// Who did something, by the name at that time, as the row's `updated_by`.
pub(in crate::accounts) fn author(actor: &Actor) -> &str {
    match actor {
        Actor::User { name, .. } | Actor::Key { name, .. } => name,
        Actor::System(name) => name,
    }
}

/// Writes a change of an account into the audit log.
pub(in crate::accounts) async fn audit(
    tx: &mut Tx,
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    action: &'static str,
    id: &AccountId,
    detail: serde_json::Value,
) -> DbResult<()> {
    team::service::audit(tx, hub, scope.tenant(), actor, (action, id.as_str()), &detail).await
}

/// A trouble with LINE that no value of the caller's explains.
pub(in crate::accounts) fn unavailable(error: &LineError) -> AppError {
    tracing::warn!(%error, "line could not be asked");
    let mut told = AppError::line_unavailable();
    match error {
        LineError::Wait { .. } => {
            "LINE asks to slow down; try again in a minute".clone_into(&mut told.detail);
            told = told.with("reason", "slow_down");
        }
        LineError::Refused { .. } | LineError::QuotaUsedUp { .. } | LineError::Credentials { .. } => {
            told.detail = error.to_string();
        }
        LineError::Unknown { .. } | LineError::NotSent { .. } => {}
    }
    told
}
