//! The outbox's SQL.

use super::model::{Delivery, Fault, NewSend, NewToken, Origin, State, Target, TargetKind, Terms, Via};
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, ConversationId, MessageId, SendId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

statements! {
    TOKEN_INSERT = { "INSERT INTO reply_tokens (account_id, token, tenant_id, conversation_id, position, event_at,
        received_at, usable_until, claimed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)
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
        next_attempt_at, again_of, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $15, $15, 0, 0, $13, $14, $13)" };
    DELIVERY_INSERT = { "INSERT INTO deliveries (message_id, send_id, tenant_id, account_id, place, content)
        VALUES ($1, $2, $3, $4, $5, $6)" };
    AGAIN = { concat!("SELECT s.id, s.tenant_id, s.account_id, s.conversation_id, s.target_kind, s.target, s.origin, s.state
        FROM sends AS s WHERE s.id = (SELECT d.send_id FROM deliveries AS d WHERE d.message_id = $3) AND",
        in_scope!("s", "$1", "$2")) };
    AGAIN_CONTENT = { "SELECT message_id, content FROM deliveries WHERE send_id = $1 ORDER BY place" };
    AGAIN_MOVE = { "UPDATE deliveries SET send_id = $2, line_message_id = NULL, quote_token = NULL WHERE send_id = $1" };
    FREE_UNTIL = { "SELECT MAX(t.usable_until) FROM reply_tokens AS t
        WHERE t.conversation_id = $1 AND t.claimed_by IS NULL AND t.usable_until > $2
        HAVING COUNT(*) > (SELECT COUNT(*) FROM sends AS s WHERE s.conversation_id = $1
            AND s.state IN ('queued', 'sending') AND s.via IS NULL)" };
    QUOTA = { "SELECT q.quota, q.used, q.read_at,
        COALESCE((SELECT CAST(SUM(COALESCE(s.cost, s.members, 1)) AS BIGINT) FROM sends AS s
            WHERE s.account_id = q.account_id AND (
                (s.via = 'push' AND (s.settled_at IS NULL OR (s.settled_at > q.read_at AND s.state <> 'failed')))
                OR (s.via IS NULL AND s.settled_at IS NULL AND s.allow_paid = $2
                    AND NOT EXISTS (SELECT 1 FROM reply_tokens AS t WHERE t.conversation_id = s.conversation_id
                        AND t.claimed_by IS NULL AND t.usable_until > $3)))), 0) AS own
        FROM quota_readings AS q WHERE q.account_id = $1" };
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
            new.usable_until()
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
            false
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

/// A settled send as it is wanted once more, with its messages, and how it ended.
pub(super) async fn settled_send(
    tx: &mut Tx,
    scope: &Scope,
    message: &MessageId,
) -> DbResult<Option<(SendId, State, NewSend)>> {
    type Row = (SendId, TenantId, AccountId, ConversationId, String, String, String, String);
    let row: Option<Row> = tx.opt(&AGAIN, args![scope.tenant(), scope.viewer(), message]).await?;
    let Some((id, tenant, account, conversation, kind, target, origin, state)) = row else { return Ok(None) };
    let contents: Vec<(MessageId, String)> = tx.all(&AGAIN_CONTENT, args![&id]).await?;
    let mut messages = Vec::with_capacity(contents.len());
    for (message, content) in contents {
        let content = serde_json::from_str(&content).map_err(|_| DbError::Inconsistent {
            table: "deliveries",
            column: "content",
            id: message.to_string(),
        })?;
        messages.push((message, content));
    }
    let new = NewSend {
        tenant,
        account,
        conversation,
        target: Target { kind: word("target_kind", &id, &kind, TargetKind::parse)?, id: target },
        messages,
        origin: word("origin", &id, &origin, Origin::parse)?,
        actor: String::new(),
        terms: Terms::FREE,
    };
    let state = word("state", &id, &state, State::parse)?;
    Ok(Some((id, state, new)))
}

/// Gives the messages of one send to another; tells how many.
pub(super) async fn move_deliveries(tx: &mut Tx, from: &SendId, to: &SendId) -> DbResult<u64> {
    tx.run(&AGAIN_MOVE, args![from, to]).await
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

/// LINE's last word on the quota, and what of the account's sends it cannot hold yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Reading {
    pub(super) quota: Option<i64>,
    pub(super) used: i64,
    pub(super) read_at: Timestamp,
    pub(super) own: i64,
}

pub(super) async fn reading(db: &Db, account: &AccountId, now: Timestamp) -> DbResult<Option<Reading>> {
    db.opt(&QUOTA, args![account, true, now]).await
}
