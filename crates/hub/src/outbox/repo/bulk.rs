//! The SQL of calls to many.

use super::{Words, count, word};
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, SendId};
use crate::outbox::model::{End, NewBulk, State, Via};
use crate::{args, statements};

statements! {
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
}

/// Writes a call to many down, before it is made.
pub(in crate::outbox) async fn insert_bulk(
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
pub(in crate::outbox) struct Carried {
    pub(in crate::outbox) account_id: AccountId,
    pub(in crate::outbox) kind: String,
    pub(in crate::outbox) body: Vec<u8>,
    pub(in crate::outbox) retry_key: String,
    /// How often it was taken up, this time included.
    pub(in crate::outbox) carries: i64,
    pub(in crate::outbox) created_at: Timestamp,
}

/// Takes a call to many up until then; `None` when it has ended, or somebody else has it.
pub(in crate::outbox) async fn take_bulk(
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
pub(in crate::outbox) async fn hold_bulk(
    tx: &mut Tx,
    id: &SendId,
    carries: i64,
    until: Option<Timestamp>,
) -> DbResult<bool> {
    Ok(tx.run(&BULK_HOLD, args![id, carries, until]).await? == 1)
}

/// Which call to many its kind stands for.
pub(in crate::outbox) fn bulk_kind(id: &SendId, kind: &str) -> DbResult<Via> {
    word("kind", id, kind, Via::parse)
}

/// Calls to many that were left open since before.
pub(in crate::outbox) async fn left_bulk(db: &Db, before: Timestamp) -> DbResult<Vec<SendId>> {
    let rows: Vec<(SendId,)> = db.all(&BULK_LEFT, args![before]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Writes the end of a call to many down, unless another has taken it up.
pub(in crate::outbox) async fn settle_bulk(
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
pub(in crate::outbox) async fn end_bulk(db: &Db, id: &SendId) -> DbResult<Option<End>> {
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
