//! The use cases of signing keys.

use std::time::Duration;

use line_client::{Credentials, NewSigningKey, Secret};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::model::{SigningKey, check_kid, refusal};
use super::repo::{self, After};
use crate::accounts::model::{Account, Block, check_channel_id};
use crate::accounts::pasted::clean;
use crate::accounts::repo as accounts;
use crate::accounts::service::{self, Deadline, author, unavailable};
use crate::accounts::settings;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::DbResult;
use crate::error::{AppError, AppResult};
use crate::ids::SigningKeyId;
use crate::scope::Scope;
use crate::team::{self, Actor};

/// How long the private part of a key is kept after it was retired, so that a node which has not yet heard of the next
/// one goes on working, and so that a person can go back.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How many keys of a tenant may wait.
const ROOM: i64 = 50;

/// Makes a key pair for a channel, connected or not; it waits until its `kid` is known.
///
/// # Errors
/// 422 at `channel_id`; 409 `too_many_keys` when 50 wait already.
pub async fn create(hub: &Hub, who: (&Scope, &Actor), channel_id: &str) -> AppResult<SigningKey> {
    let (scope, actor) = who;
    let channel = clean(channel_id);
    check_channel_id(&channel).map_err(|wrong| AppError::invalid(vec![wrong]))?;
    if repo::waiting(&hub.db, scope).await? >= ROOM {
        let detail = "too many key pairs wait for their kid; delete those that are not needed first";
        return Err(AppError::conflict("too_many_keys", detail));
    }
    let made = spawn_blocking(NewSigningKey::generate).await.map_err(AppError::internal)?;
    let new = made.map_err(AppError::internal)?;
    let (id, now): (SigningKeyId, _) = (hub.id(), hub.now());
    let sealed = hub.keyring.seal(&hub.entropy, &identity(&id), new.private.expose());
    let jwk = new.public_jwk.to_string();
    let mut tx = hub.db.begin().await?;
    repo::insert(&mut tx, scope, (&id, &channel, &jwk, &sealed), (now, author(actor))).await?;
    let subject = subject(&mut tx, scope, &channel).await?;
    let detail = json!({ "channel_id": channel });
    let action = ("signing_key.created", subject.as_str());
    team::service::audit(&mut tx, hub, scope.tenant(), actor, action, &detail).await?;
    tx.commit().await?;
    get(hub, scope, &id).await
}

/// The keys of a channel, or of all channels, oldest first, after a place in the list.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    hub: &Hub,
    scope: &Scope,
    channel_id: Option<&str>,
    after: Option<&After>,
    limit: i64,
) -> AppResult<Vec<SigningKey>> {
    Ok(repo::list(&hub.db, scope, channel_id.unwrap_or_default(), after, limit).await?)
}

/// One key.
///
/// # Errors
/// 404 when there is none in the scope; agents see none.
pub async fn get(hub: &Hub, scope: &Scope, id: &SigningKeyId) -> AppResult<SigningKey> {
    repo::find(&hub.db, scope, id).await?.ok_or_else(no_such_key)
}

/// Proves a key by the `kid` that LINE gave for its public part: LINE issues a token by it. From then on the channel's
/// tokens are issued by this key. The one that was active before is retired in the same transaction; its private part
/// stays for [`KEPT`], in which it can be activated again. A pasted token of the account is dropped.
///
/// # Errors
/// 404; 409 `key_gone` when the private part is no longer kept, `disconnected` when the account was disconnected meanwhile;
/// 422 at `kid` with LINE's words and the fix; 502 when LINE does not answer. Then nothing has changed.
pub async fn prove(hub: &Hub, who: (&Scope, &Actor), id: &SigningKeyId, kid: &str) -> AppResult<SigningKey> {
    let (scope, actor) = who;
    let deadline = Deadline::start();
    let key = get(hub, scope, id).await?;
    let channel = key.channel_id.as_str();
    let (signing_key, kid) = usable(hub, scope, id, channel, kid).await?;
    let account = accounts::connected_with(&hub.db, scope.tenant(), channel).await?;
    let secret = match &account {
        Some(account) => service::connected(hub, account).await?.present_secret(),
        None => Secret::from(""),
    };
    let credentials = Credentials {
        channel_id: channel.to_owned(),
        channel_secret: secret,
        access_token: None,
        signing_key: Some(signing_key),
    };
    let line = hub.line.account(credentials);
    let token = deadline.wait(line.token()).await;
    token.map_err(|error| refusal(&error).unwrap_or_else(|| unavailable(&error)))?;
    // The token was only a proof. Before connecting there is no secret to take it back with; then it ends by itself.
    if account.is_some() && deadline.wait(line.give_back()).await.is_err() {
        tracing::debug!("the token that proved a key was not revoked; it ends by itself");
    }
    let (now, by) = (hub.now(), author(actor));
    let mut tx = hub.db.begin().await?;
    if let Some(account) = &account {
        // Held until the commit: what a disconnecting has retired and forgotten is not brought back.
        if !accounts::lock_live(&mut tx, scope.tenant(), account).await? {
            return Err(service::disconnected());
        }
        accounts::drop_kind(&mut tx, account, accounts::SecretKind::AccessToken).await?;
        accounts::touch(&mut tx, account, now, by).await?;
        settings::repo::touch(&mut tx, (account, scope.tenant()), Block::Messaging, now, by).await?;
    }
    let busy = |error: crate::db::DbError| match error.is_unique() {
        true => {
            AppError::conflict("key_busy", "another key of this channel was activated just now; look again")
        }
        false => AppError::from(error),
    };
    let named = (id, channel, kid.as_str());
    if !repo::activate(&mut tx, scope.tenant(), named, (now, by)).await.map_err(busy)? {
        return Err(gone());
    }
    let subject = account.as_ref().map_or(channel, |account| account.as_str());
    let action = ("signing_key.activated", subject);
    team::service::audit(&mut tx, hub, scope.tenant(), actor, action, &json!({ "kid": kid })).await?;
    tx.commit().await.map_err(busy)?;
    if let Some(account) = account {
        service::credentials_changed(hub, &account, deadline).await?;
    }
    get(hub, scope, id).await
}

