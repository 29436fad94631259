//! Bodies for a connected account whose signature fits no secret the hub has: most likely the secret was reissued at
//! LINE (GOTCHAS F2). They wait, bounded, until a new secret is saved; then those it signs are journaled.

use bytes::Bytes;

use crate::accounts::Connected;
use crate::app::Hub;
use crate::clock::Timestamp;
use crate::db::LogAndIgnore;
use crate::ingress::repo;

/// Keeps a refused body if it names this account's bot and there is room. The answer to the sender is 401 all the same.
pub(super) async fn keep(hub: &Hub, account: &Connected, body: &Bytes, signature: &str, now: Timestamp) {
    let Ok(envelope) = line_api::webhook::parse(body) else { return };
    if signature.is_empty() || envelope.destination.as_deref() != Some(&account.bot_user_id) {
        return;
    }
    let kept = async {
        let mut tx = hub.db.begin().await?;
        let id = crate::ids::make("qrt_", now, &hub.entropy);
        let row = repo::Row { id, body: body.to_vec(), signature: signature.to_owned(), received_at: now };
        repo::keep(&mut tx, account, &row).await?;
        tx.commit().await
    };
    kept.await.log_and_ignore("keeping a body in quarantine");
}
