//! The outbox's SQL: here that of sends and their messages.

mod again;
mod bulk;
mod costs;
mod forget;
mod once;
mod tokens;

use line_client::SentMessage;
use serde_json::Value;

use super::model::{
    Delivery, End, Extras, Fault, NewSend, OnItsWay, Origin, Progress, Request, SettledMessage, State,
    Target, TargetKind, Terms, Token, Via,
};
use crate::clock::Timestamp;
use crate::db::{Db, DbError, DbResult, Tx};
use crate::ids::{AccountId, ConversationId, MessageId, SendId, TenantId};
use crate::scope::Scope;
use crate::{args, in_scope, statements};

pub(crate) use again::STATEMENTS as AGAIN;
pub(super) use again::{move_deliveries, settled_send};
pub(crate) use bulk::STATEMENTS as BULK;
pub(super) use bulk::{
    Carried, bulk_kind, end_bulk, hold_bulk, insert_bulk, left_bulk, settle_bulk, take_bulk,
};
pub(crate) use costs::STATEMENTS as COSTS;
pub(super) use costs::{own_cost, paid, read_paid, reading, readings, set_reading, used};
pub(crate) use forget::STATEMENTS as FORGET;
pub(super) use forget::{delete_once, delete_tokens, forget};
pub(crate) use once::STATEMENTS as ONCE;
pub(super) use once::{take_once, taken_once};
pub(crate) use tokens::STATEMENTS as TOKENS;
pub(super) use tokens::{
    claim_for, claim_token, free_until, known_token, newest_token, release_token, remember_token, token_owner,
};

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

statements! {
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
    CONTENTS = { "SELECT message_id, content FROM deliveries WHERE send_id = $1 ORDER BY place" };
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
    END = { "SELECT state, via, error_code, error_detail, presumed, line_request_id, line_answer FROM sends WHERE id = $1" };
    END_MESSAGES = { "SELECT line_message_id, quote_token FROM deliveries WHERE send_id = $1 ORDER BY place" };
    WITHDRAW = { "UPDATE sends SET state = 'failed', settled_at = $2, error_code = 'line_unavailable',
        error_detail = 'its turn did not come in time' WHERE id = $1 AND state = 'queued' AND attempts = 0" };
    TOKEN_GIVE_BACK = { "UPDATE reply_tokens SET claimed_by = NULL WHERE claimed_by = $1 AND (account_id, token) IN
        (SELECT s.account_id, s.reply_token FROM sends AS s WHERE s.id = $1)" };
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

/// One row, or another was faster.
fn one(table: &'static str, changed: u64) -> DbResult<()> {
    if changed == 1 { Ok(()) } else { Err(DbError::Conflict { table }) }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
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
