//! The SQL of accounts and their secrets.

use crate::accounts::memory::Counted;
use crate::accounts::model::{Account, Attention, Environment, Reading, Status, word};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, TenantId};
use crate::scope::Scope;
use crate::{args, statements};

macro_rules! columns {
    () => {
        "a.id, a.tenant_id, a.messenger, a.channel_id, a.webhook_key, a.bot_user_id, a.display_name, a.basic_id,
        a.premium_id, a.picture_url, a.chat_mode, a.mark_as_read_mode, a.environment, a.status, a.attention,
        a.found_endpoint, a.endpoint, a.endpoint_active, a.checked_at, a.last_verified_at, a.last_event_at,
        a.oversized, a.bad_signatures, a.created_at, a.updated_at, a.updated_by, a.disconnected_at, a.display_label,
        a.kind, a.kind_at, a.kind_by, a.lists_followers, a.lists_followers_at, a.market, a.connected_by,
        a.registered_url, a.group_chats, a.sender_name, a.plan, a.greeting_owner, a.keyword_owner, a.away_owner,
        a.bot_owner"
    };
}

// reads: account_grants
macro_rules! visible {
    () => {
        " a.tenant_id = $1 AND ($2 = '' OR a.id IN (SELECT g.account_id FROM account_grants AS g WHERE g.user_id = $2))"
    };
}

macro_rules! live {
    () => {
        "SELECT id, tenant_id, channel_id, webhook_key, bot_user_id FROM accounts WHERE status <> 'disconnected'"
    };
}

