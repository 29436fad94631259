//! The SQL of alerts.

use crate::alerts::model::{Alert, Severity};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, AlertId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

// reads: accounts (for the name)
macro_rules! columns {
    () => {
        "SELECT a.id, a.tenant_id, a.account_id, o.display_name AS account_name, a.code, a.severity, a.args, a.opened_at,
        a.last_seen_at, a.closed_at, a.returns, a.is_told
        FROM alerts AS a LEFT JOIN accounts AS o ON o.id = a.account_id AND o.tenant_id = a.tenant_id WHERE"
    };
}

statements! {
    OPEN = { concat!(columns!(), in_scope!("a", "$1", "$2"), " AND a.closed_at IS NULL
        ORDER BY CASE a.severity WHEN 'failed' THEN 0 ELSE 1 END, a.opened_at, a.id LIMIT $3") };
    LIST = { concat!(columns!(), in_scope!("a", "$1", "$2"), "
        AND ($3 = '' OR (CASE WHEN a.closed_at IS NULL THEN 'open' ELSE 'closed' END) = $3)
        AND (a.opened_at < $4 OR (a.opened_at = $4 AND a.id < $5)) ORDER BY a.opened_at DESC, a.id DESC LIMIT $6") };
    NEWEST = { concat!(columns!(), " a.tenant_id = $1 AND a.place = $2 AND a.code = $3
        ORDER BY a.opened_at DESC, a.id DESC LIMIT 1") };
    OF_ACCOUNT = { concat!(columns!(), " a.tenant_id = $1 AND a.account_id = $2 AND a.closed_at IS NULL ORDER BY a.id") };
    INSERT = { "INSERT INTO alerts (id, tenant_id, account_id, place, code, severity, args, opened_at, last_seen_at,
            returns, is_told)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, $9)
        ON CONFLICT (tenant_id, place, code) WHERE closed_at IS NULL DO NOTHING" };
    REOPEN = { "UPDATE alerts SET severity = $2, args = $3, opened_at = $4, last_seen_at = $4, closed_at = NULL,
            returns = returns + 1, is_told = $5
        WHERE id = $1 AND closed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM alerts AS b
            WHERE b.tenant_id = alerts.tenant_id AND b.place = alerts.place AND b.code = alerts.code AND b.closed_at IS NULL)" };
    SEE = { "UPDATE alerts SET severity = $2, args = $3, last_seen_at = $4 WHERE id = $1 AND closed_at IS NULL" };
    CLOSE = { "UPDATE alerts SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL" };
    SETTLE = { "UPDATE alerts SET is_told = $3 WHERE id = $1 AND closed_at = $2 AND is_told = $4" };
}

pub(super) async fn open(db: &Db, scope: &Scope, limit: i64) -> DbResult<Vec<Alert>> {
    db.all(&OPEN, args![scope.tenant(), scope.viewer(), limit]).await
}

/// One page of open or closed ones, or of all (`state` empty), the newest first, below a place.
pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    state: &str,
    (at, id): (Timestamp, &str),
    limit: i64,
) -> DbResult<Vec<Alert>> {
    db.all(&LIST, args![scope.tenant(), scope.viewer(), state, at, id, limit]).await
}

/// The newest alert of a condition, open or not.
pub(super) async fn newest(db: &Db, tenant: &TenantId, place: &str, code: &str) -> DbResult<Option<Alert>> {
    db.opt(&NEWEST, args![tenant, place, code]).await
}

/// The open alerts of an account.
pub(super) async fn of_account(db: &Db, tenant: &TenantId, account: &AccountId) -> DbResult<Vec<Alert>> {
    db.all(&OF_ACCOUNT, args![tenant, account]).await
}

/// What a row is made or changed to.
#[derive(Debug)]
pub(super) struct New<'a> {
    pub(super) severity: Severity,
    pub(super) args: &'a str,
    pub(super) at: Timestamp,
    pub(super) is_told: bool,
}

/// Opens an alert; `false` when another process just did.
pub(super) async fn insert(
    tx: &mut Tx,
    id: &AlertId,
    (tenant, account, code): (&TenantId, Option<&AccountId>, &str),
    new: &New<'_>,
) -> DbResult<bool> {
    let place = account.map_or("", AccountId::as_str);
    let (severity, is_told) = (new.severity.as_str(), new.is_told);
    let args = args![id, tenant, account, place, code, severity, new.args, new.at, is_told];
    Ok(tx.run(&INSERT, args).await? == 1)
}

/// Opens one again; `false` when another process just did.
pub(super) async fn reopen(tx: &mut Tx, id: &AlertId, new: &New<'_>) -> DbResult<bool> {
    let args = args![id, new.severity.as_str(), new.args, new.at, new.is_told];
    Ok(tx.run(&REOPEN, args).await? == 1)
}

pub(super) async fn see(
    tx: &mut Tx,
    id: &AlertId,
    severity: Severity,
    args: &str,
    at: Timestamp,
) -> DbResult<()> {
    tx.run(&SEE, args![id, severity.as_str(), args, at]).await.map(|_| ())
}

/// Closes one; `false` when it is closed already.
pub(super) async fn close(tx: &mut Tx, id: &AlertId, at: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&CLOSE, args![id, at]).await? == 1)
}

/// Notes that people are told that it is over since `closed_at`; `false` when they were, or it came back.
pub(super) async fn settle(tx: &mut Tx, id: &AlertId, closed_at: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&SETTLE, args![id, closed_at, false, true]).await? == 1)
}
