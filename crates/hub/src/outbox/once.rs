//! Calls that may come again, because their answer was lost: what they queue is queued once.
//!
//! The key stands in the transaction of the messages. Whatever happens after its commit, a repeat finds them.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::repo;
use crate::app::Hub;
use crate::db::{DbResult, Tx};
use crate::error::{AppError, AppResult, FieldError};
use crate::ids::{AccountId, ConversationId, MessageId, TenantId};
use crate::web::api::IDEMPOTENCY_KEPT;

/// How long a call may be repeated.
pub(super) const KEPT: Duration = IDEMPOTENCY_KEPT;

/// A call that may come again.
#[derive(Debug, Clone)]
pub struct Once {
    pub(super) tenant: TenantId,
    pub(super) account: AccountId,
    pub(super) conversation: ConversationId,
    pub(super) key: String,
    pub(super) wanted: Vec<u8>,
}

impl Once {
    /// A call in a conversation: `key` names the caller and what they call it, the same for each try; `wanted` is what
    /// it shall do.
    #[must_use]
    pub fn new(
        tenant: &TenantId,
        account: &AccountId,
        conversation: &ConversationId,
        key: &str,
        wanted: &[Value],
    ) -> Self {
        let mut bytes = Vec::new();
        for value in wanted {
            bytes.extend_from_slice(value.to_string().as_bytes());
            bytes.push(b'\n');
        }
        Self {
            tenant: tenant.clone(),
            account: account.clone(),
            conversation: conversation.clone(),
            key: key.to_owned(),
            wanted: digest(&SHA256, &bytes).as_ref().to_vec(),
        }
    }
}

/// Notes what a call queues, before its messages are written; `false` when an earlier try has queued it.
///
/// # Errors
/// Those of the database.
pub async fn take(tx: &mut Tx, hub: &Hub, once: &Once, messages: &[MessageId]) -> DbResult<bool> {
    let ids: Vec<&str> = messages.iter().map(MessageId::as_str).collect();
    repo::take_once(tx, once, &ids.join(","), hub.now(), KEPT).await
}

/// What an earlier try of the call has queued, in order.
///
/// # Errors
/// 409 `idempotency_key_reused` when that was something else; the database's.
pub async fn taken(hub: &Hub, once: &Once) -> AppResult<Option<Vec<MessageId>>> {
    let Some((wanted, ids)) = repo::taken_once(&hub.db, once, hub.now().minus(KEPT)).await? else {
        return Ok(None);
    };
    if wanted != once.wanted {
        let detail = "other messages were sent with this key; send these with a key of their own";
        let mut refusal = AppError::conflict("idempotency_key_reused", detail);
        refusal.fields.push(FieldError::new("messages", "differs", "not what was sent with this key before"));
        return Err(refusal);
    }
    Ok(Some(ids))
}
