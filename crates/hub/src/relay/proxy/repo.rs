//! The SQL of the proxy.

use super::model::{Before, Key, read_scopes, write_scopes};
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, DestinationId, SendId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

macro_rules! columns {
    () => {
        "SELECT k.destination_id, k.tenant_id, k.account_id, d.name, d.filter, k.key_hash, k.hint, k.scopes, k.monthly_paid_limit,
            k.reply_as_push, k.created_at, k.last_used_at, k.before_hint, k.before_until, k.before_used_at
        FROM proxy_keys AS k JOIN destinations AS d ON d.id = k.destination_id AND d.deleted_at IS NULL WHERE"
    };
}

statements! {
    BY_HASH = { concat!(columns!(), " k.key_hash = $1 OR k.before_hash = $1 AND k.before_until > $2") };
    OF = { concat!(columns!(), in_scope!("k", "$1", "$2"), " AND k.destination_id = $3") };
    // reads: account_grants
    KEYED = { concat!("SELECT k.destination_id FROM proxy_keys AS k WHERE k.account_id = $3 AND", in_scope!("k", "$1", "$2")) };
    PUT = { "INSERT INTO proxy_keys (destination_id, tenant_id, account_id, key_hash, hint, scopes, monthly_paid_limit,
            reply_as_push, created_at, created_by, last_used_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)
        ON CONFLICT (destination_id) DO UPDATE SET key_hash = excluded.key_hash, hint = excluded.hint,
            scopes = excluded.scopes, monthly_paid_limit = excluded.monthly_paid_limit,
            reply_as_push = excluded.reply_as_push, created_at = excluded.created_at, created_by = excluded.created_by,
            last_used_at = NULL, before_hash = proxy_keys.key_hash, before_hint = proxy_keys.hint, before_until = $11,
            before_used_at = proxy_keys.last_used_at" };
    CHANGE = { "UPDATE proxy_keys SET scopes = $3, monthly_paid_limit = $4, reply_as_push = $5
        WHERE tenant_id = $1 AND destination_id = $2" };
    END_BEFORE = { "UPDATE proxy_keys SET before_hash = NULL, before_hint = NULL, before_until = NULL, before_used_at = NULL
        WHERE tenant_id = $1 AND destination_id = $2 AND before_hash IS NOT NULL" };
    DELETE = { "DELETE FROM proxy_keys WHERE tenant_id = $1 AND destination_id = $2" };
    // Also holds the key until the transaction ends, so that two sends at once do not both fit into what is left. Not where
    // its scopes or its limit are others than the call was let in with.
    TOUCH = { "UPDATE proxy_keys SET last_used_at = CASE WHEN key_hash = $3 THEN $4 ELSE last_used_at END,
            before_used_at = CASE WHEN before_hash = $3 THEN $4 ELSE before_used_at END
        WHERE tenant_id = $1 AND destination_id = $2 AND (key_hash = $3 OR before_hash = $3 AND before_until > $4)
            AND scopes = $5 AND COALESCE(monthly_paid_limit, -1) = $6 AND reply_as_push = $7" };
    RETRY_OF = { "SELECT send_id FROM proxy_retries
        WHERE tenant_id = $1 AND destination_id = $2 AND retry_key = $3 AND created_at > $4" };
    RETRY_PUT = { "INSERT INTO proxy_retries (destination_id, retry_key, tenant_id, send_id, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (destination_id, retry_key) DO UPDATE SET send_id = excluded.send_id, created_at = excluded.created_at
        WHERE proxy_retries.created_at <= $6 OR proxy_retries.send_id = $7" };
    BEFORE_FORGET = { "UPDATE proxy_keys SET before_hash = NULL, before_hint = NULL, before_until = NULL, before_used_at = NULL
        WHERE before_until <= $1" };
    RETRIES_FORGET = { "DELETE FROM proxy_retries WHERE created_at <= $1" };
    ORPHANS = { "DELETE FROM proxy_keys WHERE destination_id IN (SELECT d.id FROM destinations AS d
        WHERE d.deleted_at IS NOT NULL)" };
}

#[derive(sqlx::FromRow)]
struct Row {
    destination_id: DestinationId,
    tenant_id: TenantId,
    account_id: AccountId,
    name: String,
    filter: String,
    key_hash: Vec<u8>,
    hint: String,
    scopes: String,
    monthly_paid_limit: Option<i64>,
    reply_as_push: bool,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    before_hint: Option<String>,
    before_until: Option<Timestamp>,
    before_used_at: Option<Timestamp>,
}

impl TryFrom<Row> for Key {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let id = row.destination_id.to_string();
        let wrong = |table, column| DbError::Inconsistent { table, column, id: id.clone() };
        Ok(Self {
            filter: serde_json::from_str(&row.filter).map_err(|_| wrong("destinations", "filter"))?,
            scopes: read_scopes(&row.scopes).ok_or_else(|| wrong("proxy_keys", "scopes"))?,
            destination: row.destination_id,
            tenant: row.tenant_id,
            account: row.account_id,
            name: row.name,
            hash: row.key_hash,
            hint: row.hint,
            monthly_paid_limit: row.monthly_paid_limit,
            reply_as_push: row.reply_as_push,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            before: row.before_hint.zip(row.before_until).map(|(hint, until)| Before {
                hint,
                until,
                last_used_at: row.before_used_at,
            }),
        })
    }
}

/// The key with this hash, or with this one before it while both work; and when the one that was asked for was used last.
pub(super) async fn by_hash(
    db: &Db,
    hash: &[u8],
    now: Timestamp,
) -> DbResult<Option<(Key, Option<Timestamp>)>> {
    let key = db.opt::<Row>(&BY_HASH, args![hash, now]).await?.map(Key::try_from).transpose()?;
    Ok(key.and_then(|key| {
        let used_at = if key.hash == hash { key.last_used_at } else { key.before.as_ref()?.last_used_at };
        Some((Key { hash: hash.to_vec(), ..key }, used_at))
    }))
}

/// The destinations of an account that have a key.
pub(super) async fn keyed(db: &Db, scope: &Scope, account: &AccountId) -> DbResult<Vec<DestinationId>> {
    let args = args![scope.tenant(), scope.viewer(), account];
    Ok(db.all::<(DestinationId,)>(&KEYED, args).await?.into_iter().map(|(id,)| id).collect())
}

/// A destination's key.
pub(super) async fn of(db: &Db, scope: &Scope, destination: &DestinationId) -> DbResult<Option<Key>> {
    let args = args![scope.tenant(), scope.viewer(), destination];
    db.opt::<Row>(&OF, args).await?.map(Key::try_from).transpose()
}

/// Puts a key in the place of the one before, which works until then as well.
pub(super) async fn put(tx: &mut Tx, key: &Key, by: &str, both_until: Timestamp) -> DbResult<()> {
    let args = args![
        &key.destination,
        &key.tenant,
        &key.account,
        key.hash.as_slice(),
        &key.hint,
        write_scopes(&key.scopes),
        key.monthly_paid_limit,
        key.reply_as_push,
        key.created_at,
        by,
        both_until
    ];
    tx.run(&PUT, args).await.map(|_| ())
}

/// Writes what a key may do and spend; `false` when there is none.
pub(super) async fn change(tx: &mut Tx, key: &Key) -> DbResult<bool> {
    let args = args![
        &key.tenant,
        &key.destination,
        write_scopes(&key.scopes),
        key.monthly_paid_limit,
        key.reply_as_push
    ];
    Ok(tx.run(&CHANGE, args).await? == 1)
}

/// Ends the key before the present one; `false` when none works any more.
pub(super) async fn end_before(
    tx: &mut Tx,
    tenant: &TenantId,
    destination: &DestinationId,
) -> DbResult<bool> {
    Ok(tx.run(&END_BEFORE, args![tenant, destination]).await? == 1)
}

/// Ends a key; `false` when there is none.
pub(super) async fn delete(tx: &mut Tx, tenant: &TenantId, destination: &DestinationId) -> DbResult<bool> {
    Ok(tx.run(&DELETE, args![tenant, destination]).await? == 1)
}

/// Notes a use, and holds the key until the transaction ends; `false` when it is gone, or may no longer do the same.
pub(super) async fn touch(tx: &mut Tx, key: &Key, now: Timestamp) -> DbResult<bool> {
    let args = args![
        &key.tenant,
        &key.destination,
        key.hash.as_slice(),
        now,
        write_scopes(&key.scopes),
        key.monthly_paid_limit.unwrap_or(-1),
        key.reply_as_push
    ];
    Ok(tx.run(&TOUCH, args).await? == 1)
}

/// The send that a retry key stands for, where it was used after `since`.
pub(super) async fn retry_of(
    db: &Db,
    key: &Key,
    retry_key: &str,
    since: Timestamp,
) -> DbResult<Option<SendId>> {
    let args = args![&key.tenant, &key.destination, retry_key, since];
    Ok(db.opt::<(SendId,)>(&RETRY_OF, args).await?.map(|(send,)| send))
}

/// The same, in the transaction that holds the key: a twin that was faster is seen.
pub(super) async fn retry_held(
    tx: &mut Tx,
    key: &Key,
    retry_key: &str,
    since: Timestamp,
) -> DbResult<Option<SendId>> {
    let args = args![&key.tenant, &key.destination, retry_key, since];
    Ok(tx.opt::<(SendId,)>(&RETRY_OF, args).await?.map(|(send,)| send))
}

/// Lets a retry key stand for a send; `false` when it stands for one already, but for `failed`, which did not go out.
pub(super) async fn put_retry(
    tx: &mut Tx,
    key: &Key,
    (retry_key, send): (&str, &SendId),
    failed: Option<&SendId>,
    (now, since): (Timestamp, Timestamp),
) -> DbResult<bool> {
    let args = args![&key.destination, retry_key, &key.tenant, send, now, since, failed];
    Ok(tx.run(&RETRY_PUT, args).await? == 1)
}

/// Forgets retry keys used before, keys that were replaced and have ended, and the keys of destinations that are no more.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp, now: Timestamp) -> DbResult<()> {
    tx.run(&RETRIES_FORGET, args![before]).await?;
    tx.run(&BEFORE_FORGET, args![now]).await?;
    tx.run(&ORPHANS, args![]).await.map(|_| ())
}
