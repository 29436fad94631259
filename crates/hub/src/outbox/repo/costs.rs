//! The SQL of what sends cost, and of LINE's word on the quota.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, TenantId};
use crate::outbox::model::{Origin, Reading, Used, Via};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

/// What is open for longer than this never ends: a push is repeated for a day at most.
const OPEN_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

statements! {
    // What was asked for before and ends now, or may yet, is paid for now; $5 keeps the search short.
    PAID = { "SELECT (SELECT CAST(COALESCE(SUM(COALESCE(s.cost, s.max_cost)), 0) AS BIGINT) FROM sends AS s
            WHERE s.tenant_id = $1 AND s.actor = $2 AND s.origin = 'proxy' AND s.created_at >= $5
            AND (s.settled_at IS NULL OR s.settled_at >= $3) AND s.allow_paid = $4
            AND s.state <> 'failed' AND (s.via IS NULL OR s.via = 'push'))
        + (SELECT CAST(COALESCE(SUM(b.cost), 0) AS BIGINT) FROM bulk_sends AS b
            WHERE b.tenant_id = $1 AND b.actor = $2 AND b.origin = 'proxy' AND b.created_at >= $5
            AND (b.settled_at IS NULL OR b.settled_at >= $3) AND b.state <> 'failed')" };
    USED_BULK = { concat!("SELECT b.account_id, b.kind, b.origin, COUNT(*) AS calls,
        CAST(SUM(b.message_count) AS BIGINT) AS messages, CAST(SUM(COALESCE(b.cost, 0)) AS BIGINT) AS cost
        FROM bulk_sends AS b WHERE b.settled_at >= $3 AND b.settled_at < $4 AND b.state IN ('sent', 'unknown') AND",
        in_scope!("b", "$1", "$2"), " GROUP BY b.account_id, b.kind, b.origin ORDER BY b.account_id, b.kind, b.origin") };
    READING = { "SELECT quota, used, read_at FROM quota_readings WHERE account_id = $1" };
    READING_SET = { "INSERT INTO quota_readings (account_id, tenant_id, quota, used, read_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id) DO UPDATE
        SET quota = excluded.quota, used = excluded.used, read_at = excluded.read_at" };
    READINGS = { concat!("SELECT q.account_id, q.quota, q.used, q.read_at FROM quota_readings AS q WHERE",
        in_scope!("q", "$1", "$2"), " ORDER BY q.account_id") };
    // What the account's sends will take from the quota or have taken since LINE's reading at $2.
    OWN_COST = { "SELECT CAST(COALESCE(SUM(COALESCE(s.cost, s.members, 1)), 0) AS BIGINT)
            + CAST((SELECT COALESCE(SUM(b.cost), 0) FROM bulk_sends AS b WHERE b.account_id = $1 AND b.state <> 'failed'
                AND (b.settled_at IS NULL OR b.settled_at > $2)) AS BIGINT)
        FROM sends AS s
        WHERE s.account_id = $1 AND (s.settled_at IS NULL OR s.settled_at > $2) AND (
            (s.via = 'push' AND s.state <> 'failed')
            OR (s.via IS NULL AND s.settled_at IS NULL AND s.allow_paid = $4
                AND NOT EXISTS (SELECT 1 FROM reply_tokens AS t WHERE t.conversation_id = s.conversation_id
                    AND t.owner = '' AND t.claimed_by IS NULL AND t.usable_until > $3)))" };
    USED = { concat!("SELECT s.account_id, s.via, s.origin, COUNT(*) AS calls,
        CAST(SUM(s.message_count) AS BIGINT) AS messages, CAST(SUM(COALESCE(s.cost, 0)) AS BIGINT) AS cost
        FROM sends AS s WHERE s.settled_at >= $3 AND s.settled_at < $4 AND s.state IN ('sent', 'unknown')
        AND s.via IS NOT NULL AND", in_scope!("s", "$1", "$2"), "
        GROUP BY s.account_id, s.via, s.origin ORDER BY s.account_id, s.via, s.origin") };
}

/// What another system's paid sends since then have cost, or may yet.
pub(in crate::outbox) async fn paid(
    tx: &mut Tx,
    tenant: &TenantId,
    actor: &str,
    since: Timestamp,
) -> DbResult<i64> {
    let row: Option<(i64,)> = tx.opt(&PAID, args![tenant, actor, since, true, since.minus(OPEN_MAX)]).await?;
    Ok(row.map_or(0, |(cost,)| cost))
}

/// The same, only read.
pub(in crate::outbox) async fn read_paid(
    db: &Db,
    tenant: &TenantId,
    actor: &str,
    since: Timestamp,
) -> DbResult<i64> {
    let row: Option<(i64,)> = db.opt(&PAID, args![tenant, actor, since, true, since.minus(OPEN_MAX)]).await?;
    Ok(row.map_or(0, |(cost,)| cost))
}

#[derive(Debug, sqlx::FromRow)]
struct ReadingRow {
    quota: Option<i64>,
    used: i64,
    read_at: Timestamp,
}

impl From<ReadingRow> for Reading {
    fn from(ReadingRow { quota, used, read_at }: ReadingRow) -> Self {
        Self { quota, used, read_at }
    }
}

/// LINE's last word on the account's quota.
pub(in crate::outbox) async fn reading(db: &Db, account: &AccountId) -> DbResult<Option<Reading>> {
    Ok(db.opt::<ReadingRow>(&READING, args![account]).await?.map(Reading::from))
}

/// Keeps LINE's word on the account's quota.
pub(in crate::outbox) async fn set_reading(
    tx: &mut Tx,
    tenant: &TenantId,
    account: &AccountId,
    reading: &Reading,
) -> DbResult<()> {
    let args = args![account, tenant, reading.quota, reading.used, reading.read_at];
    tx.run(&READING_SET, args).await.map(|_| ())
}

/// What the account's sends take from the quota beyond the reading.
pub(in crate::outbox) async fn own_cost(
    db: &Db,
    account: &AccountId,
    reading: &Reading,
    now: Timestamp,
) -> DbResult<i64> {
    let row: Option<(i64,)> = db.opt(&OWN_COST, args![account, reading.read_at, now, true]).await?;
    Ok(row.map_or(0, |(cost,)| cost))
}

#[derive(Debug, sqlx::FromRow)]
struct AccountReadingRow {
    account_id: AccountId,
    #[sqlx(flatten)]
    reading: ReadingRow,
}

/// LINE's words on the quotas of the accounts in scope.
pub(in crate::outbox) async fn readings(db: &Db, scope: &Scope) -> DbResult<Vec<(AccountId, Reading)>> {
    let rows: Vec<AccountReadingRow> = db.all(&READINGS, args![scope.tenant(), scope.viewer()]).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.reading.into())).collect())
}

/// What went out, or may have, between two moments, by account, kind and origin.
pub(in crate::outbox) async fn used(
    db: &Db,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
) -> DbResult<Vec<(AccountId, Via, Origin, Used)>> {
    type Row = (AccountId, String, String, i64, i64, i64);
    let mut rows: Vec<Row> = db.all(&USED, args![scope.tenant(), scope.viewer(), from, until]).await?;
    rows.extend(db.all::<Row>(&USED_BULK, args![scope.tenant(), scope.viewer(), from, until]).await?);
    rows.into_iter()
        .map(|(account, via, origin, calls, messages, cost)| {
            let odd = |column| DbError::Inconsistent { table: "sends", column, id: account.to_string() };
            let via = Via::parse(&via).ok_or_else(|| odd("via"))?;
            let origin = Origin::parse(&origin).ok_or_else(|| odd("origin"))?;
            Ok((account, via, origin, Used { calls, messages, cost }))
        })
        .collect()
}
