//! Calls that send to many friends at once. They belong to no conversation and wait for nothing: whoever wants one writes it
//! down, makes it, and records what came of it. One that was left open is made again with the same bytes and key.

use std::time::Duration;

use line_client::SendKind;

use super::line::{outcome, refusal, words};
use super::model::{End, NewBulk, Outcome, PUSH_REPEATED_FOR, State, Via};
use super::repo::{self, Words};
use crate::accounts;
use crate::app::Hub;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, SendId};

/// The waits between the tries of one call.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];
/// How old an open call is before somebody else takes it up: longer than its own tries.
const LEFT: Duration = Duration::from_secs(240);

/// What came of one try.
enum Tried {
    End(State, Words),
    /// It may have gone out.
    Open,
    /// It did not.
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
/// stays open.
///
/// # Errors
/// Those of the database.
pub async fn carry(hub: &Hub, id: &SendId) -> DbResult<()> {
    let Some((account, kind, body, key)) = repo::open_bulk(&hub.db, id).await? else { return Ok(()) };
    let mut is_open = false;
    let mut waits = WAITS.into_iter();
    loop {
        let (state, words) = match attempt(hub, &account, kind, &body, &key).await {
            Tried::End(state, words) => (state, words),
            tried => {
                is_open |= matches!(tried, Tried::Open);
                match (waits.next(), tried) {
                    (Some(wait), _) => {
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    (None, Tried::Not(words)) if !is_open => (State::Failed, words),
                    (None, _) => return Ok(()),
                }
            }
        };
        return settle(hub, id, state, &words).await;
    }
}

async fn attempt(hub: &Hub, account: &AccountId, kind: Via, body: &[u8], key: &str) -> Tried {
    let not = |detail: &str| Words { detail: Some(detail.to_owned()), ..Words::default() };
    let kind = match kind {
        Via::Multicast => SendKind::Multicast,
        Via::Narrowcast => SendKind::Narrowcast,
        Via::Broadcast | Via::Reply | Via::Push => SendKind::Broadcast,
    };
    let line = match accounts::service::line(hub, account).await {
        Ok(line) => line,
        Err(error) if error.status == http::StatusCode::NOT_FOUND => {
            return Tried::End(State::Failed, not("the account is not connected"));
        }
        Err(_) => return Tried::Not(not("the account could not be read")),
    };
    match line.bulk_raw(kind, body.to_vec().into(), key).await {
        Ok(sent) => {
            let words = Words { request_id: sent.request_id, ..Words::default() };
            Tried::End(State::Sent, words)
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
                // A refusal tells of the earlier tries too: had one been accepted, LINE would answer 409 (PLATFORM 18).
                _ => Tried::End(State::Failed, words),
            }
        }
    }
}

async fn settle(hub: &Hub, id: &SendId, state: State, words: &Words) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::settle_bulk(&mut tx, id, state, words, hub.now()).await?;
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
    for (id, since) in repo::left_bulk(&hub.db, hub.now().minus(LEFT)).await? {
        if hub.now() < since.plus(PUSH_REPEATED_FOR) {
            carry(hub, &id).await?;
        } else {
            let detail = "LINE's answer did not arrive, so it may or may not have been sent";
            let words = Words { detail: Some(detail.to_owned()), ..Words::default() };
            settle(hub, &id, State::Unknown, &words).await?;
        }
    }
    Ok(())
}
