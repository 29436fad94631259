//! The cursors' and the parked events' SQL, in the hub's database.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::journal::Entry;
use crate::{args, statements};

statements! {
    INSERT = { "INSERT INTO journal_cursors (consumer, epoch, position, fence, holder, lease_until, updated_at)
        VALUES ($1, $2, 0, 0, '', 0, $3) ON CONFLICT (consumer) DO NOTHING" };
    CLAIM = { "UPDATE journal_cursors SET fence = fence + 1, holder = $2, lease_until = $4, updated_at = $3
        WHERE consumer = $1 AND (holder = $2 OR lease_until < $3)
        RETURNING epoch, position, fence, lease_until" };
    STEAL = { "UPDATE journal_cursors SET fence = fence + 1, holder = $2, lease_until = $4, updated_at = $3
        WHERE consumer = $1 RETURNING epoch, position, fence, lease_until" };
    ADVANCE = { "UPDATE journal_cursors SET position = $4, lease_until = $6, updated_at = $5
        WHERE consumer = $1 AND position = $2 AND fence = $3 AND epoch = $7" };
    RELEASE = { "UPDATE journal_cursors SET lease_until = 0, updated_at = $3 WHERE consumer = $1 AND fence = $2" };
    POSITIONS = { "SELECT consumer, position FROM journal_cursors ORDER BY consumer" };
    PARK = { "INSERT INTO parked_events (consumer, position, account_id, kind, error, received_at, parked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (consumer, position) DO UPDATE
        SET error = excluded.error, parked_at = excluded.parked_at" };
    UNPARK = { "DELETE FROM parked_events WHERE consumer = $1 AND position = $2" };
    PARKED_IN = { "SELECT consumer, position FROM parked_events WHERE position >= $1 AND position <= $2
        ORDER BY consumer, position" };
    // reads: accounts (only the tenant's own)
    PARKED = { "SELECT p.consumer, p.position, p.account_id, a.display_name AS account_name, p.kind, p.error,
            p.received_at, p.parked_at
        FROM parked_events AS p JOIN accounts AS a ON a.id = p.account_id
        WHERE a.tenant_id = $1 ORDER BY p.position DESC, p.consumer LIMIT $2" };
    // reads: accounts (only the tenant's own)
    PARKED_AT = { "SELECT p.consumer, p.received_at FROM parked_events AS p JOIN accounts AS a ON a.id = p.account_id
        WHERE a.tenant_id = $1 AND p.position = $2 ORDER BY p.consumer" };
    FORGET_PARKED = { "DELETE FROM parked_events WHERE received_at < $1" };
}

/// A cursor that this node holds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Cursor {
    /// The journal it belongs to.
    pub epoch: i64,
    /// The last position whose work is done.
    pub position: i64,
    /// Grows with every holder.
    pub fence: i64,
    /// Until when others keep away.
    pub lease_until: Timestamp,
}

/// Who wants a cursor, and how.
#[derive(Debug)]
pub struct Claim<'a> {
    /// The process.
    pub node: &'a str,
    /// The journal's epoch, stored when the cursor is new.
    pub epoch: i64,
    /// The time.
    pub now: Timestamp,
    /// For how long.
    pub lease: Duration,
    /// Take it from a holder whose lease still runs: only where no other process can be alive (SQLite's locked folder).
    pub steal: bool,
}

/// Takes the cursor, making it where it is missing; `None` when another process holds it.
///
/// # Errors
/// Those of the database.
pub async fn claim(db: &Db, consumer: &str, claim: &Claim<'_>) -> DbResult<Option<Cursor>> {
    let mut tx = db.begin().await?;
    tx.run(&INSERT, args![consumer, claim.epoch, claim.now]).await?;
    let statement = if claim.steal { &STEAL } else { &CLAIM };
    let cursor =
        tx.opt(statement, args![consumer, claim.node, claim.now, claim.now.plus(claim.lease)]).await?;
    tx.commit().await?;
    Ok(cursor)
}

/// Moves the cursor in the transaction of the work.
///
/// # Errors
/// `Conflict` when another holder or another journal came between: the caller's transaction must be rolled back.
pub async fn advance(
    tx: &mut Tx,
    consumer: &str,
    cursor: &Cursor,
    to: i64,
    now: Timestamp,
    lease: Duration,
) -> DbResult<Cursor> {
    let lease_until = now.plus(lease);
    let changed = tx
        .run(&ADVANCE, args![consumer, cursor.position, cursor.fence, to, now, lease_until, cursor.epoch])
        .await?;
    if changed == 1 {
        Ok(Cursor { position: to, lease_until, ..cursor.clone() })
    } else {
        Err(DbError::Conflict { table: "journal_cursors" })
    }
}

/// Gives the cursor back, so that another node need not wait for the lease's end.
///
/// # Errors
/// Those of the database.
pub async fn release(db: &Db, consumer: &str, cursor: &Cursor, now: Timestamp) -> DbResult<()> {
    let mut tx = db.begin().await?;
    tx.run(&RELEASE, args![consumer, cursor.fence, now]).await?;
    tx.commit().await
}

/// Where every consumer stands.
///
/// # Errors
/// Those of the database.
pub async fn positions(db: &Db) -> DbResult<Vec<(String, i64)>> {
    db.all(&POSITIONS, args![]).await
}

/// Puts an event that could not be processed on the visible list.
///
/// # Errors
/// Those of the database.
pub async fn park(tx: &mut Tx, consumer: &str, entry: &Entry, error: &str, now: Timestamp) -> DbResult<()> {
    let account = entry.account_id.as_str();
    tx.run(
        &PARK,
        args![consumer, entry.position, account, entry.kind.as_str(), error, entry.received_at, now],
    )
    .await
    .map(|_| ())
}

/// Takes an event off the list, in the transaction in which it was processed after all.
///
/// # Errors
/// Those of the database.
pub async fn unpark(tx: &mut Tx, consumer: &str, position: i64) -> DbResult<()> {
    tx.run(&UNPARK, args![consumer, position]).await.map(|_| ())
}

/// Which of the entries between two positions are parked, as (consumer, position).
///
/// # Errors
/// Those of the database.
pub async fn parked_between(db: &Db, first: i64, last: i64) -> DbResult<Vec<(String, i64)>> {
    db.all(&PARKED_IN, args![first, last]).await
}

/// One parked event.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Parked {
    /// The consumer that could not process it.
    pub consumer: String,
    /// Its place in the journal.
    pub position: i64,
    /// The account.
    pub account_id: String,
    /// The account's name.
    pub account_name: String,
    /// `type`.
    pub kind: String,
    /// Why, in words.
    pub error: String,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// When it was parked.
    pub parked_at: Timestamp,
}

/// The newest parked events of a tenant.
///
/// # Errors
/// Those of the database.
pub async fn parked(db: &Db, tenant: &crate::ids::TenantId, limit: i64) -> DbResult<Vec<Parked>> {
    db.all(&PARKED, args![tenant, limit]).await
}

/// Which consumers could not process the tenant's event at a position, each with the time of the event's receipt.
///
/// # Errors
/// Those of the database.
pub async fn parked_at(
    db: &Db,
    tenant: &crate::ids::TenantId,
    position: i64,
) -> DbResult<Vec<(String, Timestamp)>> {
    db.all(&PARKED_AT, args![tenant, position]).await
}

/// Takes events off the list that the journal no longer has.
///
/// # Errors
/// Those of the database.
pub async fn forget_parked(db: &Db, received_before: Timestamp) -> DbResult<()> {
    let mut tx = db.begin().await?;
    tx.run(&FORGET_PARKED, args![received_before]).await?;
    tx.commit().await
}
