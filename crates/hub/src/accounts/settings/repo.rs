//! The SQL of what people decide about an account.

use super::Changes;
use crate::accounts::model::{AnswerKind, Block, Owner, Tick};
use crate::accounts::plan::Ticked;
use crate::accounts::settings::Changed;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

statements! {
    CHANGE = { "UPDATE accounts SET environment = COALESCE($3, environment), group_chats = COALESCE($4, group_chats),
            sender_name = COALESCE($5, sender_name), plan = COALESCE($6, plan),
            greeting_owner = COALESCE($7, greeting_owner), keyword_owner = COALESCE($8, keyword_owner),
            away_owner = COALESCE($9, away_owner), bot_owner = COALESCE($10, bot_owner)
        WHERE id = $1 AND tenant_id = $2" };
    LABEL = { "UPDATE accounts SET display_label = $3 WHERE id = $1 AND tenant_id = $2" };
    KIND = { "UPDATE accounts SET kind = $3, kind_at = $4, kind_by = $5 WHERE id = $1 AND tenant_id = $2" };
    MARKET = { "UPDATE accounts SET market = $3 WHERE id = $1 AND tenant_id = $2" };
    LISTS_FOLLOWERS = { "UPDATE accounts SET lists_followers = $2, lists_followers_at = $3 WHERE id = $1" };
    // reads: account_grants
    TICKS = { concat!("SELECT t.tick, t.ticked_at, t.ticked_by FROM account_ticks AS t WHERE t.account_id = $3 AND",
        in_scope!("t", "$1", "$2"), " ORDER BY t.tick") };
    // reads: account_grants
    ALL_TICKS = { concat!("SELECT t.account_id, t.tick, t.ticked_at, t.ticked_by FROM account_ticks AS t WHERE",
        in_scope!("t", "$1", "$2"), " ORDER BY t.account_id, t.tick") };
    GROUP_CHATS = { "SELECT group_chats FROM accounts WHERE id = $1" };
    SET_TICK = { "INSERT INTO account_ticks (account_id, tenant_id, tick, ticked_at, ticked_by)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, tick) DO UPDATE SET ticked_at = excluded.ticked_at, ticked_by = excluded.ticked_by" };
    DROP_TICK = { "DELETE FROM account_ticks WHERE account_id = $1 AND tick = $2" };
    // reads: account_grants
    BLOCKS = { concat!("SELECT b.block, b.changed_at, b.changed_by FROM account_blocks AS b
        WHERE b.account_id = $3 AND", in_scope!("b", "$1", "$2"), " ORDER BY b.block") };
    TOUCH = { "INSERT INTO account_blocks (account_id, tenant_id, block, changed_at, changed_by)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account_id, block) DO UPDATE SET changed_at = excluded.changed_at,
            changed_by = excluded.changed_by" };
    FORGET_TICKS = { "DELETE FROM account_ticks WHERE account_id = $1" };
    FORGET_BLOCKS = { "DELETE FROM account_blocks WHERE account_id = $1" };
}

/// Writes what is to be changed, but the ticks.
pub(super) async fn change(
    tx: &mut Tx,
    (id, tenant): (&AccountId, &TenantId),
    changes: &Changes,
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    let owner =
        |kind: AnswerKind| changes.owners.iter().rev().find(|(k, _)| *k == kind).map(|(_, owner)| owner);
    let owner = |kind| owner(kind).copied().map(Owner::as_str);
    let args = args![
        id,
        tenant,
        changes.environment.map(super::Environment::as_str),
        changes.group_chats.map(super::GroupChats::as_str),
        changes.sender_name.map(super::SenderName::as_str),
        changes.plan.map(super::Plan::as_str),
        owner(AnswerKind::Greeting),
        owner(AnswerKind::Keyword),
        owner(AnswerKind::Away),
        owner(AnswerKind::Bot),
    ];
    tx.run(&CHANGE, args).await?;
    if let Some(label) = &changes.display_label {
        tx.run(&LABEL, args![id, tenant, label.as_deref()]).await?;
    }
    if let Some(kind) = changes.kind {
        let (at, by) = (kind.map(|_| now), kind.map(|_| by));
        tx.run(&KIND, args![id, tenant, kind.map(super::OaKind::as_str), at, by]).await?;
    }
    if let Some(market) = changes.market {
        tx.run(&MARKET, args![id, tenant, market.map(super::Market::as_str)]).await?;
    }
    Ok(())
}

/// Keeps whether LINE gives the list of followers.
pub(super) async fn set_lists_followers(
    tx: &mut Tx,
    id: &AccountId,
    gives: bool,
    at: Timestamp,
) -> DbResult<()> {
    tx.run(&LISTS_FOLLOWERS, args![id, gives, at]).await.map(|_| ())
}

/// The ticks that are set, in the order of their names.
pub(in crate::accounts) async fn ticks(db: &Db, scope: &Scope, id: &AccountId) -> DbResult<Vec<Ticked>> {
    let rows: Vec<(String, Timestamp, String)> =
        db.all(&TICKS, args![scope.tenant(), scope.viewer(), id]).await?;
    let known = |(tick, at, by): (String, Timestamp, String)| {
        Some(Ticked { tick: Tick::try_from(tick).ok()?, at, by })
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// The ticks of all accounts in the scope, in the order of the accounts' ids and their names.
pub(super) async fn all_ticks(db: &Db, scope: &Scope) -> DbResult<Vec<(AccountId, Ticked)>> {
    let rows: Vec<(AccountId, String, Timestamp, String)> =
        db.all(&ALL_TICKS, args![scope.tenant(), scope.viewer()]).await?;
    let known = |(id, tick, at, by): (AccountId, String, Timestamp, String)| {
        Some((id, Ticked { tick: Tick::try_from(tick).ok()?, at, by }))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Whether an account's groups are shown; those of an account that is not there are not.
pub(super) async fn shows_groups(tx: &mut Tx, id: &AccountId) -> DbResult<bool> {
    let row: Option<(String,)> = tx.opt(&GROUP_CHATS, args![id]).await?;
    Ok(row.is_some_and(|(word,)| word == super::GroupChats::Shown.as_str()))
}

/// Sets a tick with its date, or takes it away.
pub(super) async fn set_tick(
    tx: &mut Tx,
    (id, tenant): (&AccountId, &TenantId),
    (tick, is_set): (Tick, bool),
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    if is_set {
        tx.run(&SET_TICK, args![id, tenant, tick.as_str(), now, by]).await.map(|_| ())
    } else {
        tx.run(&DROP_TICK, args![id, tick.as_str()]).await.map(|_| ())
    }
}

/// Who changed which block last.
pub(super) async fn blocks(db: &Db, scope: &Scope, id: &AccountId) -> DbResult<Vec<Changed>> {
    let rows: Vec<(String, Timestamp, String)> =
        db.all(&BLOCKS, args![scope.tenant(), scope.viewer(), id]).await?;
    let known = |(block, at, by): (String, Timestamp, String)| {
        Some(Changed { block: Block::try_from(block).ok()?, at, by })
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Notes who changed a block.
pub(in crate::accounts) async fn touch(
    tx: &mut Tx,
    (id, tenant): (&AccountId, &TenantId),
    block: Block,
    now: Timestamp,
    by: &str,
) -> DbResult<()> {
    tx.run(&TOUCH, args![id, tenant, block.as_str(), now, by]).await.map(|_| ())
}

/// Removes what was decided about an account whose row goes.
pub(in crate::accounts) async fn forget(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    tx.run(&FORGET_TICKS, args![id]).await?;
    tx.run(&FORGET_BLOCKS, args![id]).await.map(|_| ())
}
