//! What another system sends through the proxy: with the very token it names, and waited for.

use std::time::Duration;

use line_client::reply_body;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use super::model::{End, KnownToken, NewSend, Token};
use super::{SendListener, dispatch, repo};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, SendId, TenantId};

/// How often the table is looked at for an end that another node wrote.
const LOOK: Duration = Duration::from_millis(500);

/// A reply token as the hub knows it; `None` when no event brought it, or none that was processed yet.
///
/// # Errors
/// Those of the database.
pub async fn token(
    db: &Db,
    tenant: &TenantId,
    account: &AccountId,
    token: &str,
) -> DbResult<Option<KnownToken>> {
    repo::known_token(db, tenant, account, token).await
}

/// Queues a reply with this token, in the transaction that writes its message rows; the request is on disk with it. `None`
/// when another send was faster: then the transaction must be rolled back.
///
/// # Errors
/// Those of the database.
pub async fn enqueue_reply(
    tx: &mut Tx,
    hub: &Hub,
    new: &NewSend,
    (token, usable_until): (&str, Timestamp),
) -> DbResult<Option<SendId>> {
    let queued = super::service::enqueue(tx, hub, new).await?;
    if !repo::claim_for(tx, &new.account, token, &queued.send).await? {
        return Ok(None);
    }
    let messages: Vec<Value> = new.messages.iter().map(|(_, content)| content.clone()).collect();
    let body = reply_body(token, &messages, new.extras.silent);
    let token = Token { token: token.to_owned(), usable_until };
    repo::write_reply(tx, &queued.send, &token, body).await?;
    Ok(Some(queued.send))
}

/// Waits for a send's end, at most so long. One that no attempt was made with by then is withdrawn: it ends as failed.
/// `None` when it may yet go out. The listener hears of the withdrawal.
///
/// # Errors
/// Those of the database.
pub async fn wait(
    hub: &Hub,
    send: &SendId,
    at_most: Duration,
    listener: &dyn SendListener,
) -> DbResult<Option<End>> {
    if let Ok(end) = tokio::time::timeout(at_most, ended(hub, send)).await {
        return end;
    }
    let mut tx = hub.db.begin().await?;
    let withdrawn = repo::withdraw(&mut tx, send, hub.now()).await?;
    let mut settled = Vec::new();
    if withdrawn {
        settled = repo::settled(&mut tx, send).await?;
        listener.settled(&mut tx, &settled).await?;
    }
    tx.commit().await?;
    dispatch::announce(hub, &settled);
    let end = repo::end(&hub.db, send).await?;
    Ok(end.filter(|end| withdrawn || end.state.is_settled()))
}

async fn ended(hub: &Hub, send: &SendId) -> DbResult<Option<End>> {
    let mut ends = hub.outbox.ended.subscribe();
    loop {
        match repo::end(&hub.db, send).await? {
            Some(end) if !end.state.is_settled() => {}
            settled => return Ok(settled),
        }
        let heard = async {
            loop {
                match ends.recv().await {
                    Ok(other) if other != *send => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // However it ends, the table tells.
        _ = tokio::time::timeout(LOOK, heard).await;
    }
}

/// What another system's paid sends since then have cost, or may yet; read in the transaction that queues the next.
///
/// # Errors
/// Those of the database.
pub async fn paid(tx: &mut Tx, tenant: &TenantId, system: &str, since: Timestamp) -> DbResult<i64> {
    repo::paid(tx, tenant, system, since).await
}

/// The same, to be shown.
///
/// # Errors
/// Those of the database.
pub async fn read_paid(db: &Db, tenant: &TenantId, system: &str, since: Timestamp) -> DbResult<i64> {
    repo::read_paid(db, tenant, system, since).await
}