statements! {
    LIST = { concat!("SELECT ", columns!(), " FROM accounts AS a WHERE", visible!(),
        " AND (a.created_at > $3 OR (a.created_at = $3 AND a.id > $4)) ORDER BY a.created_at, a.id LIMIT $5") };
    FIND = { concat!("SELECT ", columns!(), " FROM accounts AS a WHERE", visible!(), " AND a.id = $3") };
    IDS = { concat!("SELECT a.id FROM accounts AS a WHERE", visible!(), " ORDER BY a.id") };
    FIND_BY_CHANNEL = { concat!("SELECT ", columns!(), " FROM accounts AS a
        WHERE a.tenant_id = $1 AND a.messenger = 'line' AND a.channel_id = $2") };
    CONNECTED_WITH = { "SELECT id FROM accounts
        WHERE tenant_id = $1 AND messenger = 'line' AND channel_id = $2 AND status <> 'disconnected'" };
    // A connecting that died with its process holds nothing.
    HOLDER = { "SELECT tenant_id FROM accounts WHERE messenger = 'line' AND channel_id = $1 AND status <> 'disconnected'
        AND NOT (status = 'attention' AND attention = 'connecting' AND updated_at < $2)" };
    FREE_DEAD = { "UPDATE accounts SET status = 'disconnected', attention = NULL, disconnected_at = $2
        WHERE messenger = 'line' AND channel_id = $1 AND status = 'attention' AND attention = 'connecting'
        AND updated_at < $3" };
    INSERT = { "INSERT INTO accounts (id, tenant_id, messenger, channel_id, webhook_key, bot_user_id, display_name,
            basic_id, premium_id, picture_url, chat_mode, mark_as_read_mode, environment, status, attention,
            found_endpoint, oversized, bad_signatures, created_at, updated_at, updated_by, connected_by)
        VALUES ($1, $2, 'line', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'attention', 'connecting',
            $13, 0, 0, $14, $14, $15, $15)" };
    REVIVE = { "UPDATE accounts SET webhook_key = $2, bot_user_id = $3, status = 'attention', attention = 'connecting',
            found_endpoint = $4, endpoint = NULL, endpoint_active = NULL, checked_at = NULL, updated_at = $5,
            updated_by = $6, disconnected_at = NULL, registered_url = NULL
        WHERE id = $1 AND status = 'disconnected'" };
    DELETE = { "DELETE FROM accounts WHERE id = $1" };
    DISCONNECT = { "UPDATE accounts SET status = 'disconnected', attention = NULL, updated_at = $2, updated_by = $3,
        disconnected_at = $2 WHERE id = $1 AND status <> 'disconnected'" };
    SET_READING = { "UPDATE accounts SET bot_user_id = $2, display_name = $3, basic_id = $4, premium_id = $5,
            picture_url = $6, chat_mode = $7, mark_as_read_mode = $8, endpoint = $9, endpoint_active = $10,
            checked_at = $11, status = $12, attention = $13
        WHERE id = $1 AND status <> 'disconnected'" };
    SET_ATTENTION = { "UPDATE accounts SET status = 'attention', attention = $2, checked_at = $3
        WHERE id = $1 AND status <> 'disconnected'" };
    SET_REGISTERED = { "UPDATE accounts SET registered_url = $2 WHERE id = $1 AND status <> 'disconnected'" };
    // A key that changed meanwhile is another connection's.
    SET_SEEN = { "UPDATE accounts SET registered_url = $3
        WHERE id = $1 AND webhook_key = $2 AND registered_url IS NULL AND status <> 'disconnected'" };
    // Once the address was the hub's, what stands there instead is no address of before.
    SET_FOUND = { "UPDATE accounts SET found_endpoint = $2
        WHERE id = $1 AND registered_url IS NULL AND status <> 'disconnected'" };
    TOUCH = { "UPDATE accounts SET updated_at = $2, updated_by = $3 WHERE id = $1" };
    LOCK_LIVE = { "UPDATE accounts SET updated_at = updated_at
        WHERE tenant_id = $1 AND id = $2 AND status <> 'disconnected'" };
    HOLD = { "UPDATE accounts SET updated_at = updated_at WHERE tenant_id = $1 AND id = $2" };
    COUNT = { "UPDATE accounts SET oversized = oversized + $2, bad_signatures = bad_signatures + $3,
            last_verified_at = CASE WHEN COALESCE(last_verified_at, 0) < $4 THEN $4 ELSE last_verified_at END,
            last_event_at = CASE WHEN COALESCE(last_event_at, 0) < $5 THEN $5 ELSE last_event_at END
        WHERE id = $1" };
    ALL_LIVE = { concat!(live!(), " ORDER BY id") };
    LIVE_BY_KEY = { concat!(live!(), " AND webhook_key = $1") };
    LIVE_BY_ID = { concat!(live!(), " AND id = $1") };
    SECRETS = { "SELECT kind, serial, sealed, valid_until FROM account_secrets WHERE account_id = $1
        ORDER BY kind, serial DESC" };
    NEXT_SERIAL = { "SELECT COALESCE(MAX(serial), 0) + 1 FROM account_secrets WHERE account_id = $1 AND kind = $2" };
    ADD_SECRET = { "INSERT INTO account_secrets (account_id, tenant_id, kind, serial, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)" };
    RETIRE_SECRET = { "UPDATE account_secrets SET valid_until = $3
        WHERE account_id = $1 AND kind = $2 AND valid_until IS NULL" };
    DROP_RETIRED = { "DELETE FROM account_secrets WHERE account_id = $1 AND kind = $2 AND valid_until IS NOT NULL" };
    DROP_KIND = { "DELETE FROM account_secrets WHERE account_id = $1 AND kind = $2" };
    DROP_SECRETS = { "DELETE FROM account_secrets WHERE account_id = $1" };
    EXPIRE_SECRETS = { "DELETE FROM account_secrets WHERE valid_until <= $1" };
    SEALED = { "SELECT account_id, kind, serial, sealed FROM account_secrets ORDER BY account_id, kind, serial" };
    RESEAL = { "UPDATE account_secrets SET sealed = $5
        WHERE account_id = $1 AND kind = $2 AND serial = $3 AND sealed = $4" };
}

/// Where a page of the list begins: after this time and id.
pub(super) type After = (Timestamp, AccountId);

pub(super) async fn list(
    db: &Db,
    scope: &Scope,
    after: Option<&After>,
    limit: i64,
) -> DbResult<Vec<Account>> {
    let (at, id) = after.map_or((Timestamp(i64::MIN), ""), |(at, id)| (*at, id.as_str()));
    db.all(&LIST, args![scope.tenant(), scope.viewer(), at, id, limit]).await
}

pub(super) async fn find(db: &Db, scope: &Scope, id: &AccountId) -> DbResult<Option<Account>> {
    db.opt(&FIND, args![scope.tenant(), scope.viewer(), id]).await
}

/// The ids of all accounts in the scope, connected or not.
pub(super) async fn ids(db: &Db, scope: &Scope) -> DbResult<Vec<String>> {
    let rows: Vec<(String,)> = db.all(&IDS, args![scope.tenant(), scope.viewer()]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The tenant's row of a channel, connected or not.
pub(super) async fn find_by_channel(
    tx: &mut Tx,
    tenant: &TenantId,
    channel: &str,
) -> DbResult<Option<Account>> {
    tx.opt(&FIND_BY_CHANNEL, args![tenant, channel]).await
}

/// The account of a tenant that is connected with a channel.
pub(super) async fn connected_with(db: &Db, tenant: &TenantId, channel: &str) -> DbResult<Option<AccountId>> {
    Ok(db.opt::<(AccountId,)>(&CONNECTED_WITH, args![tenant, channel]).await?.map(|(id,)| id))
}

/// Whether any tenant of this hub holds a channel; a connecting begun before `dead` does not count.
pub(super) async fn is_held(db: &Db, channel: &str, dead: Timestamp) -> DbResult<bool> {
    Ok(db.opt::<(String,)>(&HOLDER, args![channel, dead]).await?.is_some())
}

/// Ends connectings of a channel that died before `dead`.
pub(super) async fn free_dead(tx: &mut Tx, channel: &str, now: Timestamp, dead: Timestamp) -> DbResult<()> {
    tx.run(&FREE_DEAD, args![channel, now, dead]).await.map(|_| ())
}

/// What a new or revived row is made of.
#[derive(Debug)]
pub(super) struct NewRow<'a> {
    pub(super) id: &'a AccountId,
    pub(super) tenant: &'a TenantId,
    pub(super) channel_id: &'a str,
    pub(super) webhook_key: &'a str,
    pub(super) bot: &'a line_client::BotInfo,
    pub(super) environment: Environment,
    pub(super) found_endpoint: Option<&'a str>,
    pub(super) now: Timestamp,
    pub(super) by: &'a str,
}

/// Adds an account whose connecting is under way.
pub(super) async fn insert(tx: &mut Tx, row: &NewRow<'_>) -> DbResult<()> {
    let NewRow { id, tenant, channel_id, webhook_key, bot, environment, found_endpoint, now, by } = *row;
    let (user, name, basic) = (bot.user_id.as_str(), bot.display_name.as_str(), bot.basic_id.as_str());
    let (premium, picture) = (bot.premium_id.as_deref(), bot.picture_url.as_deref());
    let (chat, read, environment) =
        (word(&bot.chat_mode), word(&bot.mark_as_read_mode), environment.as_str());
    let args = args![
        id,
        tenant,
        channel_id,
        webhook_key,
        user,
        name,
        basic,
        premium,
        picture,
        chat,
        read,
        environment,
        found_endpoint,
        now,
        by,
    ];
    tx.run(&INSERT, args).await.map(|_| ())
}

/// Begins to connect a disconnected account again; `false` when it is not disconnected.
pub(super) async fn revive(tx: &mut Tx, row: &NewRow<'_>) -> DbResult<bool> {
    let user = row.bot.user_id.as_str();
    let args = args![row.id, row.webhook_key, user, row.found_endpoint, row.now, row.by];
    Ok(tx.run(&REVIVE, args).await? == 1)
}

/// Removes a row whose first connecting failed: it has no history.
pub(super) async fn delete(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    crate::accounts::settings::repo::forget(tx, id).await?;
    tx.run(&DELETE, args![id]).await.map(|_| ())
}

/// Ends an account; `false` when it was ended before.
pub(super) async fn disconnect(tx: &mut Tx, id: &AccountId, now: Timestamp, by: &str) -> DbResult<bool> {
    Ok(tx.run(&DISCONNECT, args![id, now, by]).await? == 1)
}

/// Keeps what LINE said.
pub(super) async fn set_reading(
    tx: &mut Tx,
    id: &AccountId,
    reading: &Reading,
    attention: Option<Attention>,
) -> DbResult<bool> {
    let bot = &reading.bot;
    let status = if attention.is_none() { Status::Connected } else { Status::Attention };
    let endpoint = reading.endpoint.as_ref();
    let args = args![
        id,
        bot.user_id.as_str(),
        bot.display_name.as_str(),
        bot.basic_id.as_str(),
        bot.premium_id.as_deref(),
        bot.picture_url.as_deref(),
        word(&bot.chat_mode),
        word(&bot.mark_as_read_mode),
        endpoint.map(|endpoint| endpoint.endpoint.as_str()),
        endpoint.map(|endpoint| endpoint.active),
        reading.at,
        status.as_str(),
        attention.map(Attention::as_str),
    ];
    Ok(tx.run(&SET_READING, args).await? == 1)
}

/// Marks an account as needing attention when LINE said nothing else.
pub(super) async fn set_attention(
    tx: &mut Tx,
    id: &AccountId,
    attention: Attention,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&SET_ATTENTION, args![id, attention.as_str(), now]).await.map(|_| ())
}

/// Notes the hub's public address that LINE has now, because the hub set it there.
pub(super) async fn set_registered(tx: &mut Tx, id: &AccountId, origin: &str) -> DbResult<()> {
    tx.run(&SET_REGISTERED, args![id, origin]).await.map(|_| ())
}

/// Notes the hub's public address that LINE was seen to have, where none is noted: a person set it there.
pub(super) async fn set_seen(tx: &mut Tx, id: &AccountId, key: &str, origin: &str) -> DbResult<()> {
    tx.run(&SET_SEEN, args![id, key, origin]).await.map(|_| ())
}

/// Keeps another system's webhook address that the hub is about to replace for the first time.
pub(super) async fn set_found(tx: &mut Tx, id: &AccountId, address: &str) -> DbResult<()> {
    tx.run(&SET_FOUND, args![id, address]).await.map(|_| ())
}

/// Keeps an account from being disconnected until the transaction ends; `false` when it is already.
pub(super) async fn lock_live(tx: &mut Tx, tenant: &TenantId, id: &AccountId) -> DbResult<bool> {
    Ok(tx.run(&LOCK_LIVE, args![tenant, id]).await? == 1)
}

/// Holds the account's row until the transaction ends; `false` when there is none.
pub(super) async fn hold(tx: &mut Tx, tenant: &TenantId, id: &AccountId) -> DbResult<bool> {
    Ok(tx.run(&HOLD, args![tenant, id]).await? == 1)
}

/// Notes who changed the settings.
pub(super) async fn touch(tx: &mut Tx, id: &AccountId, now: Timestamp, by: &str) -> DbResult<()> {
    tx.run(&TOUCH, args![id, now, by]).await.map(|_| ())
}

/// Adds what the webhook door counted.
pub(super) async fn count(tx: &mut Tx, id: &AccountId, counted: &Counted) -> DbResult<()> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (verified, event) = (counted.verified_at.unwrap_or_default(), counted.event_at.unwrap_or_default());
    let (oversized, bad) = (number(counted.oversized), counted.bad_signatures);
    tx.run(&COUNT, args![id, oversized, bad, verified, event]).await.map(|_| ())
}

/// What memory holds of a connected account.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Live {
    pub(super) id: AccountId,
    pub(super) tenant_id: TenantId,
    pub(super) channel_id: String,
    pub(super) webhook_key: String,
    pub(super) bot_user_id: String,
}

pub(super) async fn all_live(db: &Db) -> DbResult<Vec<Live>> {
    db.all(&ALL_LIVE, args![]).await
}

pub(super) async fn live_by_key(db: &Db, key: &str) -> DbResult<Option<Live>> {
    db.opt(&LIVE_BY_KEY, args![key]).await
}

pub(super) async fn live_by_id(db: &Db, id: &AccountId) -> DbResult<Option<Live>> {
    db.opt(&LIVE_BY_ID, args![id]).await
}

/// Which secret of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretKind {
    /// Signs webhooks, issues tokens.
    ChannelSecret,
    /// A pasted long-lived token.
    AccessToken,
}

impl SecretKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ChannelSecret => "channel_secret",
            Self::AccessToken => "access_token",
        }
    }
}

/// A stored secret.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct SecretRow {
    pub(super) kind: String,
    pub(super) serial: i64,
    pub(super) sealed: String,
    pub(super) valid_until: Option<Timestamp>,
}

/// An account's secrets, the newest of each kind first.
pub(super) async fn secrets(db: &Db, id: &AccountId) -> DbResult<Vec<SecretRow>> {
    db.all(&SECRETS, args![id]).await
}

/// The number that the next secret of a kind gets.
pub(super) async fn next_serial(tx: &mut Tx, id: &AccountId, kind: SecretKind) -> DbResult<i64> {
    Ok(tx.opt::<(i64,)>(&NEXT_SERIAL, args![id, kind.as_str()]).await?.map_or(1, |(serial,)| serial))
}

/// Makes a secret the present one.
pub(super) async fn add_secret(
    tx: &mut Tx,
    (id, tenant): (&AccountId, &TenantId),
    (kind, serial): (SecretKind, i64),
    sealed: &str,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&ADD_SECRET, args![id, tenant, kind.as_str(), serial, sealed, now]).await.map(|_| ())
}

/// Lets the present secret of a kind be valid until `until`, and drops the one before it: there are at most two.
pub(super) async fn retire_secret(
    tx: &mut Tx,
    id: &AccountId,
    kind: SecretKind,
    until: Timestamp,
) -> DbResult<()> {
    tx.run(&DROP_RETIRED, args![id, kind.as_str()]).await?;
    tx.run(&RETIRE_SECRET, args![id, kind.as_str(), until]).await.map(|_| ())
}

pub(super) async fn drop_kind(tx: &mut Tx, id: &AccountId, kind: SecretKind) -> DbResult<()> {
    tx.run(&DROP_KIND, args![id, kind.as_str()]).await.map(|_| ())
}

pub(super) async fn drop_secrets(tx: &mut Tx, id: &AccountId) -> DbResult<()> {
    tx.run(&DROP_SECRETS, args![id]).await.map(|_| ())
}

/// Removes secrets whose 24 hours are over.
pub(super) async fn expire_secrets(tx: &mut Tx, now: Timestamp) -> DbResult<u64> {
    tx.run(&EXPIRE_SECRETS, args![now]).await
}

/// Every sealed text with the parts of its identity, for the rotation of the master key.
pub(super) async fn sealed(db: &Db) -> DbResult<Vec<(String, String, i64, String)>> {
    db.all(&SEALED, args![]).await
}

/// Exchanges a sealed text for the same secret sealed anew.
pub(super) async fn reseal(
    tx: &mut Tx,
    (id, kind, serial): (&str, &str, i64),
    before: &str,
    after: &str,
) -> DbResult<()> {
    tx.run(&RESEAL, args![id, kind, serial, before, after]).await.map(|_| ())
}
