//! The SQL of reply tokens.

use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, ConversationId, DestinationId, SendId, TenantId};
use crate::outbox::model::{KnownToken, NewToken, OnItsWay, Token};
use crate::{args, statements};

statements! {
    TOKEN_INSERT = { "INSERT INTO reply_tokens (account_id, token, tenant_id, conversation_id, position, event_at,
        received_at, usable_until, claimed_by, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)
        ON CONFLICT (account_id, token) DO UPDATE SET received_at = excluded.received_at,
        usable_until = excluded.usable_until WHERE reply_tokens.usable_until < excluded.usable_until" };
    TOKEN_NEWEST = { "SELECT t.token, t.usable_until FROM reply_tokens AS t
        WHERE t.conversation_id = $1 AND t.owner = '' AND t.claimed_by IS NULL AND t.usable_until > $2
        ORDER BY t.event_at DESC, t.position DESC, t.token LIMIT 1" };
    TOKEN_CLAIM = { "UPDATE reply_tokens SET claimed_by = $3
        WHERE account_id = $1 AND token = $2 AND claimed_by IS NULL" };
    TOKEN_RELEASE = { "UPDATE reply_tokens SET claimed_by = NULL
        WHERE account_id = $1 AND token = $2 AND claimed_by = $3" };
    FREE_UNTIL = { "SELECT MAX(t.usable_until) FROM reply_tokens AS t
        WHERE t.conversation_id = $1 AND t.owner = '' AND t.claimed_by IS NULL AND t.usable_until > $2
        HAVING COUNT(*) > (SELECT COUNT(*) FROM sends AS s WHERE s.conversation_id = $1
            AND s.state IN ('queued', 'sending') AND s.via IS NULL)" };
    TOKEN_OWNER = { "SELECT t.owner FROM reply_tokens AS t WHERE t.conversation_id = $1 AND t.owner <> ''
        AND t.claimed_by IS NULL AND t.usable_until > $2 ORDER BY t.event_at DESC, t.position DESC LIMIT 1" };
    TOKEN_KNOWN = { "SELECT conversation_id, usable_until, claimed_by, owner FROM reply_tokens
        WHERE tenant_id = $1 AND account_id = $2 AND token = $3" };
}

/// Puts a token on the list. A redelivered event may bring the same token with more life.
pub(in crate::outbox) async fn remember_token(tx: &mut Tx, new: &NewToken<'_>) -> DbResult<()> {
    tx.run(
        &TOKEN_INSERT,
        args![
            new.account,
            new.token,
            new.tenant,
            new.conversation,
            new.position,
            new.event_at,
            new.received_at,
            new.usable_until(),
            new.owner.map_or("", DestinationId::as_str),
        ],
    )
    .await
    .map(|_| ())
}

/// The conversation's newest usable token that nobody has claimed.
pub(in crate::outbox) async fn newest_token(
    tx: &mut Tx,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<Token>> {
    let row: Option<(String, Timestamp)> = tx.opt(&TOKEN_NEWEST, args![conversation, now]).await?;
    Ok(row.map(|(token, usable_until)| Token { token, usable_until }))
}

/// Claims a token; `false` when somebody was faster.
pub(in crate::outbox) async fn claim_token(tx: &mut Tx, send: &OnItsWay, token: &Token) -> DbResult<bool> {
    Ok(tx.run(&TOKEN_CLAIM, args![&send.account, &token.token, &send.id]).await? == 1)
}

/// Gives a token back that LINE has certainly not seen used.
pub(in crate::outbox) async fn release_token(tx: &mut Tx, send: &OnItsWay, token: &Token) -> DbResult<()> {
    tx.run(&TOKEN_RELEASE, args![&send.account, &token.token, &send.id]).await.map(|_| ())
}

/// A token as it stands.
pub(in crate::outbox) async fn known_token(
    db: &Db,
    tenant: &TenantId,
    account: &AccountId,
    token: &str,
) -> DbResult<Option<KnownToken>> {
    type Row = (ConversationId, Timestamp, Option<String>, String);
    let row: Option<Row> = db.opt(&TOKEN_KNOWN, args![tenant, account, token]).await?;
    Ok(row.map(|(conversation, usable_until, claimed_by, owner)| KnownToken {
        conversation,
        usable_until,
        is_claimed: claimed_by.is_some(),
        owner,
    }))
}

/// Claims a token for a send that is new; `false` when somebody was faster.
pub(in crate::outbox) async fn claim_for(
    tx: &mut Tx,
    account: &AccountId,
    token: &str,
    send: &SendId,
) -> DbResult<bool> {
    Ok(tx.run(&TOKEN_CLAIM, args![account, token, send]).await? == 1)
}

/// Until when a new send to the conversation would be free, after those that wait already.
pub(in crate::outbox) async fn free_until(
    db: &Db,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<Timestamp>> {
    let row: Option<(Option<Timestamp>,)> = db.opt(&FREE_UNTIL, args![conversation, now]).await?;
    Ok(row.and_then(|(until,)| until))
}

/// The system that may use the conversation's newest free reply; `None` when that is the hub's, or there is none.
pub(in crate::outbox) async fn token_owner(
    db: &Db,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<DestinationId>> {
    let row: Option<(DestinationId,)> = db.opt(&TOKEN_OWNER, args![conversation, now]).await?;
    Ok(row.map(|(owner,)| owner))
}
