//! The outbox's SQL.

use std::time::Duration;

use line_client::SentMessage;
use serde_json::Value;

use super::model::{
    Delivery, End, Extras, Fault, KnownToken, NewBulk, NewSend, NewToken, OnItsWay, Origin, Progress,
    Reading, Request, SettledMessage, State, Target, TargetKind, Terms, Token, Used, Via,
};
use super::once::Once;
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, ConversationId, DestinationId, Id as _, MessageId, SendId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

/// What is open for longer than this never ends: a push is repeated for a day at most.
const OPEN_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

macro_rules! due {
    ($lock:literal) => {
        concat!(
            "SELECT s.id, s.account_id, s.conversation_id, s.target_kind, s.target, s.allow_paid, s.max_cost, s.via,
                s.reply_token, s.token_until, s.retry_key, s.body, s.members, s.members_at, s.open_attempt, s.attempts,
                s.first_attempt_at, s.created_at, s.origin, s.extras
            FROM sends AS s WHERE s.account_id = $1 AND s.state = 'queued' AND s.next_attempt_at <= $2
            AND NOT EXISTS (SELECT 1 FROM sends AS e WHERE e.conversation_id = s.conversation_id
                AND e.number < s.number AND e.state IN ('queued', 'sending'))
            ORDER BY s.next_attempt_at, s.id LIMIT $3",
            $lock
        )
    };
}

macro_rules! settled_before {
    () => {
        "SELECT s.id FROM sends AS s WHERE s.forgotten_at IS NULL AND s.settled_at < $1 ORDER BY s.settled_at, s.id LIMIT $2"
    };
}