/// Removes a key that waits, or any key of a channel that is not connected. One that was in use stays listed, without its
/// private part after a while.
///
/// # Errors
/// 404; 409 `key_not_waiting`.
pub async fn delete(hub: &Hub, who: (&Scope, &Actor), id: &SigningKeyId) -> AppResult<()> {
    let (scope, actor) = who;
    let key = get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    if !repo::delete(&mut tx, scope, id).await? {
        let detail = "only a key that waits can be deleted, or one of a channel that is not connected; make a new pair, or \
            issue tokens in another way, and this one is retired";
        return Err(AppError::conflict("key_not_waiting", detail));
    }
    let subject = subject(&mut tx, scope, &key.channel_id).await?;
    let detail = json!({ "channel_id": key.channel_id });
    let action = ("signing_key.deleted", subject.as_str());
    team::service::audit(&mut tx, hub, scope.tenant(), actor, action, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// How an account's tokens are obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From channel ID and secret.
    Secret,
    /// By the active signing key.
    Key,
    /// A pasted long-lived token is used as it is.
    Pasted,
}

/// One line of what was done to an account's credentials.
#[derive(Debug, Clone)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Who: a person's or an API key's name at that time.
    pub by: String,
    /// What.
    pub what: What,
}

/// What was done to credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The account was connected.
    Connected,
    /// The account was disconnected.
    Disconnected,
    /// These were changed: `channel_secret`, `access_token`, `signing_key` (retired).
    Changed(Vec<String>),
    /// So many requests that had waited turned out to be LINE's.
    Verified(u64),
    /// A key pair was made.
    KeyMade,
    /// A key was proved and is active since.
    KeyActivated,
    /// A key that waited was deleted.
    KeyDeleted,
}

/// What is known of an account's credentials, without themselves.
#[derive(Debug, Clone)]
pub struct Overview {
    /// How tokens are obtained.
    pub way: Way,
    /// When the present channel secret was entered; `None` when disconnected.
    pub secret_since: Option<Timestamp>,
    /// Until when the channel secret before it holds for signatures.
    pub old_secret_until: Option<Timestamp>,
    /// When the pasted token was entered.
    pub token_since: Option<Timestamp>,
    /// How many requests wait for a secret that fits them.
    pub waiting: u64,
    /// The channel's keys, the newest first.
    pub keys: Vec<SigningKey>,
    /// What was done, the newest first, 50 lines at most.
    pub history: Vec<Change>,
}

/// How an account's tokens are obtained now.
///
/// # Errors
/// The database does not answer.
pub async fn way(hub: &Hub, scope: &Scope, account: &Account) -> AppResult<Way> {
    if repo::active(&hub.db, scope.tenant(), &account.channel_id).await?.is_some() {
        return Ok(Way::Key);
    }
    let secrets = repo::secrets(&hub.db, scope, &account.id).await?;
    let pasted = secrets.iter().any(|secret| secret.kind == "access_token" && secret.valid_until.is_none());
    Ok(if pasted { Way::Pasted } else { Way::Secret })
}

/// What is known of an account's credentials.
///
/// # Errors
/// The database does not answer.
pub async fn overview(hub: &Hub, scope: &Scope, account: &Account) -> AppResult<Overview> {
    let secrets = repo::secrets(&hub.db, scope, &account.id).await?;
    let of = |kind: &str| {
        let found = secrets.iter().find(|secret| secret.kind == kind && secret.valid_until.is_none());
        found.map(|secret| secret.created_at)
    };
    let mut keys = list(hub, scope, Some(&account.channel_id), None, 200).await?;
    keys.reverse();
    let mut waiting = 0;
    for listener in crate::wiring::ACCOUNT_LISTENERS {
        waiting += listener.waiting(hub, &account.id).await;
    }
    let rows = repo::history(&hub.db, scope, &account.id, &account.channel_id).await?;
    Ok(Overview {
        way: way(hub, scope, account).await?,
        secret_since: of("channel_secret"),
        old_secret_until: secrets.iter().find_map(|secret| secret.valid_until),
        token_since: of("access_token"),
        waiting,
        keys,
        history: rows.into_iter().filter_map(told).take(50).collect(),
    })
}

