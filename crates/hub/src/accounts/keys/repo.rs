//! The SQL of signing keys. An agent sees none of them.

use super::model::SigningKey;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, SigningKeyId, TenantId};
use crate::scope::Scope;
use crate::{args, statements};

macro_rules! columns {
    () => {
        "k.id, k.channel_id, k.kid, k.public_jwk, k.state, k.created_at, k.created_by, k.activated_at, k.activated_by,
        k.retired_at, k.sealed IS NOT NULL AS is_usable"
    };
}

statements! {
    LIST = { concat!("SELECT ", columns!(), " FROM signing_keys AS k WHERE k.tenant_id = $1 AND $2 = ''
        AND ($3 = '' OR k.channel_id = $3) AND (k.created_at > $4 OR (k.created_at = $4 AND k.id > $5))
        ORDER BY k.created_at, k.id LIMIT $6") };
    FIND = { concat!("SELECT ", columns!(), " FROM signing_keys AS k WHERE k.tenant_id = $1 AND $2 = '' AND k.id = $3") };
    WAITING = { "SELECT COUNT(*) FROM signing_keys WHERE tenant_id = $1 AND state = 'waiting'" };
    INSERT = { "INSERT INTO signing_keys (id, tenant_id, channel_id, public_jwk, sealed, state, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)" };
    PRIVATE = { "SELECT sealed FROM signing_keys WHERE tenant_id = $1 AND $2 = '' AND id = $3 AND sealed IS NOT NULL" };
    ACTIVE = { "SELECT id, kid, sealed FROM signing_keys WHERE tenant_id = $1 AND channel_id = $2 AND state = 'active'
        AND kid IS NOT NULL AND sealed IS NOT NULL" };
    ACTIVATE = { "UPDATE signing_keys SET state = 'active', kid = $3, activated_at = $4, activated_by = $5, retired_at = NULL
        WHERE tenant_id = $1 AND id = $2 AND sealed IS NOT NULL" };
    RETIRE = { "UPDATE signing_keys SET state = 'retired', retired_at = $3
        WHERE tenant_id = $1 AND channel_id = $2 AND state = 'active' AND id <> $4" };
    // reads: accounts
    DELETE = { "DELETE FROM signing_keys WHERE tenant_id = $1 AND $2 = '' AND id = $3
        AND (state = 'waiting' OR NOT EXISTS (SELECT 1 FROM accounts AS a WHERE a.tenant_id = signing_keys.tenant_id
            AND a.channel_id = signing_keys.channel_id AND a.status <> 'disconnected'))" };
    FORGET = { "UPDATE signing_keys SET sealed = NULL WHERE tenant_id = $1 AND channel_id = $2 AND state = 'retired'" };
    EXPIRE = { "UPDATE signing_keys SET sealed = NULL
        WHERE state = 'retired' AND retired_at <= $1 AND sealed IS NOT NULL" };
    SECRETS = { "SELECT kind, created_at, valid_until FROM account_secrets WHERE tenant_id = $1 AND $2 = '' AND account_id = $3
        ORDER BY kind, serial DESC" };
    // reads: audit_log
    HISTORY = { "SELECT at, actor_name, action, detail FROM audit_log
        WHERE tenant_id = $1 AND $2 = '' AND (subject = $3 OR subject = $4)
            AND (action LIKE 'signing_key.%' OR action LIKE 'account.%')
        ORDER BY at DESC, id DESC LIMIT 200" };
    SEALED = { "SELECT id, sealed FROM signing_keys WHERE sealed IS NOT NULL ORDER BY id" };
    RESEAL = { "UPDATE signing_keys SET sealed = $3 WHERE id = $1 AND sealed = $2" };
}

/// Where a page of the list begins: after this time and id.
pub(super) type After = (Timestamp, SigningKeyId);

/// The keys of a channel, or with an empty one of all, oldest first.
pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    channel: &str,
    after: Option<&After>,
    limit: i64,
) -> DbResult<Vec<SigningKey>> {
    let (at, id) = after.map_or((Timestamp(i64::MIN), ""), |(at, id)| (*at, id.as_str()));
    db.all(&LIST, args![scope.tenant(), scope.viewer(), channel, at, id, limit]).await
}

pub(super) async fn find(db: &Db, scope: &Scope, id: &SigningKeyId) -> DbResult<Option<SigningKey>> {
    db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await
}

/// How many keys of a tenant wait.
pub(super) async fn waiting(db: &Db, scope: &Scope) -> DbResult<i64> {
    Ok(db.opt::<(i64,)>(&WAITING, args![scope.tenant()]).await?.map_or(0, |(count,)| count))
}

/// Adds a key that waits.
pub(super) async fn insert(
    tx: &mut Tx,
    scope: &Scope,
    (id, channel, jwk, sealed): (&SigningKeyId, &str, &str, &str),
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    tx.run(&INSERT, args![id, scope.tenant(), channel, jwk, sealed, now, by]).await.map(|_| ())
}

/// The sealed private part, while there is one.
pub(super) async fn private(db: &Db, scope: &Scope, id: &SigningKeyId) -> DbResult<Option<String>> {
    let row: Option<(String,)> = db.opt(&PRIVATE, args![scope.tenant(), scope.viewer(), id]).await?;
    Ok(row.map(|(sealed,)| sealed))
}

/// The key by which a channel's tokens are issued.
#[derive(Debug, sqlx::FromRow)]
pub(in crate::accounts) struct ActiveKey {
    pub(in crate::accounts) id: SigningKeyId,
    pub(in crate::accounts) kid: String,
    pub(in crate::accounts) sealed: String,
}

/// The active key of a channel.
pub(in crate::accounts) async fn active(
    db: &Db,
    tenant: &TenantId,
    channel: &str,
) -> DbResult<Option<ActiveKey>> {
    db.opt(&ACTIVE, args![tenant, channel]).await
}

/// Makes a proven key the active one of its channel, in place of the one before; `false` when its private part is gone.
pub(in crate::accounts) async fn activate(
    tx: &mut Tx,
    tenant: &TenantId,
    (id, channel, kid): (&SigningKeyId, &str, &str),
    (now, by): (Timestamp, &str),
) -> DbResult<bool> {
    tx.run(&RETIRE, args![tenant, channel, now, id]).await?;
    Ok(tx.run(&ACTIVATE, args![tenant, id, kid, now, by]).await? == 1)
}

/// Retires the active key of a channel; `false` when there is none.
pub(in crate::accounts) async fn retire(
    tx: &mut Tx,
    tenant: &TenantId,
    channel: &str,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&RETIRE, args![tenant, channel, now, ""]).await? > 0)
}

/// Removes a key that waits or whose channel is not connected; `false` for any other.
pub(super) async fn delete(tx: &mut Tx, scope: &Scope, id: &SigningKeyId) -> DbResult<bool> {
    Ok(tx.run(&DELETE, args![scope.tenant(), scope.viewer(), id]).await? == 1)
}

/// Removes the private parts of a channel's retired keys.
pub(in crate::accounts) async fn forget(tx: &mut Tx, tenant: &TenantId, channel: &str) -> DbResult<()> {
    tx.run(&FORGET, args![tenant, channel]).await.map(|_| ())
}

/// Removes the private parts of keys that were retired before a moment.
pub(super) async fn expire(tx: &mut Tx, before: Timestamp) -> DbResult<u64> {
    tx.run(&EXPIRE, args![before]).await
}

/// A stored secret without itself.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct SecretDates {
    pub(super) kind: String,
    /// When it was entered.
    pub(super) created_at: Timestamp,
    /// Until when one that was replaced holds for signatures.
    pub(super) valid_until: Option<Timestamp>,
}

/// The secrets that an account has, the newest of each kind first.
pub(super) async fn secrets(db: &Db, scope: &Scope, account: &AccountId) -> DbResult<Vec<SecretDates>> {
    db.all(&SECRETS, args![scope.tenant(), scope.viewer(), account]).await
}

/// A line of the audit log about an account or its channel.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct HistoryRow {
    pub(super) at: Timestamp,
    pub(super) actor_name: String,
    pub(super) action: String,
    pub(super) detail: String,
}

/// The last 200 of what was done to an account or, before it was connected, to its channel, the newest first.
pub(super) async fn history(
    db: &Db,
    scope: &Scope,
    account: &AccountId,
    channel: &str,
) -> DbResult<Vec<HistoryRow>> {
    db.all(&HISTORY, args![scope.tenant(), scope.viewer(), account, channel]).await
}

/// Every sealed private part, for the rotation of the master key.
pub(super) async fn sealed(db: &Db) -> DbResult<Vec<(SigningKeyId, String)>> {
    db.all(&SEALED, args![]).await
}

/// Exchanges a sealed text for the same key sealed anew.
pub(super) async fn reseal(tx: &mut Tx, id: &SigningKeyId, before: &str, after: &str) -> DbResult<()> {
    tx.run(&RESEAL, args![id, before, after]).await.map(|_| ())
}
