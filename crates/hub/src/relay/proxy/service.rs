//! Making, reading and ending proxy keys.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::model::{Key, LIMIT_MAX, PREFIX, ProxyScope};
use super::repo;
use crate::app::Hub;
use crate::db::{DbResult, LogAndIgnore as _, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, DestinationId};
use crate::outbox;
use crate::outbox::model::Month;
use crate::relay::model::OVERLAP;
use crate::relay::{Destination, service as destinations};
use crate::scope::Scope;
use crate::secrets::Secret;
use crate::team::Actor;
use crate::team::service as team;

/// How long a retry key is remembered: as long as at LINE (PLATFORM 18).
pub(super) const RETRIES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// A use is written down this long after the last one.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it may do; nothing is refused, as a key that may do nothing is none.
    pub scopes: Vec<ProxyScope>,
    /// See [`Key::monthly_paid_limit`].
    pub monthly_paid_limit: Option<i64>,
    /// See [`Key::reply_as_push`].
    pub reply_as_push: bool,
}

impl Wanted {
    /// In order, or what is wrong with it.
    fn checked(mut self) -> AppResult<Self> {
        self.scopes.sort_unstable();
        self.scopes.dedup();
        if self.scopes.is_empty() {
            let detail = "name at least one of reply, read, push, bulk, manage";
            return Err(AppError::invalid_field("scopes", "required", detail));
        }
        if self.monthly_paid_limit.is_some_and(|limit| !(0..=LIMIT_MAX).contains(&limit)) {
            let detail = format!("a number from 0 to {LIMIT_MAX}, or null for no limit of the hub's");
            return Err(AppError::invalid_field("monthly_paid_limit", "invalid", detail));
        }
        if self.reply_as_push && !self.scopes.contains(&ProxyScope::Push) {
            let detail = "replies can go out as pushes only with the scope push";
            return Err(AppError::invalid_field("reply_as_push", "needs_push", detail));
        }
        Ok(self)
    }
}

impl From<&Key> for Wanted {
    fn from(key: &Key) -> Self {
        Self {
            scopes: key.scopes.clone(),
            monthly_paid_limit: key.monthly_paid_limit,
            reply_as_push: key.reply_as_push,
        }
    }
}

/// Makes a destination's key, which is told this once; one before it works beside it for `OVERLAP`.
///
/// # Errors
/// 404 when there is no such destination; 422 naming what is wrong.
pub async fn make(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    wanted: Wanted,
) -> AppResult<(Key, Secret)> {
    let destination = destinations::get(hub, scope, id).await?;
    let Wanted { scopes, monthly_paid_limit, reply_as_push } = wanted.checked()?;
    let plain = format!("{PREFIX}{}", hub.entropy.token());
    let key = Key {
        destination: destination.id,
        tenant: destination.tenant,
        account: destination.account,
        name: destination.name,
        filter: destination.filter,
        hash: hash(&plain),
        hint: plain.chars().skip(plain.len().saturating_sub(4)).collect(),
        scopes,
        monthly_paid_limit,
        reply_as_push,
        created_at: hub.now(),
        last_used_at: None,
        before: None,
    };
    let mut tx = hub.db.begin().await?;
    repo::put(&mut tx, &key, actor.name(), hub.now().plus(OVERLAP)).await?;
    note(&mut tx, hub, actor, "proxy_key.created", &key).await?;
    tx.commit().await?;
    // With the one before it, where there is one.
    let key = read(hub, scope, id).await?.unwrap_or(key);
    Ok((key, Secret::from(plain)))
}

/// Changes what a destination's key may do and spend; the key stays the same.
///
/// # Errors
/// 404 when there is no such destination, or it has no key; 422 naming what is wrong.
pub async fn change(
    hub: &Hub,
    (scope, actor): (&Scope, &Actor),
    id: &DestinationId,
    wanted: Wanted,
) -> AppResult<Key> {
    let (key, _) = get(hub, scope, id).await?;
    let Wanted { scopes, monthly_paid_limit, reply_as_push } = wanted.checked()?;
    let key = Key { scopes, monthly_paid_limit, reply_as_push, ..key };
    let mut tx = hub.db.begin().await?;
    if !repo::change(&mut tx, &key).await? {
        return Err(no_key());
    }
    note(&mut tx, hub, actor, "proxy_key.changed", &key).await?;
    tx.commit().await?;
    Ok(key)
}

/// Ends the key that the present one took the place of; nothing where none works any more.
///
/// # Errors
/// 404 when there is no such destination.
pub async fn end_before(hub: &Hub, (scope, actor): (&Scope, &Actor), id: &DestinationId) -> AppResult<()> {
    let destination = destinations::get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    if repo::end_before(&mut tx, &destination.tenant, id).await? {
        let detail = json!({ "name": destination.name });
        let subject = ("proxy_key.ended", id.as_str());
        team::audit(&mut tx, hub, &destination.tenant, actor, subject, &detail).await?;
    }
    Ok(tx.commit().await?)
}

fn no_key() -> AppError {
    AppError::not_found("proxy key")
}

/// Tells the audit log what a key may do.
async fn note(tx: &mut Tx, hub: &Hub, actor: &Actor, action: &str, key: &Key) -> DbResult<()> {
    let detail = json!({ "name": key.name, "scopes": key.scopes, "monthly_paid_limit": key.monthly_paid_limit,
        "reply_as_push": key.reply_as_push });
    team::audit(tx, hub, &key.tenant, actor, (action, key.destination.as_str()), &detail).await
}

