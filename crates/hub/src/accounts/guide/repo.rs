//! The SQL of set-ups.

use crate::accounts::guide::model::{Has, ProviderKind, Setup, Step, Tick};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, SetupId};
use crate::scope::Scope;
use crate::{args, statements};

macro_rules! columns {
    () => {
        "SELECT id, has, provider, provider_kind, channel_id, failure, account_id, connected_at, done_at, created_at,
            created_by, updated_at, updated_by FROM setups"
    };
}

statements! {
    // The stage of LINE Login comes after the first message: with it, a set-up of a connected account waits for its channel.
    OPEN = { concat!(columns!(), " AS s WHERE s.tenant_id = $1 AND (s.done_at IS NULL OR s.has = 'login'
            AND s.account_id IN (SELECT a.id FROM accounts AS a WHERE a.tenant_id = $1 AND a.status <> 'disconnected')
            AND s.account_id NOT IN (SELECT l.account_id FROM login_channels AS l WHERE l.tenant_id = $1))
        ORDER BY s.updated_at DESC, s.id DESC LIMIT $2") };
    PAGE = { concat!(columns!(), " WHERE tenant_id = $1 AND (created_at, id) > ($2, $3)
        ORDER BY created_at, id LIMIT $4") };
    // The one of a channel that waits; without a channel, what a try left of which no channel's ID is known.
    WAITING = { concat!(columns!(), " WHERE tenant_id = $1 AND done_at IS NULL AND account_id IS NULL AND
            (channel_id = CAST($2 AS TEXT) OR CAST($2 AS TEXT) IS NULL AND channel_id IS NULL AND failure IS NOT NULL)
        ORDER BY updated_at DESC, id DESC LIMIT 1") };
    CLOSE_TICKS = { "DELETE FROM setup_ticks WHERE tenant_id = $1 AND setup_id IN (SELECT id FROM setups
        WHERE tenant_id = $1 AND channel_id = $2 AND done_at IS NULL AND id <> $3)" };
    CLOSE = { "DELETE FROM setups WHERE tenant_id = $1 AND channel_id = $2 AND done_at IS NULL AND id <> $3" };
    SET_HAS = { "UPDATE setups SET has = $3 WHERE tenant_id = $1 AND id = $2" };
    FIND = { concat!(columns!(), " WHERE tenant_id = $1 AND id = $2") };
    TICKS = { "SELECT step, ticked_at, ticked_by FROM setup_ticks WHERE tenant_id = $1 AND setup_id = $2 ORDER BY step" };
    INSERT = { "INSERT INTO setups (id, tenant_id, has, created_at, created_by, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $4, $5)" };
    TOUCH = { "UPDATE setups SET updated_at = $3, updated_by = $4 WHERE tenant_id = $1 AND id = $2" };
    TICK = { "INSERT INTO setup_ticks (setup_id, tenant_id, step, ticked_at, ticked_by) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (setup_id, step) DO NOTHING" };
    UNTICK = { "DELETE FROM setup_ticks WHERE tenant_id = $1 AND setup_id = $2 AND step = $3" };
    SET_PROVIDER = { "UPDATE setups SET provider = $3, provider_kind = $4 WHERE tenant_id = $1 AND id = $2" };
    SET_FAILURE = { "UPDATE setups SET channel_id = NULLIF($3, ''), failure = $4 WHERE tenant_id = $1 AND id = $2" };
    SET_ACCOUNT = { "UPDATE setups SET channel_id = $3, failure = NULL, account_id = $4, connected_at = $5, done_at = NULL
        WHERE tenant_id = $1 AND id = $2" };
    SET_DONE = { "UPDATE setups SET done_at = $3 WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL" };
    DROP_TICKS = { "DELETE FROM setup_ticks WHERE tenant_id = $1 AND setup_id = $2" };
    DROP = { "DELETE FROM setups WHERE tenant_id = $1 AND id = $2" };
}

/// The set-ups of a tenant that have a stage left, the one worked on last first.
pub(super) async fn open(db: &Db, scope: &Scope, limit: i64) -> DbResult<Vec<Setup>> {
    db.all(&OPEN, args![scope.tenant(), limit]).await
}

/// All set-ups of a tenant, oldest first, after one that was seen.
pub(super) async fn page(
    db: &Db,
    scope: &Scope,
    after: Option<&(Timestamp, SetupId)>,
    limit: i64,
) -> DbResult<Vec<Setup>> {
    let (at, id) = after.map_or((Timestamp(i64::MIN), ""), |(at, id)| (*at, id.as_str()));
    db.all(&PAGE, args![scope.tenant(), at, id, limit]).await
}

/// The set-up of a channel that is not connected yet; without a channel, the one that a try without a usable ID left.
pub(super) async fn waiting(db: &Db, scope: &Scope, channel: Option<&str>) -> DbResult<Option<Setup>> {
    db.opt(&WAITING, args![scope.tenant(), channel]).await
}

/// Forgets the set-ups of a channel that are not done, but one.
pub(super) async fn close(tx: &mut Tx, scope: &Scope, channel: &str, but: Option<&SetupId>) -> DbResult<()> {
    let but = but.map_or("", |id| id.as_str());
    tx.run(&CLOSE_TICKS, args![scope.tenant(), channel, but]).await?;
    tx.run(&CLOSE, args![scope.tenant(), channel, but]).await.map(|_| ())
}

/// Changes what the owner has at LINE.
pub(super) async fn set_has(tx: &mut Tx, scope: &Scope, id: &SetupId, has: Has) -> DbResult<()> {
    tx.run(&SET_HAS, args![scope.tenant(), id, has.as_str()]).await.map(|_| ())
}

pub(super) async fn find(db: &Db, scope: &Scope, id: &SetupId) -> DbResult<Option<Setup>> {
    db.opt(&FIND, args![scope.tenant(), id]).await
}

pub(super) async fn ticks(db: &Db, scope: &Scope, id: &SetupId) -> DbResult<Vec<Tick>> {
    db.all(&TICKS, args![scope.tenant(), id]).await
}

pub(super) async fn insert(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    has: Has,
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    tx.run(&INSERT, args![id, scope.tenant(), has.as_str(), now, by]).await.map(|_| ())
}

/// Notes who worked on it; `false` when there is none in the scope.
pub(super) async fn touch(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    (now, by): (Timestamp, &str),
) -> DbResult<bool> {
    Ok(tx.run(&TOUCH, args![scope.tenant(), id, now, by]).await? == 1)
}

/// Ticks a step; one that was ticked before keeps its time and person.
pub(super) async fn tick(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    step: Step,
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    tx.run(&TICK, args![id, scope.tenant(), step.as_str(), now, by]).await.map(|_| ())
}

pub(super) async fn untick(tx: &mut Tx, scope: &Scope, id: &SetupId, step: Step) -> DbResult<()> {
    tx.run(&UNTICK, args![scope.tenant(), id, step.as_str()]).await.map(|_| ())
}

pub(super) async fn set_provider(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    name: &str,
    kind: ProviderKind,
) -> DbResult<()> {
    tx.run(&SET_PROVIDER, args![scope.tenant(), id, name, kind.as_str()]).await.map(|_| ())
}

/// Keeps the channel's ID, and of a try that failed the word for why.
pub(super) async fn set_failure(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    channel: &str,
    failure: Option<&str>,
) -> DbResult<()> {
    tx.run(&SET_FAILURE, args![scope.tenant(), id, channel, failure]).await.map(|_| ())
}

pub(super) async fn set_account(
    tx: &mut Tx,
    scope: &Scope,
    id: &SetupId,
    (channel, account): (&str, &AccountId),
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&SET_ACCOUNT, args![scope.tenant(), id, channel, account, now]).await.map(|_| ())
}

pub(super) async fn set_done(tx: &mut Tx, scope: &Scope, id: &SetupId, now: Timestamp) -> DbResult<bool> {
    Ok(tx.run(&SET_DONE, args![scope.tenant(), id, now]).await? == 1)
}

/// Forgets a set-up; `false` when there is none in the scope.
pub(super) async fn delete(tx: &mut Tx, scope: &Scope, id: &SetupId) -> DbResult<bool> {
    tx.run(&DROP_TICKS, args![scope.tenant(), id]).await?;
    Ok(tx.run(&DROP, args![scope.tenant(), id]).await? == 1)
}