/// A line of the audit log as one of the credentials' history; `None` when it is about something else.
fn told(row: repo::HistoryRow) -> Option<Change> {
    let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap_or_default();
    let what = match row.action.as_str() {
        "account.connected" => What::Connected,
        "account.disconnected" => What::Disconnected,
        "account.waiting_verified" => What::Verified(detail.get("requests")?.as_u64()?),
        "signing_key.created" => What::KeyMade,
        "signing_key.activated" => What::KeyActivated,
        "signing_key.deleted" => What::KeyDeleted,
        "account.changed" => {
            let names = detail.get("changed")?.as_array()?.iter().filter_map(serde_json::Value::as_str);
            let ours = names.filter(|name| ["channel_secret", "access_token", "signing_key"].contains(name));
            let ours: Vec<String> = ours.map(str::to_owned).collect();
            (!ours.is_empty()).then_some(What::Changed(ours))?
        }
        _ => return None,
    };
    Some(Change { at: row.at, by: row.actor_name, what })
}

/// A key ready to sign, with the `kid` that is given or, where that is empty, the one that is known; cleaned of what comes
/// with pasting.
///
/// # Errors
/// 422 at `signing_key_id` for a key that is unknown or another channel's, and at `kid`; 409 `key_gone`.
pub(in crate::accounts) async fn usable(
    hub: &Hub,
    scope: &Scope,
    id: &SigningKeyId,
    channel_id: &str,
    kid: &str,
) -> AppResult<(line_client::SigningKey, String)> {
    let wrong = |code, detail: &str| AppError::invalid_field("signing_key_id", code, detail);
    let key = repo::find(&hub.db, scope, id).await?;
    let key = key.ok_or_else(|| wrong("unknown", "there is no such key; make one by POST /signing-keys"))?;
    if key.channel_id != channel_id {
        return Err(wrong("other_channel", "this key was made for another channel"));
    }
    let kid = Some(clean(kid)).filter(|kid| !kid.is_empty()).or(key.kid).unwrap_or_default();
    check_kid(&kid).map_err(|wrong| AppError::invalid(vec![wrong]))?;
    let sealed = repo::private(&hub.db, scope, id).await?.ok_or_else(gone)?;
    Ok((open(hub, id, &sealed, &kid)?, kid))
}

/// Unseals a private part.
pub(in crate::accounts) fn open(
    hub: &Hub,
    id: &SigningKeyId,
    sealed: &str,
    kid: &str,
) -> AppResult<line_client::SigningKey> {
    let private = hub.keyring.open(&identity(id), sealed).map_err(AppError::internal)?;
    line_client::SigningKey::new(&private, kid).map_err(AppError::internal)
}

/// Removes private parts that were kept long enough after their key was retired.
///
/// # Errors
/// The database does not answer.
pub async fn expire(hub: &Hub) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::expire(&mut tx, hub.now().minus(KEPT)).await?;
    tx.commit().await
}

/// Seals every private part that was sealed by an older master key anew; gives how many.
///
/// # Errors
/// The database does not answer, or a key does not open.
pub(in crate::accounts) async fn reseal(hub: &Hub) -> AppResult<usize> {
    let mut count = 0;
    for (id, sealed) in repo::sealed(&hub.db).await? {
        if !hub.keyring.needs_reseal(&sealed) {
            continue;
        }
        let private = hub.keyring.open(&identity(&id), &sealed).map_err(AppError::internal)?;
        let anew = hub.keyring.seal(&hub.entropy, &identity(&id), private.expose());
        let mut tx = hub.db.begin().await?;
        repo::reseal(&mut tx, &id, &sealed, &anew).await?;
        tx.commit().await?;
        count += 1;
    }
    Ok(count)
}

/// The row and column that a sealed private part belongs to.
fn identity(id: &SigningKeyId) -> String {
    format!("signing_keys/{id}/sealed")
}

/// Whom a line of the audit log is about: the channel's account where there is one, else the channel.
async fn subject(tx: &mut crate::db::Tx, scope: &Scope, channel: &str) -> DbResult<String> {
    let account = accounts::find_by_channel(tx, scope.tenant(), channel).await?;
    Ok(account.map_or_else(|| channel.to_owned(), |account| account.id.to_string()))
}

fn no_such_key() -> AppError {
    AppError::not_found("signing key")
}

pub(in crate::accounts) fn gone() -> AppError {
    let detail = "the private part of this key is no longer kept, because it was retired; make a new pair";
    AppError::conflict("key_gone", detail)
}
