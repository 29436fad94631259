//! The SQL of what is forgotten with time.

use crate::clock::Timestamp;
use crate::db::{DbResult, Tx};
use crate::{args, statements};

macro_rules! settled_before {
    () => {
        "SELECT s.id FROM sends AS s WHERE s.forgotten_at IS NULL AND s.settled_at < $1 ORDER BY s.settled_at, s.id LIMIT $2"
    };
}

statements! {
    // Both choose the same sends: within one transaction, the deliveries first.
    FORGET_CONTENTS = { concat!("UPDATE deliveries SET content = '' WHERE send_id IN (", settled_before!(), ")") };
    FORGET_BODIES = { concat!("UPDATE sends SET body = NULL, line_answer = NULL, forgotten_at = $3 WHERE id IN (", settled_before!(), ")") };
    TOKENS_DELETE = { "DELETE FROM reply_tokens WHERE (account_id, token) IN (
        SELECT t.account_id, t.token FROM reply_tokens AS t WHERE t.usable_until < $1 LIMIT $2)" };
    FORGET_BULK = { "UPDATE bulk_sends SET body = NULL, line_answer = NULL
        WHERE settled_at < $1 AND body IS NOT NULL" };
    ONCE_DELETE = { "DELETE FROM once_keys WHERE (conversation_id, once_key) IN (
        SELECT o.conversation_id, o.once_key FROM once_keys AS o WHERE o.created_at <= $1 LIMIT $2)" };
}

/// Deletes up to `limit` tokens that nobody can use any more.
pub(in crate::outbox) async fn delete_tokens(
    tx: &mut Tx,
    usable_before: Timestamp,
    limit: i64,
) -> DbResult<u64> {
    tx.run(&TOKENS_DELETE, args![usable_before, limit]).await
}

/// Blanks what up to `limit` sends that were settled before a time said; gives how many.
pub(in crate::outbox) async fn forget(
    tx: &mut Tx,
    settled_before: Timestamp,
    limit: i64,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&FORGET_CONTENTS, args![settled_before, limit]).await?;
    tx.run(&FORGET_BULK, args![settled_before]).await?;
    tx.run(&FORGET_BODIES, args![settled_before, limit, now]).await
}

/// Forgets calls that queued before; tells how many.
pub(in crate::outbox) async fn delete_once(tx: &mut Tx, before: Timestamp, limit: i64) -> DbResult<u64> {
    tx.run(&ONCE_DELETE, args![before, limit]).await
}
