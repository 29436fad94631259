//! The SQL of idempotency keys.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::ApiKeyId;
use crate::{args, statements};

/// How long a result is kept (CONTRACT section 1).
pub(super) const KEPT: Duration = Duration::from_secs(24 * 3600);

statements! {
    BEGIN = { "INSERT INTO idempotency_keys
        (api_key_id, method, path, idempotency_key, body_hash, lease_until, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (api_key_id, method, path, idempotency_key) DO UPDATE
        SET body_hash = excluded.body_hash, status = NULL, content_type = NULL, body = NULL,
            lease_until = excluded.lease_until, created_at = excluded.created_at
        WHERE idempotency_keys.created_at <= $8
            OR (idempotency_keys.status IS NULL AND idempotency_keys.lease_until <= $7
                AND idempotency_keys.body_hash = excluded.body_hash)" };
    FIND = { "SELECT body_hash, status, content_type, body FROM idempotency_keys
        WHERE api_key_id = $1 AND method = $2 AND path = $3 AND idempotency_key = $4" };
    FINISH = { "UPDATE idempotency_keys SET status = $5, content_type = $6, body = $7
        WHERE api_key_id = $1 AND method = $2 AND path = $3 AND idempotency_key = $4" };
    RELEASE = { "DELETE FROM idempotency_keys
        WHERE api_key_id = $1 AND method = $2 AND path = $3 AND idempotency_key = $4" };
    EXPIRE = { "DELETE FROM idempotency_keys WHERE created_at <= $1" };
}

/// Which call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) key: ApiKeyId,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) idempotency_key: String,
    pub(super) body_hash: String,
}

/// A call that was begun before.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Before {
    pub(super) body_hash: String,
    pub(super) status: Option<i64>,
    pub(super) content_type: Option<String>,
    pub(super) body: Option<Vec<u8>>,
}

/// Begins a call; `false` when it was begun before and is done or still running.
pub(super) async fn begin(tx: &mut Tx, call: &Call, now: Timestamp, lease: Duration) -> DbResult<bool> {
    let Call { key, method, path, idempotency_key, body_hash } = call;
    let args = args![key, method, path, idempotency_key, body_hash, now.plus(lease), now, now.minus(KEPT)];
    Ok(tx.run(&BEGIN, args).await? == 1)
}

/// What is known of a call.
pub(super) async fn find(db: &Db, call: &Call) -> DbResult<Option<Before>> {
    db.opt(&FIND, args![&call.key, &call.method, &call.path, &call.idempotency_key]).await
}

/// Keeps a call's result.
pub(super) async fn finish(
    tx: &mut Tx,
    call: &Call,
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
) -> DbResult<()> {
    let Call { key, method, path, idempotency_key, .. } = call;
    let args = args![key, method, path, idempotency_key, i64::from(status), content_type, body];
    tx.run(&FINISH, args).await.map(|_| ())
}

/// Forgets a call that came to nothing.
pub(super) async fn release(tx: &mut Tx, call: &Call) -> DbResult<()> {
    let args = args![&call.key, &call.method, &call.path, &call.idempotency_key];
    tx.run(&RELEASE, args).await.map(|_| ())
}

/// Removes results that were kept long enough.
pub(super) async fn expire(tx: &mut Tx, now: Timestamp) -> DbResult<u64> {
    tx.run(&EXPIRE, args![now.minus(KEPT)]).await
}
