//! The SQL of the relay.

mod history;
mod places;

use std::collections::HashSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, DeliveryId, DestinationId, TenantId};
use crate::relay::model::{Destination, Filter, Halt, Last, Signing, Standard, Standing};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

pub(crate) use history::STATEMENTS as HISTORY;
pub use history::{Attempt, Count};
pub(super) use history::{
    attempt, attempts, begun_anew, count_up, counts, dismiss, due, log, parked_one, skipped_and_failed,
};
pub(crate) use places::STATEMENTS as PLACES;
pub(super) use places::{begin_anew, behind, halt_strange, listed, places, slowest};

macro_rules! columns {
    () => {
        "SELECT d.id, d.tenant_id, d.account_id, d.name, d.url, d.filter, d.signing, d.secret, d.standard_secret,
        d.standard_before, d.standard_until, d.active, d.halt,
        d.failing_since, d.concurrency, d.rate, d.timeout_ms, d.position, d.epoch, d.last_at, d.last_status, d.last_ms,
        d.last_error, d.serial, d.created_at, d.updated_at,
        (SELECT COUNT(*) FROM relay_units AS u WHERE u.tenant_id = d.tenant_id AND u.destination_id = d.id
            AND u.standing = 'retrying') AS retrying,
        (SELECT COUNT(*) FROM relay_units AS u WHERE u.tenant_id = d.tenant_id AND u.destination_id = d.id
            AND u.standing IN ('refused', 'expired')) AS parked
        FROM destinations AS d WHERE d.deleted_at IS NULL AND"
    };
}

