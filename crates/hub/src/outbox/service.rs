//! What other slices may ask of the outbox.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::TryStreamExt as _;

use super::line::Lines;
use super::model::{
    Delivery, Fault, Month, NewSend, NewToken, Origin, Price, Queued, READING_LIFE, Reading, State, Target,
    TargetKind, Terms, Usage,
};
use super::{once, repo};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::error::{AppError, AppResult};
use crate::ids::{AccountId, ConversationId, MessageId, SendId, TenantId};
use crate::scope::Scope;

/// How long LINE may take to answer a question that a person or a program waits for.
pub const ASKING: Duration = Duration::from_secs(4);

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
    let now = hub.now();
    let last = repo::hold_lane(tx, new).await?;
    if new.origin == Origin::Agent
        && last > 0
        && let Some((send, size)) = repo::join(tx, new, last).await?
    {
        let place = size - i64::try_from(new.messages.len()).unwrap_or(0);
        repo::insert_deliveries(tx, &send, new, place).await?;
        return Ok(Queued { send, joined: true });
    }
    let send = hub.id::<SendId>();
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
    let now = hub.now();
    let Some((old, state, wanted)) = repo::settled_send(tx, scope, message).await? else {
        return Err(AppError::not_found("outgoing message"));
    };
    if state != seen || !matches!(state, State::Failed | State::Unknown) {
        return Err(AppError::conflict("not_settled", format!("the message is {}", state.as_str())));
    }
    if wanted.messages.is_empty() {
        return Err(AppError::conflict("expired", "what the message said is no longer kept; write it anew"));
    }
    // Who sends it again is a person, who may use whatever token there is.
    let origin = if wanted.origin == Origin::Proxy { Origin::Agent } else { wanted.origin };
    let new = NewSend { actor, terms, origin, ..wanted };
    let last = repo::hold_lane(tx, &new).await?;
    let send = hub.id::<SendId>();
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
/// and for the quota when the last reading is older than a minute; each for at most [`ASKING`].
///
/// # Errors
/// Those of the database. LINE's silence is none: what it would have told is `None`.
pub async fn price(
    hub: &Hub,
    account: &AccountId,
    conversation: &ConversationId,
    target: &Target,
) -> DbResult<Price> {
    price_by(hub, hub, account, conversation, target).await
}

pub(super) async fn price_by(
    hub: &Hub,
    lines: &dyn Lines,
    account: &AccountId,
    conversation: &ConversationId,
    target: &Target,
) -> DbResult<Price> {
    if let Some(until) = free_until(&hub.db, conversation, hub.now()).await? {
        return Ok(Price { free_until: Some(until), cost: Some(0), owned_by: None, quota_left: None });
    }
    let owned_by = repo::token_owner(&hub.db, conversation, hub.now()).await?;
    let Ok(Some(line)) = lines.line(account).await else {
        return Ok(Price {
            free_until: None,
            cost: (target.kind == TargetKind::User).then_some(1),
            owned_by,
            quota_left: None,
        });
    };
    let members = async {
        let members = tokio::time::timeout(ASKING, line.members(target)).await;
        members.ok().and_then(Result::ok).flatten().and_then(|members| i64::try_from(members).ok())
    };
    let (cost, reading) = tokio::join!(members, fresh_reading(hub, lines, account));
    let now = hub.now();
    let quota_left = match reading? {
        Some(Reading { quota: None, .. }) | None => None,
        Some(reading @ Reading { quota: Some(quota), used, .. }) => {
            Some(quota - used - repo::own_cost(&hub.db, account, &reading, now).await?)
        }
    };
    Ok(Price { free_until: None, cost, owned_by, quota_left })
}

/// LINE's word on the account's quota, not older than [`READING_LIFE`]; `None` when LINE does not say.
async fn fresh_reading(hub: &Hub, lines: &dyn Lines, account: &AccountId) -> DbResult<Option<Reading>> {
    let known = repo::reading(&hub.db, account).await?;
    if let Some(reading) = known.filter(|reading| hub.now() < reading.read_at.plus(READING_LIFE)) {
        return Ok(Some(reading));
    }
    let (Ok(Some(line)), Some(tenant)) = (lines.line(account).await, lines.tenant(account)) else {
        return Ok(None);
    };
    let Ok(Ok((quota, consumption))) = tokio::time::timeout(ASKING, line.quota()).await else {
        return Ok(None);
    };
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let reading =
        Reading { quota: quota.value.map(number), used: number(consumption.total_usage), read_at: hub.now() };
    let mut tx = hub.db.begin().await?;
    repo::set_reading(&mut tx, &tenant, account, &reading).await?;
    tx.commit().await?;
    Ok(Some(reading))
}

/// Reads the quota of every connected account (of one tenant) of which the last reading is older than a minute.
///
/// # Errors
/// Those of the database; that LINE does not say is none.
pub async fn read_quotas(hub: &Hub, tenant: Option<&TenantId>) -> DbResult<()> {
    let accounts = hub.accounts.all();
    let wanted = accounts.iter().filter(|account| tenant.is_none_or(|tenant| account.tenant == *tenant));
    futures_util::stream::iter(wanted.map(Ok))
        .try_for_each_concurrent(8, async |account| fresh_reading(hub, hub, &account.id).await.map(|_| ()))
        .await
}

/// The month of the accounts in scope: LINE's word on the quota and what the hub sent.
///
/// # Errors
/// Those of the database.
pub async fn usage(hub: &Hub, scope: &Scope, month: Month) -> DbResult<Vec<Usage>> {
    let empty = |account: &AccountId| Usage { account: account.clone(), line: None, ours: Vec::new() };
    let mut accounts = BTreeMap::new();
    for (account, reading) in repo::readings(&hub.db, scope).await? {
        accounts.entry(account.clone()).or_insert_with(|| empty(&account)).line = Some(reading);
    }
    for (account, via, origin, used) in repo::used(&hub.db, scope, month.bounds()).await? {
        accounts.entry(account.clone()).or_insert_with(|| empty(&account)).ours.push((via, origin, used));
    }
    Ok(accounts.into_values().collect())
}

/// Deletes the reply tokens that have been dead for an hour, and the keys of calls that are repeated no more.
pub(super) async fn delete_spent(hub: &Hub) -> DbResult<()> {
    const BATCH: i64 = 500;
    let dead = hub.now().minus(Duration::from_secs(3600));
    loop {
        let mut tx = hub.db.begin().await?;
        let tokens = repo::delete_tokens(&mut tx, dead, BATCH).await?;
        let keys = repo::delete_once(&mut tx, hub.now().minus(once::KEPT), BATCH).await?;
        tx.commit().await?;
        if tokens.max(keys) < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
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
