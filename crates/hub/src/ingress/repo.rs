//! The quarantine's SQL.

use std::time::Duration;

use crate::accounts::Connected;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::AccountId;
use crate::{args, statements};

/// Bodies kept per account.
pub(super) const ROOM: i64 = 1000;
/// Bytes kept per account.
pub(super) const ROOM_BYTES: i64 = 64 << 20;
/// How long a body waits.
pub(super) const KEPT: Duration = Duration::from_secs(24 * 3600);

statements! {
    USED = { "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM quarantine
        WHERE account_id = $1 AND received_at > $2" };
    KEEP = { "INSERT INTO quarantine (id, account_id, tenant_id, body, size, signature, received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)" };
    NEXT = { "SELECT id, body, signature, received_at FROM quarantine
        WHERE account_id = $1 AND id > $2 AND received_at > $3 ORDER BY id LIMIT 50" };
    TAKE = { "DELETE FROM quarantine WHERE id = $1" };
    EXPIRE = { "DELETE FROM quarantine WHERE received_at <= $1" };
    EMPTY = { "DELETE FROM quarantine WHERE account_id = $1" };
    WAITING = { "SELECT DISTINCT account_id FROM quarantine WHERE received_at > $1 ORDER BY account_id" };
}

/// How many bodies of an account wait.
pub(super) async fn count(db: &Db, account: &AccountId, now: Timestamp) -> DbResult<u64> {
    let used: Option<(i64, i64)> = db.opt(&USED, args![account, now.minus(KEPT)]).await?;
    Ok(used.map_or(0, |(count, _)| u64::try_from(count).unwrap_or_default()))
}

/// A body in quarantine.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) body: Vec<u8>,
    pub(super) signature: String,
    pub(super) received_at: Timestamp,
}

/// Keeps a body; `false` when there is no room.
pub(super) async fn keep(tx: &mut Tx, account: &Connected, row: &Row) -> DbResult<bool> {
    let size = i64::try_from(row.body.len()).unwrap_or(i64::MAX);
    let since = row.received_at.minus(KEPT);
    let used: Option<(i64, i64)> = tx.opt(&USED, args![&account.id, since]).await?;
    if used.is_some_and(|(count, bytes)| count >= ROOM || bytes.saturating_add(size) > ROOM_BYTES) {
        return Ok(false);
    }
    let (body, signature) = (row.body.as_slice(), row.signature.as_str());
    tx.run(&KEEP, args![&row.id, &account.id, &account.tenant, body, size, signature, row.received_at])
        .await?;
    Ok(true)
}

/// Up to 50 bodies of an account after `id`, oldest first.
pub(super) async fn next(db: &Db, account: &AccountId, after: &str, now: Timestamp) -> DbResult<Vec<Row>> {
    db.all(&NEXT, args![account, after, now.minus(KEPT)]).await
}

/// Removes a body that was journaled; `false` when another process did.
pub(super) async fn take(tx: &mut Tx, id: &str) -> DbResult<bool> {
    Ok(tx.run(&TAKE, args![id]).await? == 1)
}

/// Removes what has waited too long.
pub(super) async fn expire(tx: &mut Tx, now: Timestamp) -> DbResult<u64> {
    tx.run(&EXPIRE, args![now.minus(KEPT)]).await
}

/// Removes all bodies of an account.
pub(super) async fn empty(tx: &mut Tx, account: &AccountId) -> DbResult<u64> {
    tx.run(&EMPTY, args![account]).await
}

/// The accounts that have bodies in quarantine.
pub(super) async fn waiting(db: &Db, now: Timestamp) -> DbResult<Vec<(AccountId,)>> {
    db.all(&WAITING, args![now.minus(KEPT)]).await
}
