//! The SQL of what was sent: the log of attempts, its counts, and what was put aside.

use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AttemptId, DeliveryId, DestinationId, TenantId};
use crate::relay::repo::Parked;
use crate::{args, statements};

statements! {
    LOG = { "INSERT INTO relay_attempts (id, tenant_id, destination_id, delivery, first_position, last_position, event_ids,
            attempt, at, status, ms, error, said, next_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)" };
    ATTEMPTS = { "SELECT id, delivery, first_position, last_position, event_ids, attempt, at, status, ms, error, said, next_at
        FROM relay_attempts WHERE tenant_id = $1 AND destination_id = $2
        AND ($6 = '' OR ($6 = 'delivered' AND error IS NULL) OR (error IS NOT NULL AND ($6 = 'failed'
            OR ($6 = 'silent' AND status IS NULL)
            OR ($6 = 'broken' AND (status >= 500 OR status IN (408, 425, 429)))
            OR ($6 = 'refused' AND status < 500 AND status NOT IN (408, 425, 429)))))
        AND ($7 = '' OR delivery = $7)
        AND (at < $3 OR (at = $3 AND id < $4)) ORDER BY at DESC, id DESC LIMIT $5" };
    ATTEMPT = { "SELECT id, delivery, first_position, last_position, event_ids, attempt, at, status, ms, error, said, next_at
        FROM relay_attempts WHERE tenant_id = $1 AND destination_id = $2 AND id = $3" };
    // A request that was put aside counts its tries anew when a person has it tried again.
    BEGUN_ANEW = { "SELECT delivery, MIN(at) FROM relay_attempts WHERE tenant_id = $1 AND destination_id = $2 AND attempt = 1
        GROUP BY delivery HAVING COUNT(*) > 1" };
    PARKED_ONE = { "SELECT u.id, u.first_position, u.last_position, u.standing, u.attempts, u.received_at, u.failed_at,
            u.last_error FROM relay_units AS u
        WHERE u.tenant_id = $1 AND u.destination_id = $2 AND u.id = $3 AND u.standing <> 'retrying'" };
    // Whether any has failed, not how many: there may be thousands.
    SKIPPED_AND_FAILED = { "SELECT (SELECT COUNT(*) FROM relay_units WHERE tenant_id = $1 AND destination_id = $2
            AND standing = 'skipped'),
        (SELECT COUNT(*) FROM (SELECT 1 FROM relay_units WHERE tenant_id = $1 AND destination_id = $2
            AND standing = 'retrying' AND failed_at IS NOT NULL LIMIT 1) AS failed)" };
    DUE = { "SELECT due_at FROM relay_units WHERE tenant_id = $1 AND destination_id = $2 AND id = $3
        AND standing = 'retrying'" };
    // What stands above the cursor is known to be settled by its row alone.
    DISMISS = { "DELETE FROM relay_units WHERE tenant_id = $1 AND destination_id = $2 AND id = $3 AND standing <> 'retrying'
        AND (is_replay = $4 OR first_position <= (SELECT d.position FROM destinations AS d WHERE d.id = $2))" };
    COUNT_UP = { "INSERT INTO relay_counts (destination_id, begins_at, ok, failed, ms) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (destination_id, begins_at) DO UPDATE SET ok = relay_counts.ok + excluded.ok,
            failed = relay_counts.failed + excluded.failed, ms = relay_counts.ms + excluded.ms" };
    COUNTS = { "SELECT begins_at, ok, failed, ms FROM relay_counts WHERE destination_id = $1 AND begins_at >= $2
        ORDER BY begins_at" };
}

/// One attempt in the log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The unit.
    pub delivery: DeliveryId,
    /// The position of the unit's first event.
    pub first_position: i64,
    /// And of its last.
    pub last_position: i64,
    /// The events' ids, a JSON array.
    pub event_ids: String,
    /// Its number, from 1.
    pub attempt: i64,
    /// When it began.
    pub at: Timestamp,
    /// The status of the answer.
    pub status: Option<i64>,
    /// How long it took.
    pub ms: i64,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of the answer.
    pub said: String,
    /// When the unit is tried next.
    pub next_at: Option<Timestamp>,
}

pub(in crate::relay) async fn log(
    tx: &mut Tx,
    (tenant, destination): (&TenantId, &DestinationId),
    attempt: &Attempt,
) -> DbResult<()> {
    let args = args![
        &attempt.id,
        tenant,
        destination,
        &attempt.delivery,
        attempt.first_position,
        attempt.last_position,
        &attempt.event_ids,
        attempt.attempt,
        attempt.at,
        attempt.status,
        attempt.ms,
        attempt.error.as_deref(),
        &attempt.said,
        attempt.next_at,
    ];
    tx.run(&LOG, args).await.map(|_| ())
}

/// One page of the log, the newest first, below a place: all, or those that ended so and are of that delivery.
pub(in crate::relay) async fn attempts(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
    (at, id): (Timestamp, &str),
    (outcome, delivery): (&str, &str),
    limit: i64,
) -> DbResult<Vec<Attempt>> {
    db.all(&ATTEMPTS, args![tenant, destination, at, id, limit, outcome, delivery]).await
}

pub(in crate::relay) async fn attempt(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
    id: &AttemptId,
) -> DbResult<Option<Attempt>> {
    db.opt(&ATTEMPT, args![tenant, destination, id]).await
}

/// The units whose tries were counted anew, and when each was tried first.
pub(in crate::relay) async fn begun_anew(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
) -> DbResult<Vec<(DeliveryId, Timestamp)>> {
    db.all(&BEGUN_ANEW, args![tenant, destination]).await
}

/// One unit that was put aside.
pub(in crate::relay) async fn parked_one(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
    id: &DeliveryId,
) -> DbResult<Option<Parked>> {
    db.opt(&PARKED_ONE, args![tenant, destination, id]).await
}

/// How many units a person left out, and whether any of those that wait has failed.
pub(in crate::relay) async fn skipped_and_failed(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
) -> DbResult<(i64, bool)> {
    let found = db.opt::<(i64, i64)>(&SKIPPED_AND_FAILED, args![tenant, destination]).await?;
    Ok(found.map_or((0, false), |(skipped, failed)| (skipped, failed > 0)))
}

/// When a unit that waits is tried next.
pub(in crate::relay) async fn due(
    db: &Db,
    (tenant, destination): (&TenantId, &DestinationId),
    id: &DeliveryId,
) -> DbResult<Option<Timestamp>> {
    Ok(db.opt::<(Timestamp,)>(&DUE, args![tenant, destination, id]).await?.map(|(due,)| due))
}

/// Drops a unit that was put aside; 0 where the cursor has not passed it yet.
pub(in crate::relay) async fn dismiss(
    tx: &mut Tx,
    (tenant, destination): (&TenantId, &DestinationId),
    id: &DeliveryId,
) -> DbResult<u64> {
    tx.run(&DISMISS, args![tenant, destination, id, true]).await
}

/// Attempts of five minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Count {
    /// When they began.
    pub begins_at: Timestamp,
    /// Deliveries.
    pub ok: i64,
    /// Failures.
    pub failed: i64,
    /// What they took together.
    pub ms: i64,
}

pub(in crate::relay) async fn count_up(tx: &mut Tx, destination: &DestinationId, by: &Count) -> DbResult<()> {
    tx.run(&COUNT_UP, args![destination, by.begins_at, by.ok, by.failed, by.ms]).await.map(|_| ())
}

/// The counts since a moment.
pub(in crate::relay) async fn counts(
    db: &Db,
    destination: &DestinationId,
    since: Timestamp,
) -> DbResult<Vec<Count>> {
    db.all(&COUNTS, args![destination, since]).await
}
