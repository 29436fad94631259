//! The SQL of calls that queue once only.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{Id as _, MessageId};
use crate::outbox::once::Once;
use crate::{args, statements};

statements! {
    ONCE_TAKE = { "INSERT INTO once_keys
        (conversation_id, once_key, tenant_id, account_id, wanted, message_ids, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (conversation_id, once_key) DO UPDATE SET wanted = excluded.wanted,
            message_ids = excluded.message_ids, created_at = excluded.created_at
        WHERE once_keys.created_at <= $8" };
    ONCE_TAKEN = { "SELECT wanted, message_ids FROM once_keys
        WHERE tenant_id = $1 AND conversation_id = $2 AND once_key = $3 AND created_at > $4" };
}

/// Notes what a call queues; `false` when it has queued before, not longer than `kept` ago.
pub(in crate::outbox) async fn take_once(
    tx: &mut Tx,
    once: &Once,
    message_ids: &str,
    now: Timestamp,
    kept: Duration,
) -> DbResult<bool> {
    let Once { tenant, account, conversation, key, wanted } = once;
    let wanted = wanted.as_slice();
    let args = args![conversation, key, tenant, account, wanted, message_ids, now, now.minus(kept)];
    Ok(tx.run(&ONCE_TAKE, args).await? == 1)
}

/// What a call wanted and queued after `since`.
pub(in crate::outbox) async fn taken_once(
    db: &Db,
    once: &Once,
    since: Timestamp,
) -> DbResult<Option<(Vec<u8>, Vec<MessageId>)>> {
    let args = args![&once.tenant, &once.conversation, &once.key, since];
    let row: Option<(Vec<u8>, String)> = db.opt(&ONCE_TAKEN, args).await?;
    Ok(row.map(|(wanted, ids)| (wanted, ids.split(',').filter_map(MessageId::parse).collect())))
}
