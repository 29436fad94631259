//! The SQL of idempotency keys.

use super::IDEMPOTENCY_KEPT as KEPT;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::ApiKeyId;
use crate::{args, statements};

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
    // The end of the lease tells one run from another: who takes over begins after it.
    FINISH = { "UPDATE idempotency_keys SET status = $6, content_type = $7, body = $8
        WHERE api_key_id = $1 AND method = $2 AND path = $3 AND idempotency_key = $4
            AND lease_until = $5 AND status IS NULL" };
    RELEASE = { "DELETE FROM idempotency_keys
        WHERE api_key_id = $1 AND method = $2 AND path = $3 AND idempotency_key = $4
            AND lease_until = $5 AND status IS NULL" };
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
    /// Until when this run of it may take; nobody else touches it before.
    pub(super) lease_until: Timestamp,
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
pub(super) async fn begin(tx: &mut Tx, call: &Call, now: Timestamp) -> DbResult<bool> {
    let Call { key, method, path, idempotency_key, body_hash, lease_until } = call;
    let args = args![key, method, path, idempotency_key, body_hash, *lease_until, now, now.minus(KEPT)];
    Ok(tx.run(&BEGIN, args).await? == 1)
}

/// What is known of a call.
pub(super) async fn find(db: &Db, call: &Call) -> DbResult<Option<Before>> {
    db.opt(&FIND, args![&call.key, &call.method, &call.path, &call.idempotency_key]).await
}

/// Keeps a call's result; `false` when another run has taken the call over.
pub(super) async fn finish(
    tx: &mut Tx,
    call: &Call,
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
) -> DbResult<bool> {
    let Call { key, method, path, idempotency_key, lease_until, .. } = call;
    let status = i64::from(status);
    let args = args![key, method, path, idempotency_key, *lease_until, status, content_type, body];
    Ok(tx.run(&FINISH, args).await? == 1)
}

/// Forgets a call that came to nothing; `false` when another run has taken it over.
pub(super) async fn release(tx: &mut Tx, call: &Call) -> DbResult<bool> {
    let Call { key, method, path, idempotency_key, lease_until, .. } = call;
    Ok(tx.run(&RELEASE, args![key, method, path, idempotency_key, *lease_until]).await? == 1)
}

/// Removes results that were kept long enough.
pub(super) async fn expire(tx: &mut Tx, now: Timestamp) -> DbResult<u64> {
    tx.run(&EXPIRE, args![now.minus(KEPT)]).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::clock::Entropy;
    use crate::db::testing::{Engine, TestDb};
    use crate::ids::Id as _;

    #[rstest]
    #[case::sqlite(Engine::Sqlite)]
    #[case::postgres(Engine::Postgres)]
    #[tokio::test]
    async fn who_was_taken_over_neither_finishes_nor_frees_the_call(#[case] engine: Engine) {
        let Some(dbs) = TestDb::new(engine).await else { return };
        let start = Timestamp(1_700_000_000_000);
        let lease = Duration::from_secs(60);
        let first = Call {
            key: ApiKeyId::new(start, &Entropy::seeded(1)),
            method: "POST".to_owned(),
            path: "/x".to_owned(),
            idempotency_key: "k".to_owned(),
            body_hash: "h".to_owned(),
            lease_until: start.plus(lease),
        };
        let later = start.plus(lease);
        let second = Call { lease_until: later.plus(lease), ..first.clone() };
        let status = async || find(&dbs.hub, &first).await.unwrap().map(|before| before.status);
        let mut tx = dbs.hub.begin().await.unwrap();
        assert!(begin(&mut tx, &first, start).await.unwrap());
        assert!(!begin(&mut tx, &second, start).await.unwrap());
        assert!(begin(&mut tx, &second, later).await.unwrap(), "the lease has run out");
        assert!(!finish(&mut tx, &first, 500, None, b"late").await.unwrap());
        assert!(!release(&mut tx, &first).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(status().await, Some(None), "the second still runs");
        let mut tx = dbs.hub.begin().await.unwrap();
        assert!(finish(&mut tx, &second, 202, None, b"done").await.unwrap());
        assert!(!release(&mut tx, &second).await.unwrap(), "what is done stays");
        tx.commit().await.unwrap();
        assert_eq!(status().await, Some(Some(202)));
        dbs.close().await;
    }
}