statements! {
    OF_ACCOUNT = { concat!(columns!(), in_scope!("d", "$1", "$2"), " AND d.account_id = $3 ORDER BY d.created_at, d.id") };
    FIND = { concat!(columns!(), in_scope!("d", "$1", "$2"), " AND d.id = $3") };
    COUNT = { "SELECT COUNT(*) FROM destinations WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL" };
    INSERT = { "INSERT INTO destinations (id, tenant_id, account_id, name, url, filter, signing, secret, active,
            concurrency, rate, timeout_ms, epoch, position, done, fence, holder, lease_until, serial, created_at,
            created_by, updated_at, updated_by, standard_secret)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[]', 0, '', 0, 0, $15, $16, $15, $16, $17)" };
    CHANGE = { "UPDATE destinations SET name = $3, url = $4, filter = $5, signing = $6, secret = $7, active = $8,
            concurrency = $9, rate = $10, timeout_ms = $11, halt = $12, failing_since = $13, updated_at = $14,
            updated_by = $15, standard_secret = $17, standard_before = $18, standard_until = $19, serial = serial + 1
        WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND serial = $16" };
    DELETE = { "UPDATE destinations SET deleted_at = $3, secret = NULL, standard_secret = NULL, standard_before = NULL,
            standard_until = NULL, serial = serial + 1
        WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL" };
    DELETE_OF = { "UPDATE destinations SET deleted_at = $3, secret = NULL, standard_secret = NULL, standard_before = NULL,
            standard_until = NULL, serial = serial + 1
        WHERE tenant_id = $1 AND account_id = $2 AND deleted_at IS NULL" };
    DELETE_UNITS = { "DELETE FROM relay_units WHERE tenant_id = $1 AND destination_id = $2" };
    // What a node may run: of all tenants, whose accounts are in the node's memory.
    RUNNABLE = { "SELECT id, serial, lease_until FROM destinations WHERE deleted_at IS NULL AND active = $1
        AND (halt IS NULL OR halt = 'failing') ORDER BY id" };
    HALTED = { "SELECT tenant_id, account_id, name, CASE WHEN active = $1 AND deleted_at IS NULL THEN halt END AS halt
        FROM destinations ORDER BY tenant_id, account_id, created_at, id" };
    // A lease that ends much later than any does was taken while a clock was wrong.
    CLAIM = { "UPDATE destinations SET fence = fence + 1, holder = $2, lease_until = $4
        WHERE id = $1 AND deleted_at IS NULL AND (holder = $2 OR lease_until < $3 OR lease_until > $6 OR $5)
        RETURNING fence, epoch, position, done" };
    RELEASE = { "UPDATE destinations SET lease_until = 0 WHERE id = $1 AND fence = $2" };
    MOVE = { "UPDATE destinations SET position = $3, done = $4, lease_until = $5,
            last_at = COALESCE($6, last_at),
            last_status = CASE WHEN $6 IS NULL THEN last_status ELSE $7 END,
            last_ms = CASE WHEN $6 IS NULL THEN last_ms ELSE $8 END,
            last_error = CASE WHEN $6 IS NULL THEN last_error ELSE $9 END
        WHERE id = $1 AND fence = $2 AND deleted_at IS NULL" };
    // Not when a person changed it meanwhile: the runner has to read that first.
    SET_HEALTH = { "UPDATE destinations SET failing_since = $4, halt = $5 WHERE id = $1 AND fence = $2 AND serial = $3
        AND deleted_at IS NULL" };
    FIND_OWN = { concat!(columns!(), " d.id = $1") };
    UNITS = { "SELECT id, first_position, last_position, chats, is_replay, attempts, due_at, failed_at FROM relay_units
        WHERE destination_id = $1 AND standing = 'retrying' AND is_replay = $3
        ORDER BY first_position, created_at, id LIMIT $2" };
    ABOVE = { "SELECT first_position FROM relay_units WHERE destination_id = $1 AND is_replay = $3 AND first_position > $2
        ORDER BY first_position" };
    PUT_UNIT = { "INSERT INTO relay_units (id, tenant_id, destination_id, first_position, last_position, chats, is_replay,
            standing, attempts, due_at, received_at, failed_at, last_error, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (destination_id, id) DO UPDATE SET standing = excluded.standing, attempts = excluded.attempts,
            due_at = excluded.due_at, failed_at = excluded.failed_at, last_error = excluded.last_error
        WHERE relay_units.standing <> 'skipped'" };
    DROP_UNIT = { "DELETE FROM relay_units WHERE destination_id = $1 AND id = $2" };
    PARKED = { "SELECT u.id, u.first_position, u.last_position, u.standing, u.attempts, u.received_at, u.failed_at,
            u.last_error FROM relay_units AS u
        WHERE u.tenant_id = $1 AND u.destination_id = $2 AND u.standing <> 'retrying'
        AND (u.first_position > $4 OR (u.first_position = $4 AND u.id > $5)) ORDER BY u.first_position, u.id LIMIT $3" };
    REVIVE = { "UPDATE relay_units SET standing = 'retrying', due_at = $3, attempts = 0, failed_at = NULL
        WHERE tenant_id = $1 AND destination_id = $2 AND (standing IN ('refused', 'expired') AND $4 = ''
            OR standing <> 'retrying' AND id = $4)
        AND COALESCE(last_error, '') NOT LIKE 'the journal no longer has%'" };
    HURRY = { "UPDATE relay_units SET due_at = $3 WHERE tenant_id = $1 AND destination_id = $2 AND standing = 'retrying'
        AND due_at > $3" };
    SKIP = { "UPDATE relay_units SET standing = 'skipped', due_at = $3
        WHERE tenant_id = $1 AND destination_id = $2 AND standing = 'retrying'" };
    FORGET_ASIDE = { "DELETE FROM relay_units WHERE standing <> 'retrying' AND due_at < $1" };
    BUMP = { "UPDATE destinations SET serial = serial + 1 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL" };
    FORGET_COUNTS = { "DELETE FROM relay_counts WHERE begins_at < $1" };
    FORGET_ATTEMPTS = { "DELETE FROM relay_attempts WHERE destination_id = $1 AND at < (
        SELECT MIN(at) FROM (SELECT at FROM relay_attempts WHERE destination_id = $1 ORDER BY at DESC, id DESC LIMIT $2) AS kept)" };
    IDS = { "SELECT id FROM destinations ORDER BY id" };
    FORGET_STANDARD = { "UPDATE destinations SET standard_before = NULL, standard_until = NULL WHERE standard_until < $1" };
    SEALED = { "SELECT id, secret, standard_secret, standard_before FROM destinations
        WHERE secret IS NOT NULL OR standard_secret IS NOT NULL ORDER BY id" };
    RESEAL = { "UPDATE destinations SET secret = CASE WHEN secret = $2 THEN $3 ELSE secret END,
            standard_secret = CASE WHEN standard_secret = $2 THEN $3 ELSE standard_secret END,
            standard_before = CASE WHEN standard_before = $2 THEN $3 ELSE standard_before END
        WHERE id = $1" };
}

/// So far the clocks of two nodes may differ: a lease that ends later is nobody's.
const SKEW: Duration = Duration::from_secs(300);

#[derive(sqlx::FromRow)]
struct Row {
    id: DestinationId,
    tenant_id: TenantId,
    account_id: AccountId,
    name: String,
    url: String,
    filter: String,
    signing: String,
    secret: Option<String>,
    standard_secret: Option<String>,
    standard_before: Option<String>,
    standard_until: Option<Timestamp>,
    active: bool,
    halt: Option<String>,
    failing_since: Option<Timestamp>,
    concurrency: i64,
    rate: Option<i64>,
    timeout_ms: i64,
    position: i64,
    epoch: i64,
    last_at: Option<Timestamp>,
    last_status: Option<i64>,
    last_ms: Option<i64>,
    last_error: Option<String>,
    serial: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    retrying: i64,
    parked: i64,
}

impl TryFrom<Row> for Destination {
    type Error = DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let wrong =
            |column| DbError::Inconsistent { table: "destinations", column, id: row.id.as_str().to_owned() };
        Ok(Self {
            filter: serde_json::from_str::<Filter>(&row.filter).map_err(|_| wrong("filter"))?,
            signing: Signing::parse(&row.signing).ok_or_else(|| wrong("signing"))?,
            halt: match &row.halt {
                Some(word) => Some(Halt::parse(word).ok_or_else(|| wrong("halt"))?),
                None => None,
            },
            last: row.last_at.map(|at| Last {
                at,
                status: row.last_status,
                duration_ms: row.last_ms.unwrap_or(0),
                error: row.last_error,
            }),
            id: row.id,
            tenant: row.tenant_id,
            account: row.account_id,
            name: row.name,
            url: row.url,
            secret: row.secret,
            standard: row
                .standard_secret
                .map(|secret| Standard { secret, before: row.standard_before.zip(row.standard_until) }),
            active: row.active,
            failing_since: row.failing_since,
            concurrency: row.concurrency,
            rate: row.rate,
            timeout_ms: row.timeout_ms,
            position: row.position,
            epoch: row.epoch,
            retrying: row.retrying,
            parked: row.parked,
            serial: row.serial,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(super) async fn of_account(db: &Db, scope: &Scope, account: &AccountId) -> DbResult<Vec<Destination>> {
    let rows: Vec<Row> = db.all(&OF_ACCOUNT, args![scope.tenant(), scope.viewer(), account]).await?;
    rows.into_iter().map(Destination::try_from).collect()
}

pub(super) async fn find(db: &Db, scope: &Scope, id: &DestinationId) -> DbResult<Option<Destination>> {
    let row: Option<Row> = db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await?;
    row.map(Destination::try_from).transpose()
}

/// How many an account has; within a transaction, so that two at once do not pass the limit together.
pub(super) async fn count(tx: &mut Tx, tenant: &TenantId, account: &AccountId) -> DbResult<i64> {
    Ok(tx.opt::<(i64,)>(&COUNT, args![tenant, account]).await?.map_or(0, |(count,)| count))
}

pub(super) async fn insert(tx: &mut Tx, new: &Destination, by: &str) -> DbResult<()> {
    let filter = text(&new.filter);
    let args = args![
        &new.id,
        &new.tenant,
        &new.account,
        &new.name,
        &new.url,
        filter,
        new.signing.as_str(),
        new.secret.as_deref(),
        new.active,
        new.concurrency,
        new.rate,
        new.timeout_ms,
        new.epoch,
        new.position,
        new.created_at,
        by,
        new.standard.as_ref().map(|standard| standard.secret.as_str()),
    ];
    tx.run(&INSERT, args).await.map(|_| ())
}

/// Writes what a person may change; `false` when somebody else did so meanwhile.
pub(super) async fn change(tx: &mut Tx, to: &Destination, by: &str) -> DbResult<bool> {
    let before = to.standard.as_ref().and_then(|standard| standard.before.as_ref());
    let args = args![
        &to.tenant,
        &to.id,
        &to.name,
        &to.url,
        text(&to.filter),
        to.signing.as_str(),
        to.secret.as_deref(),
        to.active,
        to.concurrency,
        to.rate,
        to.timeout_ms,
        to.halt.map(Halt::as_str),
        to.failing_since,
        to.updated_at,
        by,
        to.serial,
        to.standard.as_ref().map(|standard| standard.secret.as_str()),
        before.map(|(sealed, _)| sealed.as_str()),
        before.map(|(_, until)| *until),
    ];
    Ok(tx.run(&CHANGE, args).await? == 1)
}

/// Lets what waits for another try go at once; gives how many that are.
pub(super) async fn hurry(
    tx: &mut Tx,
    tenant: &TenantId,
    id: &DestinationId,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&HURRY, args![tenant, id, now]).await
}

/// Deletes it with what waits for it; the log of its attempts goes with time. `false` when there is none.
pub(super) async fn delete(
    tx: &mut Tx,
    tenant: &TenantId,
    id: &DestinationId,
    at: Timestamp,
) -> DbResult<bool> {
    tx.run(&DELETE_UNITS, args![tenant, id]).await?;
    Ok(tx.run(&DELETE, args![tenant, id, at]).await? == 1)
}

/// Deletes all destinations of an account that never had an event.
pub(super) async fn delete_of(
    tx: &mut Tx,
    tenant: &TenantId,
    account: &AccountId,
    at: Timestamp,
) -> DbResult<()> {
    tx.run(&DELETE_OF, args![tenant, account, at]).await.map(|_| ())
}

/// A destination that a node may run.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Runnable {
    pub(super) id: DestinationId,
    pub(super) serial: i64,
    lease_until: Timestamp,
}

impl Runnable {
    /// Whether no other node holds it.
    pub(super) fn is_free(&self, now: Timestamp) -> bool {
        self.lease_until < now || self.lease_until > now.plus(SKEW)
    }
}

/// All that may run, of all tenants.
pub(super) async fn runnable(db: &Db) -> DbResult<Vec<Runnable>> {
    db.all(&RUNNABLE, args![true]).await
}

/// An account with destinations, now or once.
#[derive(Debug)]
pub(super) struct Halted {
    pub(super) tenant: TenantId,
    pub(super) id: AccountId,
    /// The names of those that get nothing although they are switched on.
    pub(super) names: Vec<String>,
    /// How many of them go on by themselves once they answer; the others wait for a person.
    pub(super) failing: usize,
}

/// All accounts that have destinations or had some, of all tenants.
pub(super) async fn halted(db: &Db) -> DbResult<Vec<Halted>> {
    let rows: Vec<(TenantId, AccountId, String, Option<String>)> = db.all(&HALTED, args![true]).await?;
    let mut accounts: Vec<Halted> = Vec::new();
    for (tenant, id, name, halt) in rows {
        if accounts.last().is_none_or(|last| last.id != id) {
            accounts.push(Halted { tenant, id, names: Vec::new(), failing: 0 });
        }
        if let Some((last, halt)) = accounts.last_mut().zip(halt) {
            last.names.push(name);
            last.failing += usize::from(halt == Halt::Failing.as_str());
        }
    }
    Ok(accounts)
}

/// A cursor that this node holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) fence: i64,
    pub(super) epoch: i64,
    pub(super) position: i64,
    /// First positions of what is settled above it.
    pub(super) done: Vec<i64>,
}

/// Takes the cursor; `None` when another process holds it.
pub(super) async fn claim(
    db: &Db,
    id: &DestinationId,
    node: &str,
    (now, until): (Timestamp, Timestamp),
    steal: bool,
) -> DbResult<Option<Held>> {
    let mut tx = db.begin().await?;
    let args = args![id, node, now, until, steal, now.plus(SKEW)];
    let row: Option<(i64, i64, i64, String)> = tx.opt(&CLAIM, args).await?;
    tx.commit().await?;
    let Some((fence, epoch, position, done)) = row else { return Ok(None) };
    let wrong =
        |_| DbError::Inconsistent { table: "destinations", column: "done", id: id.as_str().to_owned() };
    Ok(Some(Held { fence, epoch, position, done: serde_json::from_str(&done).map_err(wrong)? }))
}

pub(super) async fn release(db: &Db, id: &DestinationId, fence: i64) -> DbResult<()> {
    let mut tx = db.begin().await?;
    tx.run(&RELEASE, args![id, fence]).await?;
    tx.commit().await
}

/// A destination by its id alone, for the hub's own work.
pub(super) async fn find_own(db: &Db, id: &DestinationId) -> DbResult<Option<Destination>> {
    let row: Option<Row> = db.opt(&FIND_OWN, args![id]).await?;
    row.map(Destination::try_from).transpose()
}

/// Moves the cursor in the transaction of the work.
///
/// # Errors
/// `Conflict` when another holder came between or the destination is gone: the transaction must be rolled back.
pub(super) async fn advance(
    tx: &mut Tx,
    (id, fence): (&DestinationId, i64),
    (position, done): (i64, &[i64]),
    lease_until: Timestamp,
    last: Option<&Last>,
) -> DbResult<()> {
    let args = args![
        id,
        fence,
        position,
        text(&done),
        lease_until,
        last.map(|last| last.at),
        last.and_then(|last| last.status),
        last.map(|last| last.duration_ms),
        last.and_then(|last| last.error.as_deref()),
    ];
    match tx.run(&MOVE, args).await? {
        1 => Ok(()),
        _ => Err(DbError::Conflict { table: "destinations" }),
    }
}

/// Notes since when it fails, and whether that has lasted; nothing where a person changed it meanwhile.
pub(super) async fn set_health(
    tx: &mut Tx,
    (id, fence, serial): (&DestinationId, i64, i64),
    failing_since: Option<Timestamp>,
    halt: Option<Halt>,
) -> DbResult<()> {
    tx.run(&SET_HEALTH, args![id, fence, serial, failing_since, halt.map(Halt::as_str)]).await.map(|_| ())
}

/// A unit that has a row of its own.
#[derive(Debug, Clone)]
pub(super) struct UnitRow {
    pub(super) id: DeliveryId,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) chats: Vec<String>,
    pub(super) is_replay: bool,
    pub(super) attempts: i64,
    pub(super) due_at: Timestamp,
    /// When it failed first.
    pub(super) failed_at: Option<Timestamp>,
}

/// The units that wait, in the journal's order: so many, and so many of those that a person wants again.
pub(super) async fn units(
    db: &Db,
    id: &DestinationId,
    (most, replays): (usize, usize),
) -> DbResult<Vec<UnitRow>> {
    type Found = (DeliveryId, i64, i64, String, bool, i64, Timestamp, Option<Timestamp>);
    let limit = |most| i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows: Vec<Found> = db.all(&UNITS, args![id, limit(replays), true]).await?;
    rows.extend(db.all::<Found>(&UNITS, args![id, limit(most), false]).await?);
    let unit = |(id, first, last, chats, is_replay, attempts, due_at, failed_at): Found| {
        let wrong =
            |_| DbError::Inconsistent { table: "relay_units", column: "chats", id: id.as_str().to_owned() };
        let chats = serde_json::from_str(&chats).map_err(wrong)?;
        Ok(UnitRow { id, first, last, chats, is_replay, attempts, due_at, failed_at })
    };
    rows.into_iter().map(unit).collect()
}

/// First positions above a place of the units that have rows, whatever became of them; without replays.
pub(super) async fn above(db: &Db, id: &DestinationId, position: i64) -> DbResult<HashSet<i64>> {
    let rows: Vec<(i64,)> = db.all(&ABOVE, args![id, position, false]).await?;
    Ok(rows.into_iter().map(|(first,)| first).collect())
}

/// Writes a unit's row, or what changed about it.
pub(super) async fn put_unit(
    tx: &mut Tx,
    (tenant, destination): (&TenantId, &DestinationId),
    unit: &UnitRow,
    standing: Standing,
    error: Option<&str>,
    (received_at, now): (Timestamp, Timestamp),
) -> DbResult<()> {
    let args = args![
        &unit.id,
        tenant,
        destination,
        unit.first,
        unit.last,
        text(&unit.chats),
        unit.is_replay,
        standing.as_str(),
        unit.attempts,
        unit.due_at,
        received_at,
        unit.failed_at,
        error,
        now,
    ];
    tx.run(&PUT_UNIT, args).await.map(|_| ())
}

pub(super) async fn drop_unit(tx: &mut Tx, destination: &DestinationId, id: &DeliveryId) -> DbResult<()> {
    tx.run(&DROP_UNIT, args![destination, id]).await.map(|_| ())
}

/// A unit that was put aside.
#[derive(Debug, sqlx::FromRow)]
pub struct Parked {
    /// Its name.
    pub id: DeliveryId,
    /// The position of its first event.
    pub first_position: i64,
    /// And of its last.
    pub last_position: i64,
    /// `refused`, `expired`, `skipped`.
    pub standing: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When the hub received it.
    pub received_at: Timestamp,
    /// When it failed first.
    pub failed_at: Option<Timestamp>,
    /// Why it did last.
    pub last_error: Option<String>,
    /// The ids of its new events, as the journal has them; empty where it no longer does, and for many requests in one row.
    #[sqlx(skip)]
    pub event_ids: Vec<String>,
}

/// The units that were put aside, the oldest first, above a place.
pub(super) async fn parked(
    db: &Db,
    (tenant, id): (&TenantId, &DestinationId),
    (position, unit): (i64, &str),
    limit: i64,
) -> DbResult<Vec<Parked>> {
    db.all(&PARKED, args![tenant, id, limit, position, unit]).await
}

/// Lets what was refused or has expired be tried again, or one unit, also where it was skipped; gives how many.
pub(super) async fn revive(
    tx: &mut Tx,
    (tenant, id): (&TenantId, &DestinationId),
    unit: Option<&DeliveryId>,
    at: Timestamp,
) -> DbResult<u64> {
    tx.run(&REVIVE, args![tenant, id, at, unit.map_or("", DeliveryId::as_str)]).await
}

/// Leaves out what waits for another try; gives how many.
pub(super) async fn skip(
    tx: &mut Tx,
    tenant: &TenantId,
    id: &DestinationId,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SKIP, args![tenant, id, now]).await
}

/// Makes the runner read everything again.
pub(super) async fn bump(tx: &mut Tx, tenant: &TenantId, id: &DestinationId) -> DbResult<()> {
    tx.run(&BUMP, args![tenant, id]).await.map(|_| ())
}

/// Keeps of each destination's log the newest `kept`, of the counts and of what was put aside those since two moments, and no
/// secret that signs no more.
pub(super) async fn forget(
    db: &Db,
    now: Timestamp,
    (counts, aside): (Timestamp, Timestamp),
    kept: i64,
) -> DbResult<()> {
    for (id,) in db.all::<(DestinationId,)>(&IDS, args![]).await? {
        let mut tx = db.begin().await?;
        tx.run(&FORGET_ATTEMPTS, args![&id, kept]).await?;
        tx.commit().await?;
    }
    let mut tx = db.begin().await?;
    tx.run(&FORGET_COUNTS, args![counts]).await?;
    tx.run(&FORGET_ASIDE, args![aside]).await?;
    tx.run(&FORGET_STANDARD, args![now]).await?;
    tx.commit().await
}

/// All sealed secrets, and whether each is the destination's own; the others are of the second signature.
pub(super) async fn sealed(db: &Db) -> DbResult<Vec<(DestinationId, bool, String)>> {
    type Row = (DestinationId, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = db.all(&SEALED, args![]).await?;
    let flat = rows.into_iter().flat_map(|(id, own, standard, before)| {
        let own = own.map(|sealed| (id.clone(), true, sealed));
        let others = standard.into_iter().chain(before).map(move |sealed| (id.clone(), false, sealed));
        own.into_iter().chain(others)
    });
    Ok(flat.collect())
}

pub(super) async fn reseal(tx: &mut Tx, id: &DestinationId, before: &str, after: &str) -> DbResult<()> {
    tx.run(&RESEAL, args![id, before, after]).await.map(|_| ())
}

fn text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // A list or a map with text keys always is JSON.
    serde_json::to_string(value).unwrap_or_default()
}
