//! Media of messages, and attachments of agents.

use std::collections::HashSet;

use crate::blobs::BlobKey;
use crate::clock::Timestamp;
use crate::db::{Db, DbResult, Tx};
use crate::ids::{AccountId, MessageId, TenantId};
use crate::{args, statements};

macro_rules! known {
    ($keys:literal) => {
        concat!(
            "SELECT blob_key FROM media WHERE blob_key IN (",
            $keys,
            ") UNION SELECT blob_key FROM attachments WHERE blob_key IN (",
            $keys,
            ") ORDER BY blob_key"
        )
    };
}

statements! {
    EXPECT = { "INSERT INTO media (message_id, tenant_id, account_id, state, file_name, updated_at)
        VALUES ($1, $2, $3, 'waiting', $4, $5) ON CONFLICT (message_id) DO NOTHING" };
    WAITING = { "SELECT m.account_id, m.tenant_id, m.conversation_id, m.external_id, m.content FROM media AS f
        JOIN messages AS m ON m.id = f.message_id
        WHERE f.message_id = $1 AND f.state IN ('waiting', 'failed') AND m.unsent_at IS NULL" };
    KEEP = { "UPDATE media SET state = 'kept', blob_key = $2, content_type = $3, size = $4, error = NULL, updated_at = $5
        WHERE message_id = $1 AND state <> 'gone'" };
    SET_STATE = { "UPDATE media SET state = $2, error = $3, updated_at = $4 WHERE message_id = $1 AND state <> 'gone'" };
    FORGET = { "UPDATE media SET state = 'gone', updated_at = $2 WHERE message_id = $1 RETURNING blob_key" };
    FORGOTTEN = { "UPDATE media SET blob_key = NULL, updated_at = $2 WHERE message_id = $1" };
    ATTACH = { "INSERT INTO attachments (key, tenant_id, account_id, blob_key, content_type, size, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)" };
    MARK_SENT = { "UPDATE attachments SET sent_at = COALESCE(sent_at, $4)
        WHERE key = $3 AND tenant_id = $1 AND account_id = $2" };
    // Asked twice, because a send may come between the search and the deletion.
    FORGET_UNSENT = { "DELETE FROM attachments WHERE sent_at IS NULL AND key IN (
            SELECT key FROM attachments WHERE sent_at IS NULL AND created_at < $1 ORDER BY created_at, key LIMIT $2)
        RETURNING blob_key" };
    KNOWN = {
        sqlite: known!("SELECT value FROM json_each($1)"),
        postgres: known!("SELECT json_array_elements_text(CAST($1 AS JSON))"),
    };
    FIND_ATTACHMENT = { "SELECT blob_key, content_type, size FROM attachments WHERE key = $1" };
}

pub(in crate::inbox) async fn expect(
    tx: &mut Tx,
    message: &MessageId,
    tenant: &TenantId,
    account: &AccountId,
    file_name: Option<&str>,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&EXPECT, args![message, tenant, account, file_name, now]).await
}

/// A message whose media is to be fetched.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::inbox) struct Waiting {
    pub(in crate::inbox) account_id: AccountId,
    pub(in crate::inbox) tenant_id: TenantId,
    pub(in crate::inbox) conversation_id: crate::ids::ConversationId,
    pub(in crate::inbox) external_id: Option<String>,
    pub(in crate::inbox) content: Option<String>,
}

pub(in crate::inbox) async fn waiting(db: &Db, message: &MessageId) -> DbResult<Option<Waiting>> {
    db.opt(&WAITING, args![message]).await
}

/// False when the message was unsent meanwhile: then the blob must go.
pub(in crate::inbox) async fn keep(
    tx: &mut Tx,
    message: &MessageId,
    blob_key: &str,
    content_type: &str,
    size: i64,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&KEEP, args![message, blob_key, content_type, size, now]).await? == 1)
}

pub(in crate::inbox) async fn set_state(
    tx: &mut Tx,
    message: &MessageId,
    state: &str,
    error: &str,
    now: Timestamp,
) -> DbResult<u64> {
    tx.run(&SET_STATE, args![message, state, error, now]).await
}

/// Marks the media of an unsent message as gone; gives the blob that a job must delete.
pub(in crate::inbox) async fn forget(
    tx: &mut Tx,
    message: &MessageId,
    now: Timestamp,
) -> DbResult<Option<String>> {
    let row: Option<(Option<String>,)> = tx.opt(&FORGET, args![message, now]).await?;
    Ok(row.and_then(|(key,)| key))
}

pub(in crate::inbox) async fn forgotten(tx: &mut Tx, message: &MessageId, now: Timestamp) -> DbResult<u64> {
    tx.run(&FORGOTTEN, args![message, now]).await
}

/// A picture that an agent attached.
#[derive(Debug, Clone)]
pub(in crate::inbox) struct Attachment<'a> {
    pub(in crate::inbox) key: &'a str,
    pub(in crate::inbox) tenant: &'a TenantId,
    pub(in crate::inbox) account: &'a AccountId,
    pub(in crate::inbox) blob_key: &'a str,
    pub(in crate::inbox) content_type: &'a str,
    pub(in crate::inbox) size: i64,
    pub(in crate::inbox) created_by: &'a str,
}

pub(in crate::inbox) async fn attach(tx: &mut Tx, a: &Attachment<'_>, now: Timestamp) -> DbResult<u64> {
    let args = args![a.key, a.tenant, a.account, a.blob_key, a.content_type, a.size, a.created_by, now];
    tx.run(&ATTACH, args).await
}

/// By its unguessable public key: LINE and the friends' phones fetch it without signing in.
pub(in crate::inbox) async fn find_attachment(db: &Db, key: &str) -> DbResult<Option<(String, String, i64)>> {
    db.opt(&FIND_ATTACHMENT, args![key]).await
}

/// Notes that a message with this picture was queued; false when the tenant has no such picture (any more).
pub(in crate::inbox) async fn mark_sent(
    tx: &mut Tx,
    tenant: &TenantId,
    account: &AccountId,
    key: &str,
    now: Timestamp,
) -> DbResult<bool> {
    Ok(tx.run(&MARK_SENT, args![tenant, account, key, now]).await? == 1)
}

/// Deletes pictures that were attached before a moment and never sent; gives their blobs.
pub(in crate::inbox) async fn forget_unsent(
    tx: &mut Tx,
    before: Timestamp,
    limit: i64,
) -> DbResult<Vec<String>> {
    let gone: Vec<(String,)> = tx.all(&FORGET_UNSENT, args![before, limit]).await?;
    Ok(gone.into_iter().map(|(blob,)| blob).collect())
}

/// Which of these blobs a row refers to.
pub(in crate::inbox) async fn known(db: &Db, blobs: &[BlobKey]) -> DbResult<HashSet<String>> {
    let keys: Vec<&str> = blobs.iter().map(BlobKey::as_str).collect();
    let found: Vec<(String,)> = db.all(&KNOWN, args![serde_json::Value::from(keys).to_string()]).await?;
    Ok(found.into_iter().map(|(key,)| key).collect())
}
