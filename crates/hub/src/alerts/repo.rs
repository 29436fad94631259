//! The SQL of alerts.

use crate::alerts::channels::{Settings, Target};
use crate::alerts::model::{Alert, Severity};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, AlertId, NoticeId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

// reads: accounts (for the name)
macro_rules! columns {
    () => {
        "SELECT a.id, a.tenant_id, a.account_id, o.display_name AS account_name, a.code, a.severity, a.args, a.opened_at,
        a.last_seen_at, a.closed_at, a.returns, a.is_told, a.told_level, a.seen_by
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
    OF_PLACE = { concat!(columns!(), " a.tenant_id = $1 AND a.place = $2 AND a.closed_at IS NULL ORDER BY a.id") };
    // reads: accounts
    IS_CONNECTED = { "SELECT id FROM accounts WHERE id = $1 AND tenant_id = $2 AND status <> 'disconnected'" };
    INSERT = { "INSERT INTO alerts (id, tenant_id, account_id, place, code, severity, args, opened_at, last_seen_at,
            returns, is_told, told_level, seen_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0, $9, $10, $11)
        ON CONFLICT (tenant_id, place, code) WHERE closed_at IS NULL DO NOTHING" };
    REOPEN = { "UPDATE alerts SET severity = $2, args = $3, opened_at = $4, last_seen_at = $4, closed_at = NULL,
            returns = returns + 1, is_told = $5, told_level = $7, seen_by = $8
        WHERE id = $1 AND closed_at IS NOT NULL AND is_told = $6 AND NOT EXISTS (SELECT 1 FROM alerts AS b
            WHERE b.tenant_id = alerts.tenant_id AND b.place = alerts.place AND b.code = alerts.code AND b.closed_at IS NULL)" };
    SEE = { "UPDATE alerts SET severity = $2, args = $3, last_seen_at = $4, told_level = $5, seen_by = $6
        WHERE id = $1 AND closed_at IS NULL AND told_level = $7" };
    CLOSE = { "UPDATE alerts SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL" };
    FIND = { concat!(columns!(), " a.id = $1") };
    SETTINGS = { "SELECT email_on, email_to, language, webhook_on, webhook_url, webhook_secret, updated_at, updated_by
        FROM alert_settings WHERE tenant_id = $1" };
    // reads: users (whom a letter may go to, and in which language)
    PEOPLE = { "SELECT email, role, language FROM users WHERE tenant_id = $1 AND disabled_at IS NULL
        ORDER BY created_at, id" };
    SET_SETTINGS = { "INSERT INTO alert_settings
            (tenant_id, email_on, email_to, language, webhook_on, webhook_url, webhook_secret, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (tenant_id) DO UPDATE SET email_on = excluded.email_on, email_to = excluded.email_to,
            language = excluded.language, webhook_on = excluded.webhook_on, webhook_url = excluded.webhook_url,
            webhook_secret = excluded.webhook_secret, updated_at = excluded.updated_at, updated_by = excluded.updated_by" };
    // Holds the row, so that two changes at once do not undo each other.
    HOLD_SETTINGS = { "INSERT INTO alert_settings
            (tenant_id, email_on, email_to, language, webhook_on, webhook_url, webhook_secret, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, NULL, NULL, $6, $7)
        ON CONFLICT (tenant_id) DO UPDATE SET updated_by = alert_settings.updated_by" };
    ADD_TEST = { "INSERT INTO alert_tests (id, tenant_id, tested_at) VALUES ($1, $2, $3)" };
    COUNT_TESTS = { "SELECT COUNT(*) FROM alert_tests WHERE tenant_id = $1 AND tested_at > $2" };
    FORGET_TESTS = { "DELETE FROM alert_tests WHERE tested_at <= $1" };
    SEALED = { "SELECT tenant_id, webhook_secret FROM alert_settings WHERE webhook_secret IS NOT NULL ORDER BY tenant_id" };
    RESEAL = { "UPDATE alert_settings SET webhook_secret = $3 WHERE tenant_id = $1 AND webhook_secret = $2" };
    ADD_NOTICE = { "INSERT INTO alert_notices (id, tenant_id, alert_id, kind, channel, target, language, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8)" };
    NOTICE = { "SELECT id, tenant_id, alert_id, kind, channel, target, language, created_at FROM alert_notices
        WHERE id = $1 AND state = 'waiting'" };
    END_NOTICE = { "UPDATE alert_notices SET state = $2, error = $3, ended_at = $4 WHERE id = $1 AND state = 'waiting'" };
    NOTE_FAILURE = { "UPDATE alert_notices SET error = $2 WHERE id = $1 AND state = 'waiting'" };
    // How notices fared, for the newest alerts of a tenant.
    FARED = { "SELECT n.alert_id, n.kind, n.channel, n.target, n.state, n.error FROM alert_notices AS n
        WHERE n.tenant_id = $1 AND n.created_at >= $2 ORDER BY n.created_at DESC, n.id DESC LIMIT $3" };
    FORGET_NOTICES = { "DELETE FROM alert_notices WHERE alert_id IN
        (SELECT id FROM alerts WHERE closed_at < $1 ORDER BY closed_at, id LIMIT $2)" };
    FORGET = { "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE closed_at < $1 ORDER BY closed_at, id LIMIT $2)" };
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

/// The open alerts of a place: an account's id, or the empty text for the hub as a whole.
pub(super) async fn of_place(db: &Db, tenant: &TenantId, place: &str) -> DbResult<Vec<Alert>> {
    db.all(&OF_PLACE, args![tenant, place]).await
}

/// Whether an account is connected.
pub(super) async fn is_connected(tx: &mut Tx, tenant: &TenantId, account: &AccountId) -> DbResult<bool> {
    Ok(tx.opt::<(AccountId,)>(&IS_CONNECTED, args![account, tenant]).await?.is_some())
}

/// What a row is made or changed to.
#[derive(Debug)]
pub(super) struct New<'a> {
    pub(super) severity: Severity,
    pub(super) args: &'a str,
    pub(super) at: Timestamp,
    pub(super) is_told: bool,
    pub(super) told_level: i64,
    pub(super) seen_by: Option<&'a str>,
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
    let args = args![
        id,
        tenant,
        account,
        place,
        code,
        severity,
        new.args,
        new.at,
        is_told,
        new.told_level,
        new.seen_by
    ];
    Ok(tx.run(&INSERT, args).await? == 1)
}

/// Opens one again; `false` when another process just did.
pub(super) async fn reopen(tx: &mut Tx, id: &AlertId, new: &New<'_>, was_told: bool) -> DbResult<bool> {
    let args = args![
        id,
        new.severity.as_str(),
        new.args,
        new.at,
        new.is_told,
        was_told,
        new.told_level,
        new.seen_by
    ];
    Ok(tx.run(&REOPEN, args).await? == 1)
}

/// Notes that one is still on; `false` when it is closed, or another process told a worse level than `told_before`.
pub(super) async fn see(tx: &mut Tx, id: &AlertId, new: &New<'_>, told_before: i64) -> DbResult<bool> {
    let args = args![id, new.severity.as_str(), new.args, new.at, new.told_level, new.seen_by, told_before];
    Ok(tx.run(&SEE, args).await? == 1)
}

/// Closes one; `false` when it is closed already.
pub(super) async fn close(tx: &mut Tx, id: &AlertId, at: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&CLOSE, args![id, at]).await? == 1)
}

/// Notes that people are told that it is over since `closed_at`; `false` when they were, or it came back.
pub(super) async fn settle(tx: &mut Tx, id: &AlertId, closed_at: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&SETTLE, args![id, closed_at, false, true]).await? == 1)
}

/// An alert by its id alone, for the hub's own work.
pub(super) async fn find(db: &Db, id: &AlertId) -> DbResult<Option<Alert>> {
    db.opt(&FIND, args![id]).await
}

/// Whom a tenant wants to be told.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SettingsRow {
    pub(super) email_on: bool,
    pub(super) email_to: String,
    pub(super) language: String,
    pub(super) webhook_on: bool,
    pub(super) webhook_url: Option<String>,
    pub(super) webhook_secret: Option<String>,
    pub(super) updated_at: Timestamp,
    pub(super) updated_by: String,
}

pub(super) async fn settings(db: &Db, tenant: &TenantId) -> DbResult<Option<SettingsRow>> {
    db.opt(&SETTINGS, args![tenant]).await
}

/// The settings, held until the transaction ends; `first` is stored where there are none.
pub(super) async fn hold_settings(
    tx: &mut Tx,
    tenant: &TenantId,
    first: &Settings,
    now: Timestamp,
) -> DbResult<Option<SettingsRow>> {
    let language = first.language.tag();
    let args = args![tenant, first.email_on, "[]", language, first.webhook_on, now, ""];
    tx.run(&HOLD_SETTINGS, args).await?;
    tx.opt(&SETTINGS, args![tenant]).await
}

/// Notes a try of a channel.
pub(super) async fn add_test(tx: &mut Tx, id: &NoticeId, tenant: &TenantId, at: Timestamp) -> DbResult<()> {
    tx.run(&ADD_TEST, args![id, tenant, at]).await.map(|_| ())
}

/// How many tries a tenant made after a moment.
pub(super) async fn count_tests(tx: &mut Tx, tenant: &TenantId, after: Timestamp) -> DbResult<i64> {
    Ok(tx.opt::<(i64,)>(&COUNT_TESTS, args![tenant, after]).await?.map_or(0, |(count,)| count))
}

/// Forgets tries up to a moment.
pub(super) async fn forget_tests(tx: &mut Tx, until: Timestamp) -> DbResult<()> {
    tx.run(&FORGET_TESTS, args![until]).await.map(|_| ())
}

/// Address, role and language of a tenant's people who may sign in.
pub(super) async fn people(db: &Db, tenant: &TenantId) -> DbResult<Vec<(String, String, Option<String>)>> {
    db.all(&PEOPLE, args![tenant]).await
}

pub(super) async fn set_settings(
    tx: &mut Tx,
    tenant: &TenantId,
    settings: &Settings,
    sealed: Option<String>,
) -> DbResult<()> {
    let addresses = serde_json::Value::from(settings.email_to.clone()).to_string();
    let args = args![
        tenant,
        settings.email_on,
        addresses,
        settings.language.tag(),
        settings.webhook_on,
        settings.webhook_url.clone(),
        sealed,
        settings.updated_at,
        settings.updated_by.clone()
    ];
    tx.run(&SET_SETTINGS, args).await.map(|_| ())
}

pub(super) async fn sealed(db: &Db) -> DbResult<Vec<(TenantId, String)>> {
    db.all(&SEALED, args![]).await
}

/// Replaces a sealed secret, unless it was changed meanwhile.
pub(super) async fn reseal(tx: &mut Tx, tenant: &TenantId, before: &str, after: &str) -> DbResult<()> {
    tx.run(&RESEAL, args![tenant, before, after]).await.map(|_| ())
}

/// A notice that waits to be sent.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct NoticeRow {
    pub(super) id: NoticeId,
    pub(super) tenant_id: TenantId,
    pub(super) alert_id: AlertId,
    pub(super) kind: String,
    pub(super) channel: String,
    pub(super) target: String,
    pub(super) language: String,
    pub(super) created_at: Timestamp,
}

pub(super) async fn add_notice(
    tx: &mut Tx,
    id: &NoticeId,
    (tenant, alert, kind): (&TenantId, &AlertId, &str),
    target: &Target,
    at: Timestamp,
) -> DbResult<()> {
    let (channel, language) = (target.channel.as_str(), target.language.tag());
    let args = args![id, tenant, alert, kind, channel, &target.to, language, at];
    tx.run(&ADD_NOTICE, args).await.map(|_| ())
}

/// A notice, while it waits.
pub(super) async fn notice(db: &Db, id: &NoticeId) -> DbResult<Option<NoticeRow>> {
    db.opt(&NOTICE, args![id]).await
}

/// Writes that a notice was sent, or (`error`) that it will not be.
pub(super) async fn end_notice(
    tx: &mut Tx,
    id: &NoticeId,
    error: Option<&str>,
    at: Timestamp,
) -> DbResult<()> {
    let state = if error.is_some() { "dropped" } else { "sent" };
    tx.run(&END_NOTICE, args![id, state, error, at]).await.map(|_| ())
}

/// Writes why an attempt failed.
pub(super) async fn note_failure(tx: &mut Tx, id: &NoticeId, error: &str) -> DbResult<()> {
    tx.run(&NOTE_FAILURE, args![id, error]).await.map(|_| ())
}

/// How one notice fared.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Fared {
    pub(super) alert_id: AlertId,
    pub(super) kind: String,
    pub(super) channel: String,
    pub(super) target: String,
    pub(super) state: String,
    pub(super) error: Option<String>,
}

/// How the notices made since a moment fared, the oldest first.
pub(super) async fn fared(db: &Db, tenant: &TenantId, since: Timestamp, limit: i64) -> DbResult<Vec<Fared>> {
    let mut rows: Vec<Fared> = db.all(&FARED, args![tenant, since, limit]).await?;
    rows.reverse();
    Ok(rows)
}

/// Deletes alerts that were over before a moment, with their notices; gives how many.
pub(super) async fn forget(tx: &mut Tx, before: Timestamp, limit: i64) -> DbResult<u64> {
    tx.run(&FORGET_NOTICES, args![before, limit]).await?;
    tx.run(&FORGET, args![before, limit]).await
}
