//! The SQL of Login channels and of the tests of logins.

use super::model::{Kind, LoginChannel, ProviderMatch, Run};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, LoginTestId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

macro_rules! columns {
    () => {
        "l.account_id, l.tenant_id, l.channel_id, l.serial, l.sealed, l.public_url, l.liff_id, l.liff_endpoint,
        l.liff_view, l.liff_bot_prompt, l.liff_scopes, l.liff_count, l.liff_twins, l.liff_fault, l.liff_checked_at,
        l.provider_match, l.provider_checked_at, l.linked_at, l.linked_by, l.share_ready_at, l.share_ready_by,
        l.share, l.add_friend, l.updated_at, l.updated_by"
    };
}

macro_rules! run_columns {
    () => {
        "t.id, t.account_id, t.tenant_id, t.kind, t.started_at, t.started_by, t.opened_at, t.code_hash,
        t.finished_at, t.findings, t.subject"
    };
}

statements! {
    FIND = { concat!("SELECT ", columns!(), " FROM login_channels AS l WHERE", in_scope!("l", "$1", "$2"),
        " AND l.account_id = $3") };
    LIST = { concat!("SELECT ", columns!(), " FROM login_channels AS l WHERE", in_scope!("l", "$1", "$2"),
        " ORDER BY l.account_id") };
    // Public addresses name an account; nothing but what such a page shows follows from it.
    BY_ACCOUNT = { concat!("SELECT ", columns!(), " FROM login_channels AS l WHERE l.account_id = $1") };
    BY_CHANNEL = { "SELECT account_id FROM login_channels
        WHERE tenant_id = $1 AND channel_id = $2 AND account_id <> $3 ORDER BY account_id LIMIT 1" };
    SAVE = { "INSERT INTO login_channels (account_id, tenant_id, channel_id, serial, sealed, public_url, liff_count,
            liff_twins, provider_match, share, add_friend, updated_at, updated_by)
        VALUES ($1, $2, $3, $4, $5, $6, 0, '', 'unknown', $7, $7, $8, $9)
        ON CONFLICT (account_id) DO UPDATE SET channel_id = excluded.channel_id, serial = excluded.serial,
            sealed = excluded.sealed, public_url = excluded.public_url, updated_at = excluded.updated_at,
            updated_by = excluded.updated_by" };
    // What was true of another channel says nothing of this one.
    FORGET_FACTS = { "UPDATE login_channels SET liff_id = NULL, liff_endpoint = NULL, liff_view = NULL,
            liff_bot_prompt = NULL, liff_scopes = NULL, liff_count = 0, liff_twins = '', liff_fault = NULL,
            liff_checked_at = NULL, provider_match = 'unknown', provider_checked_at = NULL, linked_at = NULL,
            linked_by = NULL, share_ready_at = NULL, share_ready_by = NULL, share = $2, add_friend = $2
        WHERE account_id = $1" };
    REMOVE = { "DELETE FROM login_channels WHERE account_id = $1" };
    REMOVE_RUNS = { "DELETE FROM login_tests WHERE account_id = $1" };
    FORGET_SECRET = { "UPDATE login_channels SET sealed = NULL WHERE account_id = $1" };
    SET_LIFF = { "UPDATE login_channels SET liff_id = $2, liff_endpoint = $3, liff_view = $4, liff_bot_prompt = $5,
            liff_scopes = $6, liff_count = $7, liff_twins = $8, liff_fault = $9, liff_checked_at = $10
        WHERE account_id = $1 AND channel_id = $11" };
    TAKE_TURN = { "UPDATE login_channels SET liff_turn = $2
        WHERE account_id = $1 AND (liff_turn IS NULL OR liff_turn < $3)" };
    END_TURN = { "UPDATE login_channels SET liff_turn = NULL WHERE account_id = $1" };
    SET_LIFF_FAULT = { "UPDATE login_channels SET liff_fault = $2, liff_checked_at = $3
        WHERE account_id = $1 AND channel_id = $4" };
    // What was proven stays: no channel moves from one provider to another.
    SET_PROVIDER = { "UPDATE login_channels SET provider_match = $2, provider_checked_at = $3
        WHERE account_id = $1 AND channel_id = $4 AND (provider_match <> 'same' OR $2 = 'same')" };
    SET_SWITCHES = { "UPDATE login_channels SET share = COALESCE($2, share), add_friend = COALESCE($3, add_friend)
        WHERE account_id = $1" };
    SET_LINKED = { "UPDATE login_channels SET linked_at = $2, linked_by = $3 WHERE account_id = $1" };
    SET_SHARE_READY = { "UPDATE login_channels SET share_ready_at = $2, share_ready_by = $3 WHERE account_id = $1" };
    SET_PUBLIC_URL = { "UPDATE login_channels SET public_url = $2 WHERE account_id = $1" };
    TOUCH = { "UPDATE login_channels SET updated_at = $2, updated_by = $3 WHERE account_id = $1" };
    SEALED = { "SELECT account_id, serial, sealed FROM login_channels WHERE sealed IS NOT NULL ORDER BY account_id" };
    RESEAL = { "UPDATE login_channels SET sealed = $3 WHERE account_id = $1 AND sealed = $2" };
    ADD_RUN = { "INSERT INTO login_tests (id, account_id, tenant_id, kind, started_at, started_by, findings, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)" };
    LAST_RUN = { concat!("SELECT ", run_columns!(), " FROM login_tests AS t WHERE", in_scope!("t", "$1", "$2"),
        " AND t.account_id = $3 AND t.kind = $4 ORDER BY t.started_at DESC, t.id DESC LIMIT 1") };
    LAST_RUNS = { concat!("SELECT ", run_columns!(), " FROM login_tests AS t WHERE", in_scope!("t", "$1", "$2"),
        " AND t.started_at = (SELECT MAX(o.started_at) FROM login_tests AS o WHERE o.account_id = t.account_id)
        ORDER BY t.account_id, t.id") };
    RUN = { concat!("SELECT ", run_columns!(), " FROM login_tests AS t WHERE t.account_id = $1 AND t.id = $2") };
    OPEN_RUN = { "UPDATE login_tests SET opened_at = $3
        WHERE account_id = $1 AND id = $2 AND finished_at IS NULL" };
    CLAIM_RUN = { "UPDATE login_tests SET code_hash = $3
        WHERE account_id = $1 AND id = $2 AND code_hash IS NULL AND finished_at IS NULL" };
    END_RUN = { "UPDATE login_tests SET findings = $3, finished_at = $4, subject = $5
        WHERE account_id = $1 AND id = $2 AND finished_at IS NULL" };
    SETTLE_RUN = { "UPDATE login_tests SET findings = $3, subject = NULL
        WHERE account_id = $1 AND id = $2 AND subject = $4" };
    CLEAN_RUNS = { "DELETE FROM login_tests WHERE account_id = $1 AND started_at < $2" };
}

/// The account's Login channel.
pub(super) async fn find(db: &Db, scope: &Scope, id: &AccountId) -> DbResult<Option<LoginChannel>> {
    db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await
}

/// The Login channels of all accounts in the scope.
pub(super) async fn list(db: &Db, scope: &Scope) -> DbResult<Vec<LoginChannel>> {
    db.all(&LIST, args![scope.tenant(), scope.viewer()]).await
}

/// The Login channel behind a public address, and of an account that another part holds already.
pub(super) async fn by_account(db: &Db, id: &AccountId) -> DbResult<Option<LoginChannel>> {
    db.opt(&BY_ACCOUNT, args![id]).await
}

/// Another account of the tenant with the same Login channel.
pub(super) async fn other_with(
    db: &Db,
    tenant: &TenantId,
    channel: &str,
    id: &AccountId,
) -> DbResult<Option<AccountId>> {
    let row: Option<(AccountId,)> = db.opt(&BY_CHANNEL, args![tenant, channel, id]).await?;
    Ok(row.map(|(id,)| id))
}

/// What a Login channel is saved with.
#[derive(Debug)]
pub(super) struct Saved<'a> {
    pub(super) account: &'a AccountId,
    pub(super) tenant: &'a TenantId,
    pub(super) channel_id: &'a str,
    pub(super) serial: i64,
    pub(super) sealed: &'a str,
    pub(super) public_url: &'a str,
    pub(super) now: Timestamp,
    pub(super) by: &'a str,
    /// Whether it is another channel than before, of which nothing is known yet.
    pub(super) is_other: bool,
}

/// Saves a Login channel, new or in place of the one before.
pub(super) async fn save(tx: &mut Tx, row: &Saved<'_>) -> DbResult<()> {
    let Saved { account, tenant, channel_id, serial, sealed, public_url, now, by, is_other } = *row;
    tx.run(&SAVE, args![account, tenant, channel_id, serial, sealed, public_url, false, now, by]).await?;
    if is_other {
        tx.run(&FORGET_FACTS, args![account, false]).await?;
    }
    Ok(())
}

/// Removes a Login channel and its tests.
pub(super) async fn remove(tx: &mut Tx, id: &AccountId) -> DbResult<bool> {
    tx.run(&REMOVE_RUNS, args![id]).await?;
    Ok(tx.run(&REMOVE, args![id]).await? == 1)
}

/// Drops the secret, and the tests that were walked with it; the rest stays.
pub(super) async fn forget_secret(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    tx.run(&REMOVE_RUNS, args![id]).await?;
    tx.run(&FORGET_SECRET, args![id]).await.map(|_| ())
}

/// What LINE says of the LIFF app.
#[derive(Debug, Default)]
pub(super) struct LiffRow {
    pub(super) id: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) view: Option<String>,
    pub(super) bot_prompt: Option<String>,
    pub(super) scopes: Option<String>,
    pub(super) count: i64,
    pub(super) twins: String,
    pub(super) fault: Option<&'static str>,
}

/// Keeps what LINE says of the LIFF app, if the channel is still the one that was asked about.
pub(super) async fn set_liff(
    tx: &mut Tx,
    (id, channel): (&AccountId, &str),
    row: &LiffRow,
    now: Timestamp,
) -> DbResult<()> {
    let args = args![
        id,
        row.id.as_deref(),
        row.endpoint.as_deref(),
        row.view.as_deref(),
        row.bot_prompt.as_deref(),
        row.scopes.as_deref(),
        row.count,
        row.twins.as_str(),
        row.fault,
        now,
        channel,
    ];
    tx.run(&SET_LIFF, args).await.map(|_| ())
}

/// Takes the turn to change the LIFF app, unless another has it since `dead`: two at once would make two apps.
pub(super) async fn take_turn(
    tx: &mut Tx,
    id: &AccountId,
    now: Timestamp,
    dead: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&TAKE_TURN, args![id, now, dead]).await? == 1)
}

/// Gives the turn back.
pub(super) async fn end_turn(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    tx.run(&END_TURN, args![id]).await.map(|_| ())
}

/// Notes what kept LINE from being asked, if the channel is still the one that was asked about.
pub(super) async fn set_liff_fault(
    tx: &mut Tx,
    (id, channel): (&AccountId, &str),
    fault: &'static str,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&SET_LIFF_FAULT, args![id, fault, now, channel]).await.map(|_| ())
}

/// Keeps what a login showed of the providers, if the channel is still the one that was logged in at. "Same" is a proof
/// and is never replaced.
pub(super) async fn set_provider(
    tx: &mut Tx,
    (id, channel): (&AccountId, &str),
    found: ProviderMatch,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&SET_PROVIDER, args![id, found.as_str(), now, channel]).await.map(|_| ())
}

/// Sets the switches that are given.
pub(super) async fn set_switches(
    tx: &mut Tx,
    id: &AccountId,
    share: Option<bool>,
    add_friend: Option<bool>,
) -> DbResult<()> {
    tx.run(&SET_SWITCHES, args![id, share, add_friend]).await.map(|_| ())
}

pub(super) async fn set_linked(
    tx: &mut Tx,
    id: &AccountId,
    at: Option<Timestamp>,
    by: Option<&str>,
) -> DbResult<()> {
    tx.run(&SET_LINKED, args![id, at, by]).await.map(|_| ())
}

pub(super) async fn set_share_ready(
    tx: &mut Tx,
    id: &AccountId,
    at: Option<Timestamp>,
    by: Option<&str>,
) -> DbResult<()> {
    tx.run(&SET_SHARE_READY, args![id, at, by]).await.map(|_| ())
}

/// Notes at which public address the callback was confirmed last.
pub(super) async fn set_public_url(tx: &mut Tx, id: &AccountId, public_url: &str) -> DbResult<()> {
    tx.run(&SET_PUBLIC_URL, args![id, public_url]).await.map(|_| ())
}

/// Notes who changed it.
pub(super) async fn touch(tx: &mut Tx, id: &AccountId, now: Timestamp, by: &str) -> DbResult<()> {
    tx.run(&TOUCH, args![id, now, by]).await.map(|_| ())
}

/// Every sealed text with the parts of its identity, for the rotation of the master key.
pub(super) async fn sealed(db: &Db) -> DbResult<Vec<(String, i64, String)>> {
    db.all(&SEALED, args![]).await
}

/// Exchanges a sealed text for the same secret sealed anew.
pub(super) async fn reseal(tx: &mut Tx, id: &str, before: &str, after: &str) -> DbResult<()> {
    tx.run(&RESEAL, args![id, before, after]).await.map(|_| ())
}

/// A test that begins.
#[derive(Debug)]
pub(super) struct NewRun<'a> {
    pub(super) id: &'a LoginTestId,
    pub(super) account: &'a AccountId,
    pub(super) tenant: &'a TenantId,
    pub(super) kind: Kind,
    pub(super) now: Timestamp,
    pub(super) by: &'a str,
    pub(super) findings: &'a str,
    /// Whether it is over with what was found already.
    pub(super) is_over: bool,
}

/// Begins a test, and drops those older than `keep_since`.
pub(super) async fn add_run(tx: &mut Tx, run: &NewRun<'_>, keep_since: Timestamp) -> DbResult<()> {
    tx.run(&CLEAN_RUNS, args![run.account, keep_since]).await?;
    let over = run.is_over.then_some(run.now);
    let args = args![run.id, run.account, run.tenant, run.kind.as_str(), run.now, run.by, run.findings, over];
    tx.run(&ADD_RUN, args).await.map(|_| ())
}

/// The account's last test of a kind.
pub(super) async fn last_run(db: &Db, scope: &Scope, id: &AccountId, kind: Kind) -> DbResult<Option<Run>> {
    db.opt(&LAST_RUN, args![scope.tenant(), scope.viewer(), id, kind.as_str()]).await
}

/// The last test of each account in the scope.
pub(super) async fn last_runs(db: &Db, scope: &Scope) -> DbResult<Vec<Run>> {
    db.all(&LAST_RUNS, args![scope.tenant(), scope.viewer()]).await
}

/// A test by its id, for those who come back from LINE.
pub(super) async fn run(db: &Db, account: &AccountId, id: &LoginTestId) -> DbResult<Option<Run>> {
    db.opt(&RUN, args![account, id]).await
}

/// Notes that somebody goes to LINE.
pub(super) async fn open_run(
    tx: &mut Tx,
    account: &AccountId,
    id: &LoginTestId,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&OPEN_RUN, args![account, id, now]).await? == 1)
}

/// Takes a test up with the code that came back; `false` when another answer did before.
pub(super) async fn claim_run(
    tx: &mut Tx,
    account: &AccountId,
    id: &LoginTestId,
    code_hash: &str,
) -> DbResult<bool> {
    Ok(tx.run(&CLAIM_RUN, args![account, id, code_hash]).await? == 1)
}

/// Ends a test, with its subject where it goes on waiting for its code; `false` when it was over before.
pub(super) async fn end_run(
    tx: &mut Tx,
    (account, id): (&AccountId, &LoginTestId),
    findings: &str,
    subject: Option<&str>,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&END_RUN, args![account, id, findings, now, subject]).await? == 1)
}

/// Settles a test by its code; `false` when it waits no more, or for somebody else.
pub(super) async fn settle_run(
    tx: &mut Tx,
    (account, id): (&AccountId, &LoginTestId),
    findings: &str,
    subject: &str,
) -> DbResult<bool> {
    Ok(tx.run(&SETTLE_RUN, args![account, id, findings, subject]).await? == 1)
}
