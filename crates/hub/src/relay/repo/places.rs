//! The SQL of where the cursors stand, in this journal and beside it.

use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, DestinationId, TenantId};
use crate::{args, statements};

statements! {
    PLACES = { "SELECT id, epoch, position FROM destinations WHERE deleted_at IS NULL
        AND (halt IS NULL OR halt <> 'journal') ORDER BY id" };
    HALT_STRANGE = { "UPDATE destinations SET halt = 'journal', serial = serial + 1
        WHERE id = $1 AND epoch = $2 AND position = $3 AND deleted_at IS NULL" };
    BEGIN_ANEW = { "UPDATE destinations SET epoch = $3, position = $4, done = '[]' WHERE tenant_id = $1 AND id = $2" };
    // Their places are those of other requests now: 0 is no request's.
    LOSE_UNITS = { "UPDATE relay_units SET standing = CASE standing WHEN 'retrying' THEN 'expired' ELSE standing END,
            first_position = 0, last_position = 0, due_at = $4,
            last_error = CASE WHEN last_error LIKE 'the journal no longer has%' THEN last_error ELSE $3 END
        WHERE tenant_id = $1 AND destination_id = $2" };
    SLOWEST = { "SELECT account_id, MIN(position) FROM destinations WHERE deleted_at IS NULL AND active = $1
        AND halt IS NULL AND epoch = $2 GROUP BY account_id" };
    // A cursor of another journal stands still for ever and needs nothing of this one.
    LISTED = { "SELECT MIN(position) FROM destinations WHERE deleted_at IS NULL AND epoch = $1
        AND (halt IS NULL OR halt <> 'journal')" };
    BEHIND = { "SELECT id FROM destinations WHERE deleted_at IS NULL AND epoch = $1 AND position < $2
        AND (halt IS NULL OR halt <> 'journal') ORDER BY id" };
}

/// Where the cursor of each destination stands that is not known to belong to another journal: id, epoch, position.
pub(in crate::relay) async fn places(db: &Db) -> DbResult<Vec<(DestinationId, i64, i64)>> {
    db.all(&PLACES, args![]).await
}

/// Notes that a cursor belongs to another journal, unless it has been moved meanwhile.
pub(in crate::relay) async fn halt_strange(
    tx: &mut Tx,
    (id, epoch, position): &(DestinationId, i64, i64),
) -> DbResult<()> {
    tx.run(&HALT_STRANGE, args![id, *epoch, *position]).await.map(|_| ())
}

/// Sets the cursor to a place of this journal; what has rows is lost.
pub(in crate::relay) async fn begin_anew(
    tx: &mut Tx,
    (tenant, id): (&TenantId, &DestinationId),
    (epoch, position): (i64, i64),
    why: &str,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&BEGIN_ANEW, args![tenant, id, epoch, position]).await?;
    tx.run(&LOSE_UNITS, args![tenant, id, why, now]).await.map(|_| ())
}

/// For each account the place of the slowest of those that run in this journal and do not fail.
pub(in crate::relay) async fn slowest(db: &Db, epoch: i64) -> DbResult<Vec<(AccountId, i64)>> {
    db.all(&SLOWEST, args![true, epoch]).await
}

/// The place of the slowest of all, whether it runs or not.
pub(in crate::relay) async fn listed(db: &Db, epoch: i64) -> DbResult<Option<i64>> {
    Ok(db.opt::<(Option<i64>,)>(&LISTED, args![epoch]).await?.and_then(|(position,)| position))
}

/// Those whose cursors stand before a place.
pub(in crate::relay) async fn behind(db: &Db, epoch: i64, position: i64) -> DbResult<Vec<DestinationId>> {
    let rows: Vec<(DestinationId,)> = db.all(&BEHIND, args![epoch, position]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
