//! The SQL of who owns reply tokens.

use std::collections::{BTreeMap, HashMap};

use super::{Owner, Owners};
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, DestinationId, Id as _, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

/// Rows kept of an account: changes are rare, and events wait for minutes at most.
const KEPT: i64 = 50;

// The order of what was said is that of the places, because nodes' clocks differ; what was said of another journal was said
// before this one began.
macro_rules! newest_first {
    ($epoch:literal) => {
        concat!(
            " ORDER BY CASE WHEN r.epoch = ",
            $epoch,
            " THEN r.after_position ELSE -1 END DESC, r.changed_at DESC, r.after_position DESC"
        )
    };
}

statements! {
    // reads: account_grants
    CURRENT = { concat!("SELECT r.owner, r.owners FROM reply_owners AS r WHERE r.account_id = $3 AND",
        in_scope!("r", "$1", "$2"), newest_first!("$4"), " LIMIT 1") };
    // reads: account_grants
    ALL_CURRENT = { concat!("SELECT r.account_id, r.owner, r.owners FROM reply_owners AS r WHERE",
        in_scope!("r", "$1", "$2"), newest_first!("$3")) };
    AT = { concat!("SELECT r.owner, r.owners FROM reply_owners AS r
        WHERE r.account_id = $1 AND (r.epoch <> $3 OR r.after_position < $2)", newest_first!("$3"), " LIMIT 1") };
    SET = { "INSERT INTO reply_owners (account_id, tenant_id, after_position, owner, owners, changed_at, changed_by, epoch)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (account_id, epoch, after_position) DO UPDATE SET owner = excluded.owner, owners = excluded.owners,
            changed_at = excluded.changed_at, changed_by = excluded.changed_by" };
    FORGET = { concat!("DELETE FROM reply_owners WHERE account_id = $1 AND (epoch, after_position) NOT IN (
        SELECT r.epoch, r.after_position FROM reply_owners AS r WHERE r.account_id = $1", newest_first!("$3"),
            " LIMIT $2)") };
}

type Row = (String, String);

fn owner(text: &str) -> Owner {
    DestinationId::parse(text)
}

fn read((all, by_type): Row) -> DbResult<Owners> {
    let by_type: BTreeMap<String, String> = serde_json::from_str(&by_type)
        .map_err(|_| DbError::Inconsistent { table: "reply_owners", column: "owners", id: all.clone() })?;
    let by_type = by_type.into_iter().map(|(kind, word)| (kind, owner(&word))).collect();
    Ok(Owners { all: owner(&all), by_type })
}

/// What holds for events that come in now; `None` where nobody ever said.
pub(super) async fn current(
    db: &Db,
    scope: &Scope,
    account: &AccountId,
    epoch: i64,
) -> DbResult<Option<Owners>> {
    let row: Option<Row> = db.opt(&CURRENT, args![scope.tenant(), scope.viewer(), account, epoch]).await?;
    row.map(read).transpose()
}

/// The same for all accounts in the scope.
pub(super) async fn all_current(db: &Db, scope: &Scope, epoch: i64) -> DbResult<HashMap<AccountId, Owners>> {
    let rows: Vec<(AccountId, String, String)> =
        db.all(&ALL_CURRENT, args![scope.tenant(), scope.viewer(), epoch]).await?;
    // Of rows of one account the last counts.
    rows.into_iter().rev().map(|(id, all, by_type)| Ok((id, read((all, by_type))?))).collect()
}

/// What holds for an event at a place of the journal.
pub(super) async fn at(
    tx: &mut Tx,
    account: &AccountId,
    (epoch, position): (i64, i64),
) -> DbResult<Option<Owners>> {
    let row: Option<Row> = tx.opt(&AT, args![account, position, epoch]).await?;
    row.map(read).transpose()
}

/// Says who owns the tokens of events after a place.
pub(super) async fn set(
    tx: &mut Tx,
    (account, tenant): (&AccountId, &TenantId),
    (epoch, after): (i64, i64),
    owners: &Owners,
    (now, by): (Timestamp, &str),
) -> DbResult<()> {
    let word = |owner: &Owner| owner.as_ref().map_or_else(String::new, ToString::to_string);
    let by_type: BTreeMap<_, _> =
        owners.by_type.iter().map(|(kind, owner)| (kind.as_str(), word(owner))).collect();
    // A map with text keys always is JSON.
    let by_type = serde_json::to_string(&by_type).unwrap_or_default();
    tx.run(&SET, args![account, tenant, after, word(&owners.all), by_type, now, by, epoch]).await?;
    tx.run(&FORGET, args![account, KEPT, epoch]).await.map(|_| ())
}