statements! {
    TOKEN_INSERT = { "INSERT INTO reply_tokens (account_id, token, tenant_id, conversation_id, position, event_at,
        received_at, usable_until, claimed_by, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)
        ON CONFLICT (account_id, token) DO UPDATE SET received_at = excluded.received_at,
        usable_until = excluded.usable_until WHERE reply_tokens.usable_until < excluded.usable_until" };
    LANE_HOLD = { "INSERT INTO send_lanes (conversation_id, tenant_id, account_id, last_number)
        VALUES ($1, $2, $3, 0)
        ON CONFLICT (conversation_id) DO UPDATE SET last_number = send_lanes.last_number RETURNING last_number" };
    LANE_ADVANCE = { "UPDATE send_lanes SET last_number = $2 WHERE conversation_id = $1" };
    SEND_JOIN = { "UPDATE sends SET message_count = message_count + $8
        WHERE conversation_id = $1 AND number = $2 AND tenant_id = $3 AND state = 'queued' AND attempts = 0
        AND origin = $4 AND actor = $5 AND allow_paid = $6 AND max_cost = $7 AND message_count + $8 <= 5
        RETURNING id, message_count" };
    SEND_INSERT = { "INSERT INTO sends (id, tenant_id, account_id, conversation_id, number, target_kind, target, origin,
        actor, allow_paid, max_cost, message_count, state, open_attempt, presumed, attempts, lease_until,
        next_attempt_at, again_of, created_at, extras)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $15, $15, 0, 0, $13, $14, $13, $16)" };
    DELIVERY_INSERT = { "INSERT INTO deliveries (message_id, send_id, tenant_id, account_id, place, content)
        VALUES ($1, $2, $3, $4, $5, $6)" };
    AGAIN = { concat!("SELECT s.id, s.tenant_id, s.account_id, s.conversation_id, s.target_kind, s.target, s.origin, s.state,
            s.forgotten_at, s.extras
        FROM sends AS s WHERE s.id = (SELECT d.send_id FROM deliveries AS d WHERE d.message_id = $3) AND",
        in_scope!("s", "$1", "$2")) };
    CONTENTS = { "SELECT message_id, content FROM deliveries WHERE send_id = $1 ORDER BY place" };
    AGAIN_MOVE = { "UPDATE deliveries SET send_id = $2, line_message_id = NULL, quote_token = NULL
        WHERE send_id = $1 AND content <> ''" };
    // Both choose the same sends: within one transaction, the deliveries first.
    FORGET_CONTENTS = { concat!("UPDATE deliveries SET content = '' WHERE send_id IN (", settled_before!(), ")") };
    FORGET_BODIES = { concat!("UPDATE sends SET body = NULL, line_answer = NULL, forgotten_at = $3 WHERE id IN (", settled_before!(), ")") };
    HAS_LOST = { "SELECT 1 WHERE EXISTS (SELECT 1 FROM sends WHERE state = 'sending' AND lease_until <= $1)" };
    // From account to account by the index, however much one of them has waiting.
    WAITING = { "WITH RECURSIVE waiting (account_id) AS (
            SELECT MIN(s.account_id) FROM sends AS s WHERE s.state = 'queued'
            UNION ALL SELECT (SELECT MIN(s.account_id) FROM sends AS s
                WHERE s.state = 'queued' AND s.account_id > w.account_id)
            FROM waiting AS w WHERE w.account_id IS NOT NULL),
        since (account_id, at) AS (SELECT w.account_id, (SELECT MIN(s.next_attempt_at) FROM sends AS s
            WHERE s.state = 'queued' AND s.account_id = w.account_id) FROM waiting AS w)
        SELECT account_id FROM since WHERE at <= $1 ORDER BY at, account_id" };
    RECOVER = { "UPDATE sends SET state = 'queued', open_attempt = $2, next_attempt_at = $1
        WHERE state = 'sending' AND lease_until <= $1" };
    RECOVER_ALL = { "UPDATE sends SET state = 'queued', open_attempt = $2, next_attempt_at = $1
        WHERE state = 'sending'" };
    // Of each of the account's conversations only the oldest send that has not come to its end.
    DUE = {
        sqlite: due!(""),
        postgres: due!(" FOR UPDATE OF s SKIP LOCKED"),
    };
    TOKEN_NEWEST = { "SELECT t.token, t.usable_until FROM reply_tokens AS t
        WHERE t.conversation_id = $1 AND t.owner = '' AND t.claimed_by IS NULL AND t.usable_until > $2
        ORDER BY t.event_at DESC, t.position DESC, t.token LIMIT 1" };
    TOKEN_CLAIM = { "UPDATE reply_tokens SET claimed_by = $3
        WHERE account_id = $1 AND token = $2 AND claimed_by IS NULL" };
    TOKEN_RELEASE = { "UPDATE reply_tokens SET claimed_by = NULL
        WHERE account_id = $1 AND token = $2 AND claimed_by = $3" };
    TOKENS_DELETE = { "DELETE FROM reply_tokens WHERE (account_id, token) IN (
        SELECT t.account_id, t.token FROM reply_tokens AS t WHERE t.usable_until < $1 LIMIT $2)" };
    WRITE = { "UPDATE sends SET via = $2, reply_token = $3, token_until = $4, retry_key = $5, body = $6, cost = $7,
        first_attempt_at = NULL WHERE id = $1 AND state = 'queued'" };
    SET_COST = { "UPDATE sends SET cost = $2 WHERE id = $1 AND state = 'queued'" };
    START = { "UPDATE sends SET state = 'sending', attempts = attempts + 1, attempt_started_at = $2,
        first_attempt_at = COALESCE(first_attempt_at, $2), lease_until = $3 WHERE id = $1 AND state = 'queued'" };
    RENEW = { "UPDATE sends SET lease_until = $3 WHERE id = $1 AND attempts = $2 AND state = 'sending'" };
    POSTPONE = { "UPDATE sends SET next_attempt_at = $2 WHERE id = $1 AND state = 'queued'" };
    POSTPONE_ACCOUNT = { "UPDATE sends SET next_attempt_at = $2
        WHERE account_id = $1 AND state = 'queued' AND next_attempt_at < $2" };
    COUNTED = { "UPDATE sends SET members = $2, members_at = $3, next_attempt_at = $3
        WHERE id = $1 AND state = 'queued'" };
    RETRY = { "UPDATE sends SET state = 'queued', next_attempt_at = $3, open_attempt = $4, error_detail = $5,
        line_request_id = COALESCE($6, line_request_id), line_answer = COALESCE($7, line_answer)
        WHERE id = $1 AND attempts = $2 AND state IN ('queued', 'sending')" };
    REPLAN = { "UPDATE sends SET state = 'queued', next_attempt_at = $3, open_attempt = $4, error_detail = $5,
        line_request_id = COALESCE($6, line_request_id), line_answer = COALESCE($7, line_answer), via = NULL, reply_token = NULL, token_until = NULL,
        body = NULL, cost = NULL, first_attempt_at = NULL
        WHERE id = $1 AND attempts = $2 AND state IN ('queued', 'sending')" };
    SETTLE_SENT = { "UPDATE sends SET state = 'sent', settled_at = $2, presumed = $3, error_code = NULL,
        error_detail = NULL, line_request_id = COALESCE($4, line_request_id)
        WHERE id = $1 AND state IN ('queued', 'sending')" };
    SETTLE = { "UPDATE sends SET state = $3, settled_at = $4, error_code = $5, error_detail = $6,
        line_request_id = COALESCE($7, line_request_id), line_answer = COALESCE($8, line_answer)
        WHERE id = $1 AND attempts = $2 AND state IN ('queued', 'sending')" };
    ACCEPTED_AS = { "UPDATE deliveries SET line_message_id = $3, quote_token = $4 WHERE send_id = $1 AND place = $2" };
    SETTLED = { "SELECT d.message_id, d.send_id, d.place, d.line_message_id, d.quote_token, s.state, s.via, s.cost,
        s.error_code, s.error_detail, s.presumed, s.tenant_id, s.account_id, s.conversation_id, s.origin, s.settled_at
        FROM deliveries AS d JOIN sends AS s ON s.id = d.send_id WHERE s.id = $1 ORDER BY d.place" };
    FREE_UNTIL = { "SELECT MAX(t.usable_until) FROM reply_tokens AS t
        WHERE t.conversation_id = $1 AND t.owner = '' AND t.claimed_by IS NULL AND t.usable_until > $2
        HAVING COUNT(*) > (SELECT COUNT(*) FROM sends AS s WHERE s.conversation_id = $1
            AND s.state IN ('queued', 'sending') AND s.via IS NULL)" };
    TOKEN_OWNER = { "SELECT t.owner FROM reply_tokens AS t WHERE t.conversation_id = $1 AND t.owner <> ''
        AND t.claimed_by IS NULL AND t.usable_until > $2 ORDER BY t.event_at DESC, t.position DESC LIMIT 1" };
    END = { "SELECT state, via, error_code, error_detail, presumed, line_request_id, line_answer FROM sends WHERE id = $1" };
    END_MESSAGES = { "SELECT line_message_id, quote_token FROM deliveries WHERE send_id = $1 ORDER BY place" };
    TOKEN_KNOWN = { "SELECT conversation_id, usable_until, claimed_by, owner FROM reply_tokens
        WHERE tenant_id = $1 AND account_id = $2 AND token = $3" };
    WITHDRAW = { "UPDATE sends SET state = 'failed', settled_at = $2, error_code = 'line_unavailable',
        error_detail = 'its turn did not come in time' WHERE id = $1 AND state = 'queued' AND attempts = 0" };
    TOKEN_GIVE_BACK = { "UPDATE reply_tokens SET claimed_by = NULL WHERE claimed_by = $1 AND (account_id, token) IN
        (SELECT s.account_id, s.reply_token FROM sends AS s WHERE s.id = $1)" };
    // What was asked for before and ends now, or may yet, is paid for now; $5 keeps the search short.
    PAID = { "SELECT (SELECT CAST(COALESCE(SUM(COALESCE(s.cost, s.max_cost)), 0) AS BIGINT) FROM sends AS s
            WHERE s.tenant_id = $1 AND s.actor = $2 AND s.origin = 'proxy' AND s.created_at >= $5
            AND (s.settled_at IS NULL OR s.settled_at >= $3) AND s.allow_paid = $4
            AND s.state <> 'failed' AND (s.via IS NULL OR s.via = 'push'))
        + (SELECT CAST(COALESCE(SUM(b.cost), 0) AS BIGINT) FROM bulk_sends AS b
            WHERE b.tenant_id = $1 AND b.actor = $2 AND b.origin = 'proxy' AND b.created_at >= $5
            AND (b.settled_at IS NULL OR b.settled_at >= $3) AND b.state <> 'failed')" };
    BULK_INSERT = { "INSERT INTO bulk_sends (id, tenant_id, account_id, kind, origin, actor, retry_key, body,
            message_count, cost, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'sending', $11)" };
    BULK_TAKE = { "UPDATE bulk_sends SET carries = carries + 1, lease_until = $3
        WHERE id = $1 AND state = 'sending' AND (lease_until IS NULL OR lease_until <= $2)" };
    BULK_TAKEN = { "SELECT account_id, kind, body, retry_key, carries, created_at FROM bulk_sends WHERE id = $1" };
    BULK_HOLD = { "UPDATE bulk_sends SET lease_until = $3 WHERE id = $1 AND state = 'sending' AND carries = $2" };
    BULK_LEFT = { "SELECT id FROM bulk_sends WHERE state = 'sending' AND created_at < $1
        ORDER BY created_at, id LIMIT 100" };
    BULK_SETTLE = { "UPDATE bulk_sends SET state = $2, error_detail = $3, line_request_id = $4, line_answer = $5,
        settled_at = $6 WHERE id = $1 AND state = 'sending' AND carries = $7" };
    BULK_END = { "SELECT state, kind, error_detail, line_request_id, line_answer FROM bulk_sends WHERE id = $1" };
    FORGET_BULK = { "UPDATE bulk_sends SET body = NULL, line_answer = NULL
        WHERE settled_at < $1 AND body IS NOT NULL" };
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
    ONCE_TAKE = { "INSERT INTO once_keys
        (conversation_id, once_key, tenant_id, account_id, wanted, message_ids, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (conversation_id, once_key) DO UPDATE SET wanted = excluded.wanted,
            message_ids = excluded.message_ids, created_at = excluded.created_at
        WHERE once_keys.created_at <= $8" };
    ONCE_TAKEN = { "SELECT wanted, message_ids FROM once_keys
        WHERE tenant_id = $1 AND conversation_id = $2 AND once_key = $3 AND created_at > $4" };
    ONCE_DELETE = { "DELETE FROM once_keys WHERE (conversation_id, once_key) IN (
        SELECT o.conversation_id, o.once_key FROM once_keys AS o WHERE o.created_at <= $1 LIMIT $2)" };
    USED = { concat!("SELECT s.account_id, s.via, s.origin, COUNT(*) AS calls,
        CAST(SUM(s.message_count) AS BIGINT) AS messages, CAST(SUM(COALESCE(s.cost, 0)) AS BIGINT) AS cost
        FROM sends AS s WHERE s.settled_at >= $3 AND s.settled_at < $4 AND s.state IN ('sent', 'unknown')
        AND s.via IS NOT NULL AND", in_scope!("s", "$1", "$2"), "
        GROUP BY s.account_id, s.via, s.origin ORDER BY s.account_id, s.via, s.origin") };
}

/// Puts a token on the list. A redelivered event may bring the same token with more life.
pub(super) async fn remember_token(tx: &mut Tx, new: &NewToken<'_>) -> DbResult<()> {
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

/// Holds the conversation's lane until the transaction ends; gives the number of its newest send.
pub(super) async fn hold_lane(tx: &mut Tx, new: &NewSend) -> DbResult<i64> {
    let row: Option<(i64,)> = tx.opt(&LANE_HOLD, args![&new.conversation, &new.tenant, &new.account]).await?;
    Ok(row.map_or(0, |(number,)| number))
}

/// Adds to the newest send of the lane if it is still alone in the hub's hands and alike; gives it and its new size.
pub(super) async fn join(tx: &mut Tx, new: &NewSend, number: i64) -> DbResult<Option<(SendId, i64)>> {
    tx.opt(
        &SEND_JOIN,
        args![
            &new.conversation,
            number,
            &new.tenant,
            new.origin.as_str(),
            &new.actor,
            new.terms.allow_paid,
            new.terms.max_cost,
            count(new.messages.len())
        ],
    )
    .await
}

/// Adds a send at the end of the lane.
pub(super) async fn insert(
    tx: &mut Tx,
    id: &SendId,
    new: &NewSend,
    number: i64,
    again_of: Option<&SendId>,
    now: Timestamp,
) -> DbResult<()> {
    tx.run(&LANE_ADVANCE, args![&new.conversation, number]).await?;
    tx.run(
        &SEND_INSERT,
        args![
            id,
            &new.tenant,
            &new.account,
            &new.conversation,
            number,
            new.target.kind.as_str(),
            &new.target.id,
            new.origin.as_str(),
            &new.actor,
            new.terms.allow_paid,
            new.terms.max_cost,
            count(new.messages.len()),
            now,
            again_of,
            false,
            extras(&new.extras)
        ],
    )
    .await
    .map(|_| ())
}

/// Adds the deliveries of a send's messages, the first at `place`.
pub(super) async fn insert_deliveries(tx: &mut Tx, send: &SendId, new: &NewSend, place: i64) -> DbResult<()> {
    for ((message, content), place) in new.messages.iter().zip(place..) {
        let content = content.to_string();
        tx.run(&DELIVERY_INSERT, args![message, send, &new.tenant, &new.account, place, content]).await?;
    }
    Ok(())
}

/// A settled send as it is wanted once more, with its messages (none when they are no longer kept), and how it ended.
pub(super) async fn settled_send(
    tx: &mut Tx,
    scope: &Scope,
    message: &MessageId,
) -> DbResult<Option<(SendId, State, NewSend)>> {
    type Row = (
        SendId,
        TenantId,
        AccountId,
        ConversationId,
        String,
        String,
        String,
        String,
        Option<Timestamp>,
        Option<String>,
    );
    let row: Option<Row> = tx.opt(&AGAIN, args![scope.tenant(), scope.viewer(), message]).await?;
    let Some((id, tenant, account, conversation, kind, target, origin, state, forgotten, kept)) = row else {
        return Ok(None);
    };
    let messages = if forgotten.is_some() { Vec::new() } else { contents(tx, &id).await? };
    let new = NewSend {
        tenant,
        account,
        conversation,
        target: Target { kind: word("target_kind", &id, &kind, TargetKind::parse)?, id: target },
        messages,
        origin: word("origin", &id, &origin, Origin::parse)?,
        actor: String::new(),
        terms: Terms::FREE,
        extras: read_extras(&id, kept.as_deref())?,
    };
    let state = word("state", &id, &state, State::parse)?;
    Ok(Some((id, state, new)))
}

/// Gives the messages of one send to another; tells how many.
pub(super) async fn move_deliveries(tx: &mut Tx, from: &SendId, to: &SendId) -> DbResult<u64> {
    tx.run(&AGAIN_MOVE, args![from, to]).await
}

/// Whether there is an attempt that nobody works on any more.
pub(super) async fn has_lost(db: &Db, now: Timestamp) -> DbResult<bool> {
    Ok(db.opt::<(i32,)>(&HAS_LOST, args![now]).await?.is_some())
}

/// The accounts that have sends to claim now, those that wait longest first.
pub(super) async fn waiting(db: &Db, now: Timestamp) -> DbResult<Vec<AccountId>> {
    let rows: Vec<(AccountId,)> = db.all(&WAITING, args![now]).await?;
    Ok(rows.into_iter().map(|(account,)| account).collect())
}

/// Takes back the attempts that nobody works on any more: their lease has run out, or (`all`) this process is the only
/// one and has just started. Whether they went out is open.
pub(super) async fn recover(tx: &mut Tx, all: bool, now: Timestamp) -> DbResult<u64> {
    tx.run(if all { &RECOVER_ALL } else { &RECOVER }, args![now, true]).await
}

#[derive(Debug, sqlx::FromRow)]
struct DueRow {
    id: SendId,
    account_id: AccountId,
    conversation_id: ConversationId,
    target_kind: String,
    target: String,
    allow_paid: bool,
    max_cost: i64,
    via: Option<String>,
    reply_token: Option<String>,
    token_until: Option<Timestamp>,
    retry_key: Option<String>,
    body: Option<Vec<u8>>,
    members: Option<i64>,
    members_at: Option<Timestamp>,
    open_attempt: bool,
    attempts: i64,
    first_attempt_at: Option<Timestamp>,
    created_at: Timestamp,
    origin: String,
    extras: Option<String>,
}

impl DueRow {
    fn send(self) -> DbResult<OnItsWay> {
        let kind = word("target_kind", &self.id, &self.target_kind, TargetKind::parse)?;
        let via = self.via.as_deref().map(|via| word("via", &self.id, via, Via::parse)).transpose()?;
        let origin = word("origin", &self.id, &self.origin, Origin::parse)?;
        let extras = read_extras(&self.id, self.extras.as_deref())?;
        let request = match (via, self.reply_token, self.token_until) {
            (None, _, _) => None,
            (Some(Via::Push), _, _) => Some(Request::Push),
            (Some(Via::Reply), Some(token), Some(usable_until)) => {
                Some(Request::Reply(Token { token, usable_until }))
            }
            (Some(_), _, _) => {
                let id = self.id.to_string();
                return Err(DbError::Inconsistent { table: "sends", column: "reply_token", id });
            }
        };
        Ok(OnItsWay {
            id: self.id,
            account: self.account_id,
            conversation: self.conversation_id,
            target: Target { kind, id: self.target },
            origin,
            extras,
            progress: Progress {
                terms: Terms { allow_paid: self.allow_paid, max_cost: self.max_cost },
                request,
                open: self.open_attempt,
                attempts: self.attempts,
                first_attempt_at: self.first_attempt_at,
                created_at: self.created_at,
            },
            members: self.members.zip(self.members_at),
            body: self.body,
            retry_key: self.retry_key,
        })
    }
}

/// An account's next sends, at most one of each conversation, held against other dispatchers until the transaction
/// ends.
pub(super) async fn due(
    tx: &mut Tx,
    account: &AccountId,
    now: Timestamp,
    limit: i64,
) -> DbResult<Vec<OnItsWay>> {
    tx.all::<DueRow>(&DUE, args![account, now, limit]).await?.into_iter().map(DueRow::send).collect()
}

/// The conversation's newest usable token that nobody has claimed.
pub(super) async fn newest_token(
    tx: &mut Tx,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<Token>> {
    let row: Option<(String, Timestamp)> = tx.opt(&TOKEN_NEWEST, args![conversation, now]).await?;
    Ok(row.map(|(token, usable_until)| Token { token, usable_until }))
}

/// Claims a token; `false` when somebody was faster.
pub(super) async fn claim_token(tx: &mut Tx, send: &OnItsWay, token: &Token) -> DbResult<bool> {
    Ok(tx.run(&TOKEN_CLAIM, args![&send.account, &token.token, &send.id]).await? == 1)
}

/// Gives a token back that LINE has certainly not seen used.
pub(super) async fn release_token(tx: &mut Tx, send: &OnItsWay, token: &Token) -> DbResult<()> {
    tx.run(&TOKEN_RELEASE, args![&send.account, &token.token, &send.id]).await.map(|_| ())
}

/// Deletes up to `limit` tokens that nobody can use any more.
pub(super) async fn delete_tokens(tx: &mut Tx, usable_before: Timestamp, limit: i64) -> DbResult<u64> {
    tx.run(&TOKENS_DELETE, args![usable_before, limit]).await
}

/// Blanks what up to `limit` sends that were settled before a time said; gives how many.
pub(super) async fn forget(
    tx: &mut Tx,
    settled_before: Timestamp,
    limit: i64,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&FORGET_CONTENTS, args![settled_before, limit]).await?;
    tx.run(&FORGET_BULK, args![settled_before]).await?;
    tx.run(&FORGET_BODIES, args![settled_before, limit, now]).await
}

/// The message objects of a send, in order.
pub(super) async fn contents(tx: &mut Tx, send: &SendId) -> DbResult<Vec<(MessageId, Value)>> {
    let rows: Vec<(MessageId, String)> = tx.all(&CONTENTS, args![send]).await?;
    rows.into_iter()
        .map(|(message, content)| match serde_json::from_str(&content) {
            Ok(content) => Ok((message, content)),
            Err(_) => {
                let id = message.to_string();
                Err(DbError::Inconsistent { table: "deliveries", column: "content", id })
            }
        })
        .collect()
}

/// Puts a new request on disk in place of the one before.
pub(super) async fn write(tx: &mut Tx, send: &OnItsWay, cost: i64) -> DbResult<()> {
    let (via, token) = match &send.progress.request {
        Some(Request::Reply(token)) => (Via::Reply, Some(token)),
        Some(Request::Push) | None => (Via::Push, None),
    };
    let (until, token) = (token.map(|token| token.usable_until), token.map(|token| token.token.as_str()));
    let args =
        args![&send.id, via.as_str(), token, until, send.retry_key.as_deref(), send.body.clone(), cost];
    one("sends", tx.run(&WRITE, args).await?)
}

/// Corrects the cost of the push on disk.
pub(super) async fn set_cost(tx: &mut Tx, send: &SendId, cost: i64) -> DbResult<()> {
    one("sends", tx.run(&SET_COST, args![send, cost]).await?)
}

/// Writes down that an attempt begins.
pub(super) async fn start(
    tx: &mut Tx,
    send: &SendId,
    now: Timestamp,
    lease_until: Timestamp,
) -> DbResult<()> {
    one("sends", tx.run(&START, args![send, now, lease_until]).await?)
}

/// Makes an attempt's lease longer, unless it is over.
pub(super) async fn renew(tx: &mut Tx, send: &SendId, attempts: i64, lease_until: Timestamp) -> DbResult<()> {
    tx.run(&RENEW, args![send, attempts, lease_until]).await.map(|_| ())
}

/// Leaves a queued send alone until then.
pub(super) async fn postpone(tx: &mut Tx, send: &SendId, until: Timestamp) -> DbResult<()> {
    tx.run(&POSTPONE, args![send, until]).await.map(|_| ())
}

/// Leaves all queued sends of an account alone until then.
pub(super) async fn postpone_account(tx: &mut Tx, account: &AccountId, until: Timestamp) -> DbResult<()> {
    tx.run(&POSTPONE_ACCOUNT, args![account, until]).await.map(|_| ())
}

/// Writes down the members of a group or room.
pub(super) async fn counted(tx: &mut Tx, send: &SendId, members: i64, now: Timestamp) -> DbResult<()> {
    tx.run(&COUNTED, args![send, members, now]).await.map(|_| ())
}

/// What an answer said.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    pub(super) detail: Option<String>,
    pub(super) request_id: Option<String>,
    /// A refusal's status and body, where another system waits for it.
    pub(super) answer: Option<String>,
}

/// How extras are kept: not at all where there are none.
fn extras(extras: &Extras) -> Option<String> {
    let is_any = *extras != Extras::default();
    is_any.then(|| serde_json::to_string(extras).unwrap_or_default())
}

fn read_extras(id: &SendId, text: Option<&str>) -> DbResult<Extras> {
    let wrong = |_| DbError::Inconsistent { table: "sends", column: "extras", id: id.to_string() };
    text.map_or_else(|| Ok(Extras::default()), |text| serde_json::from_str(text).map_err(wrong))
}

/// Puts a send back until then, to `keep` its request or be planned anew; nothing when it is another attempt's by now.
pub(super) async fn put_back(
    tx: &mut Tx,
    send: &OnItsWay,
    keep: bool,
    (at, open): (Timestamp, bool),
    words: &Words,
) -> DbResult<()> {
    let args = args![
        &send.id,
        send.progress.attempts,
        at,
        open,
        words.detail.as_deref(),
        words.request_id.as_deref(),
        words.answer.as_deref()
    ];
    tx.run(if keep { &RETRY } else { &REPLAN }, args).await.map(|_| ())
}

/// Ends a send as sent, whatever other attempts are under way. `false`: it had come to its end before.
pub(super) async fn settle_sent(
    tx: &mut Tx,
    send: &SendId,
    (presumed, accepted): (bool, &[SentMessage]),
    words: &Words,
    now: Timestamp,
) -> DbResult<bool> {
    let args = args![send, now, presumed, words.request_id.as_deref()];
    if tx.run(&SETTLE_SENT, args).await? == 0 {
        return Ok(false);
    }
    for (message, place) in accepted.iter().zip(0_i64..) {
        let args = args![send, place, message.id.as_str(), message.quote_token.as_deref()];
        tx.run(&ACCEPTED_AS, args).await?;
    }
    Ok(true)
}

/// Ends a send as failed or unknown. `false`: it is no longer this attempt's.
pub(super) async fn settle(
    tx: &mut Tx,
    send: &OnItsWay,
    (state, fault): (State, Fault),
    words: &Words,
    now: Timestamp,
) -> DbResult<bool> {
    let detail = words.detail.as_deref().unwrap_or(fault.words());
    let args = args![
        &send.id,
        send.progress.attempts,
        state.as_str(),
        now,
        fault.as_str(),
        detail,
        words.request_id.as_deref(),
        words.answer.as_deref()
    ];
    Ok(tx.run(&SETTLE, args).await? == 1)
}

#[derive(Debug, sqlx::FromRow)]
struct SettledRow {
    #[sqlx(flatten)]
    delivery: DeliveryRow,
    tenant_id: TenantId,
    account_id: AccountId,
    conversation_id: ConversationId,
    origin: String,
    settled_at: Timestamp,
}

/// The messages of a send that has come to its end.
pub(super) async fn settled(tx: &mut Tx, send: &SendId) -> DbResult<Vec<SettledMessage>> {
    let rows: Vec<SettledRow> = tx.all(&SETTLED, args![send]).await?;
    rows.into_iter()
        .map(|row| {
            Ok(SettledMessage {
                tenant: row.tenant_id,
                account: row.account_id,
                conversation: row.conversation_id,
                origin: word("origin", send, &row.origin, Origin::parse)?,
                delivery: row.delivery.delivery()?,
                at: row.settled_at,
            })
        })
        .collect()
}

/// How a send ended, or stands.
pub(super) async fn end(db: &Db, send: &SendId) -> DbResult<Option<End>> {
    type Row = (String, Option<String>, Option<String>, Option<String>, bool, Option<String>, Option<String>);
    let Some((state, via, code, detail, presumed, request_id, answer)) =
        db.opt::<Row>(&END, args![send]).await?
    else {
        return Ok(None);
    };
    let refusal = answer.as_deref().and_then(|text| serde_json::from_str(text).ok());
    Ok(Some(End {
        state: word("state", send, &state, State::parse)?,
        via: via.as_deref().map(|via| word("via", send, via, Via::parse)).transpose()?,
        fault: code.as_deref().map(|code| word("error_code", send, code, Fault::parse)).transpose()?,
        detail,
        presumed,
        request_id,
        refusal,
        messages: db.all(&END_MESSAGES, args![send]).await?,
    }))
}

/// A token as it stands.
pub(super) async fn known_token(
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
pub(super) async fn claim_for(
    tx: &mut Tx,
    account: &AccountId,
    token: &str,
    send: &SendId,
) -> DbResult<bool> {
    Ok(tx.run(&TOKEN_CLAIM, args![account, token, send]).await? == 1)
}

/// Puts a new send's request on disk, before any attempt.
pub(super) async fn write_reply(tx: &mut Tx, send: &SendId, token: &Token, body: Vec<u8>) -> DbResult<()> {
    let (via, until) = (Via::Reply.as_str(), token.usable_until);
    let args = args![send, via, token.token.as_str(), until, None::<&str>, Some(body), 0_i64];
    one("sends", tx.run(&WRITE, args).await?)
}

/// Ends a send that no attempt was made with; `false` when one was.
pub(super) async fn withdraw(tx: &mut Tx, send: &SendId, now: Timestamp) -> DbResult<bool> {
    if tx.run(&WITHDRAW, args![send, now]).await? == 0 {
        return Ok(false);
    }
    tx.run(&TOKEN_GIVE_BACK, args![send]).await?;
    Ok(true)
}

/// What another system's paid sends since then have cost, or may yet.
pub(super) async fn paid(tx: &mut Tx, tenant: &TenantId, actor: &str, since: Timestamp) -> DbResult<i64> {
    let row: Option<(i64,)> = tx.opt(&PAID, args![tenant, actor, since, true, since.minus(OPEN_MAX)]).await?;
    Ok(row.map_or(0, |(cost,)| cost))
}

/// The same, only read.
pub(super) async fn read_paid(db: &Db, tenant: &TenantId, actor: &str, since: Timestamp) -> DbResult<i64> {
    let row: Option<(i64,)> = db.opt(&PAID, args![tenant, actor, since, true, since.minus(OPEN_MAX)]).await?;
    Ok(row.map_or(0, |(cost,)| cost))
}

/// Writes a call to many down, before it is made.
pub(super) async fn insert_bulk(
    tx: &mut Tx,
    (id, retry_key): (&SendId, &str),
    new: &NewBulk,
    now: Timestamp,
) -> DbResult<()> {
    let args = args![
        id,
        &new.tenant,
        &new.account,
        new.kind.as_str(),
        new.origin.as_str(),
        &new.actor,
        retry_key,
        new.body.as_slice(),
        count(new.messages),
        new.cost,
        now
    ];
    tx.run(&BULK_INSERT, args).await.map(|_| ())
}

/// A call to many that somebody took up.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Carried {
    pub(super) account_id: AccountId,
    pub(super) kind: String,
    pub(super) body: Vec<u8>,
    pub(super) retry_key: String,
    /// How often it was taken up, this time included.
    pub(super) carries: i64,
    pub(super) created_at: Timestamp,
}

/// Takes a call to many up until then; `None` when it has ended, or somebody else has it.
pub(super) async fn take_bulk(
    tx: &mut Tx,
    id: &SendId,
    now: Timestamp,
    until: Timestamp,
) -> DbResult<Option<Carried>> {
    if tx.run(&BULK_TAKE, args![id, now, until]).await? == 0 {
        return Ok(None);
    }
    tx.opt(&BULK_TAKEN, args![id]).await
}

/// Keeps a call to many until then, or with `None` lets it go; `false` when it was lost to another.
pub(super) async fn hold_bulk(
    tx: &mut Tx,
    id: &SendId,
    carries: i64,
    until: Option<Timestamp>,
) -> DbResult<bool> {
    Ok(tx.run(&BULK_HOLD, args![id, carries, until]).await? == 1)
}

/// Which call to many its kind stands for.
pub(super) fn bulk_kind(id: &SendId, kind: &str) -> DbResult<Via> {
    word("kind", id, kind, Via::parse)
}

/// Calls to many that were left open since before.
pub(super) async fn left_bulk(db: &Db, before: Timestamp) -> DbResult<Vec<SendId>> {
    let rows: Vec<(SendId,)> = db.all(&BULK_LEFT, args![before]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Writes the end of a call to many down, unless another has taken it up.
pub(super) async fn settle_bulk(
    tx: &mut Tx,
    (id, carries): (&SendId, i64),
    state: State,
    words: &Words,
    now: Timestamp,
) -> DbResult<()> {
    let (detail, request_id) = (words.detail.as_deref(), words.request_id.as_deref());
    let args = args![id, state.as_str(), detail, request_id, words.answer.as_deref(), now, carries];
    tx.run(&BULK_SETTLE, args).await.map(|_| ())
}

/// How a call to many ended, or stands.
pub(super) async fn end_bulk(db: &Db, id: &SendId) -> DbResult<Option<End>> {
    type Row = (String, String, Option<String>, Option<String>, Option<String>);
    let row: Option<Row> = db.opt(&BULK_END, args![id]).await?;
    let Some((state, kind, detail, request_id, answer)) = row else { return Ok(None) };
    Ok(Some(End {
        state: word("state", id, &state, State::parse)?,
        via: Some(word("kind", id, &kind, Via::parse)?),
        fault: None,
        detail,
        presumed: false,
        request_id,
        refusal: answer.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        messages: Vec::new(),
    }))
}

/// One row, or another was faster.
fn one(table: &'static str, changed: u64) -> DbResult<()> {
    if changed == 1 { Ok(()) } else { Err(DbError::Conflict { table }) }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Until when a new send to the conversation would be free, after those that wait already.
pub(super) async fn free_until(
    db: &Db,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<Timestamp>> {
    let row: Option<(Option<Timestamp>,)> = db.opt(&FREE_UNTIL, args![conversation, now]).await?;
    Ok(row.and_then(|(until,)| until))
}

/// The system that may use the conversation's newest free reply; `None` when that is the hub's, or there is none.
pub(super) async fn token_owner(
    db: &Db,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<DestinationId>> {
    let row: Option<(DestinationId,)> = db.opt(&TOKEN_OWNER, args![conversation, now]).await?;
    Ok(row.map(|(owner,)| owner))
}

/// A delivery's columns, read with its send's.
#[derive(Debug, sqlx::FromRow)]
struct DeliveryRow {
    message_id: MessageId,
    send_id: SendId,
    place: i64,
    line_message_id: Option<String>,
    quote_token: Option<String>,
    state: String,
    via: Option<String>,
    cost: Option<i64>,
    error_code: Option<String>,
    error_detail: Option<String>,
    presumed: bool,
}

impl DeliveryRow {
    fn delivery(self) -> DbResult<Delivery> {
        let state = word("state", &self.send_id, &self.state, State::parse)?;
        let via = self.via.as_deref().map(|via| word("via", &self.send_id, via, Via::parse)).transpose()?;
        let fault =
            self.error_code.as_deref().map(|code| word("error_code", &self.send_id, code, Fault::parse));
        let cost = if state == State::Failed { None } else { self.cost };
        Ok(Delivery {
            message: self.message_id,
            place: self.place,
            state,
            via,
            cost: cost.map(|cost| if self.place == 0 { cost } else { 0 }),
            fault: fault.transpose()?,
            detail: self.error_detail,
            presumed: self.presumed,
            line_message_id: self.line_message_id,
            quote_token: self.quote_token,
            send: self.send_id,
        })
    }
}

/// Reads a stored word.
fn word<T>(column: &'static str, id: &SendId, text: &str, parse: fn(&str) -> Option<T>) -> DbResult<T> {
    parse(text).ok_or_else(|| DbError::Inconsistent { table: "sends", column, id: id.to_string() })
}

const DELIVERIES: &str = "SELECT d.message_id, d.send_id, d.place, d.line_message_id, d.quote_token, s.state, s.via,
    s.cost, s.error_code, s.error_detail, s.presumed FROM deliveries AS d JOIN sends AS s ON s.id = d.send_id WHERE";

/// The deliveries of some messages within the scope, in no order.
pub(super) async fn deliveries(db: &Db, scope: &Scope, messages: &[MessageId]) -> DbResult<Vec<Delivery>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (3..messages.len() + 3).map(|n| format!("${n}")).collect();
    let text =
        format!("{DELIVERIES}{} AND d.message_id IN ({})", in_scope!("d", "$1", "$2"), places.join(", "));
    let mut args = args![scope.tenant(), scope.viewer()];
    args.extend(messages.iter().map(crate::db::Arg::from));
    db.all_built::<DeliveryRow>(text, args).await?.into_iter().map(DeliveryRow::delivery).collect()
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
pub(super) async fn reading(db: &Db, account: &AccountId) -> DbResult<Option<Reading>> {
    Ok(db.opt::<ReadingRow>(&READING, args![account]).await?.map(Reading::from))
}

/// Keeps LINE's word on the account's quota.
pub(super) async fn set_reading(
    tx: &mut Tx,
    tenant: &TenantId,
    account: &AccountId,
    reading: &Reading,
) -> DbResult<()> {
    let args = args![account, tenant, reading.quota, reading.used, reading.read_at];
    tx.run(&READING_SET, args).await.map(|_| ())
}

/// What the account's sends take from the quota beyond the reading.
pub(super) async fn own_cost(
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

/// Notes what a call queues; `false` when it has queued before, not longer than `kept` ago.
pub(super) async fn take_once(
    tx: &mut Tx,
    once: &Once,
    message_ids: &str,
    now: Timestamp,
    kept: Duration,
) -> DbResult<bool> {
    let Once { tenant, account, conversation, key, wanted } = once;
    let wanted = wanted.as_slice();
    let args = args![conversation, key, tenant, account, wanted, message_ids, now, now.minus(kept)];
    Ok(tx.run(&ONCE_TAKE, args).await? == 1)
}

/// What a call wanted and queued after `since`.
pub(super) async fn taken_once(
    db: &Db,
    once: &Once,
    since: Timestamp,
) -> DbResult<Option<(Vec<u8>, Vec<MessageId>)>> {
    let args = args![&once.tenant, &once.conversation, &once.key, since];
    let row: Option<(Vec<u8>, String)> = db.opt(&ONCE_TAKEN, args).await?;
    Ok(row.map(|(wanted, ids)| (wanted, ids.split(',').filter_map(MessageId::parse).collect())))
}

/// Forgets calls that queued before; tells how many.
pub(super) async fn delete_once(tx: &mut Tx, before: Timestamp, limit: i64) -> DbResult<u64> {
    tx.run(&ONCE_DELETE, args![before, limit]).await
}

/// LINE's words on the quotas of the accounts in scope.
pub(super) async fn readings(db: &Db, scope: &Scope) -> DbResult<Vec<(AccountId, Reading)>> {
    let rows: Vec<AccountReadingRow> = db.all(&READINGS, args![scope.tenant(), scope.viewer()]).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.reading.into())).collect())
}

/// What went out, or may have, between two moments, by account, kind and origin.
pub(super) async fn used(
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
