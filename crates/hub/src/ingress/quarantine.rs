//! Bodies for a connected account whose signature fits no secret the hub has: most likely the secret was reissued at
//! LINE (GOTCHAS F2). They wait, bounded, until a new secret is saved; then those it signs are journaled.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::accounts::{AccountListener, Connected};
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::{DbResult, LogAndIgnore};
use crate::ids::AccountId;
use crate::ingress::{endpoint, repo};

/// Hears of new credentials, by which bodies may turn out to be LINE's after all.
#[derive(Debug)]
pub struct Quarantine;

impl AccountListener for Quarantine {
    fn verify_waiting<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, u64> {
        Box::pin(async {
            let drained = drain(hub, id).await;
            let count = *drained.as_ref().unwrap_or(&0);
            drained.log_and_ignore("going through the quarantine");
            count
        })
    }

    fn waiting<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, u64> {
        Box::pin(async {
            let count = repo::count(&hub.db, id, hub.now()).await;
            let found = *count.as_ref().unwrap_or(&0);
            count.log_and_ignore("counting the quarantine");
            found
        })
    }

    fn disconnected<'a>(&'a self, hub: &'a Hub, id: &'a AccountId) -> BoxFuture<'a, DbResult<()>> {
        Box::pin(empty(hub, id))
    }
}

/// Keeps a refused body if it names this account's bot and there is room. The answer to the sender is 401 all the same.
pub(super) async fn keep(hub: &Hub, account: &Connected, body: &Bytes, signature: &str, now: Timestamp) {
    let Ok(envelope) = line_api::webhook::parse(body) else { return };
    let is_meant = envelope.destination.as_deref() == Some(&account.bot_user_id);
    if signature.is_empty() || !is_meant || envelope.events.is_empty() {
        return;
    }
    let kept: DbResult<()> = async {
        let mut tx = hub.db.begin().await?;
        let id = crate::ids::make("qrt_", now, &hub.entropy);
        let row = repo::Row { id, body: body.to_vec(), signature: signature.to_owned(), received_at: now };
        repo::keep(&mut tx, account, &row).await?;
        tx.commit().await
    }
    .await;
    kept.log_and_ignore("keeping a body in quarantine");
}

/// Journals the bodies of an account that one of its secrets signs by now, and gives how many this call took; the others
/// wait on.
pub(super) async fn drain(hub: &Hub, id: &AccountId) -> DbResult<u64> {
    let Some(account) = hub.accounts.by_id(id) else { return Ok(0) };
    let mut after = String::new();
    let mut count = 0;
    loop {
        let rows = repo::next(&hub.db, id, &after, hub.now()).await?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = last.id.clone();
        for row in rows {
            if !account.verify(&row.body, &row.signature, hub.now()) {
                continue;
            }
            let received_at = row.received_at;
            let request = endpoint::request(id.clone(), row.body.into(), &row.signature, received_at);
            if let Ok(request) = request
                && let Err(error) = hub.journal.append(request).await
            {
                tracing::error!(account.id = %id, %error, "a body from the quarantine was not stored; it waits on");
                return Ok(count);
            }
            // A crash before this journals the body again, which adds nothing.
            let mut tx = hub.db.begin().await?;
            let is_taken = repo::take(&mut tx, &row.id).await?;
            tx.commit().await?;
            if is_taken {
                account.seen.verified_later(1);
                account.seen.events(received_at);
                count += 1;
            }
        }
    }
}

async fn empty(hub: &Hub, id: &AccountId) -> DbResult<()> {
    let mut tx = hub.db.begin().await?;
    repo::empty(&mut tx, id).await?;
    tx.commit().await
}

/// Goes through what waits, for the case that a process ended while it did, and removes what waited too long.
pub(super) async fn tidy(hub: &Hub) -> DbResult<()> {
    for (id,) in repo::waiting(&hub.db, hub.now()).await? {
        drain(hub, &id).await?;
    }
    let mut tx = hub.db.begin().await?;
    repo::expire(&mut tx, hub.now()).await?;
    tx.commit().await
}
