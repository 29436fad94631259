//! Calls that send to many friends at once. They belong to no conversation and wait for nothing: whoever wants one writes it
//! down, makes it, and records what came of it. One that was left open is made again with the same bytes and key.

use std::time::Duration;

use line_client::SendKind;

use super::line::{outcome, refusal, words};
use super::model::{End, NewBulk, Outcome, PUSH_REPEATED_FOR, State, Via};
use super::repo::{self, Words};
use crate::accounts;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::SendId;

/// The waits between the tries of one call.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];
/// How old an open call is before somebody else takes it up: longer than its own tries.
const LEFT: Duration = Duration::from_secs(240);
/// The longest that one try may take, with the account and the token that it needs first.
const CALL_LIMIT: Duration = Duration::from_secs(45);
/// How long a call belongs to who took it up, from each try: longer than one with the wait after it.
const LEASE: Duration = Duration::from_secs(90);

/// What came of one try.
enum Tried {
    Sent(Words),
    /// LINE judged the bytes, which every try had the same (PLATFORM 18).
    Bad(Words),
    /// Refused for another reason, which tells nothing of an earlier try.
    Refused(Words),
    /// It may have gone out.
    Open,
    /// It did not, and may yet.
    Not(Words),
}

/// Writes a call down, with its retry key, before it is made; the caller commits, then [`carry`]s it.
///
/// # Errors
/// Those of the database.
pub async fn insert(tx: &mut Tx, hub: &Hub, new: &NewBulk) -> DbResult<SendId> {
    let key = uuid::Builder::from_random_bytes(hub.entropy.bytes()).into_uuid().hyphenated().to_string();
    let id = hub.id();
    repo::insert_bulk(tx, (&id, &key), new, hub.now()).await?;
    Ok(id)
}

/// Makes a call that was written down, a few times while LINE does not answer, and records its end. What may have gone out
/// ends as failed only when LINE finds the bytes bad; else it stays open, or is unknown. Whoever takes it up after another
/// must take it for gone out. `false` when somebody else is at it, or it has ended.
///
/// # Errors
/// Those of the database.
pub async fn carry(hub: &Hub, id: &SendId) -> DbResult<bool> {
    let now = hub.now();
    let mut tx = hub.db.begin().await?;
    let Some(call) = repo::take_bulk(&mut tx, id, now, now.plus(LEASE)).await? else { return Ok(false) };
    tx.commit().await?;
    let kind = repo::bulk_kind(id, &call.kind)?;
    let mut is_open = call.carries > 1;
    if now >= call.created_at.plus(PUSH_REPEATED_FOR) {
        settle(hub, (id, call.carries), State::Unknown, no_answer()).await?;
        return Ok(true);
    }
    let mut waits = WAITS.into_iter();
    let (state, words) = loop {
        let tried = tokio::time::timeout(CALL_LIMIT, attempt(hub, &call, kind)).await.unwrap_or(Tried::Open);
        match tried {
            Tried::Sent(words) => break (State::Sent, words),
            Tried::Refused(words) if is_open => break (State::Unknown, words),
            Tried::Bad(words) | Tried::Refused(words) => break (State::Failed, words),
            tried => {
                is_open |= matches!(tried, Tried::Open);
                if let Some(wait) = waits.next() {
                    tokio::time::sleep(wait).await;
                    if !hold(hub, (id, call.carries), Some(hub.now().plus(LEASE))).await? {
                        return Ok(false);
                    }
                    continue;
                }
                match tried {
                    Tried::Not(words) if !is_open => break (State::Failed, words),
                    _ => {
                        hold(hub, (id, call.carries), None).await?;
                        return Ok(true);
                    }
                }
            }
        }
    };
    settle(hub, (id, call.carries), state, words).await?;
    Ok(true)
}

fn no_answer() -> Words {
    let detail = "LINE's answer did not arrive, so it may or may not have been sent";
    Words { detail: Some(detail.to_owned()), ..Words::default() }
}

async fn hold(hub: &Hub, (id, carries): (&SendId, i64), until: Option<Timestamp>) -> DbResult<bool> {
    let mut tx = hub.db.begin().await?;
    let held = repo::hold_bulk(&mut tx, id, carries, until).await?;
    tx.commit().await?;
    Ok(held)
}

async fn attempt(hub: &Hub, call: &repo::Carried, kind: Via) -> Tried {
    let not = |detail: &str| Words { detail: Some(detail.to_owned()), ..Words::default() };
    let kind = match kind {
        Via::Multicast => SendKind::Multicast,
        Via::Narrowcast => SendKind::Narrowcast,
        Via::Broadcast | Via::Reply | Via::Push => SendKind::Broadcast,
    };
    let line = match accounts::service::line(hub, &call.account_id).await {
        Ok(line) => line,
        Err(error) if error.status == http::StatusCode::NOT_FOUND => {
            return Tried::Refused(not("the account is not connected"));
        }
        Err(_) => return Tried::Not(not("the account could not be read")),
    };
    match line.bulk_raw(kind, call.body.clone().into(), &call.retry_key).await {
        Ok(sent) => {
            let words = Words { request_id: sent.request_id, ..Words::default() };
            Tried::Sent(words)
        }
        Err(error) => {
            let words = Words {
                detail: Some(words(&error)),
                request_id: error.request_id().map(str::to_owned),
                answer: refusal(&error),
            };
            match outcome(&error) {
                Outcome::Open => Tried::Open,
                Outcome::Wait(_) | Outcome::NotSent => Tried::Not(words),
                _ if error.status() == Some(400) => Tried::Bad(words),
                _ => Tried::Refused(words),
            }
        }
    }
}

async fn settle(hub: &Hub, call: (&SendId, i64), state: State, words: Words) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::settle_bulk(&mut tx, call, state, &words, hub.now()).await?;
    tx.commit().await
}

/// How a call ended, or stands; `None` when there is no such call.
///
/// # Errors
/// Those of the database.
pub async fn end(db: &Db, id: &SendId) -> DbResult<Option<End>> {
    repo::end_bulk(db, id).await
}

/// Makes what was left open again; what is too old for that ends as unknown.
///
/// # Errors
/// Those of the database.
pub async fn resume(hub: &Hub) -> DbResult<()> {
    for id in repo::left_bulk(&hub.db, hub.now().minus(LEFT)).await? {
        carry(hub, &id).await?;
    }
    Ok(())
}
