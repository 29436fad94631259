//! What other slices may ask of the outbox.

use axum::http::StatusCode;

use super::model::{
    Delivery, Fault, MESSAGES_PER_CALL, NewSend, NewToken, Origin, Price, Queued, READING_LIFE, State,
    Target, Terms,
};
use super::repo;
use crate::app::Hub;
use crate::clock::{Entropy, Timestamp};
use crate::db::{Db, DbResult, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, ConversationId, Id, MessageId, SendId};
use crate::scope::Scope;

/// Remembers an event's reply token, in the transaction in which the event is processed. Dummy tokens are skipped.
///
/// # Errors
/// Those of the database.
pub async fn remember_token(tx: &mut Tx, token: &NewToken<'_>) -> DbResult<()> {
    if token.is_dummy() { Ok(()) } else { repo::remember_token(tx, token).await }
}

/// Queues messages, in the transaction that writes their message rows. Call [`Outbox::wake`](super::Outbox::wake)
/// after the commit.
///
/// What an agent writes while the line before still waits goes into the same call, up to five messages.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(tx: &mut Tx, hub: &Hub, new: &NewSend) -> DbResult<Queued> {
    enqueue_at(tx, hub.now(), &hub.entropy, new).await
}

pub(super) async fn enqueue_at(
    tx: &mut Tx,
    now: Timestamp,
    entropy: &Entropy,
    new: &NewSend,
) -> DbResult<Queued> {
    let last = repo::hold_lane(tx, new).await?;
    if new.origin == Origin::Agent
        && last > 0
        && let Some((send, size)) = repo::join(tx, new, last).await?
    {
        let place = size - i64::try_from(new.messages.len()).unwrap_or(0);
        repo::insert_deliveries(tx, &send, new, place).await?;
        return Ok(Queued { send, joined: true });
    }
    let send = SendId::new(now, entropy);
    repo::insert(tx, &send, new, last + 1, None, now).await?;
    repo::insert_deliveries(tx, &send, new, 0).await?;
    Ok(Queued { send, joined: false })
}

/// Sends messages once more after they failed or ended unknown, as a person decided: all messages of the call that
/// carried `message`, in a new call with a key of its own. After an unknown end the friend may get them twice.
///
/// `seen` is the end that the person saw; what ended otherwise is not touched. The new call's order is that of now.
/// The caller writes the audit line and wakes the outbox after the commit.
///
/// # Errors
/// 404 when the scope has no such outgoing message; 409 `not_settled` when it did not end as `seen`; the database's.
pub async fn again(
    tx: &mut Tx,
    hub: &Hub,
    scope: &Scope,
    message: &MessageId,
    seen: State,
    actor: String,
    terms: Terms,
) -> AppResult<Queued> {
    again_at(tx, (hub.now(), &hub.entropy), scope, message, seen, actor, terms).await
}

pub(super) async fn again_at(
    tx: &mut Tx,
    (now, entropy): (Timestamp, &Entropy),
    scope: &Scope,
    message: &MessageId,
    seen: State,
    actor: String,
    terms: Terms,
) -> AppResult<Queued> {
    let Some((old, state, wanted)) = repo::settled_send(tx, scope, message).await? else {
        return Err(AppError::not_found("outgoing message"));
    };
    if state != seen || !matches!(state, State::Failed | State::Unknown) {
        return Err(AppError::conflict("not_settled", format!("the message is {}", state.as_str())));
    }
    let new = NewSend { actor, terms, ..wanted };
    let last = repo::hold_lane(tx, &new).await?;
    let send = SendId::new(now, entropy);
    repo::insert(tx, &send, &new, last + 1, Some(&old), now).await?;
    // Of two people who click at once, the later finds the messages gone, and its transaction is rolled back.
    if repo::move_deliveries(tx, &old, &send).await? == 0 {
        return Err(AppError::conflict("not_settled", "the message is being sent again already"));
    }
    Ok(Queued { send, joined: false })
}

/// The way of each of the messages that the scope may see; in no order, inbound messages have none.
///
/// # Errors
/// Those of the database.
pub async fn deliveries(db: &Db, scope: &Scope, messages: &[MessageId]) -> DbResult<Vec<Delivery>> {
    repo::deliveries(db, scope, messages).await
}

/// Until when a new send to the conversation would be a free reply; `None` when it would be a push.
///
/// # Errors
/// Those of the database.
pub async fn free_until(
    db: &Db,
    conversation: &ConversationId,
    now: Timestamp,
) -> DbResult<Option<Timestamp>> {
    repo::free_until(db, conversation, now).await
}

/// What a send to the conversation would cost now. Asks LINE where that decides: for the members of a group or room,
/// and for the quota when the last reading is older than a minute.
///
/// # Errors
/// Those of the database. LINE's silence is none: what it would have told is `None`.
pub async fn price(
    hub: &Hub,
    account: &AccountId,
    conversation: &ConversationId,
    target: &Target,
) -> DbResult<Price> {
    let now = hub.now();
    if let Some(until) = free_until(&hub.db, conversation, now).await? {
        return Ok(Price { free_until: Some(until), cost: Some(0), quota_left: None });
    }
    let _ = target;
    let reading = repo::reading(&hub.db, account, now).await?;
    let fresh = reading.filter(|reading| now < reading.read_at.plus(READING_LIFE));
    let quota_left = fresh.and_then(|reading| Some(reading.quota? - reading.used - reading.own));
    Ok(Price { free_until: None, cost: Some(1), quota_left })
}

/// Refuses a send that cannot go out under these terms at this price.
///
/// # Errors
/// 402 `paid_send_refused` or `quota_exhausted`; 502 `line_unavailable` when LINE did not tell the number of members.
pub fn admit(price: &Price, terms: Terms) -> AppResult<()> {
    let refuse = |fault: Fault, detail: String| {
        Err(AppError::new(StatusCode::PAYMENT_REQUIRED, fault.as_str(), detail))
    };
    match price.cost {
        Some(0) => Ok(()),
        _ if !terms.allow_paid => refuse(
            Fault::PaidSendRefused,
            "there is no free reply left, and a paid send is not allowed".to_owned(),
        ),
        None => Err(AppError::line_unavailable()),
        Some(cost) if cost > terms.max_cost => refuse(
            Fault::PaidSendRefused,
            format!(
                "the send would cost {cost} messages of the quota, and at most {} are allowed",
                terms.max_cost
            ),
        ),
        Some(cost) if price.quota_left.is_some_and(|left| left < cost) => {
            refuse(Fault::QuotaExhausted, Fault::QuotaExhausted.words().to_owned())
        }
        Some(_) => Ok(()),
    }
}

/// Whether the messages fit one call.
#[must_use]
pub const fn fits(messages: usize) -> bool {
    messages >= 1 && messages <= MESSAGES_PER_CALL
}