/// A destination's key, and what its paid sends have cost in LINE's month.
///
/// # Errors
/// 404 when there is no such destination, or it has no key.
pub async fn get(hub: &Hub, scope: &Scope, id: &DestinationId) -> AppResult<(Key, i64)> {
    destinations::get(hub, scope, id).await?;
    let key = read(hub, scope, id).await?.ok_or_else(no_key)?;
    let paid = paid_this_month(hub, &key).await?;
    Ok((key, paid))
}

/// The key, without one before it that has ended.
async fn read(hub: &Hub, scope: &Scope, id: &DestinationId) -> DbResult<Option<Key>> {
    let mut key = repo::of(&hub.db, scope, id).await?;
    if let Some(key) = &mut key {
        key.before.take_if(|before| before.until <= hub.now());
    }
    Ok(key)
}

/// What the key's paid sends have cost in LINE's month, or may yet, in messages of the quota.
///
/// # Errors
/// Those of the database.
pub async fn paid_this_month(hub: &Hub, key: &Key) -> DbResult<i64> {
    let (since, _) = Month::of(hub.now()).bounds();
    outbox::proxied::read_paid(&hub.db, &key.tenant, key.destination.as_str(), since).await
}

/// The key of a destination that was looked up.
///
/// # Errors
/// Those of the database.
pub(in crate::relay) async fn of(hub: &Hub, destination: &Destination) -> DbResult<Option<Key>> {
    let scope = Scope::tenant_wide(destination.tenant.clone());
    read(hub, &scope, &destination.id).await
}

/// The destinations of an account that have a key.
///
/// # Errors
/// Those of the database.
pub(in crate::relay) async fn keyed(
    hub: &Hub,
    scope: &Scope,
    account: &AccountId,
) -> DbResult<Vec<DestinationId>> {
    repo::keyed(&hub.db, scope, account).await
}

/// Ends a destination's key at once, and the one before it.
///
/// # Errors
/// 404 when there is no such destination, or it has no key.
pub async fn revoke(hub: &Hub, (scope, actor): (&Scope, &Actor), id: &DestinationId) -> AppResult<()> {
    let destination = destinations::get(hub, scope, id).await?;
    let mut tx = hub.db.begin().await?;
    if !repo::delete(&mut tx, &destination.tenant, id).await? {
        return Err(no_key());
    }
    let detail = json!({ "name": destination.name });
    let subject = ("proxy_key.revoked", id.as_str());
    team::audit(&mut tx, hub, &destination.tenant, actor, subject, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// Whose key this is; `None` when it is nobody's.
pub(super) async fn known(hub: &Hub, plain: &str) -> DbResult<Option<Key>> {
    if !plain.starts_with(PREFIX) {
        return Ok(None);
    }
    let now = hub.now();
    let Some((key, used_at)) = repo::by_hash(&hub.db, &hash(plain), now).await? else { return Ok(None) };
    if used_at.is_none_or(|at| now.since(at) > USE_NOTED_EVERY) {
        let noted = async {
            let mut tx = hub.db.begin().await?;
            repo::touch(&mut tx, &key, now).await?;
            tx.commit().await
        };
        noted.await.log_and_ignore("noting that a proxy key is in use");
    }
    Ok(Some(key))
}

/// Writes down that another system changed something at LINE. The change is made: trouble here is not the caller's.
pub(super) async fn note_change(hub: &Hub, key: &Key, operation: &'static str) {
    let noted = async {
        let mut tx = hub.db.begin().await?;
        audit(&mut tx, hub, key, "proxy.changed", json!({ "name": key.name, "operation": operation }))
            .await?;
        tx.commit().await
    };
    noted.await.log_and_ignore("noting a change that another system made");
}

/// Notes that another system asked for a send to many, in the transaction that writes it down; without a cost where LINE
/// alone can price it.
pub(super) async fn note_bulk(
    tx: &mut Tx,
    hub: &Hub,
    key: &Key,
    operation: &'static str,
    cost: Option<i64>,
) -> DbResult<()> {
    let detail = json!({ "name": key.name, "operation": operation, "cost": cost });
    audit(tx, hub, key, "proxy.sent", detail).await
}

async fn audit(tx: &mut Tx, hub: &Hub, key: &Key, action: &str, detail: Value) -> DbResult<()> {
    let subject = (action, key.destination.as_str());
    team::audit(tx, hub, &key.tenant, &Actor::System("proxy"), subject, &detail).await
}

/// What stands among the retry keys for a reply that went out as a push: no UUID, and not the token itself.
pub(super) fn converted(token: &str) -> String {
    let hash: String = hash(token).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("reply:{hash}")
}

/// Forgets old retry keys, keys that have ended, and keys of deleted destinations.
///
/// # Errors
/// Those of the database.
pub async fn forget(hub: &Hub) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::forget(&mut tx, hub.now().minus(RETRIES_KEPT), hub.now()).await?;
    tx.commit().await
}

/// How a key is kept.
fn hash(plain: &str) -> Vec<u8> {
    digest(&SHA256, plain.as_bytes()).as_ref().to_vec()
}
